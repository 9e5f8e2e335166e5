"""Conversations: flood control, order, end of input, slow connections."""

import pytest

from chatd.chat.limits import LINE_BYTES, Rate
from tests.support.memory_server import Building


def test_a_burst_passes_and_then_lines_go_out_at_the_flood_rate() -> None:
    building = Building(flood=Rate(3, 2))
    bob = building.enters("bob")
    building.clock.advance(10)
    ada = building.connects()
    ada.sends(b"".join(b"%d\n" % n for n in range(6)))
    assert ada.gets().endswith(
        b"-- You write fast: your lines go out at 2 a second now, and none is lost.\r\n"
    )
    assert bob.gets().splitlines()[1:] == [b"guest1: 0", b"guest1: 1", b"guest1: 2"]
    building.clock.advance(0.5)
    assert bob.gets() == b"guest1: 3\r\n"
    building.clock.advance(0.5), building.clock.advance(0.5)
    assert bob.gets() == b"guest1: 4\r\nguest1: 5\r\n"
    assert ada.gets() == b""


def test_a_paste_of_64_kib_loses_nothing_and_more_is_not_read() -> None:
    building = Building(flood=Rate(1, 1000))
    bob = building.enters("bob")
    building.clock.advance(10)
    ada = building.connects()
    lines = [b"%d %s" % (n, b"x" * 90) for n in range(1000)]
    ada.sends(b"".join(line + b"\n" for line in lines))
    assert ada.transport.paused
    heard = bob.gets()
    for _ in range(3000):
        building.clock.advance(0.001)
    heard += bob.gets()
    assert heard.splitlines()[1:] == [b"guest1: " + line for line in lines]
    assert not ada.transport.paused


def test_pending_lines_are_said_although_the_input_has_ended() -> None:
    building = Building(flood=Rate(1, 1))
    bob = building.enters("bob")
    building.clock.advance(10)
    ada = building.connects()
    ada.sends(b"one\ntwo\nthree"), ada.ends()
    building.clock.pump([1, 1, 1])
    assert bob.gets().splitlines()[1:] == [b"guest1: one", b"guest1: two", b"guest1: three"]
    assert ada.closed


def test_pending_lines_are_dropped_with_a_lost_connection() -> None:
    building = Building(flood=Rate(1, 1))
    bob = building.enters("bob")
    building.clock.advance(10)
    ada = building.connects()
    ada.sends(b"one\ntwo\n"), ada.goes()
    building.clock.advance(60)
    assert bob.gets().splitlines()[1:] == [b"guest1: one", b"-- guest1 left"]


def test_a_line_that_is_too_long_is_cut_and_its_sender_told() -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    ada.gets()
    for _ in range(16):
        ada.sends(b"x" * 65536)
    ada.sends(b"\nnext\n")
    assert bob.gets() == b"ada: " + b"x" * LINE_BYTES + b"\r\nada: next\r\n"
    assert ada.gets().startswith(b"-- That line was too long;")


@pytest.mark.parametrize(
    ("sent", "heard"),
    [
        (b"a\x00b\n", "ab"),
        (b"\xfe\xff\n", "\ufffd\ufffd"),
        (b"\xe6\x97\n", "\ufffd"),
        (b"\x1b[2Jboo\x07\n", "[2Jboo"),
        ("\u202eevil\u2028x\n".encode(), "evilx"),
        (b"tab\there\r\n", "tab here"),
    ],
)
def test_unsafe_characters_are_not_shown(sent: bytes, heard: str) -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    ada.sends(sent)
    assert bob.gets().decode() == f"ada: {heard}\r\n"


@pytest.mark.parametrize("cut", range(1, 15))
def test_a_character_cut_in_two_packets_arrives_whole(cut: int) -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    line = "日本語 né\n".encode()
    ada.sends(line[:cut]), ada.sends(line[cut:])
    assert bob.gets().decode() == "ada: 日本語 né\r\n"


def test_the_message_of_the_day_comes_before_the_greeting() -> None:
    wire = Building(motd=("Be kind.",)).connects()
    wire.waits()
    greeting = b"-- You are guest1 in lobby, alone so far; /help says what you can do."
    assert wire.gets().splitlines()[-2:] == [b"-- Be kind.", greeting]


def test_a_full_connection_is_sent_no_more_and_its_commands_are_not_read() -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    ada.gets()
    ada.transport.fills()
    ada.sends(b"/users\n")
    assert ada.gets() == b""
    bob.sends(b"one\n")
    assert ada.gets() == b"bob: one\r\n", "nobody knew yet that the connection is full"
    bob.sends(b"two\nthree\n")
    assert ada.gets() == b""
    ada.transport.drains()
    assert ada.gets().splitlines() == [
        b"bob: two",
        b"bob: three",
        b"-- lobby: 2 here",
        b"   ada",
        b"   bob",
    ]


def test_a_client_that_reads_nothing_for_two_minutes_is_aborted() -> None:
    building = Building()
    ada = building.enters("ada")
    ada.transport.fills()
    building.clock.advance(119)
    assert not ada.transport.aborted
    building.clock.advance(1)
    assert ada.transport.aborted


def test_direct_messages_are_refused_when_too_many_are_unread() -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    ada.transport.fills()
    for _ in range(40):
        bob.sends(b"/dm ada " + b"x" * 3000 + b"\n")
    assert bob.gets().endswith(b"-- ada is not reading now; try again later.\r\n")
    assert len(ada.transport.value()) < 80_000


def test_no_line_after_quit_is_done() -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    ada.sends(b"/quit\n/join lobby\nhello\n/join attic\n")
    assert bob.gets() == b"-- ada left\r\n"
    assert list(building.chat.rooms) == ["lobby"]
    ada.goes()
    assert building.chat.people.find("ada") is None


def test_many_pending_renames_finish_one_after_the_other() -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    ada.gets(), ada.transport.fills()
    bob.sends(b"wake up\n"), building.turn()
    ada.sends(b"".join(b"/nick ada%d\n" % n for n in range(700)))
    ada.transport.drains()
    assert ada.gets().endswith(b"-- You are now known as ada699.\r\n")


def test_a_telnet_that_answers_late_goes_on_when_its_connection_drains() -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    ada.sends(b"\xff\xfb\x18"), ada.gets()
    ada.transport.fills()
    bob.sends(b"one\n"), building.turn()
    bob.sends(b"two\n"), building.turn()
    ada.gets(), ada.transport.drains()
    assert b"bob: two" in ada.gets()


def test_history_sends_no_more_than_may_be_pending() -> None:
    building = Building()
    ada, bob = building.enters("ada"), building.enters("bob")
    for _ in range(200):
        bob.sends(b"x" * 4000 + b"\n")
    ada.gets(), ada.sends(b"/history 200\n")
    assert 32_000 < len(ada.gets()) < 70_000
