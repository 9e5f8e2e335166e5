"""Paced outbox: puts each message into a write of its own, some time after the one before it.

It is for clients that treat whatever one ``recv`` returns as one message.  It knows bytes and
outboxes; it knows nothing of what the bytes mean.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.transport.net.outbox import STALLED, Outbox

#: Messages that wait for their turn until the outbox is full: the chat then holds the rest, of
#: which a room's log has a copy for everybody.
MAX_WAITING = 16


def _nothing() -> None:
    """Do nothing: nobody waits."""


class PacedOutbox:
    """An `Outbox` in front of another one; each line end ends a message.

    The time is counted from each actual write, so that a busy server does not put two messages into
    one packet.

    :param seconds: between two writes.
    :param on_ready: called when there is room again.
    """

    __slots__ = ("_clock", "_closing", "_next", "_on_ready", "_outbox", "_seconds", "_waiting")

    def __init__(
        self,
        outbox: Outbox,
        clock: IReactorTime,
        seconds: float,
        on_ready: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._seconds = seconds
        self._on_ready = on_ready
        self._waiting: deque[bytes] = deque()
        self._closing = False
        # Runs while no message may follow the last one yet.
        self._next: IDelayedCall | None = None

    @property
    def full(self) -> bool:
        """Whether nothing may be sent now."""
        return len(self._waiting) >= MAX_WAITING or self._outbox.full

    @property
    def pending(self) -> int:
        """Bytes accepted that the kernel has not taken."""
        return self._outbox.pending + sum(map(len, self._waiting))

    def send(self, data: bytes) -> int:
        """Write the messages in their turn; return `STALLED` if that has made it full."""
        self.write(data)
        return STALLED if self.full else len(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """Do nothing: everything is kept already."""

    def write(self, data: bytes) -> None:
        """Write the messages in their turn."""
        self._waiting.extend(data.splitlines(keepends=True))
        if self._next is None:
            self._write_next()

    def ready(self) -> None:
        """Continue: the outbox behind has room again."""
        if self._next is None:
            self._write_next()
        if not self.full:
            self._on_ready()

    def _write_next(self) -> None:
        """Write the first message, unless nothing may be written now."""
        if self._waiting and not self._outbox.full:
            self._outbox.write(self._waiting.popleft())
            self._next = self._clock.callLater(self._seconds, self._waited)
        if self._closing and not self._waiting:
            self._end()

    def _waited(self) -> None:
        self._next = None
        was_full = self.full
        self._write_next()
        if was_full and not self.full:
            self._on_ready()

    def unreached(self) -> tuple[int, float] | None:
        """Return what the outbox behind knows to be in flight."""
        return self._outbox.unreached()

    def was_reset(self) -> bool | None:
        """Return whether the peer has reset the connection; None: not known yet."""
        return self._outbox.was_reset()

    def release(self) -> Outbox:
        """Write everything at once, and return the outbox behind, to be used from now on."""
        self._stop()
        self._on_ready = _nothing
        while self._waiting:
            self._outbox.write(self._waiting.popleft())
        return self._outbox

    def close(self) -> None:
        """Write the waiting messages in their turn, then close."""
        self._closing = True
        if not self._waiting:
            self._end()

    def _end(self) -> None:
        self._stop()
        self._outbox.close()

    def abort(self) -> None:
        """Close now, and drop what is pending."""
        self.forget()
        self._outbox.abort()

    def forget(self) -> None:
        """Stop waiting: the connection is gone."""
        self._stop()
        self._on_ready = _nothing
        self._waiting.clear()
        self._outbox.forget()

    def _stop(self) -> None:
        if self._next is not None and self._next.active():
            self._next.cancel()
        self._next = None
