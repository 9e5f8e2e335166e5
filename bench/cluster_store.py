"""The store of a cluster without a server: posts, what was said last, and claims of nicks.

It knows the store and what the chat asks of it; it knows no chat.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from time import perf_counter

from bench.config import Setting
from bench.figures import shown, table
from bench.machine import rss_kib
from bench.nats import Nats
from bench.store_driver import Counts, Turn, spans_row, timed, waited
from chatd.chat.events import Said

#: Posts that are under way at once, rooms that they go to, and how many are asked for.
_WAITING, _ROOMS, _NEWEST = 1000, 10, 50
_TEXT = "x" * 60


class Posts:
    """A store on a cluster, and what is posted to it."""

    def __init__(self, nats: Nats) -> None:
        from chatd.store.nats.store import NatsStore, Servers

        self.turn, self.counts = Turn(), Counts()
        self.store = NatsStore(Servers(tuple(nats.urls.split(","))), self.turn)
        self.store.open(self.counts)
        self.store.begin()
        self._nats = nats
        self.posted = 0
        self._numbers = count()

    @classmethod
    @contextmanager
    def on(cls, servers: int, setting: Setting) -> Iterator[Posts]:
        """A store on so many NATS servers, from beginning to end."""
        with Nats(servers, setting.core) as nats:
            posts = cls(nats)
            try:
                yield posts
            finally:
                waited(posts.store.close())

    def post(self) -> None:
        """Say something in one of the rooms."""
        self.posted += 1
        room = f"room{self.posted % _ROOMS}"
        self.store.post(room, f"bench.{self.posted}", Said(float(self.posted), "ada", _TEXT))

    def settle(self, waiting: int = 0) -> None:
        """Wait until no more than so many are under way."""
        while self.posted - self.counts.count > waiting:
            self.turn.step()

    def one(self) -> None:
        """Say something, and wait until it is kept."""
        self.post()
        self.settle()

    def rate(self, seconds: float) -> float:
        """Posts that are acknowledged a second, with many under way at once."""
        first, began = self.posted, perf_counter()
        while perf_counter() < began + seconds:
            self.post()
            self.settle(_WAITING)
        self.settle()
        return (self.posted - first) / (perf_counter() - began)

    def newest(self) -> None:
        """Ask for the last events of a room that nobody here listens to."""
        room = f"room{next(self._numbers) % _ROOMS}"
        waited(self.store.before(room, None, _NEWEST))

    def claim(self) -> None:
        """Claim a nick that is nobody's."""
        if not waited(self.store.claim(f"nick{next(self._numbers)}", "bench")):
            raise RuntimeError("a nick is taken")

    def memory(self) -> tuple[float, float]:
        """KiB that `tracemalloc` counts in this process, and of a NATS server."""
        gc.collect()
        servers = [rss_kib(pid) for pid in self._nats.pids]
        return tracemalloc.get_traced_memory()[0] / 1024, sum(servers) / len(servers)

    def hear(self, rooms: int) -> None:
        """Listen to so many rooms in which nothing was said."""
        for number in range(rooms):
            self.store.subscribe(f"heard{number}")
        while self.counts.heard < rooms:
            self.turn.step()

    def fill(self, rooms: int) -> None:
        """Say one thing in each of so many rooms."""
        for number in range(rooms):
            self.posted += 1
            said = Said(float(number), "ada", _TEXT)
            self.store.post(f"filled{number}", f"bench.{self.posted}", said)
            self.settle(_WAITING)
        self.settle()


def _room(store: Posts, do: Callable[[int], None], rooms: int) -> list[str]:
    """What each of so many rooms takes: KiB here and in a NATS server."""
    tracemalloc.start()
    before = store.memory()
    do(rooms)
    more = [(after - then) / rooms for after, then in zip(store.memory(), before, strict=True)]
    tracemalloc.stop()
    return [str(rooms), *map(shown, more)]


def posts(setting: Setting, numbers: Sequence[int], asked: int) -> str:
    """All of it, on each of so many NATS servers."""
    rates, times, rooms = [], [], []
    for servers in numbers:
        with Posts.on(servers, setting) as store:
            store.one()
            rates.append([f"{servers} NATS", shown(store.rate(setting.seconds), 0)])
            kinds = {
                "a post": store.one,
                f"newest {_NEWEST} of a room": store.newest,
                "a claim of a nick": store.claim,
            }
            for name, do in kinds.items():
                spans = timed(asked, setting.seconds, do)
                times.append(spans_row(f"{servers} NATS: {name}", spans))
            for name, fills, factor in (("is heard", store.hear, 10), ("is kept", store.fill, 100)):
                rooms.append([f"{servers} NATS: {name}", *_room(store, fills, asked * factor)])
    heading = f"{_WAITING} posts under way, {_ROOMS} rooms"
    return "\n\n".join(
        (
            table([heading, "acknowledged/s"], rates),
            table(["the store alone, one at a time", "p50 ms", "p99 ms", "times"], times),
            table(["a room that", "rooms", "KiB here", "KiB in a NATS server"], rooms),
        )
    )
