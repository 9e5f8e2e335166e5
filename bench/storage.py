"""Storage benchmark: the same work with history off, on, and safe from a power cut; a large store.

It knows chatd's options and its store; it does not know the tables in the store's file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from bench import servers
from bench.config import Config
from bench.fanout import fan_out
from bench.figures import median, shown, table
from bench.load import Measurement
from bench.report import Report
from bench.servers import Peer, RunningServer
from bench.store_driver import (
    CountingObserver,
    QueuedMainThread,
    run_to_end,
    time_calls,
    timing_row,
)
from chatd.chat.events import Said
from chatd.chat.limits import SEARCH_SHOWN
from chatd.chat.text.query import SearchQuery
from chatd.store.sqlite.store import SqliteStore

#: The servers that are compared, and their options.
_OPTIONS = {"off": ("--history=none",), "on": (), "power": ("--durability=power",)}
_SINGLE_READER_COLUMNS = [
    "messages/s",
    "of a whole core",
    "µs each",
    "p50 ms",
    "p99 ms",
    "more p50",
    "more p99",
]
#: Posts pending in the writer simultaneously, and messages that are read when a room is opened.
_MAX_PENDING, _NEWEST = 10_000, 50
#: Words, nicks and rooms of the large store, and words of a message.
_VOCABULARY, _NICKS, _ROOMS, _WORDS = 20_000, 1000, 100, 12
_SYLLABLES = [a + b for a in "bdfghklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er")]
#: Seconds between two messages of the large store: half a year in all.
_INTERVAL_SECONDS = 15.0


def _peers() -> list[Peer]:
    return [servers.chatd("line", name, options) for name, options in _OPTIONS.items()]


def single_reader(report: Report, peers: Sequence[Peer], loads: Sequence[tuple[int, int]]) -> str:
    """Return the tables of one receiver: messages per second, and the time that each takes."""
    tables = []
    for load in loads:
        title = f"1 receivers, {load[0]} x {load[1]}"  # as `fan_out` calls it
        tables.append(
            table(
                [title, *_SINGLE_READER_COLUMNS],
                _single_reader_rows(partial(report.median, title), peers),
            )
        )
    return "\n\n".join(tables)


def _single_reader_rows(
    figure: Callable[[str, Callable[[Measurement], float]], float], peers: Sequence[Peer]
) -> list[list[str]]:
    def latency(peer: Peer, percent: float) -> float:
        return figure(peer.name, lambda span: span.latency(percent))

    rows = []
    for peer in peers:
        rate = figure(peer.name, lambda span: span.messages / span.seconds)
        cost = figure(peer.name, lambda span: span.server_cpu / max(1, span.messages) * 1e6)
        p50, p99 = latency(peer, 50), latency(peer, 99)
        more = [p50 - latency(peers[0], 50), p99 - latency(peers[0], 99)]
        cells = [shown(rate, 0), shown(1e6 / cost, 0), shown(cost, 1)]
        rows.append([peer.name, *cells, *(shown(each, 3) for each in (p50, p99, *more))])
    return rows


class LargeStore:
    """A store of many messages, and requests to it.

    Words, nicks and rooms are distributed by Zipf's law: the first word is in most messages, the
    last one of 20,000 words in one of 20,000 messages.  Everything follows from a fixed seed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "chatd.db"
        self.main_thread = QueuedMainThread()
        self.chance = Random(1134)
        names: dict[str, None] = {}
        while len(names) < _VOCABULARY:
            names["".join(self.chance.choices(_SYLLABLES, k=self.chance.randrange(1, 5)))] = None
        self.words = sorted(names, key=len)
        self.nicks = [f"nick{number}" for number in range(_NICKS)]
        self.rooms = [f"room{number}" for number in range(_ROOMS)]
        self.store = SqliteStore(self.path, self.main_thread, time.time)
        self.store.prepare()
        self.store.begin()

    def _zipf(self, names: Sequence[str], count: int) -> Iterator[str]:
        """Return ``count`` random names, the first ones most often."""
        weights = list(accumulate(1 / rank for rank in range(1, len(names) + 1)))
        while count > 0:
            yield from self.chance.choices(names, cum_weights=weights, k=min(count, 10_000))
            count -= 10_000

    def fill(self, messages: int) -> float:
        """Post ``count`` messages; return how many were stored per second."""
        counts = CountingObserver()
        self.store.open(counts)
        words = self._zipf(self.words, messages * _WORDS)
        nicks, rooms = self._zipf(self.nicks, messages), self._zipf(self.rooms, messages)
        first, began = time.time() - messages * _INTERVAL_SECONDS, time.perf_counter()
        for number in range(messages):
            text = " ".join(next(words) for _ in range(_WORDS))
            said = Said(first + number * _INTERVAL_SECONDS, next(nicks), text)
            self.store.post(next(rooms), str(number), said)
            while number - counts.stored_count >= _MAX_PENDING:
                self.main_thread.step()
        while counts.stored_count < messages:
            self.main_thread.step()
        return messages / (time.perf_counter() - began)

    def close(self) -> int:
        """Close the store; return the size of its file, in bytes."""
        run_to_end(self.store.close())
        return os.path.getsize(self.path)

    def newest(self) -> None:
        """Request the newest events of a room."""
        run_to_end(self.store.before(self.chance.choice(self.rooms), None, _NEWEST))

    def find(self, rooms: Sequence[str], make: Callable[[], SearchQuery]) -> int:
        """Search; return how many events the first page has."""
        return len(run_to_end(self.store.search(rooms, make(), 0, SEARCH_SHOWN + 1)))

    def queries(self) -> dict[str, Callable[[], SearchQuery]]:
        """Return the search queries, by the names of their rows."""
        words, nicks, choice = self.words, self.nicks, self.chance.choice
        quiet, now = nicks[-100:], time.time()
        beginnings = [word for word in words if len(word) == 3][:5]
        common, rare = partial(choice, words[:5]), partial(choice, words[-5000:])
        return {
            "a rare word": lambda: SearchQuery((rare(),)),
            "a word in 1 of 100": lambda: SearchQuery((choice(words[80:120]),)),
            "a common word": lambda: SearchQuery((common(),)),
            "a common and a rare word": lambda: SearchQuery((common(), rare())),
            "two common words": lambda: SearchQuery((words[0], choice(words[1:5]))),
            "a common phrase": lambda: SearchQuery((f"{words[0]} {choice(words[1:5])}",)),
            "three letters": lambda: SearchQuery((choice(beginnings),)),
            "one letter": lambda: SearchQuery((choice("bdfghklmnprst"),)),
            "a common word, from: who says little": lambda: SearchQuery((common(),), choice(quiet)),
            "from: who says much": lambda: SearchQuery(author=choice(nicks[:5])),
            "from: who says little": lambda: SearchQuery(author=choice(quiet)),
            "from: nobody": lambda: SearchQuery(author="nobody"),
            "since: yesterday": lambda: SearchQuery(since=now - 86400),
            "until: long ago": lambda: SearchQuery(until=now - 10_000 * 86400),
        }


