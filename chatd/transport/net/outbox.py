"""Outbox: the bounded outgoing buffer of one connection.

Twisted's ``transport.write`` keeps whatever it is given, without a bound, and tries the socket
only at the next turn of the reactor.  An outbox tries the socket immediately.  What the kernel does
not take goes to the transport, and until that has drained the outbox is ``full``: nothing is
sent, and ``on_ready`` is called when there is room again.

It knows bytes and transports; it knows nothing of rooms or of what the bytes mean.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

from twisted.internet import tcp
from twisted.internet.interfaces import (
    IDelayedCall,
    IPullProducer,
    IPushProducer,
    IReactorTime,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

#: Seconds that an outbox may stay full before its connection is aborted.  The timer starts when the
#: outbox becomes full and stops only when everything has drained; slow progress does not restart
#: it.  It is also the limit for data that the peer's machine does not acknowledge
#: (TCP_USER_TIMEOUT).  Users may hold their terminal with Ctrl-S or Ctrl-Z for two minutes and come
#: back to it; ngircd gives 120 s to a peer that does not answer a ping, and so does InspIRCd.
STALLED_SECONDS = 120

#: Returned by a ``send`` that has already kept what was not sent.  It is no count: it only differs
#: from ``len(data)``, and is passed to ``stalled`` of the same object, which knows what it means.
STALLED = -1

#: Size of the kernel's send buffer, in bytes.  Left alone, Linux grows it to several MB on
#: loopback, and a client that stopped reading would go unnoticed until then.
SEND_BUFFER_BYTES = 64 * 1024

#: Keepalive: seconds of silence before the first probe, seconds between probes, and unanswered
#: probes until the peer counts as gone: 2 minutes in all.
KEEPALIVE = (60, 15, 4)


_INT = struct.Struct("i")
#: The offset of ``tcpi_last_ack_recv`` in Linux's ``struct tcp_info``, in milliseconds.
_LAST_ACK_RECEIVED = 56
#: The offsets of the bytes ``tcpi_retransmits`` and ``tcpi_probes`` in it.
_RETRANSMITS = slice(2, 4)
#: Retransmissions until a peer counts as silent: data that was sent a moment ago is only in flight,
#: however long ago the peer last had something to acknowledge.  They take at least 1.4 s.
_RETRANSMITS_OF_SILENCE = 3
#: The state of a connection that was reset (Linux's TCP_CLOSE).
_CLOSED = 7


class StreamTransport(Protocol):
    """The interface that Twisted's stream transports share beyond ``ITransport``."""

    def write(self, data: bytes) -> object: ...
    def loseConnection(self) -> object: ...
    def abortConnection(self) -> object: ...
    def registerProducer(self, producer: object, streaming: bool) -> object: ...
    def unregisterProducer(self) -> object: ...
    def pauseProducing(self) -> object: ...
    def resumeProducing(self) -> object: ...


class Outbox(Protocol):
    """The output of a connection, as a way in sees it.

    While ``full`` is false, ``send`` may be called and returns how many bytes it took.  Any other
    return value than ``len(data)`` (such as `STALLED`), or an ``OSError``, must be followed by
    ``stalled(data, taken)`` (taken is 0 after an error), which keeps the rest.  ``write`` sends
    unconditionally: it never refuses, and its caller bounds it by looking at ``pending``.
    """

    @property
    def full(self) -> bool:
        """Whether nothing may be sent now."""

    @property
    def pending(self) -> int:
        """Bytes accepted that the kernel has not taken; may be off by one write."""

    @property
    def send(self) -> Callable[[bytes], int]:
        """Send immediately what can be sent; return how many bytes were taken, or `STALLED`."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take, and become full."""

    def write(self, data: bytes) -> None:
        """Send immediately what can be sent, and keep the rest."""

    def unreached(self) -> tuple[int, float] | None:
        """Bytes sent that have not arrived, and seconds for which the peer has been silent.

        None when the transport knows of nothing in flight.
        """

    def was_reset(self) -> bool | None:
        """Whether the peer has reset the connection; None while data is in flight."""

    def close(self) -> None:
        """Send what is pending, then close; abort when that takes too long."""

    def abort(self) -> None:
        """Close now, and drop what is pending."""

    def forget(self) -> None:
        """Stop waiting, and forget who waits: the connection is gone."""


def _state(connection: tcp.Connection) -> int | None:
    """Return the state of a connection by the system's number; None where there is none."""
    try:
        info = connection.getHandle().getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
    except (AttributeError, OSError):
        return None
    return info[0] if info else None


