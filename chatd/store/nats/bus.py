"""Talk: what the servers of a cluster say to each other and ask (`chatd.cluster.bus`).

A server says to all of them under ``all.<its name>``, and to one under ``ctl.<that one's>.<its>``.
Its name is two words: who it is for NATS, which may let nobody else speak under that, and which
incarnation it is.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from functools import partial

from chatd.chat.events import Refused
from chatd.cluster.bus import Asked, Hear
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.connection import Connection, NobodyError
from chatd.store.nats.flow import Flow
from chatd.store.nats.threads import ThreadBridge
from chatd.store.threads.main_thread import MainThread

#: Texts for other servers, and their bytes, that may be on their way; more are not told, which is
#: noticed by their numbers.  Everything of the largest server goes at once.
TOLD = 10_000
TOLD_BYTES = 128 * 1024 * 1024
#: Bytes of what is told in one piece: NATS takes 1 MB unless it is told otherwise.  What is longer
#: is told in several, which begin with one byte that no text begins with and their numbers.
PIECE_BYTES = 512 * 1024
_PIECE = b"\x01"
#: Letters of a word that says who a server is.
_WORD_LENGTH = 64


class NatsBus(ThreadBridge):
    """The way to the other servers; ``called`` is what who runs the cluster calls this one.

    ``lease`` is its name among them; ``link`` is there once it has begun.
    """

    link: Connection

    def __init__(self, turn: MainThread, called: str) -> None:
        super().__init__(turn)
        self.display_name = called
        self.word = word_of(called)
        self.lease = f"{self.word}.{secrets.token_hex(8)}"
        self._told = Flow(TOLD, TOLD_BYTES)
        self._telling = asyncio.Lock()
        self._pieces: dict[str, list[bytes]] = {}
        self._hear: Hear = _nobody_hears
        self._asked: Asked = _nobody_answers

    @property
    def name(self) -> str:
        """What this server is known by among them."""
        return self.lease

    def hear(self, hear: Hear, asked: Asked) -> None:
        """Let these functions hear what the others say, and answer; called before it begins."""
        self._hear, self._asked = hear, asked

    async def _listen_to_others(self) -> None:
        """Hear the others from now on."""
        await self.link.hear("all.*.*", self._said)
        await self.link.hear(f"ctl.{self.lease}.*.*", self._said)
        await self.link.round_trip()

    def broadcast(self, text: str) -> None:
        """Say something to every other server."""
        self._tell_others(f"all.{self.lease}", text)

    def send(self, server: str, text: str) -> None:
        """Say something to one of them."""
        self._tell_others(f"ctl.{server}.{self.lease}", text)

    def _tell_others(self, subject: str, text: str) -> None:
        data = text.encode()
        if not self._told.is_full:
            self._told.begins(len(data))
            self._call(lambda: self.spawn(self._say(subject, data)))

    async def _say(self, subject: str, data: bytes) -> None:
        try:
            async with self._telling:
                for piece in _pieces(data):
                    await self.link.tell(subject, piece)
        finally:
            self._told.ends(1, len(data))

    async def request(self, server: str, text: str) -> str:
        """Ask one of them, and return the answer.

        :raises Refused: ``away`` when there is none.
        """
        return await self._read(self._ask, server, text, pauses=())

    async def _ask(self, server: str, text: str) -> str:
        subject = f"ctl.{server}.{self.lease}"
        try:
            return (await self.link.ask(subject, text.encode())).data.decode()
        except NobodyError:
            raise Refused("gone", "That server is gone.") from None

    def _said(self, message: Message) -> None:
        """Another server says or asks something; it says or asks again what is not taken in."""
        server = ".".join(message.subject.split(".")[-2:])
        data = self._whole(message.subject, message.data)
        if data is None or self.is_full:
            return
        text = data.decode()
        if message.reply:
            answer = partial(self._answer_to, message.reply, server, text)
            self.tell(lambda: self._turn.begin(answer()), len(data))
        else:
            self.tell(partial(self._hear, server, text), len(data))

    def _whole(self, subject: str, data: bytes) -> bytes | None:
        """What was told in one piece, or in several of which this is the last."""
        come = self._pieces.pop(subject, [])
        if not data.startswith(_PIECE):
            return data
        numbers, _, piece = data.removeprefix(_PIECE).partition(b":")
        number, count = map(int, numbers.split(b"/"))
        if number != len(come) + 1 or sum(map(len, come)) > TOLD_BYTES:
            return None  # some of it did not come
        come.append(piece)
        if number == count:
            return b"".join(come)
        self._pieces[subject] = come
        return None

    async def _answer_to(self, reply: str, server: str, text: str) -> None:
        """Answer what another server asks, in the chat's thread."""
        answer = await self._asked(server, text)
        self._tell_others(reply, answer)


def word_of(called: str) -> str:
    """Who a server is, as one word of a subject; the processes of one service are the same."""
    word = re.sub(r"[^A-Za-z0-9_-]", "-", called.partition("/")[0])
    return word[:_WORD_LENGTH] or "chatd"


def _pieces(data: bytes) -> list[bytes]:
    if len(data) <= PIECE_BYTES:
        return [data]
    starts = range(0, len(data), PIECE_BYTES)
    return [
        _PIECE + f"{number}/{len(starts)}:".encode() + data[start : start + PIECE_BYTES]
        for number, start in enumerate(starts, 1)
    ]


def _nobody_hears(server: str, text: str) -> None:
    """There is no chat yet."""


async def _nobody_answers(server: str, text: str) -> str:
    """There is no chat yet."""
    return ""
