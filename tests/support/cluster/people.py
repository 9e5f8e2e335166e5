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
RETRY_SECONDS = 0.1
#: What a bot is told whose nick somebody has, and one whose server takes nobody now.
TAKEN, FULL = 1, 2


@dataclass
class Visit:
    """Somebody at one server, from when they came to when they lost it.

    ``since`` is what had been said in all by then.  ``seen`` has what they were shown of each room,
    in the order in which it came, with its number or (who sees none) 0; ``said`` what they said,
    ``acknowledged`` the numbers of what is kept.  Rooms are ``checked`` that were looked at before.
    """

    nick: str
    node: int
    sent_before: int
    received: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    acknowledged: dict[str, int] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)
    over: bool = False

    def receive(self, text: str, number: int = 0) -> None:
        """They are shown something."""
        self.received.setdefault(parse_text(text)[0], []).append((number, text))


class SharedState:
    """What is common to all who talk: where, when, and what was ever said.

    ``port`` gives the port of a way in of a node, or None while that is not there.
    """

    def __init__(
        self, rooms: tuple[str, ...], chance: Random, port: Callable[[int, str], int | None]
    ) -> None:
        self.rooms = rooms
        self.chance = chance
        self.port = port
        self.sent = 0
        self.sending = asyncio.Event()
        self.visits: list[Visit] = []
        self.complaints: list[str] = []

    def next_text(self, room: str, nick: str) -> str:
        """Something that nobody has said yet."""
        self.sent += 1
        return f"{room}/{self.sent}/{nick}"


def parse_text(text: str) -> tuple[str, int]:
    """The room of what was said, and its number among all that was."""
    room, number, _ = text.split("/")
    return room, int(number)


class Person(ABC):
    """Somebody who is at a node as long as it is there, and comes back, to another if need be."""

    way = "json"

    def __init__(self, talk: SharedState, nick: str, home: int, nodes: int) -> None:
        self.shared = talk
        self.name = self.nick = nick
        self.home = home
        self._nodes = nodes
        self._tries = 0
        self.visit: Visit | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._leaving = self._is_taken = False

    async def live(self) -> None:
        """Come, stay, lose the server, come again."""
        node = self.home
        while True:
            self._leaving = self._is_taken = False
            with suppress(OSError, EOFError, TimeoutError):
                await self._visit(node)
            await asyncio.sleep(RETRY_SECONDS)
            if self._leaving:
                node = self.home
            elif not self._is_taken:
                node = (node + 1) % self._nodes

    async def _visit(self, node: int) -> None:
        """Be at a node as long as that is there."""
        port = self.shared.port(node, self.way)
        if port is None:
            return
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        stay = Visit(self.nick, node, self.shared.sent)
        talking: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                if not await self._enter(reader, stay):
                    return
            stay.sent_before = self.shared.sent
            self.shared.visits.append(stay)
            self.visit = stay
            talking = asyncio.create_task(self._send_messages(stay))
            async for line in reader:
                if line.endswith(b"\n"):
                    self._receive(stay, line)
        finally:
            stay.over, self.visit = True, None
            if talking is not None:
                talking.cancel()
            self._writer.transport.abort()

    def go_home(self) -> None:
        """Leave the server where one is, and come in at home."""
        if self.visit is not None and self.visit.node != self.home:
            self._leaving = True
            self.nick = self.name
            self._leave()

    def _write_line(self, line: str) -> None:
        assert self._writer is not None
        self._writer.write(line.encode() + b"\n")

    # What each kind of people does ----------------------------------------------------------------

    @abstractmethod
    async def _enter(self, reader: asyncio.StreamReader, stay: Visit) -> bool:
        """Say who one is; False when one is not let in."""

    @abstractmethod
    async def _send_messages(self, stay: Visit) -> None:
        """Say things, for as long as one stays."""

    @abstractmethod
    def _leave(self) -> None:
        """Leave the server."""

    @abstractmethod
    def _receive(self, stay: Visit, line: bytes) -> None:
        """Take in a line."""

    def _other_nick(self) -> None:
        """The nick is somebody's, perhaps that of oneself at a server that died."""
        self._is_taken = True
        self._tries += 1
        self.nick = f"{self.name}x{self._tries}"


