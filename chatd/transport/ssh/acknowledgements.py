"""Acknowledgements: how much of its output an ssh client has read.

TCP reports what has reached the other machine, not whether the client there still reads.  So after
a broadcast the client is asked for a sign of life, in the channel and therefore in order: its
answer acknowledges everything that was sent before.  A channel has one question in flight at a
time, and all channels together ask at most ``QUESTIONS_PER_SECOND``.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.limits import Rate
from chatd.chat.model.client import ALIVE, DeliveryReport, Position
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.transport.channel import Channel

#: Questions per second of the whole server; each costs some 15 us.
QUESTIONS_PER_SECOND = 500


class Acknowledgements:
    """The clients that are to be asked, in order, at a bounded rate."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._bucket = TokenBucket(
            Rate(QUESTIONS_PER_SECOND, QUESTIONS_PER_SECOND), clock.seconds()
        )
        self._queue: dict[DeliveryTracker, None] = {}
        self._call: IDelayedCall | None = None

    def schedule(self, tracker: DeliveryTracker) -> None:
        """Schedule a question, to be sent after the current output at the earliest."""
        self._queue[tracker] = None
        if self._call is None:
            self._call = self._clock.callLater(0, self._ask)

    def forget(self, tracker: DeliveryTracker) -> None:
        """Cancel the question to a client that is gone."""
        self._queue.pop(tracker, None)
        if not self._queue and self._call is not None:
            self._call.cancel()
            self._call = None

    def _ask(self) -> None:
        self._call = None
        now = self._clock.seconds()
        while self._queue:
            wait = self._bucket.wait(now)
            if wait:
                self._call = self._clock.callLater(wait, self._ask)
                return
            tracker = next(iter(self._queue))
            del self._queue[tracker]
            tracker.ask(now)


def _nowhere() -> None:
    """Return None: a connection that is gone has no session."""


class DeliveryTracker:
    """How far one client has read; ``_asked`` is the position of the question in flight.

    :param position: Returns the position up to which the client was sent events; None: it has no
    session.
    """

    __slots__ = (
        "_acknowledgements",
        "_answers",
        "_arrived",
        "_asked",
        "_asked_at",
        "_channel",
        "_clock",
        "_more",
        "_position",
    )

    def __init__(
        self,
        acknowledgements: Acknowledgements,
        clock: IReactorTime,
        channel: Channel,
        position: Callable[[], Position | None],
    ) -> None:
        self._acknowledgements = acknowledgements
        self._clock = clock
        self._channel = channel
        self._position = position
        self._arrived: Position | None = None
        self._asked: Position | None = None
        self._asked_at = 0.0
        #: Whether this client has ever answered: not every client does.
        self._answers = False
        #: Whether something was sent after the question in flight.
        self._more = False

    def sent(self) -> None:
        """Schedule a question for the latest output, after the answer to one in flight."""
        self._channel.outbox.on_sent = None
        self._more = True
        if self._asked is None:
            self._acknowledgements.schedule(self)

    def ask(self, now: float) -> None:
        """Ask, unless output is pending: the question would overtake it."""
        position = self._position()
        if position is None or not self._channel.outbox.is_idle():
            return
        self._more = False
        self._asked, self._asked_at = position, now
        self._channel.outbox.on_sent = self.sent
        self._channel.ask()

    def answered(self) -> bool:
        """Handle an answer: the client has read everything that was sent before the question.

        Return whether there was a question.
        """
        if self._asked is None:
            return False
        self._answers = True
        self._arrived, self._asked = self._asked, None
        if self._more:
            self._acknowledgements.schedule(self)
        return True

    def delivery_report(self) -> DeliveryReport:
        """Return how much the client has read.

        For a client that has never answered, that is as much as its machine has acknowledged (TCP).
        """
        outbox = self._channel.outbox
        if not self._answers:
            size, silent = outbox.unreached() or (0, 0.0)
            return DeliveryReport(unreached=outbox.pending + size, owing=silent)
        if not (self._more or self._asked is not None):
            return DeliveryReport(unreached=outbox.pending) if outbox.pending else ALIVE
        owing = self._clock.seconds() - self._asked_at if self._asked is not None else 0.0
        return DeliveryReport(self._arrived, owing=owing)

    def forget(self) -> None:
        """Cancel the scheduled question, and ask no more: the connection is gone."""
        self._acknowledgements.forget(self)
        self._channel.outbox.on_sent = None
        self._position = _nowhere
