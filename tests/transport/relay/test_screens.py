"""Relayed connections: one person with screens on two servers of a cluster, in memory."""

from __future__ import annotations

import json

import pytest

from chatd.chat.limits import DEAD_SECONDS
from chatd.transport.relay.edge import BROKEN, GONE, Edge
from chatd.transport.relay.streams import LIVENESS_SECONDS, STREAMS_PER_SERVER
from chatd.wire.ssh import uint32
from tests.support.cluster.server_cluster import Street
from tests.support.memory_server import Wire
from tests.support.ssh.clients import Guest
from tests.support.ssh.peer import ADJUST, USER_KEY
from tests.transport.test_telnet import EOF, IAC, INETUTILS, IP, REFUSES_ALL, Telnet, window


@pytest.fixture
def street() -> Street:
    return Street()


def ann(street: Street, password: str = "") -> Guest:
    """Return Ann on the first server, who has registered her nick."""
    guest = street.guest(0)
    street.says(guest, "/register\r")
    if password:
        street.says(guest, f"/password {password}\r")
    return guest


def everyone(street: Street, number: int) -> list[str]:
    return sorted(person.nick for person in street.servers[number].chat.people.everyone())


def sessions(street: Street) -> int:
    """Return how many connections Ann has on the first server."""
    person = street.servers[0].chat.people.get("ann")
    return len(person.sessions) if person is not None else 0


def streams(street: Street) -> list[int]:
    """Return how many streams each server has."""
    ends = [street.house(number).building.streams for number in (0, 1)]
    return [len(each) for each in ends if each is not None]


def test_one_key_on_two_servers_is_one_person_with_two_screens(street: Street) -> None:
    here = ann(street)
    there = street.guest(1)
    bob = street.wire(1)
    assert everyone(street, 0) == everyone(street, 1) == ["ann", "guest1"]
    assert sessions(street) == 2
    street.says(there, "hello\r")
    assert street.gets(bob)[-1] == "ann: hello"
    for screen in (here, there):
        assert street.sees(screen)[-2:] == ["ann: hello", "[lobby]"]
    bob.sends(b"/dm ann psst\n")
    street.gets(bob)
    for screen in (here, there):
        assert street.sees(screen)[-2:] == ["[guest1 -> you] psst", "[lobby]"]


