"""NATS bus: messages and requests between the servers of a cluster (`chatd.cluster.bus.Bus`).

A server publishes to all others under ``all.<its name>``, and to one under ``ctl.<the other's
name>.<its name>``.  A name is two tokens of a subject: the server, so that NATS can be configured
to let no other client publish under it, and the server's incarnation.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from functools import partial

from chatd.chat.events import Refused
from chatd.cluster.bus import OnMessage, OnRequest
from chatd.store.nats.claims import Claims
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.connection import Connection, NoRespondersError
from chatd.store.nats.flow import Flow
from chatd.store.nats.threads import ThreadBridge

#: The most messages to other servers, and their bytes, that may be pending.  Further ones are
#: dropped, which the others notice by the message numbers.  The full state of the largest server
#: fits.
MAX_MESSAGES = 10_000
MAX_BYTES = 128 * 1024 * 1024
#: Bytes of a chunk: NATS takes messages of 1 MB unless it is configured otherwise.  A longer text
#: is sent in chunks that begin with a byte with which no text begins, followed by the chunk's
#: numbers.
CHUNK_BYTES = 512 * 1024
_CHUNK_MARK = b"\x01"
#: Characters of the token for a server in a subject.
_TOKEN_LENGTH = 64


class NatsBus:
    """The bus over a store's connection; used in the main thread, except `connect`.

    ``display_name`` is the operators' name for this server; ``name`` is its name on the bus,
    different after every restart, and the key of its lease.  ``replicas`` is set by the store.
    """

    def __init__(self, bridge: ThreadBridge, display_name: str) -> None:
        self._bridge = bridge
        self.display_name = display_name
        self.token = server_token(display_name)
        self.name = f"{self.token}.{secrets.token_hex(8)}"
        self.replicas = (0, 0)
        self._outgoing = Flow(MAX_MESSAGES, MAX_BYTES)
        self._sending = asyncio.Lock()
        self._chunks: dict[str, list[bytes]] = {}
        self._on_message: OnMessage = _ignore_message
        self._on_request: OnRequest = _answer_nothing

    def listen(self, on_message: OnMessage, on_request: OnRequest) -> None:
        """Call these functions for messages and requests; to be called before the store begins."""
        self._on_message, self._on_request = on_message, on_request

    async def connect(self, connection: Connection, claims: Claims) -> None:
        """Start receiving from other servers; in the connection's thread."""
        self._connection, self._claims = connection, claims
        await connection.subscribe("all.*.*", self._received)
        await connection.subscribe(f"ctl.{self.name}.*.*", self._received)
        await connection.flush()

    def broadcast(self, text: str) -> None:
        """Send a text to every other server."""
        self._publish(f"all.{self.name}", text)

    def send(self, server: str, text: str) -> None:
        """Send a text to one other server."""
        self._publish(f"ctl.{server}.{self.name}", text)

    def _publish(self, subject: str, text: str) -> None:
        data = text.encode()
        if not self._outgoing.is_full:
            self._outgoing.add(len(data))
            self._bridge.call(lambda: self._bridge.spawn(self._publish_chunks(subject, data)))

    async def _publish_chunks(self, subject: str, data: bytes) -> None:
        try:
            async with self._sending:  # no other text of this server comes between the chunks
                for chunk in _split(data):
                    await self._connection.publish(subject, chunk)
        finally:
            self._outgoing.remove(1, len(data))

    async def request(self, server: str, text: str) -> str:
        """Send a request to another server, and return the answer.

        :raises Refused: ``away`` if none arrives in time; immediately ``gone`` if there is no such
        server.
        """
        return await self._bridge.query(self._request, server, text, pauses=())

    async def _request(self, server: str, text: str) -> str:
        subject = f"ctl.{server}.{self.name}"
        try:
            return (await self._connection.request(subject, text.encode())).data.decode()
        except NoRespondersError:
            raise Refused("gone", "That server is gone.") from None

    def hand_over_nick(self, nick: str, server: str) -> None:
        """Give the claim on a nick to another server."""
        self._bridge.call(lambda: self._bridge.spawn(self._claims.hand_over(nick, server)))

    @property
    def incomplete_texts(self) -> int:
        """The number of partially received texts."""
        return len(self._chunks)

    def _received(self, message: Message) -> None:
        """Pass a message or request to the main thread.

        While that thread is too far behind, it is dropped: its sender notices and sends it again.
        """
        server = ".".join(message.subject.split(".")[-2:])
        data = self._join(message.subject, message.data)
        if data is None or self._bridge.is_full:
            return
        text = data.decode()
        if message.reply:
            answer = partial(self._answer, message.reply, server, text)
            main_thread = self._bridge.main_thread
            self._bridge.call_main(lambda: main_thread.spawn(answer()), len(data))
        else:
            self._bridge.call_main(partial(self._on_message, server, text), len(data))

    def _join(self, subject: str, data: bytes) -> bytes | None:
        """Return a complete text: a single message, or the last of its chunks."""
        received = self._chunks.pop(subject, [])
        if not data.startswith(_CHUNK_MARK):
            return data
        numbers, _, chunk = data.removeprefix(_CHUNK_MARK).partition(b":")
        number, count = map(int, numbers.split(b"/"))
        if number != len(received) + 1 or sum(map(len, received)) > MAX_BYTES:
            return None  # a chunk was lost
        received.append(chunk)
        if number == count:
            return b"".join(received)
        self._chunks[subject] = received
        return None

    async def _answer(self, reply: str, server: str, text: str) -> None:
        """Answer a request of another server, in the main thread."""
        answer = await self._on_request(server, text)
        self._publish(reply, answer)


def server_token(display_name: str) -> str:
    """Return the token of a server in subjects; all processes of one service have the same."""
    token = re.sub(r"[^A-Za-z0-9_-]", "-", display_name.partition("/")[0])
    return token[:_TOKEN_LENGTH] or "chatd"


def _split(data: bytes) -> list[bytes]:
    if len(data) <= CHUNK_BYTES:
        return [data]
    starts = range(0, len(data), CHUNK_BYTES)
    return [
        _CHUNK_MARK + f"{number}/{len(starts)}:".encode() + data[start : start + CHUNK_BYTES]
        for number, start in enumerate(starts, 1)
    ]


def _ignore_message(server: str, text: str) -> None:
    """Do nothing: there is no chat yet."""


async def _answer_nothing(server: str, text: str) -> str:
    """Return an empty answer: there is no chat yet."""
    return ""
