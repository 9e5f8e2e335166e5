"""Simulated users of servers that fail: what they sent, and what they received.

A `Bot` sends messages and remembers which its server acknowledged; a `Listener` uses netcat and
only receives.  A message carries its room and a number, so that each is unique and shows where it
belongs.
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

#: Unacknowledged messages of one bot, at most, and the longest pause between two, in seconds.
WINDOW, PAUSE = 8, 0.05
#: Seconds between two attempts to enter.
RETRY_SECONDS = 0.1
#: Error codes for a taken nick, and for a server that accepts no new users.
TAKEN, FULL = 1, 2


@dataclass
class Visit:
    """One user's connection to one server, from entering until it is lost.

    ``sent_before`` is how many messages all users had sent by then.  ``received`` has the messages
    of each room in order, with their numbers or 0 where the user sees none; ``sent`` what the user
    sent, ``acknowledged`` the numbers of what is stored.  Rooms in ``checked`` were compared
    before.
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
        """Note a received message."""
        self.received.setdefault(parse_text(text)[0], []).append((number, text))


class SharedState:
    """What all users share: the rooms, whether bots send, and all that was sent.

    ``port`` returns the port of a way in of a node, or None while the node is down.
    """

    def __init__(
        self, rooms: tuple[str, ...], random: Random, port: Callable[[int, str], int | None]
    ) -> None:
        self.rooms = rooms
        self.random = random
        self.port = port
        self.sent = 0
        self.sending = asyncio.Event()
        self.visits: list[Visit] = []
        self.complaints: list[str] = []

    def next_text(self, room: str, nick: str) -> str:
        """Return a text that was not sent before."""
        self.sent += 1
        return f"{room}/{self.sent}/{nick}"


def parse_text(text: str) -> tuple[str, int]:
    """Return the room of a text, and its number among all that were sent."""
    room, number, _ = text.split("/")
    return room, int(number)


class Person(ABC):
    """A user who stays at a node while it runs, and connects to the next one when it is lost."""

    way = "json"

    def __init__(self, shared: SharedState, nick: str, home: int, nodes: int) -> None:
        self.shared = shared
        self.name = self.nick = nick
        self.home = home
        self._nodes = nodes
        self._tries = 0
        self.visit: Visit | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._leaving = self._is_taken = False

    async def run(self) -> None:
        """Enter, stay, lose the server, enter again; for ever."""
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
        """Stay at a node as long as the connection lasts."""
        port = self.shared.port(node, self.way)
        if port is None:
            return
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        visit = Visit(self.nick, node, self.shared.sent)
        sending: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                if not await self._enter(reader, visit):
                    return
            visit.sent_before = self.shared.sent
            self.shared.visits.append(visit)
            self.visit = visit
            sending = asyncio.create_task(self._send_messages(visit))
            async for line in reader:
                if line.endswith(b"\n"):
                    self._receive(visit, line)
        finally:
            visit.over, self.visit = True, None
            if sending is not None:
                sending.cancel()
            self._writer.transport.abort()

    def go_home(self) -> None:
        """Leave the current node, and enter the home node."""
        if self.visit is not None and self.visit.node != self.home:
            self._leaving = True
            self.nick = self.name
            self._leave()

    def _write_line(self, line: str) -> None:
        assert self._writer is not None
        self._writer.write(line.encode() + b"\n")

    # What each kind of user does ------------------------------------------------------------------

    @abstractmethod
    async def _enter(self, reader: asyncio.StreamReader, visit: Visit) -> bool:
        """Enter and join the rooms; False when the server refuses."""

    @abstractmethod
    async def _send_messages(self, visit: Visit) -> None:
        """Send messages, until cancelled."""

    @abstractmethod
    def _leave(self) -> None:
        """Leave the server."""

    @abstractmethod
    def _receive(self, visit: Visit, line: bytes) -> None:
        """Handle a received line."""

    def _other_nick(self) -> None:
        """Choose another nick: this one is taken, perhaps by one's own session on a dead server."""
        self._is_taken = True
        self._tries += 1
        self.nick = f"{self.name}x{self._tries}"


