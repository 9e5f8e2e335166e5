"""Outboxes over Twisted's own transports and a kernel that takes little."""

import errno
import socket
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from chatd.transport.net.outbox import (
    SEND_BUFFER_BYTES,
    STALLED_SECONDS,
    SocketOutbox,
    StreamOutbox,
    outbox_for,
    prepare_socket,
    send_first,
)
from tests.support.memory_server import FakeTransport


class Kernel:
    """A socket that takes ``room`` bytes; None: any number."""

    def __init__(self, room: int | None = None, family: int = socket.AF_INET) -> None:
        self.room = room
        self.family = family
        self.taken = b""
        self.options: list[tuple[int, int, int]] = []
        self.broken = False
        self.closed = False

    def send(self, data: bytes) -> int:
        if self.broken:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        if self.room == 0:
            raise BlockingIOError(errno.EWOULDBLOCK, "it would block")
        size = len(data) if self.room is None else min(self.room, len(data))
        self.taken += bytes(data[:size])
        if self.room is not None:
            self.room -= size
        return size

    def setsockopt(self, level: int, name: int, value: int) -> None:
        if self.broken:
            raise OSError(errno.EINVAL, "Invalid argument")
        self.options.append((level, name, value))

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def fileno(self) -> int:
        return 1000

    def shutdown(self, how: int) -> None:
        """Close the socket."""

    def close(self) -> None:
        self.closed = True


class Line:
    """Twisted's own TCP transport on such a socket, with an outbox."""

    def __init__(self, room: int | None = None) -> None:
        self.kernel = Kernel(room)
        self.reactor = MemoryReactorClock()
        self.protocol = Protocol()
        self.transport = tcp.Connection(
            cast(socket.socket, self.kernel), self.protocol, self.reactor
        )
        self.transport.connected = 1
        self.protocol.makeConnection(self.transport)
        self.readies = 0
        outbox = outbox_for(self.transport, self.reactor, self._ready)
        assert isinstance(outbox, SocketOutbox)
        self.outbox = outbox

    def _ready(self) -> None:
        assert not self.outbox.full
        self.readies += 1

    def sends(self, data: bytes) -> None:
        """Send as a broadcast does."""
        assert not self.outbox.full
        try:
            taken = self.outbox.send(data)
        except OSError:
            taken = 0
        if taken != len(data):
            self.outbox.stalled(data, taken)

    def drains(self, room: int | None = None) -> None:
        """Let the kernel take this many bytes more, and run the reactor until it is idle."""
        self.kernel.room = room
        for _ in range(1000):
            if self.transport not in self.reactor.writers or self.kernel.room == 0:
                return
            reason = self.transport.doWrite()
            if reason is not None:
                self.transport.connectionLost(Failure(reason))
        raise AssertionError("it never came to an end")


# Straight to the socket ---------------------------------------------------------------------------


@pytest.mark.parametrize("room", [None, 0, 3])
def test_what_is_sent_first_is_overtaken_by_nothing(room: int | None) -> None:
    line = Line(room)
    send_first(line.transport, b"probe ")
    if room is None:  # what a way in sends in the same turn follows
        line.sends(b"after")
    else:
        line.transport.write(b"after")
    line.drains()
    assert line.kernel.taken == b"probe after"


def test_what_is_sent_first_on_a_connection_that_is_gone_is_no_error() -> None:
    line = Line()
    line.kernel.broken = True
    send_first(line.transport, b"probe")


def test_data_that_the_kernel_takes_is_sent_at_once() -> None:
    line = Line()
    line.sends(b"one"), line.outbox.write(b"two")
    assert line.kernel.taken == b"onetwo"
    assert not line.outbox.full
    assert line.outbox.pending == 0
    assert not line.reactor.getDelayedCalls()


@pytest.mark.parametrize("room", range(4))
def test_after_a_short_send_nothing_overtakes_the_rest(room: int) -> None:
    line = Line(room)
    line.sends(b"abcd")
    assert line.outbox.full
    assert line.outbox.pending == 4 - room
    line.kernel.room = None
    line.outbox.write(b"efgh")
    assert line.kernel.taken == b"abcd"[:room], "the kernel has room, but the rest comes first"
    assert line.outbox.pending == 8 - room
    line.drains()
    assert line.kernel.taken == b"abcdefgh"


def test_it_is_full_until_all_of_the_rest_is_sent() -> None:
    line = Line(1)
    line.sends(b"abcdef")
    line.drains(3)
    assert line.outbox.full
    assert line.readies == 0
    line.drains(2)
    assert not line.outbox.full
    assert line.outbox.pending == 0
    assert line.readies == 1


