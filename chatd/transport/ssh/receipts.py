"""Acknowledgements: how far an ssh client has come with what it was sent.

TCP says what has reached the other machine, not whether the client there still reads.  So after a
broadcast the client is asked for a sign of life, in the channel and therefore in order: its answer
acknowledges all that went before.  One question at a time is under way on a connection, and all
together ask no more than ``QUESTIONS_A_SECOND``.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.limits import Rate
from chatd.chat.model.session import ALIVE, DeliveryReport, Position
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.transport.channel import Channel

#: Questions a second of the whole server, some 15 us of its time each.
QUESTIONS_A_SECOND = 500


class Acknowledgements:
    """The clients that are to be asked, each in its turn."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        rate = Rate(QUESTIONS_A_SECOND, QUESTIONS_A_SECOND)
        self._bucket = TokenBucket(rate, clock.seconds())
        self._queue: dict[Acknowledgement, None] = {}
        self._call: IDelayedCall | None = None

    def request(self, acknowledgement: Acknowledgement) -> None:
        """Let a client be asked, at the earliest when what happens now has been sent."""
        self._queue[acknowledgement] = None
        if self._call is None:
            self._call = self._clock.callLater(0, self._ask)

    def forget(self, acknowledgement: Acknowledgement) -> None:
        """Ask a client no more: it is gone."""
        self._queue.pop(acknowledgement, None)
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
            acknowledgement = next(iter(self._queue))
            del self._queue[acknowledgement]
            acknowledgement.ask(now)


class Acknowledgement:
    """What one client has had.

    ``position`` returns how far the client has been sent what happens; None: it has no session.
    ``_asked`` is how far that was when it was asked last.
    """

    __slots__ = (
        "_answers",
        "_arrived",
        "_asked",
        "_asked_at",
        "_channel",
        "_clock",
        "_more",
        "_position",
        "_queue",
    )

    def __init__(
        self,
        queue: Acknowledgements,
        clock: IReactorTime,
        channel: Channel,
        position: Callable[[], Position | None],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._channel = channel
        self._position = position
        self._arrived: Position | None = None
        self._asked: Position | None = None
        self._asked_at = 0.0
        self._answers = False
        self._more = False

    def sent(self) -> None:
        """Let the client be asked whether what is sent arrived, now or after its last answer."""
        self._channel.outbox.on_sent = None
        self._more = True
        if self._asked is None:
            self._queue.request(self)

    def ask(self, now: float) -> None:
        """Ask, unless something waits for the connection: the question would overtake it."""
        position = self._position()
        if position is None or not self._channel.outbox.is_idle():
            return
        self._more = False
        self._asked, self._asked_at = position, now
        self._channel.outbox.on_sent = self.sent
        self._channel.ask()

    def answered(self) -> bool:
        """Count all that was sent before the question as arrived; return whether there was one."""
        if self._asked is None:
            return False
        self._answers = True
        self._arrived, self._asked = self._asked, None
        if self._more:
            self._queue.request(self)
        return True

    def delivery_report(self) -> DeliveryReport:
        """Return what has arrived; of a client that never answers, what its machine has had."""
        outbox = self._channel.outbox
        if not self._answers:
            size, silence = outbox.unreached() or (0, 0.0)
            return DeliveryReport(unreached=outbox.pending + size, owing=silence)
        if not (self._more or self._asked is not None):
            return DeliveryReport(unreached=outbox.pending) if outbox.pending else ALIVE
        silence = self._clock.seconds() - self._asked_at if self._asked is not None else 0.0
        return DeliveryReport(self._arrived, owing=silence)

    def forget(self) -> None:
        """Ask no more: the connection is gone."""
        self._queue.forget(self)
