"""Relayed connections: one person with screens on two servers of a cluster, in memory."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chatd.chat.limits import DEAD_SECONDS, LINE_BYTES
from chatd.transport.relay.edge import BROKEN, GONE, Edge
from chatd.transport.relay.streams import LIVENESS_SECONDS, STREAMS_PER_SERVER
from chatd.wire.ssh import uint32
from tests.support.cluster.server_cluster import ServerCluster
from tests.support.memory_server import ClientConnection
from tests.support.ssh.clients import SshClient
from tests.support.ssh.peer import ADJUST, USER_KEY
from tests.transport.test_telnet import EOF, IAC, INETUTILS, IP, REFUSES_ALL, Telnet, window


@pytest.fixture
def cluster() -> ServerCluster:
    return ServerCluster()


def ann(cluster: ServerCluster, password: str = "") -> SshClient:
    """Connect Ann to the first server, where she registers her nick; return her client."""
    client = cluster.ssh_client(0)
    cluster.says(client, "/register\r")
    if password:
        cluster.says(client, f"/password {password}\r")
    return client


def nicks(cluster: ServerCluster, number: int) -> list[str]:
    return sorted(person.nick for person in cluster.servers[number].chat.people.everyone())


def session_count(cluster: ServerCluster) -> int:
    """Return the number of Ann's sessions on the first server."""
    person = cluster.servers[0].chat.people.get("ann")
    return len(person.sessions) if person is not None else 0


def stream_counts(cluster: ServerCluster) -> list[int]:
    """Return the number of streams of each of the first two servers."""
    ends = [cluster.server(number).memory_server.streams for number in (0, 1)]
    return [len(each) for each in ends if each is not None]


def test_one_key_on_two_servers_is_one_person_with_two_screens(cluster: ServerCluster) -> None:
    here = ann(cluster)
    there = cluster.ssh_client(1)
    bob = cluster.netcat(1)
    assert nicks(cluster, 0) == nicks(cluster, 1) == ["ann", "guest1"]
    assert session_count(cluster) == 2
    cluster.says(there, "hello\r")
    assert cluster.receives(bob)[-1] == "ann: hello"
    for screen in (here, there):
        assert cluster.sees(screen)[-2:] == ["ann: hello", "[lobby]"]
    bob.sends(b"/dm ann psst\n")
    cluster.receives(bob)
    for screen in (here, there):
        assert cluster.sees(screen)[-2:] == ["[guest1 -> you] psst", "[lobby]"]


def test_commands_of_a_relayed_screen_run_on_the_server_of_its_person(
    cluster: ServerCluster,
) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    cluster.says(there, "/join attic\r")
    cluster.says(there, "/set theme plain\r")
    assert cluster.sees(there)[-1] == "[attic]"
    person = cluster.servers[0].chat.people.get("ann")
    assert person is not None
    assert list(person.rooms) == ["lobby", "attic"]
    assert person.sessions[1].preferences.theme == "plain"


def test_keys_and_size_of_a_relayed_screen_are_applied(cluster: ServerCluster) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    cluster.says(there, "world\x01hello \x05!")
    assert cluster.sees(there)[-1] == "[lobby] hello world!"
    cluster.says(there, "\x17\x17")
    there.sends_request(b"window-change", b"\0\0\0\x28\0\0\0\x10" + b"\0" * 8)
    there.display.screen.resize(16, 40)
    cluster.says(there, "x" * 40)
    assert cluster.sees(there)[-2:] == ["[lobby] " + "x" * 32, "x" * 8]
    cluster.says(there, "\x03")
    assert cluster.sees(there)[-1] == "[lobby]"


def test_quitting_one_screen_leaves_the_others_connected(cluster: ServerCluster) -> None:
    here = ann(cluster)
    there = cluster.ssh_client(1)
    cluster.says(there, "/quit\r")
    assert there.closed
    assert there.status == 0
    assert (session_count(cluster), stream_counts(cluster)) == (1, [0, 0])
    cluster.says(here, "still here\r")
    assert cluster.sees(here)[-2:] == ["ann: still here", "[lobby]"]


