"""Shells by ssh in the chat: terminals, plain lines, user names, keys, ends.

The clients come through the gate, in memory.
"""

import re

import pytest

from chatd.chat.limits import LINE_BYTES, Rate
from chatd.chat.text.sanitizing import safe
from chatd.transport.ssh.protocol.channel import LOCAL_PACKET, LOCAL_WINDOW
from chatd.wire.ssh import string, uint32
from tests.support.displays import TIPS
from tests.support.ssh import peer as ssh_peer
from tests.support.ssh.clients import GREETED, GREETING, SshClient, SshServer
from tests.support.ssh.peer import ADJUST, CLOSE, FAILURE, SUCCESS, USER_KEY

# On a terminal ------------------------------------------------------------------------------------


def test_a_user_with_a_terminal_has_their_user_name_as_nick_and_a_prompt() -> None:
    ann = SshClient(SshServer()).opens_shell(b"xterm")
    assert ann.sees() == [*GREETED, "[lobby]"]
    assert ann.display.cursor == (8, len(GREETED))


def test_the_shell_request_is_confirmed_before_any_output() -> None:
    ann = SshClient(SshServer())
    ann.channel = ann.peer.open()
    assert ann.peer.request(ann.channel, b"shell") == [SUCCESS]
    assert ann.receives().decode() == f"{GREETING}\r\n"


def test_a_typed_line_is_shown_once_and_sent_to_the_others() -> None:
    server = SshServer()
    ann, bob = SshClient(server).opens_shell(b"xterm"), SshClient(server, b"bob").opens_shell()
    ann.receives(), bob.receives()
    ann.types("hal"), bob.types("one\n")
    assert ann.sees()[-2:] == ["bob: one", "[lobby] hal"]
    ann.types("f\r")
    assert ann.sees()[-3:] == ["bob: one", "ann: half", "[lobby]"]
    assert bob.receives() == b"ann: half\r\n"


def test_a_new_terminal_size_redraws_the_line() -> None:
    ann = SshClient(SshServer()).opens_shell(b"xterm")
    ann.types("x" * 60), ann.receives()
    ann.sends_request(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0))
    ann.display.screen.resize(30, 100)
    assert ann.sees() == [*GREETED, "[lobby] " + "x" * 60]
    ann.types("y" * 30)
    assert ann.sees() == [*GREETED, "[lobby] " + "x" * 60 + "y" * 30]
    ann.sends_request(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0))
    assert ann.receives() == b""


@pytest.mark.parametrize(
    ("terminal", "environment", "colour"),
    [
        (b"xterm-256color", (), b"\x1b[38;5;67m"),
        (b"tmux-256color", (), b"\x1b[38;5;67m"),
        (b"screen", (), b"\x1b[36m"),
        (b"linux", (), b"\x1b[36m"),
        (b"xterm-kitty", (), b"\x1b[38;2;95;140;175m"),
        (b"xterm-256color", ((b"COLORTERM", b"truecolor"),), b"\x1b[38;2;95;140;175m"),
    ],
)
def test_a_terminal_gets_the_colours_that_it_has(
    terminal: bytes, environment: tuple[tuple[bytes, bytes], ...], colour: bytes
) -> None:
    assert (
        colour + b"[lobby]"
        in SshClient(SshServer()).opens_shell(terminal, environment=environment).receives()
    )


@pytest.mark.parametrize("terminal", [b"vt100", b"vt220", b"VT102"])
def test_terminals_without_colours_are_drawn_on_without_colours(terminal: bytes) -> None:
    ann = SshClient(SshServer()).opens_shell(terminal)
    ann.types("hello"), ann.receives()
    ann.types("\x7f")
    text = ann.receives()
    assert b"\x1b[K" in text
    assert not re.search(rb"\x1b\[[0-9;]*m", text)
    assert ann.display.lines == [*GREETED, "[lobby] hell"]


@pytest.mark.parametrize("terminal", [b"dumb", b""])
def test_a_dumb_terminal_gets_no_escape_sequence(terminal: bytes) -> None:
    server = SshServer()
    ann, bob = SshClient(server).opens_shell(terminal), SshClient(server, b"bob").opens_shell()
    ann.receives()
    ann.types("helo\x7flo"), bob.types("one\n")
    text = ann.receives()
    assert b"\x1b" not in text
    assert ann.display.lines[-2:] == ["bob: one", "[lobby] hello"]


def test_no_color_is_respected() -> None:
    ann = SshClient(SshServer()).opens_shell(b"xterm", environment=((b"NO_COLOR", b"1"),))
    assert not re.search(rb"\x1b\[[0-9;]*m", ann.receives())
    ann.types("hi\r")
    assert not re.search(rb"\x1b\[[0-9;]*m", ann.receives())
    assert ann.display.lines == [*GREETED, "ann: hi", "[lobby]"]


