"""Receipts: how far a client has come with what it was sent.

TCP says what has reached the other machine, not whether the client there still reads.  So after a
broadcast the client is asked for a sign of life, in the channel and therefore in order: its answer
is the receipt for all that went before.  One question at a time is under way on a connection, and
all together ask no more than ``RECEIPTS_A_SECOND``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.limits import Rate
from chatd.chat.model.client import ALIVE, DeliveryReport, Position
from chatd.chat.ratelimit.bucket import TokenBucket

if TYPE_CHECKING:
    from chatd.transport.channel import Channel
    from chatd.transport.conversation.conversation import Conversation

#: Questions a second of the whole server, some 15 us of its time each.
RECEIPTS_A_SECOND = 500


class Acknowledgements:
    """Who is to be asked, each in their turn."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._pace = TokenBucket(Rate(RECEIPTS_A_SECOND, RECEIPTS_A_SECOND), clock.seconds())
        self._waiting: dict[Acknowledgement, None] = {}
        self._call: IDelayedCall | None = None

    def want(self, receipt: Acknowledgement) -> None:
        """Let a client be asked, at the earliest when what happens now has been sent."""
        self._waiting[receipt] = None
        if self._call is None:
            self._call = self._clock.callLater(0, self._ask)

    def forget(self, receipt: Acknowledgement) -> None:
        """A client is gone."""
        self._waiting.pop(receipt, None)
        if not self._waiting and self._call is not None:
            self._call.cancel()
            self._call = None

    def _ask(self) -> None:
        self._call = None
        now = self._clock.seconds()
        while self._waiting:
            wait = self._pace.wait(now)
            if wait:
                self._call = self._clock.callLater(wait, self._ask)
                return
            receipt = next(iter(self._waiting))
            del self._waiting[receipt]
            receipt.ask(now)


class Acknowledgement:
    """What one client has had; ``_asked`` is how far it was when it was asked last."""

    __slots__ = (
        "_answers",
        "_arrived",
        "_asked",
        "_asked_at",
        "_channel",
        "_clock",
        "_conversation",
        "_more",
        "_receipts",
    )

    def __init__(
        self,
        receipts: Acknowledgements,
        clock: IReactorTime,
        channel: Channel,
        conversation: Conversation,
    ) -> None:
        self._receipts = receipts
        self._clock = clock
        self._channel = channel
        self._conversation = conversation
        self._arrived: Position | None = None
        self._asked: Position | None = None
        self._asked_at = 0.0
        self._answers = False
        self._more = False

    @property
    def is_asked(self) -> bool:
        """Whether the client owes an answer."""
        return self._asked is not None

    def sent(self) -> None:
        """Something was sent: it is asked whether it arrived, now or after the last question."""
        self._channel.outbox.on_sent = None
        self._more = True
        if self._asked is None:
            self._receipts.want(self)

    def ask(self, now: float) -> None:
        """Ask, unless something waits for the connection: the question would overtake it."""
        session = self._conversation.session
        if session is None or not self._channel.outbox.is_idle():
            return
        self._more = False
        self._asked, self._asked_at = session.position(), now
        self._channel.outbox.on_sent = self.sent
        self._channel.ask()

    def answered(self) -> None:
        """The client has had everything that was sent before it was asked."""
        if self._asked is None:
            return
        self._answers = True
        self._arrived, self._asked = self._asked, None
        if self._more:
            self._receipts.want(self)

    def delivery_report(self) -> DeliveryReport:
        """What has arrived; of a client that never answers only what its machine has had."""
        outbox = self._channel.outbox
        if not self._answers:
            size, silent = outbox.unreached() or (0, 0.0)
            return DeliveryReport(unreached=outbox.pending + size, owing=silent)
        if not (self._more or self._asked is not None):
            return DeliveryReport(unreached=outbox.pending) if outbox.pending else ALIVE
        owing = self._clock.seconds() - self._asked_at if self._asked is not None else 0.0
        return DeliveryReport(self._arrived, owing=owing)

    def forget(self) -> None:
        """The connection is gone."""
        self._receipts.forget(self)