class Bot(Person):
    """A program that talks in every room."""

    def _request(self, **request: object) -> None:
        self._write_line(json.dumps(request))

    async def _enter(self, reader: asyncio.StreamReader, stay: Visit) -> bool:
        self._request(username=self.nick, version=2)
        entered = await self._answer(reader, stay)
        if not entered.get("isConnected"):
            if entered.get("errorCode") == TAKEN:
                self._other_nick()
            elif entered.get("errorCode") != FULL:
                self.shared.complaints.append(f"{self.nick} comes in: {entered}")
            return False
        for room in self.shared.rooms:
            self._request(join=room, id=f"join {room}")
            await self._answer(reader, stay)
        return True

    async def _answer(self, reader: asyncio.StreamReader, stay: Visit) -> dict[str, Any]:
        """Read up to an answer; what is said meanwhile is seen."""
        while (line := await reader.readline()).startswith(b"{"):
            fields: dict[str, Any] = json.loads(line)
            if "event" not in fields:
                return fields
            self._receive(stay, line)
        raise EOFError  # or a sentence, as this server takes nobody now

    async def _send_messages(self, stay: Visit) -> None:
        while True:
            await self.shared.sending.wait()
            await asyncio.sleep(self.shared.chance.uniform(0, PAUSE))
            if self.shared.sending.is_set() and len(stay.sent) - len(stay.acknowledged) < WINDOW:
                room = self.shared.chance.choice(self.shared.rooms)
                text = self.shared.next_text(room, self.nick)
                stay.sent.add(text)
                self._request(message=text, room=room, id=text)

    @property
    def is_idle(self) -> bool:
        """Whether everything that they have said is acknowledged."""
        return self.visit is not None and len(self.visit.sent) == len(self.visit.acknowledged)

    def _leave(self) -> None:
        self._request(disconnect=True)

    def _receive(self, stay: Visit, line: bytes) -> None:
        fields = json.loads(line)
        if fields.get("event") == "said":
            stay.receive(fields["message"], fields["seq"])
        elif "seq" in fields and fields.get("ok"):
            stay.acknowledged[fields["id"]] = fields["seq"]
        elif fields.get("event") in ("missed", "refused", "put out") or "error" in fields:
            self.shared.complaints.append(f"{self.nick}: {fields}")


class Listener(Person):
    """Somebody with a netcat, who looks."""

    way = "line"

    async def _send_messages(self, stay: Visit) -> None:
        """Say nothing."""

    async def _enter(self, reader: asyncio.StreamReader, stay: Visit) -> bool:
        line = await self._read_line(reader, stay)
        if not line.startswith("-- You are "):
            return False
        self._write_line("/set replay 0")
        self._write_line(f"/nick {self.nick}")
        while "-- You are now known as" not in line:
            line = await self._read_line(reader, stay)
            if "is taken" in line:
                self._other_nick()
                self._write_line(f"/nick {self.nick}")
        stay.nick = self.nick
        for room in self.shared.rooms:
            self._write_line(f"/join {room}")
            self._write_line(f"/focus {room}")
            while line != f"-- What you type goes to {room} now.":
                line = await self._read_line(reader, stay)
        return True

    async def _read_line(self, reader: asyncio.StreamReader, stay: Visit) -> str:
        """Read a line; what is said is seen."""
        line = await reader.readline()
        if not line:
            raise EOFError
        self._receive(stay, line)
        return line.decode().rstrip("\r\n")

    def _leave(self) -> None:
        self._write_line("/quit")

    def _receive(self, stay: Visit, line: bytes) -> None:
        text = line.decode().rstrip("\r\n").rpartition(": ")[2]
        if text.count("/") == 2 and not line.startswith((b"--", b"   ")):
            stay.receive(text)
        elif b"not delivered" in line or b"missed" in line:
            self.shared.complaints.append(f"{self.nick}: {line!r}")
