"""What was asked of the cluster and is not answered yet: a number each, and one clock for all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from chatd.store.nats.client.client import Message

#: Seconds until a question counts as unanswered.
ANSWER_SECONDS = 3.0


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A question: where its answer goes, when it is given up, and what comes of it.

    ``end`` is the answer, or None when there was none in time; what came before it is in ``parts``,
    where an answer has several.
    """

    reply: str
    until: float
    end: asyncio.Future[Message | None]
    parts: list[Message] | None = field(default=None)


class PendingRequests:
    """Those that are open, in the order in which they were asked and are given up.

    Each has the same ``seconds``, so that they end in this order.  That there is one clock for all,
    and no task for any, is what makes a question cheap.
    """

    def __init__(self, inbox: str, seconds: float = ANSWER_SECONDS) -> None:
        self._inbox = inbox
        self._seconds = seconds
        self._count = 0
        self._open: dict[str, PendingRequest] = {}
        self._clock: asyncio.TimerHandle | None = None

    @property
    def subject(self) -> str:
        """Where all answers come."""
        return f"{self._inbox}.*"

    def ask(self, *, several: bool = False) -> PendingRequest:
        """Open a question."""
        loop = asyncio.get_running_loop()
        self._count += 1
        reply = f"{self._inbox}.{self._count}"
        asked = PendingRequest(reply, loop.time() + self._seconds, loop.create_future())
        if several:
            asked.parts = []
        self._open[reply] = asked
        if self._clock is None:
            self._clock = loop.call_at(asked.until, self._give_up)
        return asked

    def drop(self, asked: PendingRequest) -> None:
        """Nobody wants to know any more."""
        self._open.pop(asked.reply, None)

    def answered(self, message: Message) -> None:
        """Something came where answers come."""
        asked = self._open.get(message.subject)
        if asked is None:
            return
        if asked.parts is not None and not message.status:
            stored_under = message.headers.get("Nats-Subject", message.subject)
            asked.parts.append(replace(message, subject=stored_under))
            return
        del self._open[message.subject]
        if not asked.end.done():
            asked.end.set_result(message)

    def _give_up(self) -> None:
        """End what has not been answered in time, and look again when the next one is due."""
        loop, self._clock = asyncio.get_running_loop(), None
        while self._open:
            asked = next(iter(self._open.values()))
            if asked.until > loop.time():
                self._clock = loop.call_at(asked.until, self._give_up)
                return
            del self._open[asked.reply]
            if not asked.end.done():
                asked.end.set_result(None)
