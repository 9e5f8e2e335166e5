"""Being there and coming in: the memory of members who say nothing, and joins and logins a second.

It knows who joins what and what that took; it knows nothing of how a server is started.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench import machine
from bench.client_pool import Crowd, Member
from bench.config import Setting, as_many
from bench.figures import median, shown, table
from bench.rooms import seats
from bench.servers import Peer, Running


@dataclass(frozen=True, slots=True)
class Rush:
    """Many people do one thing as fast as they can: how many, and what it took."""

    people: int
    seconds: float
    server_cpu: float
    load_cpu: float

    @property
    def rate(self) -> float:
        """People a second."""
        return self.people / self.seconds

    @property
    def cost(self) -> float:
        """Server CPU time of each, in µs."""
        return self.server_cpu / self.people * 1e6

    @property
    def load(self) -> float:
        """How much of its core the load side used."""
        return self.load_cpu / self.seconds


@dataclass(slots=True)
class Idle:
    """What was measured of one server, run by run: KiB a member, and rushes by name."""

    memory: list[float] = field(default_factory=list)
    rushes: dict[str, list[Rush]] = field(default_factory=dict)


def rush(pid: int, people: int, act: Callable[[], object]) -> Rush:
    """Measure what so many people do."""
    server, load, wall = machine.cpu_seconds(pid), time.process_time(), time.perf_counter()
    act()
    seconds, load_cpu = time.perf_counter() - wall, time.process_time() - load
    return Rush(people, seconds, machine.cpu_seconds(pid) - server, load_cpu)


class Presence:
    """Measures peers one after the other; ``str`` is the tables."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._idle: dict[str, Idle] = {}
        self._names: list[str] = []

    def measure(self, peers: Sequence[Peer], members: int, in_one: int, logins: int) -> None:
        """Measure so many idle members, joins into one room by some of them, and logins.

        Nothing is done by 0 people.
        """
        count = as_many(max(members, logins, in_one))

        def work(server: Running) -> None:
            idle = self._idle.setdefault(server.peer.name, Idle())
            with Crowd(server.peer.dialect, server.port) as crowd:
                self._log_in(idle, server.pid, crowd, min(logins, count))
                came = self._come(idle, server.pid, crowd, min(members, count))
                self._join(idle, server.pid, crowd, came, "rooms of 10", seats(len(came), "other"))
                some = came[: min(in_one, count)]
                self._join(idle, server.pid, crowd, some, "one room", ["hall"] * len(some))

        self._setting.each(peers, work)

    def _note(self, idle: Idle, name: str, rush: Rush) -> None:
        if name not in self._names:
            self._names.append(name)
        idle.rushes.setdefault(name, []).append(rush)

    def _log_in(self, idle: Idle, pid: int, crowd: Crowd, people: int) -> None:
        """Come in and leave at once."""
        if people:
            rooms = seats(people)
            came = rush(pid, people, lambda: crowd.gather(rooms, stay=False))
            self._note(idle, f"{people} come in and leave", came)

    def _come(self, idle: Idle, pid: int, crowd: Crowd, people: int) -> list[Member]:
        """Come in, join a room of ten each, and stay."""
        before = machine.rss_kib(pid)
        came: list[Member] = []
        act = rush(pid, people, lambda: came.extend(crowd.gather(seats(people))))
        self._note(idle, f"{people} come into rooms of 10", act)
        crowd.settle(0.5)
        idle.memory.append((machine.rss_kib(pid) - before) / people)
        return came

    def _join(
        self,
        idle: Idle,
        pid: int,
        crowd: Crowd,
        people: Sequence[Member],
        name: str,
        rooms: Sequence[str],
    ) -> None:
        """Have people who are there join other rooms, all at once; each join is announced."""
        if people:
            act = rush(pid, len(people), lambda: crowd.join(people, rooms))
            self._note(idle, f"{len(people)} join {name}", act)
            crowd.settle()

    def __str__(self) -> str:
        memory = [[name, shown(median(idle.memory))] for name, idle in self._idle.items()]
        tables = [table(["idle members", "KiB RSS each"], memory)]
        for name in self._names:
            rows = [self._row(server, idle, name) for server, idle in self._idle.items()]
            tables.append(table([name, "a second", "server µs each", "load core"], rows))
        return "\n\n".join(tables)

    def _row(self, server: str, idle: Idle, name: str) -> list[str]:
        rushes = idle.rushes.get(name, [])
        rate, cost = median([r.rate for r in rushes]), median([r.cost for r in rushes])
        load = median([r.load for r in rushes])
        percent = "-" if math.isnan(load) else f"{load:.0%}"
        return [server, shown(rate, 0), shown(cost, 1), percent]