def test_a_relayed_screen_that_is_cut_off_leaves_a_detached_session(
    cluster: ServerCluster,
) -> None:
    here = ann(cluster)
    there = cluster.ssh_client(1)
    cluster.says(here, "/quit\r")
    bob = cluster.netcat(1)
    there.peer.hang_up()
    cluster.deliver_all()
    bob.sends(b"are you there?\n")
    cluster.receives(bob)
    assert nicks(cluster, 1) == ["ann", "guest1"]
    again = cluster.ssh_client(1)
    assert "guest1: are you there?" in " ".join(cluster.sees(again))
    assert "-- Welcome back, ann." in cluster.sees(again)


def test_a_relayed_screen_that_reads_nothing_delays_no_other(cluster: ServerCluster) -> None:
    here = ann(cluster)
    there = SshClient(cluster.server(1).ssh_server, key=USER_KEY).opens_shell(b"xterm", window=5000)
    cluster.deliver_all()
    bob = cluster.netcat(0)
    for number in range(40):
        bob.sends(b"%s %d\n" % (b"x" * 3000, number))
        cluster.receives(bob)
    person = cluster.servers[0].chat.people.get("ann")
    assert person is not None
    assert [session.full for session in person.sessions] == [False, True]
    assert cluster.sees(here)[-2].endswith("x 39")
    for _ in range(40):
        there.peer.send(ADJUST, uint32(there.channel) + uint32(60000))
        cluster.sees(there)
    assert cluster.sees(there)[-2].endswith("x 39")


# A server that dies or stops ----------------------------------------------------------------------


def test_a_relayed_screen_goes_on_with_its_input_line_when_the_server_dies(
    cluster: ServerCluster,
) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    bob = cluster.netcat(1)
    cluster.says(there, "/join attic\r")
    cluster.says(there, "half ty")
    cluster.receives(bob)
    cluster.crash(0)
    there.types("ped")
    cluster.run_for(8)
    rows = cluster.sees(there)
    assert f"-- {GONE}" in rows
    assert "-- Welcome back, ann." in rows
    assert rows[-1] == "[attic] half typed"
    cluster.says(there, "\r")
    assert cluster.sees(there)[-2:] == ["ann: half typed", "[attic]"]
    assert cluster.receives(bob) == []  # no user left or joined
    assert nicks(cluster, 1) == ["ann", "guest1"]
    assert stream_counts(cluster)[1] == 0


def test_screens_on_several_servers_stay_one_person_when_its_server_dies() -> None:
    cluster = ServerCluster(servers=4)
    ann(cluster)
    screens = [cluster.ssh_client(number) for number in (1, 2)]
    bob = cluster.netcat(3)
    cluster.receives(bob)
    cluster.crash(0)
    cluster.run_for(12)
    assert nicks(cluster, 1) == nicks(cluster, 3) == ["ann", "guest1"]
    cluster.says(screens[1], "hello\r")
    for screen in screens:
        assert cluster.sees(screen)[-2:] == ["ann: hello", "[lobby]"]
    assert cluster.receives(bob) == ["ann: hello"]  # no user left or joined


def test_a_line_entered_while_the_server_was_dead_is_said(cluster: ServerCluster) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    bob = cluster.netcat(1)
    cluster.receives(bob)
    cluster.crash(0)
    there.types("hello?\r")
    cluster.run_for(8)
    cluster.sees(there)
    assert cluster.receives(bob) == ["ann: hello?"]


def test_a_password_being_typed_when_the_server_dies_is_not_shown(cluster: ServerCluster) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    cluster.says(there, "/password\r")
    cluster.says(there, "xyzzy")
    cluster.crash(0)
    cluster.run_for(8)
    assert "xyzzy" not in " ".join(cluster.sees(there))


def test_a_stream_that_lost_a_message_is_reopened(cluster: ServerCluster) -> None:
    here = ann(cluster)
    there = cluster.ssh_client(1)
    there.types("hello\r")
    there.receives()
    cluster.messages.clear()
    cluster.run_for(8)
    rows = cluster.sees(there)
    assert f"-- {BROKEN}" in rows
    assert rows[-1] == "[lobby]"
    cluster.says(there, "again\r")
    assert cluster.sees(here)[-2:] == ["ann: again", "[lobby]"]
    assert (session_count(cluster), stream_counts(cluster)) == (2, [1, 1])


