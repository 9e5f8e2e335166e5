"""The life of a connection: keepalives, idle timeouts, errors and one DISCONNECT."""

import contextlib
from collections.abc import Iterator

import pytest
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from chatd.transport.ssh.protocol.connection import LINGER_SECONDS, START_SECONDS
from chatd.wire.ssh import string, uint32
from tests.support.ssh.peer import CLOSE, DATA, DISCONNECT, REQUEST, VERSION, Peer


@contextlib.contextmanager
def logged() -> Iterator[list[LogEvent]]:
    """Collect what is logged meanwhile."""
    events: list[LogEvent] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        events.append(event)

    globalLogPublisher.addObserver(observe)
    yield events
    globalLogPublisher.removeObserver(observe)


def keepalives(peer: Peer) -> int:
    asked = string(b"keepalive@openssh.com") + b"\1"
    return sum((number, payload) == (80, asked) for number, payload in peer.take())


def test_a_keepalive_is_sent_every_minute() -> None:
    peer = Peer().login()
    peer.shell()
    peer.take()
    for number in (81, 82) * 5:
        peer.clock.advance(60)
        assert keepalives(peer) == 1
        peer.send(number)
    assert not peer.is_gone()


def test_a_peer_that_misses_three_keepalives_is_aborted() -> None:
    peer = Peer().login()
    _, program = peer.shell()
    peer.take()
    for _ in range(3):
        peer.clock.advance(60)
        assert keepalives(peer) == 1
        assert not peer.is_gone()
    peer.clock.advance(60)
    assert peer.wire.disconnected
    peer.hang_up()
    assert program.events == ["lost"]
    assert not peer.clock.getDelayedCalls()


def test_a_keepalive_of_the_client_is_answered() -> None:
    peer = Peer().login()
    peer.shell()
    peer.take()
    peer.send(80, string(b"keepalive@openssh.com") + b"\1")
    assert peer.numbers() == [82]
    peer.send(80, string(b"no-more-sessions@openssh.com") + b"\0")
    assert peer.numbers() == []


def test_a_client_that_starts_nothing_is_disconnected() -> None:
    for opens in (False, True):
        peer = Peer().login()
        if opens:
            peer.open()
        peer.clock.advance(START_SECONDS)
        assert peer.reason() == "nothing runs here"
        peer.hang_up()
        assert not peer.clock.getDelayedCalls()


def test_the_connection_lingers_after_the_last_program() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    program.channel.finish(0)
    peer.send(CLOSE, uint32(channel))
    assert not peer.is_gone()
    peer.clock.advance(LINGER_SECONDS)
    assert peer.reason() == "nothing runs here"


def test_a_client_that_never_closes_its_channel_is_aborted() -> None:
    peer = Peer().login()
    _, program = peer.shell()
    program.channel.finish(0)
    peer.clock.advance(LINGER_SECONDS)
    assert peer.wire.disconnected
    peer.hang_up()
    assert program.events == ["lost"]


def test_another_program_keeps_the_connection_open() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    program.channel.finish(0)
    peer.send(CLOSE, uint32(channel))
    peer.clock.advance(LINGER_SECONDS - 1)
    peer.shell()
    peer.clock.advance(20)
    assert not peer.is_gone()


def test_a_disconnect_from_the_client_gets_no_answer() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    peer.take()
    goodbye = peer.sealer.seal(b"\1" + uint32(11) + string(b"bye") + string(b""))
    typed = peer.sealer.seal(bytes((DATA,)) + uint32(channel) + string(b"too late"))
    peer.feed(goodbye + typed)
    assert peer.numbers() == []
    assert peer.is_gone()
    assert program.input == b""
    peer.hang_up()
    assert program.events == ["lost"]


def test_nothing_is_read_after_our_disconnect() -> None:
    """Stock Conch goes on dispatching what came in the same read and in the next."""
    peer = Peer().login()
    channel, program = peer.shell()
    peer.take()
    bad = peer.sealer.seal(bytes((CLOSE,)) + uint32(99))
    typed = peer.sealer.seal(bytes((DATA,)) + uint32(channel) + string(b"too late"))
    peer.feed(bad + bad + typed)
    peer.feed(typed + bad)
    program.channel.outbox.write(b"too late as well")
    assert "not open" in peer.reason()
    assert program.input == b""
    assert peer.protocol.buffered == 0


