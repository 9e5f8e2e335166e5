"""nats-py's client, but that what comes is handed on in the moment in which it is read.

By itself it has a queue and a task for each subscription, and looks at every header by itself: that
is most of what a message costs, and of what a room takes in memory.  This is the one place that
knows how it is made inside; `chatd.store.nats.client.connection` notices at once if that is otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from nats import errors
from nats.aio.client import Client

#: What nats-py raises when a server is away or says nothing.
CONNECTION_ERRORS = (errors.Error, OSError, asyncio.TimeoutError)
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(slots=True)
class Message:
    """What came: the headers' names are as NATS writes them."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    reply: str = ""

    @property
    def seq(self) -> int:
        """Its place in its stream."""
        return int(self.headers.get("Nats-Sequence", 0))

    @property
    def status(self) -> str:
        """The code of an answer that is none: ``404``, say; empty for others."""
        return self.headers.get("Status", "")


MessageHandler = Callable[[Message], None]


class DirectClient(Client):
    """A client whose subscriptions are functions, called in the order in which messages come."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, MessageHandler] = {}
        self._never: asyncio.Future[None] | None = None

    async def subscribe_direct(
        self, subject: str, handler: MessageHandler
    ) -> Callable[[], Awaitable[None]]:
        """Hear what is told under a subject from now on; return what ends that."""
        if self._never is None:
            self._never = asyncio.get_running_loop().create_future()
        subscription = await self.subscribe(subject, future=self._never)  # so there is no task
        del subscription._pending_queue  # 3 KB in which nothing ever is
        number = subscription._id
        self._handlers[number] = handler

        async def end() -> None:
            self._handlers.pop(number, None)
            with suppress(*CONNECTION_ERRORS):
                await subscription.unsubscribe()

        return end

    def _connect_command(self) -> bytes:
        """Called by nats-py for the first words to a server, which may hold a password.

        :raises errors.Error: when they would not be encrypted although that was asked for.
        """
        server = self._current_server
        wanted = self.options.get("tls") or (server is not None and server.uri.scheme == "tls")
        if wanted and not self._server_info.get("tls_required"):
            raise errors.Error("nats: the server does not require TLS")
        return super()._connect_command()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        """Called by nats-py for each message; what it raises would end all reading."""
        handler = self._handlers.get(sid)
        if handler is None:
            return
        try:
            head = read_headers(headers) if headers else _NO_HEADERS
            handler(Message(subject.decode(), data, head, reply.decode()))
        except Exception as bug:
            await self._error_cb(bug)


def read_headers(raw: bytes) -> dict[str, str]:
    """Read a block of headers: a line of version and perhaps status, then a name and a value each.

    :returns: the values by their names, with the status as nats-py has it.
    """
    status_line, *lines = raw.decode("utf-8", "replace").split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name] = value.strip()
    _, _, status = status_line.partition(" ")
    if status:
        headers["Status"], _, headers["Description"] = status.partition(" ")
    return headers