def test_when_an_edge_server_dies_the_other_screens_go_on(cluster: ServerCluster) -> None:
    here = ann(cluster)
    cluster.ssh_client(1)
    cluster.crash(1)
    cluster.run_for(8)
    assert (session_count(cluster), stream_counts(cluster)[0]) == (1, 0)
    cluster.says(here, "hello\r")
    assert cluster.sees(here)[-2:] == ["ann: hello", "[lobby]"]


def test_a_server_that_hangs_up_returns_relayed_connections(cluster: ServerCluster) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    cluster.servers[0].cluster.hang_up("This server is stopping.")
    cluster.sees(there)
    assert f"-- {GONE}" in cluster.sees(there)
    assert not there.closed
    assert stream_counts(cluster) == [0, 0]


def test_a_relayed_screen_says_that_its_edge_server_stops(
    cluster: ServerCluster,
) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    cluster.servers[1].cluster.hang_up("This server is stopping.")
    rows = cluster.sees(there)
    assert "-- This server is stopping." in rows
    assert there.closed
    assert session_count(cluster) == 1


def test_a_server_that_misses_one_liveness_check_keeps_its_streams(cluster: ServerCluster) -> None:
    here = ann(cluster)
    there = cluster.ssh_client(1)
    cluster.crash(0)
    cluster.run_for(LIVENESS_SECONDS)
    cluster.stores[0].disconnected = False
    cluster.run_for(3 * LIVENESS_SECONDS)
    cluster.says(there, "hello\r")
    assert cluster.sees(here)[-2:] == ["ann: hello", "[lobby]"]
    assert GONE not in " ".join(cluster.sees(there))


def test_a_stream_that_one_end_does_not_know_is_closed(cluster: ServerCluster) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    there.peer.hang_up()
    cluster.messages.clear()  # the other server does not receive it
    assert stream_counts(cluster) == [1, 0]
    cluster.run_for(2 * LIVENESS_SECONDS)
    assert (session_count(cluster), stream_counts(cluster)) == (1, [0, 0])


# Other ways in ------------------------------------------------------------------------------------


def log_in(cluster: ServerCluster, connection: ClientConnection, *more: bytes) -> list[str]:
    connection.sends(b"/login ann swordfish\n" + b"".join(more))
    return cluster.receives(connection)


def test_a_netcat_that_logs_in_is_relayed_to_the_server_of_its_person(
    cluster: ServerCluster,
) -> None:
    here = ann(cluster, "swordfish")
    bob, netcat = cluster.netcat(1), cluster.netcat(1)
    cluster.receives(bob)
    first, last, *changes = log_in(cluster, netcat, b"hello\n", b"half")
    assert first == "-- You are logged in as ann."
    assert last.startswith("-- Your last login: 1970-01-01 00:00, by the key SHA256:")
    assert "the password was set" in changes[-1]
    assert cluster.receives(bob) == ["-- guest2 left", "ann: hello"]
    assert cluster.sees(here)[-2:] == ["ann: hello", "[lobby]"]
    netcat.sends(b" a line\n")
    cluster.receives(netcat)
    assert cluster.receives(bob) == ["ann: half a line"]
    bob.sends(b"I see\n")
    cluster.receives(bob)
    assert cluster.receives(netcat) == ["guest1: I see"]
    netcat.loses_connection()
    cluster.deliver_all()
    assert (session_count(cluster), stream_counts(cluster)) == (1, [0, 0])


def test_a_relayed_netcat_whose_input_ends_leaves(cluster: ServerCluster) -> None:
    ann(cluster, "swordfish")
    netcat = cluster.netcat(1)
    log_in(cluster, netcat)
    netcat.ends_input()
    cluster.run_for(2)
    assert cluster.receives(netcat) == ["-- Goodbye."]
    assert netcat.closed
    assert session_count(cluster) == 1