class TrackedServer(tcp.Server):
    """An accepted TCP connection that remembers what had not arrived when it was lost."""

    unreached: tuple[int, float] | None = None

    def connectionLost(self, reason: Failure) -> None:
        """Ask the socket while there is one."""
        self.unreached = bytes_in_flight(self)
        super().connectionLost(reason)


def bytes_in_flight(connection: tcp.Connection) -> tuple[int, float] | None:
    """Return the bytes that the peer's machine has not acknowledged, and its seconds of silence.

    None when there are none, or where the system does not tell (tcp(7): SIOCOUTQ, TCP_INFO).
    """
    try:
        handle = connection.getHandle()
        (size,) = _INT.unpack(fcntl.ioctl(handle.fileno(), termios.TIOCOUTQ, _INT.pack(0)))
        if not size:
            return None
        info = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_ACK_RECEIVED + 4)
        (silent,) = _INT.unpack_from(info, _LAST_ACK_RECEIVED)
        if max(info[_RETRANSMITS]) < _RETRANSMITS_OF_SILENCE:
            silent = 0
    except (AttributeError, OSError, ValueError, struct.error):
        return None
    return size, silent / 1000


def _nothing() -> None:
    """Do nothing: nothing waits for the outbox."""


def prepare_socket(transport: ITransport) -> None:
    """Set no delay, a bounded kernel buffer and keepalive on TCP; leave other transports alone.

    Urgent data stays in its place: the data mark of a telnet Synch (RFC 854) is urgent, and without
    it the next byte would be taken for the command of its IAC.
    """
    if not isinstance(transport, tcp.Connection):
        return
    handle = transport.getHandle()
    if handle.family not in (socket.AF_INET, socket.AF_INET6):
        return
    idle, interval, count = KEEPALIVE
    for level, name, value in (
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_SNDBUF", SEND_BUFFER_BYTES),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.SOL_SOCKET, "SO_OOBINLINE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", idle),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", interval),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", count),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", STALLED_SECONDS * 1000),
    ):
        option = getattr(socket, name, None)
        if option is None:  # not every system has every one of them
            continue
        try:
            handle.setsockopt(level, option, value)
        except OSError:  # the peer has already disconnected; Twisted will notice
            return


def send_first(transport: ITransport, data: bytes) -> None:
    """Send some bytes on a connection that has sent nothing yet, before anything that follows.

    A way in that sends on the socket itself would overtake what Twisted keeps for its next turn.
    """
    taken = 0
    if isinstance(transport, tcp.Connection) and not transport.TLS:
        with suppress(OSError):
            taken = transport.getHandle().send(data)
    if taken < len(data):
        transport.write(data[taken:])


def outbox_for(
    transport: ITransport, clock: IReactorTime, on_ready: Callable[[], None] = _nothing
) -> Outbox:
    """Return the outbox that fits a transport: straight to the socket where there is a bare one."""
    if isinstance(transport, tcp.Connection) and not transport.TLS:
        return SocketOutbox(transport, clock, on_ready)
    return StreamOutbox(as_stream(transport), clock, on_ready)


def as_stream(transport: object) -> StreamTransport:
    """Return a protocol's transport by its actual type; Twisted declares a narrower one."""
    return cast(StreamTransport, transport)


class _StallTimeout:
    """Aborts a transport whose outbox has been full for ``STALLED_SECONDS``."""

    __slots__ = ("_call", "_clock", "_transport")

    def __init__(self, transport: StreamTransport, clock: IReactorTime) -> None:
        self._transport = transport
        self._clock = clock
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Start or restart the timer."""
        self.stop()
        self._call = self._clock.callLater(STALLED_SECONDS, self._transport.abortConnection)

    def stop(self) -> None:
        """Stop the timer."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None


