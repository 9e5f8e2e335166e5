"""Channel outbox: sends what the window, the transport and the key exchange allow.

It implements `chatd.transport.net.outbox.Outbox` for a channel (RFC 4254 section 5.2).
It knows bytes and windows; it knows nothing of what runs in the channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from chatd.transport.ssh.protocol.interfaces import Transport
from chatd.wire.ssh import uint32

CHANNEL_DATA = 94
CHANNEL_EXTENDED_DATA = 95
#: SSH_EXTENDED_DATA_STDERR (RFC 4254 section 5.2).
_STDERR: Final = uint32(1)

#: Data bytes in one packet, even if the peer allows more: the payload that every implementation
#: must accept (RFC 4253 section 6.1).
MAX_DATA = 32768

#: The largest window (RFC 4254 section 5.2).
MAX_WINDOW = 0xFFFFFFFF

#: Bytes of standard error that may be pending; more is dropped.
MAX_ERROR_BYTES = 4096


class OutboxListener(Protocol):
    """The channel that an outbox belongs to."""

    def writable(self) -> None:
        """The outbox has room again."""

    def flushed(self) -> None:
        """Everything is sent, and the outbox is closed."""

    def aborted(self) -> None:
        """The outbox is closed; pending bytes will never be sent."""


class WindowedOutbox:
    """A channel's outbox.

    Nothing is sent before ``open`` is called: the reply to the request that started the program
    must go first.  ``full`` is true while the window is closed, the transport is full or keys are
    exchanged.  ``on_sent`` is called before ``send`` sends anything.
    """

    __slots__ = (
        "_errors",
        "_head",
        "_listener",
        "_max_packet",
        "_opened",
        "_rest",
        "_sent",
        "_stalled_checks",
        "_transport",
        "closing",
        "full",
        "on_sent",
        "pending",
        "window",
    )

    def __init__(
        self,
        transport: Transport,
        listener: OutboxListener,
        remote_id: int,
        window: int,
        max_packet: int,
    ) -> None:
        self._transport = transport
        self._listener: OutboxListener | None = listener
        self._head = bytes((CHANNEL_DATA,)) + uint32(remote_id)
        #: Bytes that may be sent before the peer widens the window.
        self.window = window
        self._max_packet = min(max_packet, MAX_DATA)
        self._rest: list[bytes] = []
        self._errors = b""
        self._sent = 0  # bytes of ``_rest[0]`` that are sent already
        self._stalled_checks = 0
        self._opened = False
        self.closing = False
        self.full = False
        self.pending = 0
        self.on_sent: Callable[[], None] | None = None

    def is_idle(self) -> bool:
        """Return whether data sent now would leave immediately, with nothing pending before it."""
        return self._may_send() and not self._rest

    def unreached(self) -> tuple[int, float] | None:
        """Return the encrypted bytes, of all channels, that the peer's machine has not
        acknowledged.

        `chatd.transport.ssh.acknowledgements` knows better how much the client itself has read.
        """
        return self._transport.outbox.unreached()

    def was_reset(self) -> bool | None:
        """Return False: a channel whose input has ended has a client that is done, not gone."""
        return False

    def send(self, data: bytes) -> int:
        """Send what may be sent now; return how many bytes that was."""
        size = len(data)
        transport = self._transport
        # A single packet that fits is the path of every broadcast, so it is inlined here.
        if self.full or not self._opened or size > self.window or size > self._max_packet:
            if self.on_sent is not None:
                self.on_sent()
            return 0 if self._rest else self._send_some(data)
        if self.on_sent is not None:
            self.on_sent()
        self.window -= size
        transport.transmit(self._head + size.to_bytes(4, "big") + data)
        if transport.outbox.full or not self.window:
            self.full = True
        return size

    def _may_send(self) -> bool:
        transport = self._transport
        return (
            self._opened
            and self.window > 0
            and not transport.outbox.full
            and transport.held is None
            and not transport.ended
        )

    def _send_some(self, data: bytes, start: int = 0, extended: bytes = b"") -> int:
        """Send ``data`` from ``start`` on as far as that is allowed; return where it stopped."""
        head = self._head
        if extended:
            head = bytes((CHANNEL_EXTENDED_DATA,)) + head[1:] + extended
        while start < len(data) and self._may_send():
            part = data[start : start + min(self._max_packet, self.window)]
            self.window -= len(part)
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
        """Send immediately what can be sent, and keep the rest."""
        if self.closing or not data:
            return
        taken = 0 if self._rest else self._send_some(data)
        self.stalled(data, taken)

    def write_error(self, data: bytes) -> None:
        """Send to standard error, before pending output; keep at most `MAX_ERROR_BYTES`."""
        if self.closing:
            return
        self._errors += data
        self._send_errors()
        self._errors = self._errors[:MAX_ERROR_BYTES]
        self.full = self.full or bool(self._errors)

    def _send_errors(self) -> None:
        self._errors = self._errors[self._send_some(self._errors, 0, _STDERR) :]

    # Making room

    def open(self) -> None:
        """Send the output written so far: the reply to the request has been sent."""
        self._opened = True
        self.resume()

    def add_window(self, size: int) -> None:
        """Widen the window by ``size`` bytes."""
        self.window = min(self.window + size, MAX_WINDOW)
        if size:
            self._stalled_checks = 0
            self.resume()

    def hold(self) -> None:
        """Send nothing for now: keys are being exchanged, or the connection has ended."""
        self.full = True

    def resume(self) -> None:
        """Send what is pending as far as that is allowed now, and report room or the end."""
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
            self._stalled_checks = 0
            self._listener.writable()

    def _send_rest(self) -> None:
        """Send pending output as far as that is allowed, joined into as few packets as possible.

        ``_sent`` marks the position in the joined bytes: cutting them off after every packet
        would be quadratic for a peer that widens its window by a few bytes at a time.
        """
        joined = b"".join(self._rest) if len(self._rest) > 1 else self._rest[0]
        self._sent = self._send_some(joined, self._sent)
        self.pending = len(joined) - self._sent
        self._rest = [joined] if self.pending else []
        if not self.pending:
            self._sent = 0

    def count_stalled_check(self) -> int:
        """Return how many checks in a row, this one included, have found the outbox full."""
        self._stalled_checks = self._stalled_checks + 1 if self.full else 0
        return self._stalled_checks

    # The end

    def close(self) -> None:
        """Send what is pending, then close the channel."""
        if self.closing:
            return
        self.closing = True
        if not self._rest and not self._errors and self._opened and self._listener is not None:
            self._listener.flushed()

    def abort(self) -> None:
        """Close the channel now, and drop what is pending."""
        listener = self._listener
        self.forget()
        if listener is not None:
            listener.aborted()

    def forget(self) -> None:
        """Stop sending: the channel is closed.  ``pending`` keeps its last value."""
        self._listener = None
        self.closing = True
        self._opened = False
        self._rest = []
        self._errors = b""
        self.full = True
