"""Conversations: flood control, order, end of input, slow connections."""

import pytest

from chatd.chat.limits import LINE_BYTES, Rate
from tests.support.memory_server import MemoryServer


def test_a_burst_passes_and_then_lines_go_out_at_the_flood_rate() -> None:
    server = MemoryServer(flood=Rate(3, 2))
    bob = server.enters("bob")
    server.clock.advance(10)
    ada = server.connects()
    ada.sends(b"".join(b"%d\n" % n for n in range(6)))
    assert ada.receives().endswith(
        b"-- You write fast: your lines go out at 2 a second now, and none is lost.\r\n"
    )
    assert bob.receives().splitlines()[1:] == [b"guest1: 0", b"guest1: 1", b"guest1: 2"]
    server.clock.advance(0.5)
    assert bob.receives() == b"guest1: 3\r\n"
    server.clock.advance(0.5), server.clock.advance(0.5)
    assert bob.receives() == b"guest1: 4\r\nguest1: 5\r\n"
    assert ada.receives() == b""


def test_a_paste_of_64_kib_loses_nothing_and_more_is_not_read() -> None:
    server = MemoryServer(flood=Rate(1, 1000))
    bob = server.enters("bob")
    server.clock.advance(10)
    ada = server.connects()
    lines = [b"%d %s" % (n, b"x" * 90) for n in range(1000)]
    ada.sends(b"".join(line + b"\n" for line in lines))
    assert ada.transport.paused
    heard = bob.receives()
    for _ in range(3000):
        server.clock.advance(0.001)
    heard += bob.receives()
    assert heard.splitlines()[1:] == [b"guest1: " + line for line in lines]
    assert not ada.transport.paused


def test_pending_lines_are_said_although_the_input_has_ended() -> None:
    server = MemoryServer(flood=Rate(1, 1))
    bob = server.enters("bob")
    server.clock.advance(10)
    ada = server.connects()
    ada.sends(b"one\ntwo\nthree"), ada.ends_input()
    server.clock.pump([1, 1, 1])
    assert bob.receives().splitlines()[1:] == [b"guest1: one", b"guest1: two", b"guest1: three"]
    assert ada.closed


def test_pending_lines_are_dropped_with_a_lost_connection() -> None:
    server = MemoryServer(flood=Rate(1, 1))
    bob = server.enters("bob")
    server.clock.advance(10)
    ada = server.connects()
    ada.sends(b"one\ntwo\n"), ada.loses_connection()
    server.clock.advance(60)
    assert bob.receives().splitlines()[1:] == [b"guest1: one", b"-- guest1 left"]


def test_a_line_that_is_too_long_is_cut_and_its_sender_told() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.receives()
    for _ in range(16):
        ada.sends(b"x" * 65536)
    ada.sends(b"\nnext\n")
    assert bob.receives() == b"ada: " + b"x" * LINE_BYTES + b"\r\nada: next\r\n"
    assert ada.receives().startswith(b"-- That line was too long;")


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        (b"a\x00b\n", "ab"),
        (b"\xfe\xff\n", "\ufffd\ufffd"),
        (b"\xe6\x97\n", "\ufffd"),
        (b"\x1b[2Jboo\x07\n", "[2Jboo"),
        ("\u202eevil\u2028x\n".encode(), "evil x"),
        (b"tab\there\r\n", "tab here"),
    ],
)
def test_unsafe_characters_are_not_shown(sent: bytes, heard: str) -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sends(sent)
    assert bob.receives().decode() == f"ada: {heard}\r\n"


@pytest.mark.parametrize("cut", range(1, 15))
def test_a_character_cut_in_two_packets_arrives_whole(cut: int) -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    line = "日本語 né\n".encode()
    ada.sends(line[:cut]), ada.sends(line[cut:])
    assert bob.receives().decode() == "ada: 日本語 né\r\n"


def test_the_message_of_the_day_comes_before_the_greeting() -> None:
    connection = MemoryServer(motd=("Be kind.",)).connects()
    connection.stays_silent()
    greeting = b"-- You are guest1 in lobby, alone so far; /help says what you can do."
    assert connection.receives().splitlines()[-2:] == [b"-- Be kind.", greeting]


def test_a_full_connection_is_sent_no_more_and_its_commands_are_not_read() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.receives()
    ada.transport.stops_reading()
    ada.sends(b"/users\n")
    assert ada.receives() == b""
    bob.sends(b"one\n")
    assert ada.receives() == b"bob: one\r\n", "nobody knew yet that the connection is full"
    bob.sends(b"two\nthree\n")
    assert ada.receives() == b""
    ada.transport.resumes_reading()
    assert ada.receives().splitlines() == [
        b"bob: two",
        b"bob: three",
        b"-- lobby: 2 here",
        b"   ada",
        b"   bob",
    ]


def test_a_client_that_reads_nothing_for_two_minutes_is_aborted() -> None:
    server = MemoryServer()
    ada = server.enters("ada")
    ada.transport.stops_reading()
    server.clock.advance(119)
    assert not ada.transport.aborted
    server.clock.advance(1)
    assert ada.transport.aborted


def test_direct_messages_are_refused_when_too_many_are_unread() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.transport.stops_reading()
    for _ in range(40):
        bob.sends(b"/dm ada " + b"x" * 3000 + b"\n")
    assert bob.receives().endswith(b"-- ada is not reading now; try again later.\r\n")
    assert len(ada.transport.value()) < 80_000


def test_no_line_after_quit_is_done() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sends(b"/quit\n/join lobby\nhello\n/join attic\n")
    assert bob.receives() == b"-- ada left\r\n"
    assert list(server.chat.rooms) == ["lobby"]
    ada.loses_connection()
    assert server.chat.people.find("ada") is None


def test_many_pending_renames_finish_one_after_the_other() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.receives(), ada.transport.stops_reading()
    bob.sends(b"wake up\n"), server.end_turn()
    ada.sends(b"".join(b"/nick ada%d\n" % n for n in range(700)))
    ada.transport.resumes_reading()
    assert ada.receives().endswith(b"-- You are now known as ada699.\r\n")


def test_a_telnet_that_answers_late_goes_on_when_its_connection_drains() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.sends(b"\xff\xfb\x18"), ada.receives()
    ada.transport.stops_reading()
    bob.sends(b"one\n"), server.end_turn()
    bob.sends(b"two\n"), server.end_turn()
    ada.receives(), ada.transport.resumes_reading()
    assert b"bob: two" in ada.receives()


def test_history_sends_no_more_than_may_be_pending() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    for _ in range(200):
        bob.sends(b"x" * 4000 + b"\n")
    ada.receives(), ada.sends(b"/history 200\n")
    assert 32_000 < len(ada.receives()) < 70_000
