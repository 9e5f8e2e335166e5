"""The way out of one channel: never more than window, transport and key exchange allow.

It keeps the contract of ``chatd.transport.net.outbox.Outbox`` for a channel (RFC 4254 section 5.2).
It knows bytes and windows; it knows nothing of what runs in the channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from chatd.wire.ssh import uint32

if TYPE_CHECKING:
    from chatd.transport.ssh.protocol.server import ServerTransport

CHANNEL_DATA = 94
CHANNEL_EXTENDED_DATA = 95
_STDERR: Final = uint32(1)

#: Bytes in one of our packets, whatever more the peer allows: what every SSH must take
#: (RFC 4253 section 6.1).
MAX_DATA = 32768

#: The window that a peer may give (RFC 4254 section 5.2).
MAX_WINDOW = 0xFFFFFFFF

#: Bytes of standard error that may wait; what is more is dropped.
MAX_ERROR_BYTES = 4096


class Listener(Protocol):
    """Who is told what becomes of the outbox."""

    def writable(self) -> None:
        """There is room again."""

    def flushed(self) -> None:
        """All is sent, and nothing may follow."""

    def aborted(self) -> None:
        """Whatever is left will never be sent."""


class WindowedOutbox:
    """What a program writes to.

    Nothing leaves before ``open`` is called: the reply to the request that started the program
    goes first.  ``full`` is true while the window is closed, the transport is full or keys are
    exchanged.  ``on_sent`` is called before something of a broadcast is sent.
    """

    __slots__ = (
        "_errors",
        "_head",
        "_listener",
        "_opened",
        "_packet",
        "_rest",
        "_sent",
        "_transport",
        "_waited",
        "_window",
        "closing",
        "full",
        "on_sent",
        "pending",
    )

    def __init__(
        self,
        transport: ServerTransport,
        listener: Listener,
        remote_id: int,
        window: int,
        max_packet: int,
    ) -> None:
        self._transport = transport
        self._listener: Listener | None = listener
        self._head = bytes((CHANNEL_DATA,)) + uint32(remote_id)
        self._window = window
        self._packet = min(max_packet, MAX_DATA)
        self._rest: list[bytes] = []
        self._errors = b""
        self._sent = 0  # bytes of the first of the rest that are gone already
        self._waited = 0
        self._opened = False
        self.closing = False
        self.full = False
        self.pending = 0
        self.on_sent: Callable[[], None] | None = None

    def is_idle(self) -> bool:
        """Whether what is sent now follows everything that was sent before."""
        return self._may_send() and not self._rest

    def unreached(self) -> tuple[int, float] | None:
        """What the peer's machine has not acknowledged, of all channels and enciphered.

        What their client has had is known better by `chatd.transport.ssh.receipts`.
        """
        return self._transport.outbox.unreached()

    def was_reset(self) -> bool | None:
        """The end of the input of a channel says that somebody is done."""
        return False

    def send(self, data: bytes) -> int:
        """Send what may be sent now, in packets, and say how many bytes that was."""
        size = len(data)
        transport = self._transport
        if self.full or not self._opened or size > self._window or size > self._packet:
            if self.on_sent is not None:
                self.on_sent()
            return 0 if self._rest else self._send_some(data)
        if self.on_sent is not None:
            self.on_sent()
        self._window -= size
        transport.transmit(self._head + size.to_bytes(4, "big") + data)
        if transport.outbox.full or not self._window:
            self.full = True
        return size

    def _may_send(self) -> bool:
        transport = self._transport
        return (
            self._opened
            and self._window > 0
            and not transport.outbox.full
            and transport.held is None
            and not transport.ended
        )

    def _send_some(self, data: bytes, start: int = 0, extended: bytes = b"") -> int:
        """Send ``data`` from ``start`` on as far as that is possible; say where it stopped."""
        head = self._head
        if extended:
            head = bytes((CHANNEL_EXTENDED_DATA,)) + head[1:] + extended
        while start < len(data) and self._may_send():
            part = data[start : start + min(self._packet, self._window)]
            self._window -= len(part)
            self._transport.transmit(head + uint32(len(part)) + part)
            start += len(part)
        if self._opened and not self._may_send():
            self.full = True
        return start

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take, and become full."""
        if self._listener is None or taken >= len(data):
            return
        self._rest.append(data[taken:])
        self.pending += len(data) - taken
        self.full = True

    def write(self, data: bytes) -> None:
        """Send at once what can be sent, keep the rest."""
        if self.closing or not data:
            return
        taken = 0 if self._rest else self._send_some(data)
        self.stalled(data, taken)

    def write_error(self, data: bytes) -> None:
        """Send to standard error; what waits there is bounded, and goes before what is pending."""
        if self.closing:
            return
        self._errors += data
        self._send_errors()
        self._errors = self._errors[:MAX_ERROR_BYTES]
        self.full = self.full or bool(self._errors)

    def _send_errors(self) -> None:
        self._errors = self._errors[self._send_some(self._errors, 0, _STDERR) :]

    # What makes room

    def open(self) -> None:
        """The reply is on its way: what was written may follow."""
        self._opened = True
        self.resume()

    def add_window(self, size: int) -> None:
        """The peer takes more."""
        self._window = min(self._window + size, MAX_WINDOW)
        if size:
            self._waited = 0
            self.resume()

    def hold(self) -> None:
        """Keys are exchanged."""
        self.full = True

    def resume(self) -> None:
        """Send what is pending as far as that is possible now, and tell who waits for room."""
        if not self._may_send():
            return
        self._send_errors()
        if self._rest and not self._errors:
            self._send_rest()
        if self._rest or self._errors or self._listener is None:
            return
        if self.closing:
            self._listener.flushed()
        elif self.full and self._may_send():
            self.full = False
            self._waited = 0
            self._listener.writable()

    def _send_rest(self) -> None:
        """Send of what is pending what can be sent, joined into as few packets as may be."""
        joined = b"".join(self._rest) if len(self._rest) > 1 else self._rest[0]
        self._sent = self._send_some(joined, self._sent)
        self.pending = len(joined) - self._sent
        self._rest = [joined] if self.pending else []
        if not self.pending:
            self._sent = 0

    def waited(self) -> int:
        """How often this was asked while nothing could be sent: 0 when all is well."""
        self._waited = self._waited + 1 if self.full else 0
        return self._waited

    # The end

    def close(self) -> None:
        """Send what is pending, then close the channel."""
        if self.closing:
            return
        self.closing = True
        if not self._rest and not self._errors and self._opened and self._listener is not None:
            self._listener.flushed()

    def abort(self) -> None:
        """Close the channel now, whatever is pending."""
        listener = self._listener
        self.forget()
        if listener is not None:
            listener.aborted()

    def forget(self) -> None:
        """The channel is closed: nothing is sent any more.  What was pending can still be asked."""
        self._listener = None
        self.closing = True
        self._opened = False
        self._rest = []
        self._errors = b""
        self.full = True
