"""Exec commands: the output, messages and exit status of ``ssh host COMMAND``."""

import json

import pytest

from chatd.chat.limits import Rate
from chatd.chat.model.bans import Ban, Kind, Target
from chatd.transport.ssh.exec.command import Call
from chatd.transport.ssh.exec.queries import LIST_BYTES
from chatd.wire.ssh import string, uint32
from tests.support.ssh.clients import SshClient, SshServer
from tests.support.ssh.peer import ADJUST


def plain_user(server: SshServer, user: bytes = b"bob") -> SshClient:
    """Return a user with a shell in plain lines who has read the greeting."""
    bob = SshClient(server, user).opens_shell()
    bob.receives()
    return bob


def test_say_posts_a_message_without_joining() -> None:
    server = SshServer()
    bob = plain_user(server)
    ann = SshClient(server).runs(b'say lobby "deploy  done"')
    assert bob.receives() == b"ann: deploy  done\r\n"
    ann.receives()
    assert (ann.status, ann.closed, ann.errors) == (0, True, b"")
    assert len(server.memory_server.chat.people) == 1
    assert bob.receives() == b""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"it's done", b"it's done"),
        (b"'it is done'", b"it is done"),
        (b'"two  blanks"', b"two  blanks"),
        (b'"quoted" and "quoted"', b'"quoted" and "quoted"'),
        (b"x" * 4096, b"x" * 4096),
        (b"x" * 5000, b"x" * 4096),
    ],
)
def test_say_posts_its_text_unchanged_but_for_outer_quotes(text: bytes, said: bytes) -> None:
    server = SshServer()
    bob = plain_user(server)
    ann = SshClient(server).runs(b"say lobby " + text)
    assert bob.receives() == b"ann: %s\r\n" % said
    ann.receives()
    assert ann.status == 0
    cut = b"chatd: a line was too long; its first 4096 bytes were taken.\n"
    assert ann.errors == cut * (len(text) > 4096)


def test_say_without_input_still_fails_for_an_unknown_room() -> None:
    ann = SshClient(SshServer()).runs(b"say attic")
    ann.ends_input(), ann.receives(), ann.receives()
    assert ann.status == 1


@pytest.mark.parametrize(("key", "status"), [("\x03", 130), ("\x04", 0)])
def test_ctrl_c_and_ctrl_d_end_say_at_a_terminal(key: str, status: int) -> None:
    server = SshServer()
    bob = plain_user(server)
    ann = SshClient(server)
    ann.channel = ann.peer.open()
    size = uint32(80) + uint32(24) + 2 * uint32(0)
    ann.peer.request(ann.channel, b"pty-req", string(b"xterm") + size + string(b"\0"))
    ann.peer.request(ann.channel, b"exec", string(b"say lobby"))
    ann.types(f"one\rtwo\r{key}three\r")
    assert bob.receives() == b"ann: one\r\nann: two\r\n"
    ann.receives()
    assert ann.status == status


def test_lines_of_standard_input_are_posted_at_the_allowed_rate_without_loss() -> None:
    server = SshServer(flood=Rate(2, 1))
    bob = plain_user(server)
    server.clock.advance(60)
    ann = SshClient(server).runs(b"say lobby")
    ann.types("".join(f"{n}\n" for n in range(5)) + "no end"), ann.ends_input()
    received = bob.receives()
    assert received == b"ann: 0\r\nann: 1\r\n"
    for _ in range(6):
        server.clock.advance(1)
        received += bob.receives()
    assert received.split(b"\r\n")[2:] == [b"ann: 2", b"ann: 3", b"ann: 4", b"ann: no end", b""]
    ann.receives()
    assert ann.status == 0


def test_a_long_input_is_paused_and_posted_completely() -> None:
    server = SshServer(flood=Rate(1, 1000))
    bob = plain_user(server)
    server.clock.advance(60)
    ann = SshClient(server).runs(b"say lobby")
    lines = [f"{n} {'x' * 90}" for n in range(400)]
    text, received = "".join(f"{line}\n" for line in lines), b""
    for start in range(0, len(text), 8000):
        ann.types(text[start : start + 8000])
        for _ in range(200):
            server.clock.advance(0.001)
        received += bob.receives()
        ann.receives()
    ann.ends_input()
    for _ in range(1000):
        server.clock.advance(0.001)
    received += bob.receives()
    assert received.decode().splitlines() == [f"ann: {line}" for line in lines]