class Bot(Person):
    """A program that sends messages to every room."""

    def _request(self, **request: object) -> None:
        self._write_line(json.dumps(request))

    async def _enter(self, reader: asyncio.StreamReader, visit: Visit) -> bool:
        self._request(username=self.nick, version=2)
        entered = await self._answer(reader, visit)
        if not entered.get("isConnected"):
            if entered.get("errorCode") == TAKEN:
                self._other_nick()
            elif entered.get("errorCode") != FULL:
                self.shared.complaints.append(f"{self.nick} comes in: {entered}")
            return False
        for room in self.shared.rooms:
            self._request(join=room, id=f"join {room}")
            await self._answer(reader, visit)
        return True

    async def _answer(self, reader: asyncio.StreamReader, visit: Visit) -> dict[str, Any]:
        """Read up to the next answer; events before it are handled."""
        while (line := await reader.readline()).startswith(b"{"):
            fields: dict[str, Any] = json.loads(line)
            if "event" not in fields:
                return fields
            self._receive(visit, line)
        raise EOFError  # or a sentence, if this server accepts no new users

    async def _send_messages(self, visit: Visit) -> None:
        while True:
            await self.shared.sending.wait()
            await asyncio.sleep(self.shared.random.uniform(0, PAUSE))
            if self.shared.sending.is_set() and len(visit.sent) - len(visit.acknowledged) < WINDOW:
                room = self.shared.random.choice(self.shared.rooms)
                text = self.shared.next_text(room, self.nick)
                visit.sent.add(text)
                self._request(message=text, room=room, id=text)

    @property
    def is_idle(self) -> bool:
        """Return whether everything that was sent is acknowledged."""
        return self.visit is not None and len(self.visit.sent) == len(self.visit.acknowledged)

    def _leave(self) -> None:
        self._request(disconnect=True)

    def _receive(self, visit: Visit, line: bytes) -> None:
        fields = json.loads(line)
        if fields.get("event") == "said":
            visit.receive(fields["message"], fields["seq"])
        elif "seq" in fields and fields.get("ok"):
            visit.acknowledged[fields["id"]] = fields["seq"]
        elif fields.get("event") in ("missed", "refused", "put out") or "error" in fields:
            self.shared.complaints.append(f"{self.nick}: {fields}")


class Listener(Person):
    """A user with netcat, who only receives."""

    way = "line"

    async def _send_messages(self, visit: Visit) -> None:
        """Send nothing."""

    async def _enter(self, reader: asyncio.StreamReader, visit: Visit) -> bool:
        line = await self._read_line(reader, visit)
        if not line.startswith("-- You are "):
            return False
        self._write_line("/set replay 0")
        self._write_line(f"/nick {self.nick}")
        while "-- You are now known as" not in line:
            line = await self._read_line(reader, visit)
            if "is taken" in line:
                self._other_nick()
                self._write_line(f"/nick {self.nick}")
        visit.nick = self.nick
        for room in self.shared.rooms:
            self._write_line(f"/join {room}")
            self._write_line(f"/focus {room}")
            while line != f"-- What you type goes to {room} now.":
                line = await self._read_line(reader, visit)
        return True

    async def _read_line(self, reader: asyncio.StreamReader, visit: Visit) -> str:
        """Read a line, which is handled too."""
        line = await reader.readline()
        if not line:
            raise EOFError
        self._receive(visit, line)
        return line.decode().rstrip("\r\n")

    def _leave(self) -> None:
        self._write_line("/quit")

    def _receive(self, visit: Visit, line: bytes) -> None:
        text = line.decode().rstrip("\r\n").rpartition(": ")[2]
        if text.count("/") == 2 and not line.startswith((b"--", b"   ")):
            visit.receive(text)
        elif b"not delivered" in line or b"missed" in line:
            self.shared.complaints.append(f"{self.nick}: {line!r}")
