"""Idle benchmark: the memory of members who send nothing, and joins and logins per second.

It knows which clients join which rooms, and the costs; it does not know how a server is started.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench import machine
from bench.client_pool import Client, ClientPool
from bench.config import Config, connections_within_limit
from bench.figures import median, shown, table
from bench.rooms import room_names
from bench.servers import Peer, RunningServer


@dataclass(frozen=True, slots=True)
class Burst:
    """The cost of many clients doing one thing as fast as they can; times are in seconds."""

    people: int
    seconds: float
    server_cpu: float
    load_cpu: float

    @property
    def rate(self) -> float:
        """Clients per second."""
        return self.people / self.seconds

    @property
    def cost(self) -> float:
        """Server CPU time for each client, in µs."""
        return self.server_cpu / self.people * 1e6

    @property
    def load(self) -> float:
        """The share of its core that the load generator used."""
        return self.load_cpu / self.seconds


@dataclass(slots=True)
class IdleResult:
    """Measurements of one server, one for each run: KiB per member, and bursts by name."""

    memory: list[float] = field(default_factory=list)
    bursts: dict[str, list[Burst]] = field(default_factory=dict)


def measure_burst(pid: int, people: int, act: Callable[[], object]) -> Burst:
    """Measure ``act``, performed by this number of clients, on the server with this process id."""
    server, load, wall = machine.cpu_seconds(pid), time.process_time(), time.perf_counter()
    act()
    seconds, load_cpu = time.perf_counter() - wall, time.process_time() - load
    return Burst(people, seconds, machine.cpu_seconds(pid) - server, load_cpu)


class IdleBenchmark:
    """Measures peers in order; ``str()`` returns the tables."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._idle: dict[str, IdleResult] = {}
        self._names: list[str] = []

    def measure(self, peers: Sequence[Peer], members: int, in_one: int, logins: int) -> None:
        """Measure idle members, joins of one room by ``in_one`` of them, and logins.

        A number of 0 skips that part.
        """
        count = connections_within_limit(max(members, logins, in_one))

        def work(server: RunningServer) -> None:
            idle = self._idle.setdefault(server.peer.name, IdleResult())
            with ClientPool(server.peer.protocol, server.port) as pool:
                self._log_in(idle, server.pid, pool, min(logins, count))
                clients = self._enter(idle, server.pid, pool, min(members, count))
                rooms = room_names(len(clients), "other")
                self._join(idle, server.pid, pool, clients, "rooms of 10", rooms)
                some = clients[: min(in_one, count)]
                self._join(idle, server.pid, pool, some, "one room", ["hall"] * len(some))

        self._config.run_each(peers, work)

    def _add(self, idle: IdleResult, name: str, burst: Burst) -> None:
        if name not in self._names:
            self._names.append(name)
        idle.bursts.setdefault(name, []).append(burst)

    def _log_in(self, idle: IdleResult, pid: int, pool: ClientPool, people: int) -> None:
        """Connect, and disconnect as soon as the server has welcomed the client."""
        if people:
            rooms = room_names(people)
            clients = measure_burst(pid, people, lambda: pool.connect(rooms, stay=False))
            self._add(idle, f"{people} come in and leave", clients)

    def _enter(self, idle: IdleResult, pid: int, pool: ClientPool, people: int) -> list[Client]:
        """Connect, join rooms of ten, and stay."""
        before = machine.rss_kib(pid)
        clients: list[Client] = []
        burst = measure_burst(pid, people, lambda: clients.extend(pool.connect(room_names(people))))
        self._add(idle, f"{people} come into rooms of 10", burst)
        pool.drain(0.5)
        idle.memory.append((machine.rss_kib(pid) - before) / people)
        return clients

    def _join(
        self,
        idle: IdleResult,
        pid: int,
        pool: ClientPool,
        people: Sequence[Client],
        name: str,
        rooms: Sequence[str],
    ) -> None:
        """Let connected clients join other rooms simultaneously; each join is announced."""
        if people:
            burst = measure_burst(pid, len(people), lambda: pool.join(people, rooms))
            self._add(idle, f"{len(people)} join {name}", burst)
            pool.drain()

    def __str__(self) -> str:
        memory = [[name, shown(median(idle.memory))] for name, idle in self._idle.items()]
        tables = [table(["idle members", "KiB RSS each"], memory)]
        for name in self._names:
            rows = [self._row(server, idle, name) for server, idle in self._idle.items()]
            tables.append(table([name, "a second", "server µs each", "load core"], rows))
        return "\n\n".join(tables)

    def _row(self, server: str, idle: IdleResult, name: str) -> list[str]:
        bursts = idle.bursts.get(name, [])
        rate = median([burst.rate for burst in bursts])
        cost = median([burst.cost for burst in bursts])
        load = median([burst.load for burst in bursts])
        percent = "-" if math.isnan(load) else f"{load:.0%}"
        return [server, shown(rate, 0), shown(cost, 1), percent]
