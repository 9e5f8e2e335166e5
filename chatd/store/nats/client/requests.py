"""Pending requests: requests without a response, each with a number, and one timer for all.

NATS answers under the subject that a request names (``reply``).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from chatd.store.nats.client.client import Message

#: Seconds after which a request has timed out.
REQUEST_SECONDS = 3.0


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A request: the subject of its response, its deadline, and its outcome.

    ``response`` is None if there was none in time; ``parts`` are the preceding messages of a
    request for several.
    """

    reply: str
    deadline: float
    response: asyncio.Future[Message | None]
    parts: list[Message] | None = field(default=None)


class PendingRequests:
    """The open requests, in the order in which they were sent and time out.

    All have the same timeout of ``seconds``, so the first is the next to expire: one timer for all,
    and no task for any, makes a request cheap.
    """

    def __init__(self, inbox: str, seconds: float = REQUEST_SECONDS) -> None:
        self._inbox = inbox
        self._seconds = seconds
        self._count = 0
        self._pending: dict[str, PendingRequest] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def subject(self) -> str:
        """The subject of all responses."""
        return f"{self._inbox}.*"

    def open(self, *, several: bool = False) -> PendingRequest:
        """Open a request."""
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
        """Close a request: its response is ignored from now on."""
        self._pending.pop(request.reply, None)

    def receive(self, message: Message) -> None:
        """Handle a response, or a part of one."""
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
        """Close the requests that have timed out, and set the timer for the next one."""
        loop, self._timer = asyncio.get_running_loop(), None
        while self._pending:
            request = next(iter(self._pending.values()))
            if request.deadline > loop.time():
                self._timer = loop.call_at(request.deadline, self._expire)
                return
            del self._pending[request.reply]
            if not request.response.done():
                request.response.set_result(None)