def test_an_empty_no_color_is_ignored() -> None:
    ann = SshClient(SshServer()).opens_shell(b"xterm", environment=((b"NO_COLOR", b""),))
    assert b"\x1b[36m" in ann.receives()


@pytest.mark.parametrize("key", ["\x04", "/quit\r"])
def test_quitting_restores_the_screen_and_exits_with_status_0(key: str) -> None:
    ann = SshClient(SshServer()).opens_shell(b"xterm")
    ann.receives()
    ann.types(key)
    assert ann.sees() == [*GREETED, "-- Goodbye."]
    assert ann.display.cursor == (0, len(GREETED) + 1)
    assert ann.closed
    assert ann.status == 0


@pytest.mark.parametrize("kind", [b"signal", b"break"])
def test_an_interrupt_signal_or_a_break_clears_the_line(kind: bytes) -> None:
    ann = SshClient(SshServer()).opens_shell(b"xterm")
    ann.types("hal")
    ann.sends_request(kind, string(b"INT") if kind == b"signal" else uint32(500))
    assert ann.sees() == [*GREETED, "[lobby]"]


# Without a terminal -------------------------------------------------------------------------------


def test_without_a_terminal_there_are_plain_lines_and_no_prompt() -> None:
    server = SshServer()
    ann, bob = SshClient(server).opens_shell(), SshClient(server, b"bob").opens_shell()
    assert ann.receives().decode() == f"{GREETING}\r\n-- bob joined lobby\r\n"
    bob.receives()
    ann.types("hel"), ann.types("lo\r\n")
    assert ann.receives() == b""
    assert bob.receives() == b"ann: hello\r\n"


def test_a_plain_line_that_is_too_long_is_cut_and_its_sender_told() -> None:
    server = SshServer()
    ann, bob = SshClient(server).opens_shell(), SshClient(server, b"bob").opens_shell()
    ann.receives(), bob.receives()
    ann.types("x" * (LINE_BYTES + 10) + "\nnext\n")
    assert ann.receives().startswith(b"-- That line was too long;")
    assert bob.receives() == b"ann: " + b"x" * LINE_BYTES + b"\r\nann: next\r\n"


def test_a_window_change_without_a_terminal_is_refused() -> None:
    ann = SshClient(SshServer()).opens_shell()
    ann.receives()
    ann.sends_request(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0), reply=True)
    assert ann.receives() == b""
    assert ann.numbers[-1] == FAILURE


def test_an_interrupt_without_a_terminal_ends_the_shell() -> None:
    ann = SshClient(SshServer()).opens_shell()
    ann.sends_request(b"signal", string(b"INT"))
    ann.receives()
    assert ann.closed


def test_waiting_lines_are_posted_after_the_end_of_the_input() -> None:
    server = SshServer(flood=Rate(2, 1))
    bob = SshClient(server, b"bob").opens_shell()
    ann = SshClient(server).opens_shell()
    bob.receives()
    ann.types("one\ntwo\nthree\nfour"), ann.ends_input()
    assert bob.receives() == b"ann: one\r\nann: two\r\n"
    ann.receives()
    assert not ann.closed
    server.clock.pump([1, 1])
    assert bob.receives().startswith(b"ann: three\r\nann: four\r\n")
    ann.receives()
    assert ann.closed
    assert ann.status == 0


@pytest.mark.parametrize("terminal", [None, b"xterm"])
def test_input_right_after_the_shell_request_is_posted_after_the_greeting(
    terminal: bytes | None,
) -> None:
    server = SshServer()
    bob = SshClient(server, b"bob").opens_shell()
    bob.receives()
    ann = SshClient(server).opens_shell(terminal)
    ann.types("early\r\n")
    ann.receives()
    assert bob.receives() == b"-- ann joined lobby\r\nann: early\r\n"


def test_input_that_ends_before_the_shell_is_confirmed_is_still_posted() -> None:
    server = SshServer()
    bob = SshClient(server, b"bob").opens_shell()
    bob.receives()
    ann = SshClient(server)
    ann.channel = ann.peer.open()
    ann.types("early"), ann.ends_input()
    assert SUCCESS in ann.peer.request(ann.channel, b"shell")
    ann.receives()
    assert bob.receives().startswith(b"-- ann joined lobby\r\nann: early\r\n")
    assert ann.closed