def test_commands_are_done_where_the_person_is(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    street.says(there, "/join attic\r")
    street.says(there, "/set theme plain\r")
    assert street.sees(there)[-1] == "[attic]"
    person = street.servers[0].chat.people.get("ann")
    assert person is not None
    assert list(person.rooms) == ["lobby", "attic"]
    assert person.sessions[1].preferences.theme == "plain"


def test_a_relayed_screen_has_its_keys_and_its_size(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    street.says(there, "world\x01hello \x05!")
    assert street.sees(there)[-1] == "[lobby] hello world!"
    street.says(there, "\x17\x17")
    there.asks(b"window-change", b"\0\0\0\x28\0\0\0\x10" + b"\0" * 8)
    there.display.screen.resize(16, 40)
    street.says(there, "x" * 40)
    assert street.sees(there)[-2:] == ["[lobby] " + "x" * 32, "x" * 8]
    street.says(there, "\x03")
    assert street.sees(there)[-1] == "[lobby]"


def test_quitting_one_screen_leaves_the_others_connected(street: Street) -> None:
    here = ann(street)
    there = street.guest(1)
    street.says(there, "/quit\r")
    assert there.closed
    assert there.status == 0
    assert (sessions(street), streams(street)) == (1, [0, 0])
    street.says(here, "still here\r")
    assert street.sees(here)[-2:] == ["ann: still here", "[lobby]"]


def test_a_relayed_screen_that_is_cut_off_leaves_a_detached_session_where_its_person_is(
    street: Street,
) -> None:
    here = ann(street)
    there = street.guest(1)
    street.says(here, "/quit\r")
    bob = street.wire(1)
    there.peer.hang_up()
    street.settle()
    bob.sends(b"are you there?\n")
    street.gets(bob)
    assert everyone(street, 1) == ["ann", "guest1"]
    again = street.guest(1)
    assert "guest1: are you there?" in " ".join(street.sees(again))
    assert "-- Welcome back, ann." in street.sees(again)


def test_a_relayed_screen_that_reads_nothing_delays_no_other(street: Street) -> None:
    here = ann(street)
    there = Guest(street.house(1).hall, key=USER_KEY).opens(b"xterm", window=5000)
    street.settle()
    bob = street.wire(0)
    for number in range(40):
        bob.sends(b"%s %d\n" % (b"x" * 3000, number))
        street.gets(bob)
    person = street.servers[0].chat.people.get("ann")
    assert person is not None
    assert [session.full for session in person.sessions] == [False, True]
    assert street.sees(here)[-2].endswith("x 39")
    for _ in range(40):
        there.peer.send(ADJUST, uint32(there.channel) + uint32(60000))
        street.sees(there)
    assert street.sees(there)[-2].endswith("x 39")


# When a server goes -------------------------------------------------------------------------------


def test_when_the_server_dies_the_screen_goes_on_with_what_was_being_typed(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    bob = street.wire(1)
    street.says(there, "/join attic\r")
    street.says(there, "half ty")
    street.gets(bob)
    street.dies(0)
    there.types("ped")
    street.passes(8)
    rows = street.sees(there)
    assert f"-- {GONE}" in rows
    assert "-- Welcome back, ann." in rows
    assert rows[-1] == "[attic] half typed"
    street.says(there, "\r")
    assert street.sees(there)[-2:] == ["ann: half typed", "[attic]"]
    assert street.gets(bob) == []  # nobody left, nobody came
    assert everyone(street, 1) == ["ann", "guest1"]
    assert streams(street)[1] == 0


def test_screens_on_several_servers_go_on_as_one_person_when_theirs_dies() -> None:
    street = Street(servers=4)
    ann(street)
    screens = [street.guest(number) for number in (1, 2)]
    bob = street.wire(3)
    street.gets(bob)
    street.dies(0)
    street.passes(12)
    assert everyone(street, 1) == everyone(street, 3) == ["ann", "guest1"]
    street.says(screens[1], "hello\r")
    for screen in screens:
        assert street.sees(screen)[-2:] == ["ann: hello", "[lobby]"]
    assert street.gets(bob) == ["ann: hello"]  # nobody left, nobody came


def test_a_line_that_was_entered_while_the_server_was_dead_is_said(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    bob = street.wire(1)
    street.gets(bob)
    street.dies(0)
    there.types("hello?\r")
    street.passes(8)
    street.sees(there)
    assert street.gets(bob) == ["ann: hello?"]


def test_a_secret_that_was_being_typed_is_not_shown(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    street.says(there, "/password\r")
    street.says(there, "xyzzy")
    street.dies(0)
    street.passes(8)
    assert "xyzzy" not in " ".join(street.sees(there))


def test_a_stream_that_lost_a_message_is_opened_again(street: Street) -> None:
    here = ann(street)
    there = street.guest(1)
    there.types("hello\r")
    there.gets()
    street.letters.clear()
    street.passes(8)
    rows = street.sees(there)
    assert f"-- {BROKEN}" in rows
    assert rows[-1] == "[lobby]"
    street.says(there, "again\r")
    assert street.sees(here)[-2:] == ["ann: again", "[lobby]"]
    assert (sessions(street), streams(street)) == (2, [1, 1])


def test_when_an_edge_server_dies_the_other_screens_go_on(street: Street) -> None:
    here = ann(street)
    street.guest(1)
    street.dies(1)
    street.passes(8)
    assert (sessions(street), streams(street)[0]) == (1, 0)
    street.says(here, "hello\r")
    assert street.sees(here)[-2:] == ["ann: hello", "[lobby]"]


def test_a_server_that_hangs_up_gives_relayed_connections_back(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    street.servers[0].cluster.hang_up("This server is stopping.")
    street.sees(there)
    assert f"-- {GONE}" in street.sees(there)
    assert not there.closed
    assert streams(street) == [0, 0]


def test_users_of_a_relayed_screen_are_told_when_their_edge_server_stops(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    street.servers[1].cluster.hang_up("This server is stopping.")
    rows = street.sees(there)
    assert "-- This server is stopping." in rows
    assert there.closed
    assert sessions(street) == 1


def test_a_server_that_misses_one_liveness_check_keeps_its_streams(street: Street) -> None:
    here = ann(street)
    there = street.guest(1)
    street.dies(0)
    street.passes(LIVENESS_SECONDS)
    street.branches[0].cut_off = False
    street.passes(3 * LIVENESS_SECONDS)
    street.says(there, "hello\r")
    assert street.sees(here)[-2:] == ["ann: hello", "[lobby]"]
    assert GONE not in " ".join(street.sees(there))


def test_a_stream_that_one_end_does_not_know_ends(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    there.peer.hang_up()
    street.letters.clear()  # nobody hears of it
    assert streams(street) == [1, 0]
    street.passes(2 * LIVENESS_SECONDS)
    assert (sessions(street), streams(street)) == (1, [0, 0])


# By other ways ------------------------------------------------------------------------------------


def logs_in(street: Street, wire: Wire, *more: bytes) -> list[str]:
    wire.sends(b"/login ann swordfish\n" + b"".join(more))
    return street.gets(wire)


def test_a_netcat_that_logs_in_goes_on_where_its_person_is(street: Street) -> None:
    here = ann(street, "swordfish")
    bob, guest = street.wire(1), street.wire(1)
    street.gets(bob)
    assert logs_in(street, guest, b"hello\n", b"half") == ["-- You are logged in as ann."]
    assert street.gets(bob) == ["-- guest2 left", "ann: hello"]
    assert street.sees(here)[-2:] == ["ann: hello", "[lobby]"]
    guest.sends(b" a line\n")
    street.gets(guest)
    assert street.gets(bob) == ["ann: half a line"]
    bob.sends(b"I see\n")
    street.gets(bob)
    assert street.gets(guest) == ["guest1: I see"]
    guest.goes()
    street.settle()
    assert (sessions(street), streams(street)) == (1, [0, 0])


def test_a_netcat_whose_input_ends_leaves_where_its_person_is(street: Street) -> None:
    ann(street, "swordfish")
    guest = street.wire(1)
    logs_in(street, guest)
    guest.ends()
    street.passes(2)
    assert street.gets(guest) == ["-- Goodbye."]
    assert guest.closed
    assert sessions(street) == 1


def test_netcat_goes_on_here_when_the_other_server_dies(street: Street) -> None:
    ann(street, "swordfish")
    bob, guest = street.wire(1), street.wire(1)
    logs_in(street, guest)
    street.dies(0)
    guest.sends(b"hello?\n")
    street.passes(8)
    assert street.gets(guest) == [f"-- {GONE}", "-- Welcome back, ann."]
    assert street.gets(bob)[-1] == "ann: hello?"


def test_input_that_ends_while_the_other_server_is_dead_ends_the_connection_here(
    street: Street,
) -> None:
    ann(street, "swordfish")
    bob, guest = street.wire(1), street.wire(1)
    logs_in(street, guest)
    street.gets(bob)
    street.dies(0)
    guest.sends(b"last words")
    guest.ends()
    street.passes(8)
    assert street.gets(guest)[-1] == "-- Goodbye."
    assert street.gets(bob) == ["ann: last words"]
    assert guest.closed


def test_a_telnet_of_plain_lines_quits_where_its_person_is(street: Street) -> None:
    ann(street, "swordfish")
    telnet = Telnet(street.house(1).building.connects())
    telnet.sends(REFUSES_ALL)
    telnet.settles()
    telnet.sends(b"/login ann swordfish\r\n")
    telnet.gets()
    street.gets(telnet.wire)
    assert sessions(street) == 2
    telnet.sends(b"hello\r\n", bytes((IAC, EOF)))
    assert street.gets(telnet.wire)[-1] == "-- Goodbye."
    assert telnet.wire.closed
    assert sessions(street) == 1


def test_a_screen_that_was_resized_on_the_other_server_has_its_size_here(street: Street) -> None:
    ann(street)
    there = street.guest(1)
    there.asks(b"window-change", b"\0\0\0\x28\0\0\0\x10" + b"\0" * 8)
    there.display.screen.resize(16, 40)
    street.dies(0)
    street.passes(8)
    street.says(there, "x" * 40)
    assert street.sees(there)[-2:] == ["[lobby] " + "x" * 32, "x" * 8]


def test_a_command_says_something_where_its_person_is(street: Street) -> None:
    ann(street)
    bob = street.wire(1)
    street.gets(bob)
    script = Guest(street.house(1).hall, key=USER_KEY).runs(b"say lobby")
    script.types("one\ntwo")
    script.ends()
    street.sees(script)
    assert street.gets(bob) == ["ann: one", "ann: two"]
    assert (script.status, script.closed) == (0, True)
    assert everyone(street, 1) == ["ann", "guest1"]
    script = Guest(street.house(1).hall, key=USER_KEY).runs(b"say nowhere hm")
    street.sees(script)
    assert script.errors == b"chatd: There is no room nowhere; /rooms lists them.\n"
    assert script.status == 1


def test_a_program_with_a_password_speaks_where_its_person_is(street: Street) -> None:
    here = ann(street, "swordfish")
    wire = street.house(1).building.connects()
    name = {"username": "ann", "version": 2, "password": "swordfish"}
    said = {"message": "from a bot", "room": "lobby", "id": 7}
    wire.sends(json.dumps(name).encode() + json.dumps(said).encode() + b'{"message": "in ')
    answers = street.gets(wire)
    wire.sends(b'halves", "room": "lobby", "id": 8}')
    answers += street.gets(wire)
    assert street.sees(here)[-3:] == ["ann: from a bot", "ann: in halves", "[lobby]"]
    entered, first, second = map(json.loads, answers)
    assert entered["isConnected"]
    assert (first["id"], second["id"]) == (7, 8)
    assert everyone(street, 1) == ["ann"]
    street.dies(0)
    street.passes(8)
    assert wire.closed


def test_a_telnet_terminal_is_drawn_by_the_other_server(street: Street) -> None:
    here = ann(street, "swordfish")
    building = street.house(1).building
    telnet = Telnet(building.connects())
    telnet.sends(*INETUTILS)

    def sees() -> list[str]:
        for _ in range(4):
            telnet.gets()
            street.settle()
        return telnet.sees()

    telnet.settles()
    telnet.sends(b"/login ann\r")
    assert sees()[-1] == "Password of ann:"
    telnet.sends(b"swordfish\rhello w", b"orld\x17there")
    assert sees()[-2:] == ["-- You are logged in as ann.", "[lobby] hello there"]
    telnet.display.screen.resize(24, 40)
    telnet.sends(window(40, 24), b"\r")
    assert sees()[-2:] == ["ann: hello there", "[lobby]"]
    telnet.sends(b"half", bytes((IAC, IP)))
    assert sees()[-1] == "[lobby]"
    assert street.sees(here)[-2:] == ["ann: hello there", "[lobby]"]
    street.dies(0)
    telnet.sends(b"still h")
    street.passes(8)
    telnet.sends(b"ere\r")
    assert sees()[-2:] == ["ann: still here", "[lobby]"]


# What is refused ----------------------------------------------------------------------------------


def test_streams_between_two_servers_are_limited(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.transport.relay.streams.STREAMS_PER_SERVER", 1)
    assert STREAMS_PER_SERVER > 1
    ann(street)
    street.guest(1)
    more = street.guest(1)
    assert streams(street) == [1, 1]
    assert "ann2" in " ".join(street.sees(more))


def test_a_relayed_client_that_sends_and_does_not_read_is_not_read_either(street: Street) -> None:
    ann(street, "swordfish")
    guest = street.wire(1)
    logs_in(street, guest)
    guest.transport.fills()
    bob = street.wire(0)
    bob.sends(b"".join(b"%d %s\n" % (number, b"x" * 3000) for number in range(60)))
    street.gets(bob)
    for _ in range(100):
        guest.sends(b"y" * 3999 + b"\n")
        street.settle()
        if guest.transport.paused:
            break
    assert guest.transport.paused
    guest.transport.drains()
    assert guest.transport.paused  # what was sent before waits still
    heard = street.gets(bob)
    assert len(heard) > 10
    assert not guest.transport.paused


def test_simultaneous_connections_to_two_servers_are_one_person_in_the_end(street: Street) -> None:
    street.says(ann(street), "/quit\r")
    street.passes(1)
    assert everyone(street, 0) == []
    screens = [Guest(street.house(number).hall, key=USER_KEY) for number in (0, 1, 1)]
    for screen in screens:
        screen.opens(b"xterm")
    for screen in screens:
        screen.gets()
    street.passes(3)
    assert everyone(street, 0) == everyone(street, 1) == ["ann"]
    assert (sessions(street), streams(street)) == (3, [2, 2])
    street.says(screens[2], "hello\r")
    for screen in screens:
        assert street.sees(screen)[-2:] == ["ann: hello", "[lobby]"]


def test_a_dead_relayed_screen_is_noticed_where_its_person_is(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann(street)
    street.guest(1)
    person = street.servers[0].chat.people.get("ann")
    assert person is not None
    street.passes(2 * LIVENESS_SECONDS)
    assert not person.sessions[1].client.delivery_report().is_dead
    monkeypatch.setattr(Edge, "silence", lambda edge: DEAD_SECONDS)
    street.passes(2 * LIVENESS_SECONDS)
    assert person.sessions[1].client.delivery_report().is_dead