@pytest.mark.parametrize(
    ("command", "message", "status"),
    [
        (b"", b"chatd: there is no such command;", 64),
        (b"whoami", b"chatd: there is no such command;", 64),
        (b'say "', b"chatd: A room's name has letters and digits", 1),
        (b"who extra", b"chatd: who takes no words\n", 64),
        (b"rooms --json", b"chatd: rooms takes no words\n", 64),
        (b"say", b"chatd: say ROOM TEXT, or say ROOM with lines on standard input\n", 64),
        (b"tail", b"chatd: tail [-n N] [--json] ROOM\n", 64),
        (b"tail -n x lobby", b"chatd: tail [-n N] [--json] ROOM\n", 64),
        (b"search", b"chatd: search WORDS\n", 64),
        (b"search since:now", b"chatd: A day is written 2030-12-31, not now.\n", 1),
        (b"search x in:attic", b"chatd: There is no room attic; /rooms lists them.\n", 1),
        (b"say attic hello", b"chatd: There is no room attic; /rooms lists them.\n", 1),
        (b"tail attic", b"chatd: There is no room attic; /rooms lists them.\n", 1),
    ],
)
def test_an_error_is_one_line_on_standard_error_and_an_exit_status(
    command: bytes, message: bytes, status: int
) -> None:
    server = SshServer()
    ann = SshClient(server).runs(command)
    assert ann.receives() == b""
    ann.receives()
    assert ann.errors.startswith(message)
    assert ann.errors.count(b"\n") == 1
    assert ann.status == status
    assert len(server.memory_server.chat.people) == 0


def test_say_does_not_post_to_a_private_room() -> None:
    server = SshServer()
    bob = plain_user(server)
    bob.types("/join attic\n/room private on\n"), bob.receives()
    ann = SshClient(server).runs(b"say attic hello")
    ann.receives(), ann.receives()
    assert ann.status == 1
    assert bob.receives() == b""


def test_tail_writes_the_last_messages_and_follows_the_room_until_interrupted() -> None:
    server = SshServer()
    bob = plain_user(server)
    bob.types("one\ntwo\nthree\n"), bob.receives()
    ann = SshClient(server).runs(b"tail -n 2 lobby")
    assert ann.receives() == b"00:00 bob: two\n00:00 bob: three\n"
    assert bob.receives() == b"-- ann joined lobby\r\n"
    bob.types("four\n"), server.memory_server.end_turn()
    assert ann.receives() == b"00:00 bob: four\n"
    ann.ends_input()
    assert ann.status is None
    ann.sends_request(b"signal", b"\0\0\0\x03INT"), ann.receives()
    assert ann.status == 130
    assert bob.receives() == b"-- ann left\r\n"


def test_tail_in_json_writes_one_object_per_line() -> None:
    server = SshServer()
    bob = plain_user(server)
    ann = SshClient(server).runs(b"tail --json lobby")
    ann.receives()
    bob.types("four\n/nick rob\n"), server.memory_server.end_turn()
    said, renamed = map(json.loads, ann.receives().splitlines())
    assert said == {
        "event": "said",
        "sender": "bob",
        "message": "four",
        "room": "lobby",
        "seq": 1,
        "time": "1970-01-01T00:00:00.000Z",
    }
    assert (renamed["event"], renamed["nick"], renamed["new"]) == ("renamed", "bob", "rob")


def test_tail_with_a_small_window_loses_nothing() -> None:
    server = SshServer()
    bob = plain_user(server)
    ann = SshClient(server).runs(b"tail lobby", window=20)
    ann.receives()
    bob.types("".join(f"{n}\n" for n in range(50))), server.memory_server.end_turn()
    read = ann.receives()
    while b" bob: 49\n" not in read:
        ann.peer.send(93, ann.channel.to_bytes(4, "big") + (100).to_bytes(4, "big"))
        read += ann.receives()
    assert read.decode().splitlines() == [f"00:00 bob: {n}" for n in range(50)]


def test_tail_ends_when_its_user_is_kicked() -> None:
    server = SshServer()
    bob = plain_user(server)
    bob.types("/join attic\n"), bob.receives()
    ann = SshClient(server).runs(b"tail attic")
    ann.receives()
    bob.types("/kick ann\n"), server.memory_server.end_turn()
    assert ann.receives().endswith(b"-- You were kicked from attic by bob.\n")
    ann.receives()
    assert ann.status == 1


def test_who_and_rooms_write_lines_for_other_programs() -> None:
    server = SshServer()
    bob, cy = plain_user(server), plain_user(server, b"cy")
    bob.types("/join attic\n/room topic Old books\n"), bob.receives()
    cy.types("/join vault\n/room private on\n"), cy.receives()
    assert SshClient(server).runs(b"who").receives() == b"bob lobby,attic\ncy lobby\n"
    assert SshClient(server).runs(b"rooms").receives() == b"lobby 2\nattic 1 Old books\n"
    assert SshClient(server).runs(b"help").receives().count(b"\n") == 6