def _searches(large: LargeStore, asked: int, seconds: float) -> str:
    tables = []
    scopes = {
        "a quiet room": large.rooms[-1:],
        "the busiest room": large.rooms[:1],
        "all rooms": large.rooms,
    }
    for heading, rooms in scopes.items():
        rows = []
        for name, make in large.queries().items():
            found: list[int] = []
            ask = partial(large.find, rooms, make)
            spans = time_calls(asked, seconds, lambda ask=ask, found=found: found.append(ask()))  # type: ignore[misc]  # mypy cannot infer it
            rows.append(timing_row(name, spans, shown(median([*map(float, found)]), 0)))
        headings = [f"search in {heading}", "p50 ms", "p99 ms", "times", "found"]
        tables.append(table(headings, rows))
    return "\n\n".join(tables)


def _starts(config: Config, folder: Path) -> str:
    """Measure the time from the start of a server until it listens."""
    peers = {
        "history off": servers.chatd("line"),
        "a new store": servers.chatd("line", options=()),
        "the large store": servers.chatd("line", options=(f"--data={folder}",)),
    }
    rows = []
    for name, peer in peers.items():
        spans = []
        for _ in range(config.runs):
            began = time.perf_counter()
            with RunningServer(peer, config.core):
                spans.append(time.perf_counter() - began)
        rows.append([name, shown(median(spans))])
    return table(["start", "seconds"], rows)


def large_store(config: Config, stored: int, asked: int) -> str:
    """Measure a store of this number of messages: its size, server starts with it, and requests."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        store = LargeStore(folder)
        rate = store.fill(stored)
        newest = timing_row(
            f"newest {_NEWEST}", time_calls(10 * asked, config.seconds, store.newest)
        )
        searches = _searches(store, asked, config.seconds)
        size = store.close()
        cells = [shown(rate, 0), shown(size / 2**20, 0), shown(size / stored, 0)]
        headings = [f"{stored:,} messages", "kept/s", "MiB", "bytes each"]
        return "\n\n".join(
            (
                table(headings, [["in the store alone", *cells]]),
                _starts(config, folder),
                table(["a room", "p50 ms", "p99 ms", "times"], [newest]),
                searches,
            )
        )


def storage(
    config: Config, members: int, loads: Sequence[tuple[int, int]], stored: int, asked: int
) -> str:
    """Run all storage benchmarks."""
    peers = _peers()
    many = fan_out(config, peers, [members], loads)
    one = many if members == 1 else fan_out(config, peers, [1], loads)
    single = single_reader(one, peers, loads)
    return "\n\n".join((str(many), single, large_store(config, stored, asked)))