def test_a_relayed_netcat_goes_on_here_when_the_other_server_dies(cluster: ServerCluster) -> None:
    ann(cluster, "swordfish")
    bob, netcat = cluster.netcat(1), cluster.netcat(1)
    log_in(cluster, netcat)
    cluster.crash(0)
    netcat.sends(b"hello?\n")
    cluster.run_for(8)
    assert cluster.receives(netcat) == [f"-- {GONE}", "-- Welcome back, ann."]
    assert cluster.receives(bob)[-1] == "ann: hello?"


def test_a_relayed_login_is_worth_nothing_here_if_the_password_was_changed_meanwhile(
    cluster: ServerCluster,
) -> None:
    """An operator resets it while the server that ran the thief's connection is dead."""
    ann(cluster, "swordfish")
    netcat = cluster.netcat(1)
    log_in(cluster, netcat)
    cluster.crash(0)
    accounts = cluster.servers[1].chat.accounts
    account = accounts.get("ann")
    assert account is not None
    accounts.apply_change("ann", replace(account, password="another").encoded())
    cluster.run_for(8)
    assert not any("Welcome back" in line for line in cluster.receives(netcat))
    netcat.sends(b"/keys\n")
    assert cluster.receives(netcat)[-1].startswith("-- You have no account")


def test_a_relayed_key_is_worth_nothing_here_if_it_was_removed_meanwhile(
    cluster: ServerCluster,
) -> None:
    ann(cluster, "swordfish")
    there = cluster.ssh_client(1)
    cluster.crash(0)
    accounts = cluster.servers[1].chat.accounts
    account = accounts.get("ann")
    assert account is not None
    accounts.apply_change("ann", replace(account, keys=()).encoded())
    cluster.run_for(8)
    cluster.says(there, "/keys\r")
    assert "-- You have no account; /register makes your nick your own." in cluster.sees(there)


def test_input_that_ends_while_the_other_server_is_dead_ends_the_connection(
    cluster: ServerCluster,
) -> None:
    ann(cluster, "swordfish")
    bob, netcat = cluster.netcat(1), cluster.netcat(1)
    log_in(cluster, netcat)
    cluster.receives(bob)
    cluster.crash(0)
    netcat.sends(b"last words")
    netcat.ends_input()
    cluster.run_for(8)
    assert cluster.receives(netcat)[-1] == "-- Goodbye."
    assert cluster.receives(bob) == ["ann: last words"]
    assert netcat.closed


def test_a_relayed_netcat_that_turns_out_to_be_a_telnet_goes_on_as_one(
    cluster: ServerCluster,
) -> None:
    ann(cluster, "swordfish")
    bob, netcat = cluster.netcat(1), cluster.netcat(1)
    log_in(cluster, netcat)
    cluster.receives(bob)
    netcat.sends(b"a\xff\xfc\x18b\n")
    assert b"\xff\xfb" in netcat.receives()  # it is answered as a telnet is
    cluster.receives(netcat)
    assert cluster.receives(bob) == ["ann: ab"]
    netcat.sends(b"c\r\0\xff\xf6")
    assert b"[yes]" in netcat.receives()
    cluster.receives(netcat)
    assert cluster.receives(bob) == ["ann: c"]
    netcat.loses_connection()
    cluster.deliver_all()
    assert (session_count(cluster), stream_counts(cluster)) == (1, [0, 0])


def test_the_rest_of_a_long_line_is_skipped_though_the_connection_is_relayed_meanwhile(
    cluster: ServerCluster,
) -> None:
    ann(cluster, "swordfish")
    bob, netcat = cluster.netcat(1), cluster.netcat(1)
    cluster.receives(bob)
    log_in(cluster, netcat, b"y" * (LINE_BYTES + 900))
    netcat.sends(b"rest\nnext\n")
    cluster.receives(netcat)
    assert cluster.receives(bob)[-2:] == [f"ann: {'y' * LINE_BYTES}", "ann: next"]


@pytest.mark.parametrize(
    ("last", "said"), [(b"x\xff", ["ann: x"]), (b"\xff", []), (b"x", ["ann: x"])]
)
def test_a_relayed_netcat_may_end_in_the_middle_of_a_line(
    cluster: ServerCluster, last: bytes, said: list[str]
) -> None:
    ann(cluster, "swordfish")
    bob, netcat = cluster.netcat(1), cluster.netcat(1)
    log_in(cluster, netcat)
    cluster.receives(bob)
    netcat.sends(last)
    netcat.ends_input()
    cluster.run_for(2)
    assert cluster.receives(netcat) == ["-- Goodbye."]
    assert cluster.receives(bob) == said


