"""nats-py's client, with subscriptions that are called as soon as a message is read.

nats-py itself has a queue and a task for each subscription, and parses headers more slowly: that is
most of the cost of a message, and of the memory of a room.  This is the only module that uses
private parts of nats-py; `chatd.store.nats.client.connection` notices immediately if they are not
as expected.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from nats import errors
from nats.aio.client import Client

#: The exceptions of nats-py when a server is unreachable or does not answer.
CONNECTION_ERRORS = (errors.Error, OSError, asyncio.TimeoutError)
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(slots=True)
class Message:
    """A message; the names of ``headers`` are as NATS writes them."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    reply: str = ""

    @property
    def seq(self) -> int:
        """Its sequence number in its stream."""
        return int(self.headers.get("Nats-Sequence", 0))

    @property
    def status(self) -> str:
        """The status code of an answer without a message, such as ``404``; empty otherwise."""
        return self.headers.get("Status", "")


MessageHandler = Callable[[Message], None]


class DirectClient(Client):
    """A client whose subscriptions are functions, called in the order of the messages."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, MessageHandler] = {}
        self._never: asyncio.Future[None] | None = None

    async def subscribe_direct(
        self, subject: str, handler: MessageHandler
    ) -> Callable[[], Awaitable[None]]:
        """Call a function for each message under a subject; return a function that unsubscribes."""
        if self._never is None:
            self._never = asyncio.get_running_loop().create_future()
        subscription = await self.subscribe(subject, future=self._never)  # so it starts no task
        del subscription._pending_queue  # 3 KB that are never used
        number = subscription._id
        self._handlers[number] = handler

        async def end() -> None:
            self._handlers.pop(number, None)
            with suppress(*CONNECTION_ERRORS):
                await subscription.unsubscribe()

        return end

    def _connect_command(self) -> bytes:
        """Return the CONNECT command, which may contain a password; called by nats-py.

        :raises errors.Error: if it would not be encrypted although TLS was requested.
        """
        server = self._current_server
        wanted = self.options.get("tls") or (server is not None and server.uri.scheme == "tls")
        if wanted and not self._server_info.get("tls_required"):
            raise errors.Error("nats: the server does not require TLS")
        return super()._connect_command()

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        """Handle a message; called by nats-py, whose read loop an exception would end."""
        handler = self._handlers.get(sid)
        if handler is None:
            return
        try:
            head = read_headers(headers) if headers else _NO_HEADERS
            handler(Message(subject.decode(), data, head, reply.decode()))
        except Exception as bug:
            await self._error_cb(bug)


def read_headers(raw: bytes) -> dict[str, str]:
    """Parse a block of headers: a line with the version and perhaps a status, then names and
    values.

    :returns: the values by their names, and the status under the names that nats-py uses.
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
