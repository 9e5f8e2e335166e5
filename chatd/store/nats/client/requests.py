"""What was asked of the cluster and is not answered yet: a number each, and one clock for all."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from chatd.store.nats.client.client import Message

#: Seconds until a question counts as unanswered.
REQUEST_SECONDS = 3.0


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A question: where its answer goes, when it is given up, and what comes of it.

    ``end`` is the answer, or None when there was none in time; what came before it is in ``parts``,
    where an answer has several.
    """

    reply: str
    deadline: float
    response: asyncio.Future[Message | None]
    parts: list[Message] | None = field(default=None)


class PendingRequests:
    """Those that are open, in the order in which they were asked and are given up.

    Each has the same ``seconds``, so that they end in this order.  That there is one clock for all,
    and no task for any, is what makes a question cheap.
    """

    def __init__(self, inbox: str, seconds: float = REQUEST_SECONDS) -> None:
        self._inbox = inbox
        self._seconds = seconds
        self._count = 0
        self._pending: dict[str, PendingRequest] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def subject(self) -> str:
        """Where all answers come."""
        return f"{self._inbox}.*"

    def open(self, *, several: bool = False) -> PendingRequest:
        """Open a question."""
        loop = asyncio.get_running_loop()
        self._count += 1
        reply = f"{self._inbox}.{self._count}"
        request = PendingRequest(reply, loop.time() + self._seconds, loop.create_future())
        if several:
            request.parts = []
        self._pending[reply] = request
        if self._timer is None:
            self._timer = loop.call_at(request.deadline, self._expire)
        return request

    def close(self, request: PendingRequest) -> None:
        """Nobody wants to know any more."""
        self._pending.pop(request.reply, None)

    def receive(self, message: Message) -> None:
        """Something came where answers come."""
        request = self._pending.get(message.subject)
        if request is None:
            return
        if request.parts is not None and not message.status:
            stored_under = message.headers.get("Nats-Subject", message.subject)
            request.parts.append(replace(message, subject=stored_under))
            return
        del self._pending[message.subject]
        if not request.response.done():
            request.response.set_result(message)

    def _expire(self) -> None:
        """End what has not been answered in time, and look again when the next one is due."""
        loop, self._timer = asyncio.get_running_loop(), None
        while self._pending:
            request = next(iter(self._pending.values()))
            if request.deadline > loop.time():
                self._timer = loop.call_at(request.deadline, self._expire)
                return
            del self._pending[request.reply]
            if not request.response.done():
                request.response.set_result(None)
