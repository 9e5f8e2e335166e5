"""Searches in a file have a thread and a time limit of their own, and delay nobody who reads."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from itertools import chain, groupby, repeat
from pathlib import Path

import pytest

from chatd.chat.events import KeptEvent, Refused, Said
from chatd.chat.limits import SEARCH_SECONDS, SEARCH_WAIT_SECONDS, SEARCHED_EVENTS
from chatd.chat.text.query import SearchQuery
from chatd.store.memory import SEARCH_SLICE, MemoryStore
from chatd.store.sqlite import queries, readers
from chatd.store.sqlite.readers import SearchThread
from chatd.store.sqlite.store import SqliteStore, connect
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE

TOO_SLOW = "The search took too long; try fewer or longer words."
MANY = "Many people are searching now; try again in a moment."
#: Words that many messages have, but none in this order: the index has to look at all of them.
PHRASE = SearchQuery(("one two one",))


class Observer:
    """Takes what is stored."""

    def stored(self, *_: object) -> None: ...
    def subscribed(self, *_: object) -> None: ...
    def record_changed(self, *_: object) -> None: ...
    def failed(self, *_: object) -> None: ...


@pytest.fixture
def main_thread() -> TestMainThread:
    return TestMainThread()


@pytest.fixture
def store(tmp_path: Path, main_thread: TestMainThread) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "chatd.db", main_thread, lambda: 0.0)
    made.prepare()
    made.begin()
    made.open(Observer())
    yield made
    wait_for(made.close())


@pytest.fixture
def filled(store: SqliteStore) -> SqliteStore:
    for number in range(4000):
        store.post("lobby", str(number), Said(1.0, "ada", "one two three " * 20))
    wait_for(store.before("lobby", None, 1))
    return store


def test_reading_does_not_wait_for_a_search(
    store: SqliteStore, main_thread: TestMainThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.post("lobby", "1", Said(1.0, "ada", "hello"))
    has_read = threading.Event()
    read: list[object] = []

    def look_back() -> None:
        read.extend(wait_for(store.before("lobby", None, 9)))
        read.append(wait_for(store.last_by("lobby", "ada")))
        has_read.set()

    def slow(*_: object) -> list[object]:
        main_thread.call_soon(look_back)
        assert has_read.wait(PATIENCE)
        return []

    monkeypatch.setattr(queries, "search", slow)
    assert wait_for(store.search(["lobby"], PHRASE, 0, 9)) == []
    assert read == [(1, Said(1.0, "ada", "hello"))] * 2


def result(thread: SearchThread, search: SearchQuery, main_thread: TestMainThread) -> object:
    promise = main_thread.promise()
    thread.do(lambda database: queries.search(database, ["lobby"], search, 0, 2), promise)
    return wait_for(promise)


@pytest.mark.parametrize("search", [PHRASE, SearchQuery(("three", "two", "one two one"))])
def test_a_search_ends_after_its_time_wherever_it_is(
    filled: SqliteStore,
    tmp_path: Path,
    main_thread: TestMainThread,
    monkeypatch: pytest.MonkeyPatch,
    search: SearchQuery,
) -> None:
    monkeypatch.setattr(readers, "STEPS", 20)  # the file is small
    reads = 0

    def clock() -> float:
        nonlocal reads
        reads += 1
        return 0.0 if reads <= 2 else SEARCH_SECONDS + 1  # queued, begun, and then too late

    thread = SearchThread(main_thread, clock)
    thread.begin(connect(tmp_path / "chatd.db"))
    with pytest.raises(Refused) as refused:
        result(thread, search, main_thread)
    assert refused.value.sentence == TOO_SLOW
    assert reads == 3
    reads = -1_000_000
    assert result(thread, SearchQuery(("three",)), main_thread) != []
    thread.close()


@pytest.mark.parametrize(("late", "refused"), [(0.0, False), (0.1, True)])
def test_a_search_that_waited_too_long_is_refused(
    filled: SqliteStore, tmp_path: Path, main_thread: TestMainThread, late: float, refused: bool
) -> None:
    times = chain([0.0], repeat(SEARCH_WAIT_SECONDS + late))
    thread = SearchThread(main_thread, lambda: next(times))
    thread.begin(connect(tmp_path / "chatd.db"))
    if refused:
        with pytest.raises(Refused) as why:
            result(thread, SearchQuery(("three",)), main_thread)
        assert why.value.sentence == MANY
    else:
        assert result(thread, SearchQuery(("three",)), main_thread) != []
    thread.close()


def test_closing_does_not_wait_for_searches(
    filled: SqliteStore, tmp_path: Path, main_thread: TestMainThread
) -> None:
    thread = SearchThread(main_thread, lambda: 0.0)
    thread.begin(connect(tmp_path / "chatd.db"))
    promises = [main_thread.promise() for _ in range(3)]
    begun = threading.Event()

    def search_for_ever(database: sqlite3.Connection) -> object:
        begun.set()
        while True:
            queries.search(database, ["lobby"], PHRASE, 0, 2)

    for promise in promises:
        thread.do(search_for_ever, promise)
    assert begun.wait(PATIENCE)
    thread.close()
    main_thread.run()
    for promise in promises:
        with pytest.raises(Refused, match="took too long"):
            wait_for(promise)


def test_a_broken_search_is_an_error_and_the_next_is_answered(
    filled: SqliteStore, main_thread: TestMainThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(database: sqlite3.Connection, *_: object) -> object:
        return database.execute("SELECT nothing")

    with monkeypatch.context() as patch:
        patch.setattr(queries, "search", broken)
        with pytest.raises(sqlite3.OperationalError, match="nothing"):
            wait_for(filled.search(["lobby"], PHRASE, 0, 9))
    assert wait_for(filled.search(["lobby"], PHRASE, 0, 9)) == []


def test_a_search_in_memory_lets_others_run_between_its_slices(
    main_thread: TestMainThread,
) -> None:
    store = MemoryStore(SEARCHED_EVENTS, main_thread)
    store.open(Observer())
    for number in range(3 * SEARCH_SLICE):
        store.post("lobby", str(number), Said(1.0, "ada", f"word {number}"))
    events: list[str] = []

    class Counted(SearchQuery):
        """Notes how much it is asked."""

        def finds(self, event: KeptEvent) -> bool:
            events.append("event")
            if len(events) % SEARCH_SLICE == 1:
                main_thread.call_soon(lambda: events.append("step"))
            return super().finds(event)

    found = wait_for(store.search(["lobby"], Counted(("word 0",)), 0, 1))
    assert [event.text for _, _, event in found] == ["word 0"]
    assert [len(list(run)) for kind, run in groupby(events) if kind == "event"] == [
        SEARCH_SLICE
    ] * 3
