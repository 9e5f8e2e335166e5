"""Durability of messages: after a restart, after a kill, and on a full disk."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from random import Random, SystemRandom

import pytest

from chatd.chat.believed_time import TRIAL_SECONDS, BelievedTime
from chatd.chat.events import Joined, RoomEvent, Said
from chatd.chat.store import NotClosedError, NotStoredError, Record
from chatd.chat.text.query import SearchQuery
from chatd.store.sqlite import jobs, queries, retention, schema
from chatd.store.sqlite import store as sqlite
from chatd.store.sqlite.files import change_owner
from chatd.store.sqlite.store import SqliteStore, StoreError
from chatd.transport.services.store import StoreService
from tests.kill_rounds import rounds
from tests.store.test_stores import RecordingObserver, started
from tests.support.callers import Netcat
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import Served, killed

DAY = 86400.0


def test_history_survives_a_restart_and_a_kill(tmp_path: Path) -> None:
    with Served(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        ada.says("before the restart")
        ada.says("/history")
        ada.hears("ada: before the restart\r\n")
    again = Served(tmp_path)
    with killed(again), Netcat(again.port(), b"/nick bob\n") as bob:
        bob.hears("now known as bob.")
        bob.says("before the kill")
        bob.says("/history")
        bob.hears("ada: before the restart\r\n")
        bob.hears("bob: before the kill\r\n")
    with Served(tmp_path) as server, Netcat(server.port(), b"/search the\n") as cy:
        cy.hears("-- 2 messages found:\r\n")
        cy.hears("ada: before the restart\r\n")
        cy.hears("bob: before the kill\r\n")


def test_no_delivered_message_is_lost_when_the_server_is_killed(tmp_path: Path) -> None:
    assert rounds(tmp_path, 3, SystemRandom().randrange(2**32)) > 0


def store_in(
    folder: Path, turn: TestMainThread, days: float | None = None
) -> tuple[SqliteStore, RecordingObserver]:
    store = started(SqliteStore(folder / "chatd.db", turn, lambda: 100 * DAY, days=days))
    observer = RecordingObserver()
    store.open(observer)
    return store, observer


class Disk:
    """A disk that can be full: it limits the database of the store that is started next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._databases: list[sqlite3.Connection] = []
        connect = sqlite.connect

        def note(path: Path, *, power: bool = False) -> sqlite3.Connection:
            self._databases.append(connect(path, power=power))
            return self._databases[-1]

        monkeypatch.setattr(sqlite, "connect", note)

    def fill(self) -> None:
        """Leave no room for another page."""
        self._limit(0)

    def free(self) -> None:
        """Make room again."""
        self._limit(1000)

    def _limit(self, more: int) -> None:
        database = self._databases[-3]  # the store's writer, before its two readers
        (pages,) = database.execute("PRAGMA page_count").fetchone()
        database.execute(f"PRAGMA max_page_count = {pages + more}")


def kept(store: SqliteStore, room: str = "lobby") -> list[int]:
    return [number for number, _ in wait_for(store.before(room, None, 1_000_000))]


def test_messages_that_are_too_old_are_dropped_and_not_found_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PRUNE_SECONDS", 0.01)
    turn = TestMainThread()
    store, observer = store_in(tmp_path, turn, days=10)
    old = 3 * retention.PRUNED + 7
    for number in range(old + 2):
        time = 89 * DAY if number < old else 91 * DAY
        store.post("lobby", str(number), Said(time, "ada", f"word {number}"))
    turn.run_until(lambda: len(observer.stored_in.get("lobby", [])) == old + 2)
    while kept(store) != [old + 1, old + 2]:
        pass  # each look takes a turn of the reader's thread
    search = SearchQuery(("word",))
    assert [row[1] for row in wait_for(store.search(["lobby"], search, 0, 10))] == [
        old + 2,
        old + 1,
    ]
    store.post("lobby", "next", Said(92 * DAY, "ada", "x"))
    turn.run_until(lambda: observer.stored_in["lobby"][-1][0] == "next")
    assert observer.stored_in["lobby"][-1][1] == old + 3, "numbers go on"
    wait_for(store.close())


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_is_400_days_ahead_deletes_nothing_until_it_has_stood_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    monkeypatch.setattr(sqlite, "PRUNE_SECONDS", 0.01)
    today, elapsed, turn = 100 * DAY, 0.0, TestMainThread()
    looks: list[float] = []

    def start() -> tuple[SqliteStore, BelievedTime]:
        believed = BelievedTime(lambda: elapsed)

        def now() -> float:
            looks.append(today)
            return believed.at(today)

        store = SqliteStore(tmp_path / "chatd.db", turn, now, days=10)
        store.prepare()
        if store.newest is not None:
            believed.saw(store.newest)
        store.begin()
        store.open(RecordingObserver())
        return store, believed

    def is_tidied_twice() -> bool:
        return len(looks) > before + 1

    store, believed = start()
    believed.check(today)
    for number in range(3):
        store.post("lobby", str(number), Said(today, "ada", f"word {number}"))
    assert kept(store) == [1, 2, 3]
    if restarted:
        wait_for(store.close())
    today += 400 * DAY
    if restarted:
        store, believed = start()
    for passed in (0.0, TRIAL_SECONDS - 1):
        elapsed, before = elapsed + passed, len(looks)
        today += passed
        believed.check(today)
        while not is_tidied_twice():
            pass  # the store's thread looks once in a hundredth of a second
        assert kept(store) == [1, 2, 3]
    elapsed, today = elapsed + 1, today + 1
    believed.check(today)
    while kept(store):
        pass
    wait_for(store.close())