# Nicks and keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "nick"), [(b"grace", "grace"), ("Zoë".encode(), "Zoë"), (b"lobby-1", "lobby-1")]
)
def test_the_user_name_is_the_nick(user: bytes, nick: str) -> None:
    guest = SshClient(SshServer(), user).opens_shell()
    assert guest.receives().decode().startswith(f"-- You are {nick} in lobby")


def test_a_user_whose_name_is_taken_gets_a_similar_nick_and_is_told() -> None:
    server = SshServer()
    SshClient(server).opens_shell()
    other = SshClient(server).opens_shell()
    notice = other.receives().decode().split("\r\n")[0]
    assert notice.startswith("-- ann is taken; you are ")


@pytest.mark.parametrize(
    "user",
    [
        b"\xff\xfe",
        b"",
        b"a b",
        b"x" * 1000,
        b"--",
        b"\x1b[2J",
        "\u202eann\x9b1m".encode(),
    ],
)
def test_a_user_name_that_is_no_valid_nick_is_replaced(user: bytes) -> None:
    server = SshServer()
    guest = SshClient(server, user).opens_shell()
    text = guest.receives().decode()
    assert " in lobby, alone so far" in text
    assert all(safe(line) == line for line in text.split("\r\n"))
    assert len(server.memory_server.chat.people) == 1


def test_an_operator_is_recognised_by_their_key() -> None:
    server = SshServer(operator=USER_KEY)
    SshClient(server, key=USER_KEY).opens_shell().receives()
    person = server.memory_server.chat.people.find("ann")
    assert person is not None
    assert person.operator
    assert person.fingerprint
    SshClient(server, b"bob").opens_shell().receives()
    bob = server.memory_server.chat.people.find("bob")
    assert bob is not None
    assert not bob.operator
    assert bob.fingerprint is None


def test_a_user_whose_key_is_not_listed_is_no_operator() -> None:
    server = SshServer(operator=ssh_peer.HOST_KEY)
    SshClient(server, key=USER_KEY).opens_shell().receives()
    person = server.memory_server.chat.people.find("ann")
    assert person is not None
    assert not person.operator
    assert person.fingerprint


def test_when_the_server_is_full_only_operators_come_in() -> None:
    server = SshServer(max_connections=1, operator=USER_KEY)
    SshClient(server, b"bob").opens_shell()
    late = SshClient(server, b"eve")
    assert late.peer.reason() == "The server is full; try again later."
    ann = SshClient(server, key=USER_KEY).opens_shell()
    assert b"You are ann in lobby" in ann.receives()


# Commands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [b"ls", b"", b"\xff"])
def test_an_unknown_command_fails_with_a_sentence_and_a_status(command: bytes) -> None:
    server = SshServer()
    ann = SshClient(server)
    ann.channel = ann.peer.open()
    assert ann.peer.request(ann.channel, b"exec", string(command))[0] == SUCCESS
    assert ann.receives() == b""
    there_are = b"there are who, rooms, say, tail, search, help."
    assert ann.errors == b"chatd: there is no such command; %s\n" % there_are
    assert ann.status == 64
    assert ann.closed
    assert len(server.memory_server.chat.people) == 0


def test_input_and_requests_to_a_finished_command_do_no_harm() -> None:
    ann = SshClient(SshServer())
    ann.channel = ann.peer.open(window=0)
    assert ann.peer.request(ann.channel, b"exec", string(b"cat"))[0] == SUCCESS
    ann.types("hello")
    ann.sends_request(b"window-change", uint32(100) + uint32(30) + 2 * uint32(0))
    ann.sends_request(b"signal", string(b"INT"))
    ann.ends_input()
    ann.receives()
    assert not ann.closed
    ann.peer.send(ssh_peer.ADJUST, uint32(ann.channel) + uint32(1000))
    ann.receives()
    assert ann.errors.startswith(b"chatd: there is no such command")
    assert ann.status == 64


# Ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terminal", [None, b"xterm"])
def test_a_user_who_closes_the_channel_leaves(terminal: bytes | None) -> None:
    server = SshServer()
    bob = SshClient(server, b"bob").opens_shell()
    ann = SshClient(server).opens_shell(terminal)
    bob.receives()
    ann.types("hal\x1b"), ann.peer.send(CLOSE, uint32(ann.channel))
    assert bob.receives() == b"-- ann left\r\n"