@pytest.mark.parametrize("command", [b"who", b"rooms"])
def test_a_long_list_waits_for_a_client_that_does_not_read(
    command: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, written = SshServer(), list[str]()

    def put(call: Call, lines: list[str]) -> None:
        written.extend(lines)
        call.channel.outbox.write("".join(line + "\n" for line in lines).encode())

    monkeypatch.setattr(Call, "put", put)
    for number in range(200):
        user = server.memory_server.enters(f"user-with-a-long-nick{number}")
        rooms = "".join(f"/join r{number}-{each}\n/room topic {'x' * 300}\n" for each in range(5))
        user.sends(rooms.encode())
        server.memory_server.end_turn()
    slow = SshClient(server).runs(command, window=1)
    for _ in range(5):
        slow.receives()
    assert 0 < len("".join(written)) <= LIST_BYTES + 300
    slow.peer.send(ADJUST, uint32(slow.channel) + uint32(1 << 30))
    received = b"".join(slow.receives() for _ in range(60))
    chat = server.memory_server.chat
    assert len(written) == len(chat.people if command == b"who" else chat.rooms)
    assert received.splitlines()[-1] == written[-1].encode()
    assert (slow.status, slow.closed) == (0, True)


def test_search_writes_matches_from_public_rooms_and_points_to_more() -> None:
    server = SshServer()
    bob = plain_user(server)
    bob.types("/join vault\n/room private on\nold secret\n/join attic\nold books\n"), bob.receives()
    bob.types("/focus lobby\nan old lobby\nnothing\n"), bob.receives()
    ann = SshClient(server).runs(b"search old")
    assert set(ann.receives().splitlines()) == {
        b"1970-01-01 00:00 [attic] bob: old books",
        b"1970-01-01 00:00 [lobby] bob: an old lobby",
    }
    ann.receives()
    assert (ann.status, ann.errors) == (0, b"")
    assert (
        SshClient(server)
        .runs(b'search "old lobby" in:lobby')
        .receives()
        .endswith(b"bob: an old lobby\n")
    )
    assert SshClient(server).runs(b"search old in:vault").receives() == b""
    nothing = SshClient(server).runs(b"search new")
    assert (nothing.receives(), nothing.receives(), nothing.status) == (b"", b"", 1)
    for number in range(30):
        bob.types(f"counted {number}\n"), bob.receives()
    many = SshClient(server).runs(b"search from:bob counted")
    assert many.receives().count(b"\n") == 20
    many.receives()
    assert many.errors == b"chatd: there is more; page:2 shows earlier ones.\n"


def test_a_client_that_closes_during_say_leaves_nothing_behind() -> None:
    server = SshServer(flood=Rate(1, 1))
    ann = SshClient(server).runs(b"say lobby")
    ann.types("one\ntwo\nthree\n"), ann.receives()
    ann.peer.send(97, ann.channel.to_bytes(4, "big")), ann.receives()
    server.clock.advance(60)
    assert len(server.memory_server.chat.people) == 0


@pytest.mark.parametrize(
    "command", [b"who", b"rooms", b"search snow", b"tail lobby", b"say lobby x"]
)
def test_a_user_banned_after_the_login_cannot_run_commands(command: bytes) -> None:
    server = SshServer()
    ann = SshClient(server)
    host = server.memory_server.host
    target = Target(Kind.NICK, "ann")
    host.chat.access.bans.restore(Ban(target, "ann", "root", host.now(), None, ""))
    ann.runs(command)
    assert ann.receives() == b""
    assert ann.errors == b"chatd: You are banned from this server for good.\n"
    assert ann.status == 1


def test_a_text_of_several_lines_is_one_message_with_its_empty_lines() -> None:
    server = SshServer(flood=Rate(1, 1))
    bob = plain_user(server)
    server.clock.advance(60)
    ann = SshClient(server).runs(b'say lobby "if x:\n\ty\n\n\n\xe2\x80\xa8z"')
    assert bob.receives() == b"ann: if x:\r\n            y\r\n    \r\n    \r\n    \r\n    z\r\n"
    ann.receives()
    assert (ann.status, ann.errors) == (0, b"")


def test_an_input_that_is_a_block_is_one_message_once_it_has_ended() -> None:
    server = SshServer(flood=Rate(1, 1))
    bob = plain_user(server)
    server.clock.advance(60)
    ann = SshClient(server).runs(b"say --block lobby")
    ann.types("\n\none\n\n"), ann.types("two\n\tthree\n\n")
    assert bob.receives() == b""
    ann.ends_input()
    assert bob.receives() == b"ann: one\r\n    \r\n    two\r\n            three\r\n"
    ann.receives()
    assert ann.status == 0


def test_a_block_without_text_posts_nothing() -> None:
    server = SshServer()
    bob = plain_user(server)
    ann = SshClient(server).runs(b"say --block lobby")
    ann.types(" \n\n"), ann.ends_input()
    assert bob.receives() == b""
    ann.receives()
    assert ann.status == 0