def test_a_dropped_room_leaves_nothing_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PRUNE_SECONDS", 0.01)
    turn = TestMainThread()
    store, observer = store_in(tmp_path, turn)
    for number in range(retention.PRUNED + 3):
        store.post("attic", str(number), Said(1.0, "ada", "a secret"))
    store.drop_room("attic")
    store.post("attic", "new", Said(1.0, "bob", "anew"))
    turn.run_until(lambda: observer.stored_in.get("attic", [("", 0, 0)])[-1][0] == "new")
    assert kept(store, "attic") == [1]
    with closing(sqlite3.connect(tmp_path / "chatd.db")) as other:
        while other.execute("SELECT count(*) FROM event").fetchone() != (1,):
            pass
        while other.execute("SELECT count(*) FROM room").fetchone() != (1,):
            pass
        found = "SELECT count(*) FROM search WHERE search MATCH 'secret'"
        assert other.execute(found).fetchone() == (0,)
    wait_for(store.close())


class Full(RecordingObserver):
    """A store observer that accepts failed posts."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[tuple[str, str]] = []

    def subscribed(self, room: str, number: int) -> None:
        """Ignore it: these tests post at once."""

    def failed(self, room: str, message_id: str, why: str) -> None:
        self.refused.append((message_id, why))


def test_on_a_full_disk_the_sender_is_notified_and_nothing_else_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    turn, observer = TestMainThread(), Full()
    store, _ = store_in(tmp_path, turn)
    store.open(observer)
    store.post("lobby", "first", Said(1.0, "ada", "x"))
    turn.run_until(lambda: "lobby" in observer.stored_in)
    disk.fill()
    store.post("lobby", "large", Said(1.0, "ada", "x" * 100_000))
    turn.run_until(lambda: bool(observer.refused))
    assert observer.refused == [("large", "the server's disk is full.")]
    disk.free()
    store.post("lobby", "next", Said(1.0, "ada", "x"))
    turn.run_until(lambda: observer.stored_in["lobby"][-1][0] == "next")
    assert [(name, number) for name, number, _ in observer.stored_in["lobby"]] == [
        ("first", 1),
        ("next", 2),
    ]
    wait_for(store.close())


def test_a_bug_loses_only_its_own_transaction_and_is_raised(tmp_path: Path) -> None:
    turn, observer = TestMainThread(), Full()
    store, _ = store_in(tmp_path, turn)
    store.open(observer)
    store.post("lobby", "bad", Said(1.0, "ada", "\ud800"))
    with pytest.raises(UnicodeEncodeError):
        turn.run_until(lambda: bool(observer.refused))
    turn.run_until(lambda: bool(observer.refused))
    assert observer.refused == [("bad", "the server cannot write it down.")]
    store.post("lobby", "good", Said(1.0, "ada", "x"))
    turn.run_until(lambda: "lobby" in observer.stored_in)
    wait_for(store.close())


def test_posts_beyond_the_bound_are_refused_and_joins_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MAX_PENDING", 0)
    turn, observer = TestMainThread(), Full()
    store, _ = store_in(tmp_path, turn)
    store.open(observer)
    store.post("lobby", "1", Said(1.0, "ada", "x"))
    store.post("lobby", "2", Joined(1.0, "bob"))
    turn.run_until(lambda: bool(observer.refused) and "lobby" in observer.stored_in)
    assert observer.refused == [("1", "the server cannot keep up; try again later.")]
    wait_for(store.close())


@pytest.mark.parametrize("lines", [0, 1, 14])
def test_a_disk_that_hangs_does_not_keep_the_server_from_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    monkeypatch.setattr(sqlite, "CLOSE_SECONDS", 0.01)
    hangs, goes_on, finish = threading.Event(), threading.Event(), jobs.Writer.finish

    def hang(writer: jobs.Writer) -> None:
        hangs.set()
        goes_on.wait()
        finish(writer)

    monkeypatch.setattr(jobs.Writer, "finish", hang)
    turn = TestMainThread()
    store, _ = store_in(tmp_path, turn)
    store.post("lobby", "join", Joined(1.0, "ada"))
    for number in range(lines):
        store.post("lobby", str(number), Said(1.0, "ada", "x"))
    hangs.wait()
    with pytest.raises(NotClosedError) as closing:
        wait_for(store.close())
    counted = f"{lines} lines were" if lines != 1 else "1 line was"
    assert str(closing.value) == (f"{counted} not taken in 0 s; nobody was told that they are kept")
    goes_on.set()


def test_an_error_while_the_store_closes_is_no_hang(tmp_path: Path) -> None:
    store, _ = store_in(tmp_path, TestMainThread())
    store._lock, lock = -1, store._lock
    with pytest.raises(OSError, match="Bad file descriptor"):
        wait_for(store.close())
    os.close(lock)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"this is no database, whatever its name says" * 100, "file is not a database"),
        (None, "it was written by a newer chatd"),
    ],
)
def test_an_unusable_file_is_reported_in_a_sentence(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    path = tmp_path / "chatd.db"
    if content is not None:
        path.write_bytes(content)
    else:
        with closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    for _ in range(2):  # the lock is given back
        with pytest.raises(StoreError, match=why):
            SqliteStore(path, TestMainThread(), lambda: 0.0).prepare()


@pytest.mark.parametrize("version", range(1, schema.VERSION))
def test_a_store_of_an_older_version_is_opened_with_all_its_content(
    tmp_path: Path, version: int
) -> None:
    with closing(sqlite.connect(tmp_path / "chatd.db")) as old:
        schema.upgrade(old, version)
        old.execute("INSERT INTO room (name, last) VALUES ('lobby', 2)")
        old.execute("INSERT INTO event VALUES (1, 1, 1, 1.5, 'said', 'Ada', 'ada', 'Hello!')")
        old.execute("INSERT INTO event VALUES (2, 1, 2, 2.5, 'said', 'bob', 'bob', 'hello')")
        old.execute("INSERT INTO search (rowid, words) VALUES (1, 'hello'), (2, 'hello')")
    store, _ = store_in(tmp_path, TestMainThread())
    first, second = rows = [(1, Said(1.5, "Ada", "Hello!")), (2, Said(2.5, "bob", "hello"))]
    assert wait_for(store.before("lobby", None, 9)) == rows
    for search, found in {
        SearchQuery(("hello",)): [second, first],
        SearchQuery(("hel",), author="ada"): [first],
        SearchQuery(author="bob"): [second],
        SearchQuery(since=2.0): [second],
        SearchQuery(until=2.0): [first],
    }.items():
        got = wait_for(store.search(["lobby"], search, 0, 9))
        assert got == [("lobby", *row) for row in found]
    assert wait_for(store.last_by("lobby", "ada")) == first
    assert wait_for(store.last_by("lobby", "ada", "ada")) is None, "nobody knows whose it was"
    assert wait_for(store.records("account")) == {}
    wait_for(store.close())


@pytest.mark.parametrize(("many", "told"), [(2, 1), (3, 0)])
def test_a_notice_is_printed_before_an_upgrade_that_takes_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int, told: int
) -> None:
    monkeypatch.setattr(schema, "ANNOUNCED_EVENTS", many)
    with closing(sqlite.connect(tmp_path / "chatd.db")) as old:
        schema.upgrade(old, 2)
        old.execute("INSERT INTO room (name, last) VALUES ('lobby', 2)")
        for number in (1, 2):
            row = f"({number}, 1, {number}, 1.5, 'said', 'ada', 'ada', 'x')"
            old.execute(f"INSERT INTO event VALUES {row}")
    for _ in range(2):
        said: list[str] = []
        store = SqliteStore(tmp_path / "chatd.db", TestMainThread(), lambda: 0.0)
        store.prepare(said.append)
        store.begin()
        wait_for(store.close())
        sentence = "The search index of 2 messages is made anew; that takes a while, once."
        assert said == [sentence] * told
        told = 0


def test_messages_with_times_out_of_order_are_found_by_their_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BLOCK", 3)
    monkeypatch.setattr(queries, "BLOCK", 3)
    turn = TestMainThread()
    store, _ = store_in(tmp_path, turn)
    chance, times = Random(1), []
    for number in range(60):  # a clock that is put back now and then
        times.append(float(number if chance.random() < 0.8 else chance.randrange(60)))
        store.post("lobby", str(number), Said(times[-1], "ada", f"x {number}"))
    for phrases in ((), ("x",)):
        for since, until in [(chance.randrange(60), chance.randrange(62)) for _ in range(30)]:
            search = SearchQuery(phrases, since=float(since), until=float(until))
            rows = wait_for(store.search(["lobby"], search, 0, 100))
            wanted = [number for number, at in enumerate(times, 1) if since <= at < until]
            assert [number for _, number, _ in rows] == wanted[::-1]
    wait_for(store.close())


def test_a_search_in_many_rooms_finds_what_may_be_read(tmp_path: Path) -> None:
    turn = TestMainThread()
    store, _ = store_in(tmp_path, turn)
    names = [f"room {number}" for number in range(queries.NAMED * 2)]
    for time in (1.0, 2.0):
        for number, name in enumerate(names):
            store.post(name, f"{number} {time}", Said(time, "ada", "x" if number % 2 else "y"))
    for count in (0, 1, queries.NAMED, queries.NAMED + 1, len(names)):
        for search in (
            SearchQuery(("x",)),
            SearchQuery(author="ada"),
            SearchQuery(since=1.5),
            SearchQuery(("z",)),
        ):
            got = wait_for(store.search(names[:count], search, 0, 1000))
            wanted = [
                name
                for time in (2.0, 1.0)
                for name in reversed(names[:count])
                if search.since is None or time > 1.5
                if search.phrases in ((), ("x",)) and (not search.phrases or int(name[5:]) % 2)
            ]
            assert [room for room, _, _ in got] == wanted
    assert wait_for(store.search(["nowhere"], SearchQuery(since=0.0), 0, 9)) == []
    wait_for(store.close())


def test_the_bound_of_a_room_is_enforced_in_small_steps_and_after_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "PRUNE_SECONDS", 0.01)
    disk = Disk(monkeypatch)
    turn, observer = TestMainThread(), Full()
    store, _ = store_in(tmp_path, turn)
    store.open(observer)
    last = 3 * retention.PRUNED + 7
    for number in range(1, last + 1):
        store.post("lobby", str(number), Said(1.0, "ada", "x"))
    turn.run_until(lambda: len(observer.stored_in.get("lobby", [])) == last)
    disk.fill()
    store.post("lobby", "large", Said(1.0, "ada", "x" * 1_000_000))
    store.limit("lobby", 2)
    turn.run_until(lambda: bool(observer.refused))
    disk.free()
    store.post("lobby", "next", Said(1.0, "ada", "y"))
    while kept(store) != [last, last + 1]:
        pass  # each look takes a turn of the reader's thread
    assert len(wait_for(store.search(["lobby"], SearchQuery(("x",)), 0, 9))) == 1
    wait_for(store.close())


def test_a_record_that_is_not_stored_is_reported_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    turn = TestMainThread()
    store, _ = store_in(tmp_path, turn)
    wait_for(store.put_all([Record("account", "ada", "x")]))
    disk.fill()
    with pytest.raises(NotStoredError, match="disk is full"):
        wait_for(store.put_all([Record("account", "ada", "y" * 100_000)]))
    assert wait_for(store.records("account")) == {"ada": "x"}
    wait_for(store.close())


def test_a_reader_of_the_file_does_not_delay_closing_it(tmp_path: Path) -> None:
    turn = TestMainThread()
    store, observer = store_in(tmp_path, turn)
    store.post("lobby", "1", Said(1.0, "ada", "x"))
    turn.run_until(lambda: "lobby" in observer.stored_in)
    with closing(sqlite3.connect(tmp_path / "chatd.db")) as other:
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM event").fetchone() == (1,)
        store.post("lobby", "2", Said(1.0, "ada", "y"))
        wait_for(store.close())
    store, _ = store_in(tmp_path, turn)
    assert kept(store) == [1, 2]
    wait_for(store.close())


def test_a_query_finds_all_earlier_posts(tmp_path: Path) -> None:
    turn = TestMainThread()
    store, _ = store_in(tmp_path, turn)
    for number in range(1, 50):
        store.post("lobby", str(number), Said(1.0, "ada", f"word{number}"))
        assert kept(store) == list(range(1, number + 1))
    assert len(wait_for(store.search(["lobby"], SearchQuery(("word49",)), 0, 9))) == 1
    wait_for(store.close())


def test_numbers_continue_within_a_transaction_whatever_else_is_in_it(tmp_path: Path) -> None:
    turn = TestMainThread()
    store, observer = store_in(tmp_path, turn)
    for number in range(30):
        store.post("lobby", str(number), Said(1.0, "ada", "x"))
        store.post("attic", f"attic {number}", Said(1.0, "ada", "x"))
        if number % 10 == 5:
            store.drop_rooms_but(["lobby", "attic"])
        if number == 17:
            store.drop_room("attic")
    turn.run_until(lambda: len(observer.stored_in.get("attic", [])) == 30)
    assert [number for _, number, _ in observer.stored_in["lobby"]] == list(range(1, 31))
    assert [number for _, number, _ in observer.stored_in["attic"]] == [
        *range(1, 19),
        *range(1, 13),
    ]
    wait_for(store.close())


class Stumbling(RecordingObserver):
    """A store observer with a bug."""

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        if message_id == "bad":
            raise ZeroDivisionError
        super().stored(room, message_id, number, event)


def test_a_bug_in_an_observer_does_not_affect_other_notifications(tmp_path: Path) -> None:
    turn, observer = TestMainThread(), Stumbling()
    store, _ = store_in(tmp_path, turn)
    store.open(observer)
    for name in ("one", "bad", "two", "three"):
        store.post("lobby", name, Said(1.0, "ada", "x"))
    with pytest.raises(ZeroDivisionError):
        turn.run_until(lambda: len(observer.stored_in.get("lobby", [])) == 4)
    turn.run_until(lambda: len(observer.stored_in["lobby"]) == 3)
    assert [name for name, _, _ in observer.stored_in["lobby"]] == ["one", "two", "three"]
    wait_for(store.close())


def test_a_failed_query_does_not_affect_the_next(tmp_path: Path) -> None:
    turn = TestMainThread()
    store, _ = store_in(tmp_path, turn)
    store.post("lobby", "1", Said(1.0, "ada", "x"))
    with pytest.raises(OverflowError):
        wait_for(store.before("lobby", 2**70, 1))
    assert kept(store) == [1]
    wait_for(store.close())


def test_stored_history_is_left_unchanged_while_history_is_off(tmp_path: Path) -> None:
    with Served(tmp_path) as server, Netcat(server.port()) as ada:
        ada.greeted()
        ada.says("kept for good")
        ada.says("/history")
        ada.hears("kept for good\r\n")
    with Served(tmp_path, options=("--history", "none")) as server, Netcat(server.port()) as ada:
        ada.greeted()
        ada.says("not kept")
        ada.says("/history")
        ada.hears("Nothing was said in lobby yet.")
    with Served(tmp_path) as server, Netcat(server.port(), b"/history\n") as ada:
        assert "not kept" not in ada.hears("kept for good\r\n")


def test_a_failed_upgrade_has_changed_nothing(tmp_path: Path) -> None:
    with closing(sqlite.connect(tmp_path / "chatd.db")) as database:
        database.execute("CREATE TABLE record (id INTEGER)")  # in the way of the second step
        database.execute("PRAGMA user_version = 1")
        with pytest.raises(sqlite3.OperationalError):
            schema.upgrade(database)
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        jobs = database.execute("SELECT sql FROM sqlite_schema").fetchall()
        assert jobs == [("CREATE TABLE record (id INTEGER)",)]


# Whose the files are ------------------------------------------------------------------------------


def test_the_files_belong_to_the_user_that_the_server_becomes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("chatd.db", "chatd.db-wal", "chatd.lock", "ssh_host_ed25519_key", "mine.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "chatd.link").symlink_to("/etc/passwd")
    given: dict[str, tuple[int, int]] = {}

    def chown(path: Path, uid: int, gid: int, *, follow_symlinks: bool = True) -> None:
        given[path.name] = (uid, gid)

    monkeypatch.setattr("os.chown", chown)
    change_owner(tmp_path, None, None)
    assert given == {}
    change_owner(tmp_path, 1234, None)
    made = {"chatd.db", "chatd.db-wal", "chatd.lock", "ssh_host_ed25519_key"}
    assert given == dict.fromkeys({tmp_path.name, *made}, (1234, -1))


def test_a_store_that_cannot_begin_ends_the_server_with_a_sentence(tmp_path: Path) -> None:
    def fails() -> None:
        raise OSError("unable to open database file")

    with pytest.raises(SystemExit) as ended:
        StoreService(fails).startService()
    assert ended.value.code == "chatd cannot keep what is said: unable to open database file"