@pytest.mark.parametrize("way", ["eof", "signal"])
def test_a_closed_window_is_a_lost_connection_once_its_lines_are_done(way: str) -> None:
    server = SshServer()
    bob = SshClient(server, b"bob").opens_shell()
    ann = SshClient(server, key=USER_KEY).opens_shell(b"xterm")
    bob.receives()
    ann.types("hello\rhalf a line"), ann.receives()
    if way == "eof":
        ann.ends_input()
    else:
        ann.sends_request(b"signal", string(b"HUP"))
    assert bob.receives() == b"ann: hello\r\n"
    assert b"Goodbye" not in ann.receives()
    assert ann.closed
    [person] = (each for each in server.memory_server.chat.people.here() if each.nick == "ann")
    assert person.is_detached
    bob.types("still there?\n"), bob.receives()
    again = SshClient(server, key=USER_KEY).opens_shell(b"xterm")
    assert any("bob: still there?" in row for row in again.sees())
    assert bob.receives() == b""


def test_a_question_is_called_off_by_a_closed_window() -> None:
    server = SshServer()
    bob = SshClient(server, b"bob").opens_shell()
    ann = SshClient(server, key=USER_KEY).opens_shell(b"xterm")
    ann.types("/register\r"), ann.receives(), ann.types("/password\r"), ann.receives()
    bob.receives(), ann.types("ses"), ann.ends_input(), ann.receives()
    assert ann.closed
    assert bob.receives() == b""


@pytest.mark.parametrize("terminal", [None, b"xterm"])
def test_a_lost_connection_leaves_nothing_behind(terminal: bytes | None) -> None:
    server = SshServer()
    ann = SshClient(server).opens_shell(terminal)
    ann.types("hal\x1b")
    ann.peer.hang_up()
    server.clock.advance(0)
    assert len(server.memory_server.chat.people) == 0
    assert server.memory_server.admission.here == 0
    server.clock.advance(1)
    assert server.clock.getDelayedCalls() == []


def test_a_client_that_is_gone_before_the_shell_begins_never_joins() -> None:
    server = SshServer()
    bob = SshClient(server, b"bob").opens_shell()
    bob.receives()
    ann = SshClient(server)
    ann.channel = ann.peer.open()
    ann.peer.request(ann.channel, b"shell")
    ann.peer.hang_up()
    assert bob.receives() == b""


def test_two_shells_on_one_connection_are_two_users() -> None:
    server = SshServer()
    ann = SshClient(server).opens_shell()
    ann.receives()
    first = ann.channel
    second = ann.peer.open(mine=8)
    assert second != first
    assert SUCCESS in ann.peer.request(second, b"shell")
    server.memory_server.end_turn()
    assert len(server.memory_server.chat.people) == 2


# A small window -----------------------------------------------------------------------------------


def test_a_small_window_loses_nothing() -> None:
    server = SshServer()
    bob = SshClient(server, b"bob").opens_shell()
    ann = SshClient(server).opens_shell(b"xterm", window=100)
    ann.types("hal")
    bob.receives()
    bob.types("".join(f"{n}\n" for n in range(20)))
    bob.receives()
    for _ in range(40):
        ann.receives()
        ann.peer.send(ssh_peer.ADJUST, uint32(ann.channel) + uint32(100))
    assert ann.sees()[-21:] == [*(f"bob: {n}" for n in range(20)), "[lobby] hal"]


def test_a_user_name_can_carry_preferences() -> None:
    server = SshServer()
    ann, bob = (
        SshClient(server, b"ann+plain").opens_shell(b"xterm-256color"),
        SshClient(server, b"bob").opens_shell(),
    )
    bob.receives()
    bob.types("hi ann\n")
    lines = [GREETING, *TIPS, "bob mentions you: hi ann\a"]
    assert ann.receives().decode().replace("\x1b[?2004h", "") == "".join(f"{x}\r\n" for x in lines)
    cy = SshClient(server, b"cy+light").opens_shell(b"xterm-256color")
    assert b"\x1b[38;5;24m[lobby]" in cy.receives()


def test_lines_that_were_held_while_reading_was_paused_are_all_posted() -> None:
    server = SshServer(flood=Rate(10, 1000))
    bob, ann = SshClient(server, b"bob").opens_shell(), SshClient(server).opens_shell()
    bob.receives(), ann.receives()
    text = b"".join(b"%d %s\n" % (number, b"x" * 50) for number in range(3000))
    lines, window, heard = text.count(b"\n"), LOCAL_WINDOW, b""
    for _ in range(2000):
        piece, text = text[: min(window, LOCAL_PACKET)], text[min(window, LOCAL_PACKET) :]
        window -= len(piece)
        if piece:
            ann.types(piece.decode())
            if not text:
                ann.ends_input()
        server.clock.advance(0.01)
        heard += bob.receives()
        for number, payload in ann.peer.take():
            window += int.from_bytes(payload[4:8], "big") if number == ADJUST else 0
    assert heard.count(b"ann: ") == lines