@implementer(IPullProducer)
class SocketOutbox:
    """Writes to the socket of a plain TCP connection (never TLS: it would bypass the encryption).

    ``send`` is the socket's own, so that a broadcast costs one system call per member and nothing
    else.  After a short send the rest lies in the transport and a pull producer waits there: until
    it is asked for more, every further byte would overtake the rest.
    """

    __slots__ = (
        "_on_ready",
        "_registered",
        "_socket",
        "_timeout",
        "_transport",
        "full",
        "pending",
        "send",
    )

    def __init__(
        self, transport: tcp.Connection, clock: IReactorTime, on_ready: Callable[[], None]
    ) -> None:
        self._socket = transport
        self._transport = as_stream(transport)
        self._on_ready = on_ready
        self._timeout = _StallTimeout(self._transport, clock)
        self._registered = False
        self.send: Callable[[bytes], int] = transport.getHandle().send
        self.full = False
        self.pending = 0

    def stalled(self, data: bytes, taken: int) -> None:
        """Hand the rest to the transport and wait until it has drained."""
        self._keep(data[taken:])

    def write(self, data: bytes) -> None:
        """Send immediately what can be sent, and keep the rest in the transport."""
        if self.full:
            self._keep(data)
            return
        try:
            taken = self.send(data)
        except OSError:  # would block, or broken: the transport finds out which
            taken = 0
        if taken != len(data):
            self._keep(data[taken:])

    def _keep(self, rest: bytes) -> None:
        self.pending += len(rest)
        self._transport.write(rest)
        if self.full:
            return
        self.full = True
        self._timeout.start()
        if self._socket.connected and not self._socket.disconnecting:
            self._transport.registerProducer(self, False)  # calls resumeProducing immediately
            self._registered = True

    def resumeProducing(self) -> None:
        """Be ready again: the transport has drained (`IPullProducer`)."""
        if not self._registered:
            return
        self._release()
        self._on_ready()

    def stopProducing(self) -> None:
        """Stop waiting: the connection is gone."""
        self._registered = False
        self._timeout.stop()

    def _release(self) -> None:
        self._registered = False
        self._transport.unregisterProducer()
        self._timeout.stop()
        self.full = False
        self.pending = 0

    def unreached(self) -> tuple[int, float] | None:
        """Return what the peer's machine has not acknowledged."""
        if isinstance(self._socket, TrackedServer) and self._socket.unreached is not None:
            return self._socket.unreached
        return bytes_in_flight(self._socket)

    def was_reset(self) -> bool | None:
        """Return whether the peer has reset the connection; None: not known yet."""
        if not self._socket.connected:
            return True
        if _state(self._socket) == _CLOSED:
            return True
        return None if self.pending or self.unreached() else False

    def close(self) -> None:
        """Send what is pending, then close; a peer that does not take it is aborted."""
        if self._registered:
            self._registered = False
            self._transport.unregisterProducer()
        self._transport.loseConnection()

    def abort(self) -> None:
        """Close now, and drop what is pending."""
        self._timeout.stop()
        self._transport.abortConnection()

    def forget(self) -> None:
        """Stop waiting: the connection is gone."""
        self._timeout.stop()
        self._on_ready = _nothing


@implementer(IPushProducer)
class StreamOutbox:
    """Writes to transports without a bare socket: they buffer, and report when they are full.

    Twisted calls ``pauseProducing`` on *every* write above its mark, so repeated calls are normal.
    """

    __slots__ = ("_on_ready", "_timeout", "_transport", "full", "pending")

    def __init__(
        self, transport: StreamTransport, clock: IReactorTime, on_ready: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._on_ready = on_ready
        self._timeout = _StallTimeout(transport, clock)
        self.full = False
        self.pending = 0
        transport.registerProducer(self, True)

    def send(self, data: bytes) -> int:
        """Give it all to the transport; return `STALLED` if that has made it full.

        If the transport has become full by itself meanwhile, it takes nothing: return 0.
        """
        return 0 if self.full else self._give(data)

    def _give(self, data: bytes) -> int:
        self._transport.write(data)
        return STALLED if self.full else len(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """Give the transport the data that ``send`` did not; `STALLED` means that it gave all."""
        self.pending += len(data)
        if not taken:
            self._transport.write(data)

    def write(self, data: bytes) -> None:
        """Give it all to the transport."""
        self._transport.write(data)
        if self.full:
            self.pending += len(data)

    def pauseProducing(self) -> None:
        """Become full: the transport holds more than its mark."""
        if not self.full:
            self.full = True
            self._timeout.start()

    def resumeProducing(self) -> None:
        """Be ready again: the transport has room."""
        if self.full:
            self.full = False
            self.pending = 0
            self._timeout.stop()
            self._on_ready()

    def stopProducing(self) -> None:
        """Stop waiting: the connection is gone."""
        self._timeout.stop()

    def unreached(self) -> tuple[int, float] | None:
        """Return None: nothing is known of what happens behind the transport."""
        return None

    def was_reset(self) -> bool | None:
        """Return False: the transport will notice."""
        return False

    def close(self) -> None:
        """Send what is pending, then close."""
        self._transport.unregisterProducer()
        self._transport.loseConnection()

    def abort(self) -> None:
        """Close now, and drop what is pending."""
        self._timeout.stop()
        self._transport.abortConnection()

    def forget(self) -> None:
        """Stop waiting: the connection is gone."""
        self._timeout.stop()
        self._on_ready = _nothing