def test_on_ready_is_called_once_each_time_it_drains() -> None:
    line = Line(0)
    for n in range(3):
        line.sends(b"x"), line.drains()
        assert line.readies == n + 1
        line.kernel.room = 0


def test_it_may_fill_again_during_on_ready() -> None:
    line = Line(0)

    def ready() -> None:
        line.readies += 1
        if line.readies < 4:
            line.kernel.room = 1
            line.outbox.write(b"more")

    line.outbox = SocketOutbox(line.transport, line.reactor, ready)
    line.sends(b"first")
    for _ in range(4):
        line.drains()
    assert line.kernel.taken == b"first" + b"more" * 3
    assert line.readies == 4
    assert not line.outbox.full


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("sends"), st.integers(1, 50)),
            st.tuples(st.just("writes"), st.integers(0, 50)),
            st.tuples(st.just("room"), st.integers(0, 60)),
            st.tuples(st.just("drains"), st.integers(1, 60)),
        )
    ),
    st.integers(0, 60),
)
def test_every_byte_is_sent_once_and_in_order(steps: list[tuple[str, int]], room: int) -> None:
    line, given_to_it = Line(room), b""
    for what, number in steps:
        data = bytes((len(given_to_it) + n) % 251 for n in range(number))
        if what == "sends" and not line.outbox.full:
            line.sends(data)
            given_to_it += data
        elif what == "writes":
            line.outbox.write(data)
            given_to_it += data
        elif what == "room":
            line.kernel.room = number
        else:
            line.drains(number)
        waits = len(given_to_it) - len(line.kernel.taken)
        assert given_to_it.startswith(line.kernel.taken)
        assert line.outbox.full or waits == 0
        assert line.outbox.pending >= waits
    line.drains()
    assert line.kernel.taken == given_to_it
    assert not line.outbox.full
    assert line.outbox.pending == 0
    assert not line.reactor.getDelayedCalls()


# Readers that do not read -------------------------------------------------------------------------


def test_a_client_that_takes_nothing_is_aborted_after_the_timeout() -> None:
    line = Line(0)
    line.sends(b"x")
    line.reactor.advance(STALLED_SECONDS - 1)
    line.outbox.write(b"y")
    assert not line.kernel.closed
    line.reactor.advance(1)
    line.reactor.advance(0)
    assert line.kernel.closed
    assert not line.reactor.getDelayedCalls()


def test_draining_restarts_the_timeout() -> None:
    line = Line(0)
    line.sends(b"x")
    line.reactor.advance(STALLED_SECONDS - 1)
    line.drains()
    line.kernel.room = 0
    line.sends(b"x")
    line.reactor.advance(STALLED_SECONDS - 1)
    assert not line.kernel.closed


@pytest.mark.parametrize("room", [0, 1])
def test_a_lost_connection_leaves_no_timer(room: int) -> None:
    line = Line(room)
    line.sends(b"xy")
    line.kernel.broken = True
    line.drains()
    assert line.kernel.closed
    assert not line.reactor.getDelayedCalls()
    assert line.readies == 0


def test_the_transport_notices_a_broken_connection() -> None:
    line = Line()
    line.kernel.broken = True
    line.outbox.write(b"x")
    assert not line.kernel.closed
    line.drains()
    assert line.kernel.closed


# Ends ---------------------------------------------------------------------------------------------


def test_closing_sends_what_is_pending_first() -> None:
    line = Line(1)
    line.sends(b"abc")
    line.outbox.close()
    assert not line.kernel.closed
    line.drains()
    assert line.kernel.taken == b"abc"
    assert line.kernel.closed


def test_closing_with_nothing_pending_closes_at_once() -> None:
    line = Line()
    line.sends(b"abc")
    line.outbox.close(), line.drains()
    assert line.kernel.closed


def test_a_client_that_does_not_take_pending_data_is_aborted_after_closing() -> None:
    line = Line(1)
    line.sends(b"abc")
    line.outbox.close()
    line.reactor.advance(STALLED_SECONDS)
    line.reactor.advance(0)
    assert line.kernel.closed


def test_data_written_after_closing_does_not_wait_for_ever() -> None:
    line = Line(0)
    line.transport.write(b"before")
    line.outbox.close()
    line.outbox.write(b"abc")
    line.reactor.advance(STALLED_SECONDS)
    line.reactor.advance(0)
    assert line.kernel.closed


def test_aborting_waits_for_nothing() -> None:
    line = Line(1)
    line.sends(b"abc")
    line.outbox.abort()
    line.reactor.advance(0)
    assert line.kernel.closed
    assert line.kernel.taken == b"a"
    assert not line.reactor.getDelayedCalls()


# Sockets ------------------------------------------------------------------------------------------