@pytest.mark.parametrize("number", [*range(1, 40), *range(50, 62), *range(80, 101), 192, 255])
@pytest.mark.parametrize("payload", [b"", b"\0", b"\0\0\0\xff", b"\xff" * 40, bytes(40)])
def test_a_malformed_packet_costs_one_disconnect_and_one_line_in_the_log(
    number: int, payload: bytes
) -> None:
    """Stock Conch logs a traceback for each."""
    peer = Peer().login()
    peer.shell()
    peer.take()
    with logged() as events:
        packet = peer.sealer.seal(bytes((number,)) + payload)
        peer.feed(packet)
    assert not any("log_failure" in event for event in events)
    assert len(events) <= 1
    if peer.is_gone() and number != DISCONNECT:
        assert len(events) == 1
        assert peer.reason()


def test_a_wrong_mac_is_one_disconnect() -> None:
    for cipher in (b"aes128-gcm@openssh.com", b"aes128-ctr"):
        for mac in (b"hmac-sha2-256-etm@openssh.com", b"hmac-sha2-256"):
            peer = Peer(cipher=cipher, mac=mac).login()
            peer.take()
            packet = bytearray(peer.sealer.seal(b"\2" + string(bytes(100))))
            packet[-1] ^= 1
            peer.feed(bytes(packet))
            assert peer.reason() == "bad MAC"


def test_an_unknown_message_is_answered_as_unimplemented_with_its_sequence_number() -> None:
    peer = Peer().login()
    peer.take()
    number = peer.sealer.sequence
    peer.send(192, b"local extension")
    assert peer.take() == [(3, uint32(number))]
    peer.send(6, string(b"x"))
    assert peer.take() == [(3, uint32(number + 1))]


def test_nothing_that_was_sent_is_in_the_log() -> None:
    with logged() as events:
        peer = Peer().login()
        channel, program = peer.shell()
        peer.type(channel, b"S3CRET")
        program.channel.outbox.write(b"S3CRET")
        peer.request(channel, b"S3CRET", b"S3CRET")
        program.channel.finish(0)
        peer.send(CLOSE, uint32(channel))
        peer.send(1, uint32(11) + string(b"S3CRET") + string(b""))
        peer.hang_up()
    assert "S3CRET" not in repr(events)
    assert events == []


def test_the_first_bytes_may_come_through_a_gate() -> None:
    peer = Peer()
    peer.begin()  # Peer builds, connects and feeds as a gate does
    assert not peer.is_gone()
    assert peer.protocol.otherVersionString == VERSION


def test_the_buffer_holds_one_unfinished_packet_at_most() -> None:
    peer = Peer().login()
    channel, _ = peer.shell()
    packet = peer.sealer.seal(bytes((REQUEST,)) + uint32(channel) + string(bytes(30_000)) + b"\0")
    for at in range(0, len(packet) - 1, 1000):
        peer.feed(packet[at : min(at + 1000, len(packet) - 1)])
        assert peer.protocol.buffered <= 35_000 + 32
    peer.feed(packet[-1:])
    assert peer.protocol.buffered == 0
    assert not peer.is_gone()


def test_all_of_many_packets_in_one_read_are_handled() -> None:
    peer = Peer().login()
    channel, program = peer.shell()
    packet = bytes((DATA,)) + uint32(channel) + string(b"x")
    peer.feed(b"".join(peer.sealer.seal(packet) for _ in range(5000)))
    assert program.input == b"x" * 5000


def test_lose_connection_sends_a_disconnect() -> None:
    peer = Peer().login()
    peer.shell()
    peer.take()
    peer.protocol.loseConnection()
    assert peer.reason() == "goodbye"
    peer.protocol.loseConnection()
    assert peer.numbers() == []
