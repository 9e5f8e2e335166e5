"""People who talk and listen at servers that die: what they said, what they were told.

A `Bot` talks and keeps what its server acknowledged; a `Listener` is somebody with a netcat, who
only looks.  What is said carries its room and a number, so that nothing is said twice and whoever
sees it knows where it belongs.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.support.served import PATIENCE

#: Messages of one bot that may be on their way, and the longest pause between two, in seconds.
WINDOW, PAUSE = 8, 0.05
#: Between two attempts to come in.
AGAIN_SECONDS = 0.1
#: What a bot is told whose nick somebody has, and one whose server takes nobody now.
TAKEN, FULL = 1, 2


@dataclass
class Stay:
    """Somebody at one server, from when they came to when they lost it.

    ``since`` is what had been said in all by then.  ``seen`` has what they were shown of each room,
    in the order in which it came, with its number or (who sees none) 0; ``said`` what they said,
    ``acknowledged`` the numbers of what is kept.  Rooms are ``checked`` that were looked at before.
    """

    nick: str
    node: int
    since: int
    seen: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    acknowledged: dict[str, int] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)
    over: bool = False

    def saw(self, text: str, number: int = 0) -> None:
        """They are shown something."""
        self.seen.setdefault(place(text)[0], []).append((number, text))


class Talk:
    """What is common to all who talk: where, when, and what was ever said.

    ``port`` gives the port of a way in of a node, or None while that is not there.
    """

    def __init__(
        self, rooms: tuple[str, ...], chance: Random, port: Callable[[int, str], int | None]
    ) -> None:
        self.rooms = rooms
        self.chance = chance
        self.port = port
        self.said = 0
        self.going_on = asyncio.Event()
        self.stays: list[Stay] = []
        self.refused: list[str] = []

    def next_text(self, room: str, nick: str) -> str:
        """Something that nobody has said yet."""
        self.said += 1
        return f"{room}/{self.said}/{nick}"


def place(text: str) -> tuple[str, int]:
    """The room of what was said, and its number among all that was."""
    room, number, _ = text.split("/")
    return room, int(number)


class Person(ABC):
    """Somebody who is at a node as long as it is there, and comes back, to another if need be."""

    way = "json"

    def __init__(self, talk: Talk, nick: str, home: int, nodes: int) -> None:
        self.talk = talk
        self.name = self.nick = nick
        self.home = home
        self._nodes = nodes
        self._tries = 0
        self.stay: Stay | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._leaving = self._is_taken = False

    async def live(self) -> None:
        """Come, stay, lose the server, come again."""
        node = self.home
        while True:
            self._leaving = self._is_taken = False
            with suppress(OSError, EOFError, TimeoutError):
                await self._visit(node)
            await asyncio.sleep(AGAIN_SECONDS)
            if self._leaving:
                node = self.home
            elif not self._is_taken:
                node = (node + 1) % self._nodes

    async def _visit(self, node: int) -> None:
        """Be at a node as long as that is there."""
        port = self.talk.port(node, self.way)
        if port is None:
            return
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        stay = Stay(self.nick, node, self.talk.said)
        talking: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                if not await self._come_in(reader, stay):
                    return
            stay.since = self.talk.said
            self.talk.stays.append(stay)
            self.stay = stay
            talking = asyncio.create_task(self._talk(stay))
            async for line in reader:
                if line.endswith(b"\n"):
                    self._sees(stay, line)
        finally:
            stay.over, self.stay = True, None
            if talking is not None:
                talking.cancel()
            self._writer.transport.abort()

    def go_home(self) -> None:
        """Leave the server where one is, and come in at home."""
        if self.stay is not None and self.stay.node != self.home:
            self._leaving = True
            self.nick = self.name
            self._leave()

    def _writes(self, line: str) -> None:
        assert self._writer is not None
        self._writer.write(line.encode() + b"\n")

    # What each kind of people does ----------------------------------------------------------------

    @abstractmethod
    async def _come_in(self, reader: asyncio.StreamReader, stay: Stay) -> bool:
        """Say who one is; False when one is not let in."""

    @abstractmethod
    async def _talk(self, stay: Stay) -> None:
        """Say things, for as long as one stays."""

    @abstractmethod
    def _leave(self) -> None:
        """Leave the server."""

    @abstractmethod
    def _sees(self, stay: Stay, line: bytes) -> None:
        """Take in a line."""

    def _other_nick(self) -> None:
        """The nick is somebody's, perhaps that of oneself at a server that died."""
        self._is_taken = True
        self._tries += 1
        self.nick = f"{self.name}x{self._tries}"


