"""Cluster store benchmark, without a server: posts, newest messages, and claims on nicks.

It knows the store and its interface to the chat, but not the chat.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from time import perf_counter

from bench.config import Config
from bench.figures import shown, table
from bench.machine import rss_kib
from bench.nats import Nats
from bench.store_driver import (
    CountingObserver,
    QueuedMainThread,
    run_to_end,
    time_calls,
    timing_row,
)
from chatd.chat.events import Said

#: Simultaneously unacknowledged posts, the rooms that they go to, and messages of one request.
_MAX_PENDING, _ROOMS, _NEWEST = 1000, 10, 50
_TEXT = "x" * 60


class ClusterStore:
    """A store on a cluster of NATS servers, and requests to it."""

    def __init__(self, nats: Nats) -> None:
        from chatd.store.nats.store import NatsStore, Servers

        self.main_thread, self.observer = QueuedMainThread(), CountingObserver()
        self.store = NatsStore(Servers(tuple(nats.urls.split(","))), self.main_thread)
        self.store.open(self.observer)
        self.store.begin()
        self._nats = nats
        self.posted = 0
        self._numbers = count()

    @classmethod
    @contextmanager
    def on(cls, servers: int, config: Config) -> Iterator[ClusterStore]:
        """Start ``servers`` NATS servers with a store, and stop them at the end of ``with``."""
        with Nats(servers, config.core) as nats:
            posts = cls(nats)
            try:
                yield posts
            finally:
                run_to_end(posts.store.close())

    def post(self) -> None:
        """Post a message to one of the rooms."""
        self.posted += 1
        room = f"room{self.posted % _ROOMS}"
        self.store.post(room, f"bench.{self.posted}", Said(float(self.posted), "ada", _TEXT))

    def wait_for_stored(self, waiting: int = 0) -> None:
        """Wait until no more than ``waiting`` posts are unacknowledged."""
        while self.posted - self.observer.stored_count > waiting:
            self.main_thread.step()

    def post_and_wait(self) -> None:
        """Post a message, and wait until it is stored."""
        self.post()
        self.wait_for_stored()

    def rate(self, seconds: float) -> float:
        """Return the acknowledged posts per second, with many in flight."""
        first, began = self.posted, perf_counter()
        while perf_counter() < began + seconds:
            self.post()
            self.wait_for_stored(_MAX_PENDING)
        self.wait_for_stored()
        return (self.posted - first) / (perf_counter() - began)

    def newest(self) -> None:
        """Request the newest events of a room that is not subscribed to."""
        room = f"room{next(self._numbers) % _ROOMS}"
        run_to_end(self.store.before(room, None, _NEWEST))

    def claim(self) -> None:
        """Claim a nick that is free."""
        if not run_to_end(self.store.claim(f"nick{next(self._numbers)}", "bench")):
            raise RuntimeError("a nick is taken")

    def memory(self) -> tuple[float, float]:
        """Return the KiB traced in this process, and the resident KiB of a NATS server."""
        gc.collect()
        servers = [rss_kib(pid) for pid in self._nats.pids]
        return tracemalloc.get_traced_memory()[0] / 1024, sum(servers) / len(servers)

    def subscribe(self, rooms: int) -> None:
        """Subscribe to this number of empty rooms."""
        for number in range(rooms):
            self.store.subscribe(f"heard{number}")
        while self.observer.subscribed_count < rooms:
            self.main_thread.step()

    def fill_rooms(self, rooms: int) -> None:
        """Post one message to each of this number of rooms."""
        for number in range(rooms):
            self.posted += 1
            said = Said(float(number), "ada", _TEXT)
            self.store.post(f"filled{number}", f"bench.{self.posted}", said)
            self.wait_for_stored(_MAX_PENDING)
        self.wait_for_stored()


def _memory_row(store: ClusterStore, do: Callable[[int], None], rooms: int) -> list[str]:
    """Return a table row: KiB that ``do`` takes for each room, here and in a NATS server."""
    tracemalloc.start()
    before = store.memory()
    do(rooms)
    more = [(after - then) / rooms for after, then in zip(store.memory(), before, strict=True)]
    tracemalloc.stop()
    return [str(rooms), *map(shown, more)]


def cluster_store(config: Config, numbers: Sequence[int], asked: int) -> str:
    """Run all benchmarks, with each of these numbers of NATS servers."""
    rates, times, rooms = [], [], []
    for servers in numbers:
        with ClusterStore.on(servers, config) as store:
            store.post_and_wait()
            rates.append([f"{servers} NATS", shown(store.rate(config.seconds), 0)])
            kinds = {
                "a post": store.post_and_wait,
                f"newest {_NEWEST} of a room": store.newest,
                "a claim of a nick": store.claim,
            }
            for name, do in kinds.items():
                spans = time_calls(asked, config.seconds, do)
                times.append(timing_row(f"{servers} NATS: {name}", spans))
            for name, fills, factor in (
                ("is heard", store.subscribe, 10),
                ("is kept", store.fill_rooms, 100),
            ):
                rooms.append(
                    [f"{servers} NATS: {name}", *_memory_row(store, fills, asked * factor)]
                )
    heading = f"{_MAX_PENDING} posts under way, {_ROOMS} rooms"
    return "\n\n".join(
        (
            table([heading, "acknowledged/s"], rates),
            table(["the store alone, one at a time", "p50 ms", "p99 ms", "times"], times),
            table(["a room that", "rooms", "KiB here", "KiB in a NATS server"], rooms),
        )
    )
