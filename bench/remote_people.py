"""Replication benchmark: the cost of a remote user; in this process, without a network.

It knows the messages between servers of a cluster, and how to measure time and memory; it knows no
NATS.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

from bench.figures import shown, table
from bench.inside import ManualChat, result_of
from chatd.chat.model.entities import Session
from chatd.chat.store import unavailable
from chatd.cluster.bus import OnMessage, OnRequest
from chatd.terminal.style import TextStyle

#: Members of each room, besides the lobby, which everyone is in.
ROOM_SIZE = 10


class QueuedBus:
    """`chatd.cluster.bus.Bus`: queues messages until `ServerPair.deliver`."""

    replicas = (0, 0)

    def __init__(self, name: str) -> None:
        self.name = self.display_name = name
        self.sent: list[str] = []

    def listen(self, on_message: OnMessage, on_request: OnRequest) -> None:
        """Remember the callback."""
        self.hears = on_message

    def broadcast(self, text: str) -> None:
        """Queue the text for the other server."""
        self.sent.append(text)

    def send(self, server: str, text: str) -> None:
        """Queue the text for the other server."""
        self.sent.append(text)

    async def request(self, server: str, text: str) -> str:
        """Fail: no server answers."""
        raise unavailable()

    def hand_over_nick(self, nick: str, server: str) -> None:
        """Ignore it: nothing claims nicks."""


class ServerPair:
    """Two servers; changes `here` are replicated `there`, and only the cost there is counted.

    ``cpu_seconds`` is CPU time, ``bytes_sent`` the bytes sent over the bus, and ``bytes_kept``
    memory, which is counted while `tracemalloc` runs.
    """

    def __init__(self) -> None:
        self._buses = QueuedBus("here"), QueuedBus("there")
        self.here, self.there = (ManualChat(bus) for bus in self._buses)
        self.cpu_seconds, self.bytes_sent, self.bytes_kept = 0.0, 0, 0
        for manual in (self.here, self.there):
            manual.cluster.heartbeat(1.0, 1.0)
        self.deliver()

    def deliver(self) -> None:
        """Run scheduled calls, and deliver messages until both servers have sent all."""
        self.here.run_scheduled()
        ours, theirs = self._buses
        while ours.sent or theirs.sent:
            sent, ours.sent = ours.sent, []
            self.bytes_sent += sum(map(len, sent))
            began, before = time.process_time(), tracemalloc.get_traced_memory()[0]
            for text in sent:
                theirs.hears(ours.name, text)
            self.there.run_scheduled()
            self.cpu_seconds += time.process_time() - began
            self.bytes_kept += tracemalloc.get_traced_memory()[0] - before
            sent, theirs.sent = theirs.sent, []
            for text in sent:
                ours.hears(theirs.name, text)
            self.here.run_scheduled()

    def each(self, do: Callable[[int], object], people: int) -> tuple[float, float]:
        """Call ``do`` for ``count`` people; return the µs there and the bytes sent for each."""
        self.cpu_seconds, self.bytes_sent = 0.0, 0
        for number in range(people):
            do(number)
            self.deliver()
        return self.cpu_seconds / people * 1e6, self.bytes_sent / people

    def fill(self, people: int, rooms: int) -> tuple[list[Session], tuple[float, float]]:
        """Let users enter and join a number of rooms each; return their sessions and costs."""
        sessions: list[Session] = []

        def enter(number: int) -> None:
            session = self.here.enter(f"somebody{number}", TextStyle())
            for room in range(rooms):
                name = f"room{room}x{number // ROOM_SIZE}"
                result_of(self.here.chat.join(session, name, 0.0))
            sessions.append(session)

        return sessions, self.each(enter, people)


def _heartbeat_ms(manual: ManualChat) -> float:
    """Return the longest CPU time of a heartbeat and a liveness check, in ms."""
    longest = 0.0
    for _ in range(20):
        began = time.process_time()
        manual.cluster.heartbeat(1.0, 1.0)
        manual.cluster.check_liveness(1.0, 1.0)
        longest = max(longest, time.process_time() - began)
    return longest * 1e3


def _memory_per_person(people: int, rooms: int) -> float:
    """Return the bytes of memory that each user takes on the other server."""
    gc.collect()
    tracemalloc.start()
    pair = ServerPair()
    pair.bytes_kept = 0
    pair.fill(people, rooms)
    tracemalloc.stop()
    return pair.bytes_kept / people


def _costs(people: int, rooms: int) -> list[float]:
    """Return the costs there of entering, being away and leaving; then those of heartbeats."""
    pair = ServerPair()
    sessions, enters = pair.fill(people, rooms)

    def set_away(number: int) -> None:
        person = sessions[number].person
        person.away = "soon back"
        pair.here.chat.peers.person_changed(person)

    away = pair.each(set_away, people)
    heartbeats = [_heartbeat_ms(pair.here), _heartbeat_ms(pair.there)]
    leaves = pair.each(lambda number: pair.here.chat.leave(sessions[number], "", 0.0), people)
    return [*enters, *away, leaves[0], *heartbeats]


def remote_people(people: int) -> str:
    """Return the table of the cost of each remote user, by their number of rooms."""
    rows = []
    for rooms in (1, 5):
        cells = [_memory_per_person(people, rooms), *_costs(people, rooms)]
        shares = [shown(each, 1) for each in cells[:-2]] + [shown(each, 3) for each in cells[-2:]]
        rows.append([f"the lobby and {rooms} of {ROOM_SIZE}", *shares])
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