def test_nothing_is_drawn_here_for_a_relayed_telnet_whose_terminal_is_set_up_late(
    cluster: ServerCluster,
) -> None:
    ann(cluster, "swordfish")
    telnet = Telnet(cluster.server(1).memory_server.connects())
    telnet.answer_times_out()
    telnet.sends(b"/login ann swordfish\r\n")
    telnet.receives()
    cluster.receives(telnet.connection)
    telnet.connection.sends(b"\xff\xfd\x03\xff\xfd\x01")
    telnet.connection.receives()
    telnet.connection.sends(b"\xff\xfb\x1f\xff\xfa\x1f\0\x28\0\x0a\xff\xf0")
    assert b"\x1b[" not in telnet.connection.receives()
    telnet.connection.sends(b"\xff\xf6")
    assert telnet.connection.receives().endswith(b"[yes]\r\n")  # and no prompt


def test_a_relayed_telnet_of_plain_lines_quits(cluster: ServerCluster) -> None:
    ann(cluster, "swordfish")
    telnet = Telnet(cluster.server(1).memory_server.connects())
    telnet.sends(REFUSES_ALL)
    telnet.answer_times_out()
    telnet.sends(b"/login ann swordfish\r\n")
    telnet.receives()
    cluster.receives(telnet.connection)
    assert session_count(cluster) == 2
    telnet.sends(b"hello\r\n", bytes((IAC, EOF)))
    assert cluster.receives(telnet.connection)[-1] == "-- Goodbye."
    assert telnet.connection.closed
    assert session_count(cluster) == 1


def test_a_relayed_screen_keeps_its_new_size_when_the_other_server_dies(
    cluster: ServerCluster,
) -> None:
    ann(cluster)
    there = cluster.ssh_client(1)
    there.sends_request(b"window-change", b"\0\0\0\x28\0\0\0\x10" + b"\0" * 8)
    there.display.screen.resize(16, 40)
    cluster.crash(0)
    cluster.run_for(8)
    cluster.says(there, "x" * 40)
    assert cluster.sees(there)[-2:] == ["[lobby] " + "x" * 32, "x" * 8]


def test_the_say_command_runs_on_the_server_of_its_person(cluster: ServerCluster) -> None:
    ann(cluster)
    bob = cluster.netcat(1)
    cluster.receives(bob)
    script = SshClient(cluster.server(1).ssh_server, key=USER_KEY).runs(b"say lobby")
    script.types("one\ntwo")
    script.ends_input()
    cluster.sees(script)
    assert cluster.receives(bob) == ["ann: one", "ann: two"]
    assert (script.status, script.closed) == (0, True)
    assert nicks(cluster, 1) == ["ann", "guest1"]
    script = SshClient(cluster.server(1).ssh_server, key=USER_KEY).runs(b"say nowhere hm")
    cluster.sees(script)
    assert script.errors == b"chatd: There is no room nowhere; /rooms lists them.\n"
    assert script.status == 1


def test_a_program_with_a_password_is_relayed_to_the_server_of_its_person(
    cluster: ServerCluster,
) -> None:
    here = ann(cluster, "swordfish")
    connection = cluster.server(1).memory_server.connects()
    name = {"username": "ann", "version": 2, "password": "swordfish"}
    said = {"message": "from a bot", "room": "lobby", "id": 7}
    connection.sends(json.dumps(name).encode() + json.dumps(said).encode() + b'{"message": "in ')
    answers = cluster.receives(connection)
    connection.sends(b'halves", "room": "lobby", "id": 8}')
    answers += cluster.receives(connection)
    assert cluster.sees(here)[-3:] == ["ann: from a bot", "ann: in halves", "[lobby]"]
    entered, first, second = map(json.loads, answers)
    assert entered["isConnected"]
    assert (first["id"], second["id"]) == (7, 8)
    assert nicks(cluster, 1) == ["ann"]
    cluster.crash(0)
    cluster.run_for(8)
    assert connection.closed


