"""What somebody on one server costs each of the others: two chats in this process, no network.

It knows what chats tell each other, and how to count time and memory; it knows no NATS.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

from bench.figures import shown, table
from bench.inside import Hall
from chatd.chat.model.session import Session
from chatd.chat.store import unavailable
from chatd.cluster.bus import Asked, Hear
from chatd.terminal.style import TextStyle

#: People in each room, beside the lobby in which everybody is.
A_ROOM = 10


class Wire:
    """`chatd.cluster.bus.Bus`: keeps what a chat says until it is delivered."""

    replicas = (0, 0)

    def __init__(self, name: str) -> None:
        self.name = self.display_name = name
        self.said: list[str] = []

    def hear(self, hear: Hear, asked: Asked) -> None:
        """Remember who hears."""
        self.hears = hear

    def broadcast(self, text: str) -> None:
        """Say it to the other one."""
        self.said.append(text)

    def send(self, server: str, text: str) -> None:
        """Say it to the other one."""
        self.said.append(text)

    async def request(self, server: str, text: str) -> str:
        """Nobody answers."""
        raise unavailable()

    def hand_over_nick(self, nick: str, server: str) -> None:
        """Nobody claims anything."""


class Two:
    """Two chats; what is done `here` is told `there`, and what that takes is counted there alone.

    ``spent`` is in seconds of CPU time, ``size`` in bytes that were told, and ``kept`` in bytes of
    memory, which is counted while `tracemalloc` runs.
    """

    def __init__(self) -> None:
        self._wires = Wire("here"), Wire("there")
        self.here, self.there = (Hall(wire) for wire in self._wires)
        self.spent, self.size, self.kept = 0.0, 0, 0
        for hall in (self.here, self.there):
            hall.chat.elsewhere.heartbeat(1.0)
        self.deliver()

    def deliver(self) -> None:
        """End the turn here, and let the other one hear what was said."""
        self.here.end_turns()
        ours, theirs = self._wires
        while ours.said or theirs.said:
            said, ours.said = ours.said, []
            self.size += sum(map(len, said))
            began, before = time.process_time(), tracemalloc.get_traced_memory()[0]
            for text in said:
                theirs.hears(ours.name, text)
            self.there.end_turns()
            self.spent += time.process_time() - began
            self.kept += tracemalloc.get_traced_memory()[0] - before
            said, theirs.said = theirs.said, []
            for text in said:
                ours.hears(theirs.name, text)
            self.here.end_turns()

    def each(self, do: Callable[[int], object], people: int) -> tuple[float, float]:
        """Do something with each of so many; return the µs there, and the bytes told, of one."""
        self.spent, self.size = 0.0, 0
        for number in range(people):
            do(number)
            self.deliver()
        return self.spent / people * 1e6, self.size / people

    def fill(self, people: int, rooms: int) -> tuple[list[Session], tuple[float, float]]:
        """Let so many come into so many rooms each."""
        sessions: list[Session] = []

        def come(number: int) -> None:
            session = self.here.enters(f"somebody{number}", TextStyle())
            for room in range(rooms):
                self.here.chat.join(session, f"room{room}x{number // A_ROOM}", 0.0)
            sessions.append(session)

        return sessions, self.each(come, people)


def _beat(hall: Hall) -> float:
    """The longest CPU time of saying that a server is there and looking after the others, in ms."""
    longest = 0.0
    for _ in range(20):
        began = time.process_time()
        hall.chat.elsewhere.heartbeat(1.0)
        hall.chat.elsewhere.check_liveness(1.0)
        longest = max(longest, time.process_time() - began)
    return longest * 1e3


def _memory(people: int, rooms: int) -> float:
    """The bytes of memory that each of so many takes there."""
    gc.collect()
    tracemalloc.start()
    two = Two()
    two.kept = 0
    two.fill(people, rooms)
    tracemalloc.stop()
    return two.kept / people


def _costs(people: int, rooms: int) -> list[float]:
    """What it costs there that somebody comes, is away and goes; and what a beat costs."""
    two = Two()
    sessions, comes = two.fill(people, rooms)

    def be_away(number: int) -> None:
        person = sessions[number].person
        person.away = "soon back"
        two.here.chat.elsewhere.touched(None, person)

    is_away = two.each(be_away, people)
    beats = [_beat(two.here), _beat(two.there)]
    goes = two.each(lambda number: two.here.chat.leave(sessions[number], "", 0.0), people)
    return [*comes, *is_away, goes[0], *beats]


def elsewhere(people: int) -> str:
    """What each of so many people on another server costs, by how many rooms they are in."""
    rows = []
    for rooms in (1, 5):
        cells = [_memory(people, rooms), *_costs(people, rooms)]
        shares = [shown(each, 1) for each in cells[:-2]] + [shown(each, 3) for each in cells[-2:]]
        rows.append([f"the lobby and {rooms} of {A_ROOM}", *shares])
    headings = [
        f"one of {people} elsewhere",
        "bytes kept",
        "comes, µs",
        "bytes told",
        "is away, µs",
        "bytes told",
        "goes, µs",
        "a beat here, ms",
        "a beat there, ms",
    ]
    return table(headings, rows)