class Bot(Person):
    """A program that talks in every room."""

    def _asks(self, **request: object) -> None:
        self._writes(json.dumps(request))

    async def _come_in(self, reader: asyncio.StreamReader, stay: Stay) -> bool:
        self._asks(username=self.nick, version=2)
        entered = await self._answer(reader, stay)
        if not entered.get("isConnected"):
            if entered.get("errorCode") == TAKEN:
                self._other_nick()
            elif entered.get("errorCode") != FULL:
                self.talk.refused.append(f"{self.nick} comes in: {entered}")
            return False
        for room in self.talk.rooms:
            self._asks(join=room, id=f"join {room}")
            await self._answer(reader, stay)
        return True

    async def _answer(self, reader: asyncio.StreamReader, stay: Stay) -> dict[str, Any]:
        """Read up to an answer; what is said meanwhile is seen."""
        while (line := await reader.readline()).startswith(b"{"):
            fields: dict[str, Any] = json.loads(line)
            if "event" not in fields:
                return fields
            self._sees(stay, line)
        raise EOFError  # or a sentence, as this server takes nobody now

    async def _talk(self, stay: Stay) -> None:
        while True:
            await self.talk.going_on.wait()
            await asyncio.sleep(self.talk.chance.uniform(0, PAUSE))
            if self.talk.going_on.is_set() and len(stay.said) - len(stay.acknowledged) < WINDOW:
                room = self.talk.chance.choice(self.talk.rooms)
                text = self.talk.next_text(room, self.nick)
                stay.said.add(text)
                self._asks(message=text, room=room, id=text)

    @property
    def is_idle(self) -> bool:
        """Whether everything that they have said is acknowledged."""
        return self.stay is not None and len(self.stay.said) == len(self.stay.acknowledged)

    def _leave(self) -> None:
        self._asks(disconnect=True)

    def _sees(self, stay: Stay, line: bytes) -> None:
        fields = json.loads(line)
        if fields.get("event") == "said":
            stay.saw(fields["message"], fields["seq"])
        elif "seq" in fields and fields.get("ok"):
            stay.acknowledged[fields["id"]] = fields["seq"]
        elif fields.get("event") in ("missed", "refused", "put out") or "error" in fields:
            self.talk.refused.append(f"{self.nick}: {fields}")


class Listener(Person):
    """Somebody with a netcat, who looks."""

    way = "line"

    async def _talk(self, stay: Stay) -> None:
        """Say nothing."""

    async def _come_in(self, reader: asyncio.StreamReader, stay: Stay) -> bool:
        line = await self._reads(reader, stay)
        if not line.startswith("-- You are "):
            return False
        self._writes("/set replay 0")
        self._writes(f"/nick {self.nick}")
        while "-- You are now known as" not in line:
            line = await self._reads(reader, stay)
            if "is taken" in line:
                self._other_nick()
                self._writes(f"/nick {self.nick}")
        stay.nick = self.nick
        for room in self.talk.rooms:
            self._writes(f"/join {room}")
            self._writes(f"/focus {room}")
            while line != f"-- What you type goes to {room} now.":
                line = await self._reads(reader, stay)
        return True

    async def _reads(self, reader: asyncio.StreamReader, stay: Stay) -> str:
        """Read a line; what is said is seen."""
        line = await reader.readline()
        if not line:
            raise EOFError
        self._sees(stay, line)
        return line.decode().rstrip("\r\n")

    def _leave(self) -> None:
        self._writes("/quit")

    def _sees(self, stay: Stay, line: bytes) -> None:
        text = line.decode().rstrip("\r\n").rpartition(": ")[2]
        if text.count("/") == 2 and not line.startswith((b"--", b"   ")):
            stay.saw(text)
        elif b"not delivered" in line or b"missed" in line:
            self.talk.refused.append(f"{self.nick}: {line!r}")