def test_a_relayed_telnet_terminal_is_drawn_by_the_other_server(cluster: ServerCluster) -> None:
    here = ann(cluster, "swordfish")
    telnet = Telnet(cluster.server(1).memory_server.connects())
    telnet.sends(*INETUTILS)

    def sees() -> list[str]:
        for _ in range(4):
            telnet.receives()
            cluster.deliver_all()
        return telnet.sees()

    telnet.answer_times_out()
    telnet.sends(b"/login ann\r")
    assert sees()[-1] == "Password of ann:"
    telnet.sends(b"swordfish\rhello w", b"orld\x17there")
    shown = sees()
    assert "-- You are logged in as ann." in shown
    assert shown[-1] == "[lobby] hello there"
    telnet.display.screen.resize(24, 40)
    telnet.sends(window(40, 24), b"\r")
    assert sees()[-2:] == ["ann: hello there", "[lobby]"]
    telnet.sends(b"half", bytes((IAC, IP)))
    assert sees()[-1] == "[lobby]"
    assert cluster.sees(here)[-2:] == ["ann: hello there", "[lobby]"]
    cluster.crash(0)
    telnet.sends(b"still h")
    cluster.run_for(8)
    telnet.sends(b"ere\r")
    assert sees()[-2:] == ["ann: still here", "[lobby]"]


# Limits and races ---------------------------------------------------------------------------------


def test_streams_between_two_servers_are_limited(
    cluster: ServerCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.transport.relay.streams.STREAMS_PER_SERVER", 1)
    assert STREAMS_PER_SERVER > 1
    ann(cluster)
    cluster.ssh_client(1)
    more = cluster.ssh_client(1)
    assert stream_counts(cluster) == [1, 1]
    assert "ann2" in " ".join(cluster.sees(more))


def test_a_relayed_client_that_sends_without_reading_is_not_read_from(
    cluster: ServerCluster,
) -> None:
    ann(cluster, "swordfish")
    netcat = cluster.netcat(1)
    log_in(cluster, netcat)
    netcat.transport.stops_reading()
    bob = cluster.netcat(0)
    bob.sends(b"".join(b"%d %s\n" % (number, b"x" * 3000) for number in range(60)))
    cluster.receives(bob)
    for _ in range(100):
        netcat.sends(b"y" * 3999 + b"\n")
        cluster.deliver_all()
        if netcat.transport.paused:
            break
    assert netcat.transport.paused
    netcat.transport.resumes_reading()
    assert netcat.transport.paused  # earlier input is still queued
    lines = cluster.receives(bob)
    assert len(lines) > 10
    assert not netcat.transport.paused


def test_simultaneous_connections_to_two_servers_become_one_person(
    cluster: ServerCluster,
) -> None:
    cluster.says(ann(cluster), "/quit\r")
    cluster.run_for(1)
    assert nicks(cluster, 0) == []
    screens = [SshClient(cluster.server(number).ssh_server, key=USER_KEY) for number in (0, 1, 1)]
    for screen in screens:
        screen.opens_shell(b"xterm")
    for screen in screens:
        screen.receives()
    cluster.run_for(3)
    assert nicks(cluster, 0) == nicks(cluster, 1) == ["ann"]
    assert (session_count(cluster), stream_counts(cluster)) == (3, [2, 2])
    cluster.says(screens[2], "hello\r")
    for screen in screens:
        assert cluster.sees(screen)[-2:] == ["ann: hello", "[lobby]"]


def test_a_dead_relayed_screen_is_noticed_by_the_server_of_its_person(
    cluster: ServerCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann(cluster)
    cluster.ssh_client(1)
    person = cluster.servers[0].chat.people.get("ann")
    assert person is not None
    cluster.run_for(2 * LIVENESS_SECONDS)
    assert not person.sessions[1].client.delivery_report().is_dead
    monkeypatch.setattr(Edge, "silence", lambda edge: DEAD_SECONDS)
    cluster.run_for(2 * LIVENESS_SECONDS)
    assert person.sessions[1].client.delivery_report().is_dead