def test_a_socket_has_no_delay_a_bounded_buffer_and_keepalive() -> None:
    line = Line()
    prepare_socket(line.transport)
    options = {(level, name): value for level, name, value in line.kernel.options}
    assert options[socket.IPPROTO_TCP, socket.TCP_NODELAY] == 1
    assert options[socket.SOL_SOCKET, socket.SO_SNDBUF] == SEND_BUFFER_BYTES
    assert options[socket.SOL_SOCKET, socket.SO_KEEPALIVE] == 1


def test_a_socket_whose_peer_is_gone_is_not_configured() -> None:
    line = Line()
    line.kernel.broken = True
    prepare_socket(line.transport)
    assert line.kernel.options == []


def test_a_unix_socket_is_not_configured() -> None:
    line = Line()
    line.kernel.family = socket.AF_UNIX
    prepare_socket(line.transport)
    prepare_socket(FakeTransport())
    assert line.kernel.options == []


def test_a_transport_without_a_bare_socket_is_written_to() -> None:
    assert isinstance(outbox_for(FakeTransport(), MemoryReactorClock()), StreamOutbox)
    encrypted = Line()
    encrypted.transport.TLS = True
    outbox_for(encrypted.transport, encrypted.reactor).write(b"secret")
    assert encrypted.kernel.taken == b"", "nothing goes by the encryption"


# Transports that buffer ---------------------------------------------------------------------------


class Brimful(FakeTransport):
    """A transport that may become full in a write."""

    brimful = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.brimful:
            self.stops_reading()


class Stream:
    """A transport that buffers, with an outbox."""

    def __init__(self) -> None:
        self.clock = MemoryReactorClock()
        self.transport = Brimful()
        self.readies = 0
        self.outbox = StreamOutbox(self.transport, self.clock, self._ready)

    def _ready(self) -> None:
        assert not self.outbox.full
        self.readies += 1

    @property
    def taken(self) -> bytes:
        """Return what was written to the transport."""
        data: bytes = self.transport.value()
        return data


def test_a_stream_takes_everything_while_it_is_not_full() -> None:
    stream = Stream()
    assert stream.outbox.send(b"one") == 3
    stream.outbox.write(b"two")
    assert stream.taken == b"onetwo"
    assert not stream.outbox.full


def test_a_transport_may_pause_its_producer_again_and_again() -> None:
    stream = Stream()
    stream.outbox.pauseProducing()
    stream.clock.advance(STALLED_SECONDS - 1)
    stream.outbox.pauseProducing()
    assert len(stream.clock.getDelayedCalls()) == 1
    stream.clock.advance(1)
    assert stream.transport.aborted, "the time counts from the first"


def test_a_resume_without_a_pause_calls_nothing() -> None:
    stream = Stream()
    stream.outbox.resumeProducing()
    assert stream.readies == 0
    (
        stream.transport.stops_reading(),
        stream.transport.resumes_reading(),
        stream.transport.resumes_reading(),
    )
    assert stream.readies == 1
    assert not stream.clock.getDelayedCalls()


def test_a_full_stream_keeps_data_and_counts_it() -> None:
    stream = Stream()
    stream.transport.stops_reading()
    assert stream.outbox.send(b"abc") == 0
    stream.outbox.stalled(b"abc", 0)
    stream.outbox.write(b"de")
    assert stream.taken == b"abcde"
    assert stream.outbox.pending == 5
    stream.transport.resumes_reading()
    assert stream.outbox.pending == 0


def test_a_stream_that_fills_during_a_send_gets_nothing_twice() -> None:
    stream = Stream()
    stream.transport.brimful = True
    taken = stream.outbox.send(b"abc")
    assert taken != 3
    stream.outbox.stalled(b"abc", taken)
    assert stream.taken == b"abc"
    assert stream.outbox.full
    assert stream.outbox.pending == 3


def test_a_lost_stream_leaves_no_timer() -> None:
    stream = Stream()
    stream.transport.stops_reading()
    stream.outbox.stopProducing()
    assert not stream.clock.getDelayedCalls()


def test_a_stream_is_closed_and_aborted() -> None:
    closed, aborted = Stream(), Stream()
    aborted.transport.stops_reading()
    closed.outbox.close(), aborted.outbox.abort()
    assert closed.transport.disconnecting
    assert not closed.transport.aborted
    assert aborted.transport.aborted
    assert not aborted.clock.getDelayedCalls()


def test_a_stream_that_does_not_take_pending_data_is_aborted_after_closing() -> None:
    stream = Stream()
    stream.transport.stops_reading()
    stream.outbox.close()
    assert not stream.transport.aborted
    stream.clock.advance(STALLED_SECONDS)
    assert stream.transport.aborted
