"""SQLite store: `chatd.chat.store.Store` in one persistent file.

The write thread commits everything that was posted during the last commit in one transaction (group
commit): a commit costs a write to the log, and with ``power`` an fsync, however many messages are
in it.  The observer is notified in order, and only after a transaction is committed.  Reading and
searching have a thread and a connection each (`chatd.store.sqlite.readers`), so that neither the
chat nor the writer waits for them, and no user who joins a room waits for a search.

The file is in WAL mode: readers do not block the writer, and a committed transaction survives a
crash of the process.  ``PRAGMA synchronous = NORMAL`` syncs the log at checkpoints only, so a power
cut may roll back the last transactions (without damage to the file); with ``power``, ``FULL`` syncs
it after each commit.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar, cast

from chatd.chat.events import Change, KeptEvent, RoomEvent
from chatd.chat.store import NotClosedError, NotStoredError, Record, StoreObserver, Written
from chatd.chat.store_health import StoreHealth
from chatd.chat.text.query import SearchQuery
from chatd.store.claims import Claims
from chatd.store.sqlite import disk, queries, schema
from chatd.store.sqlite.jobs import DropRoom, DropRoomsBut, Job, Limit, Post, Put, Read, Writer
from chatd.store.sqlite.readers import Query, ReadThread, SearchThread
from chatd.store.threads.deadline import run_within
from chatd.store.threads.main_thread import MainThread, Quietly
from chatd.store.threads.steps import do_each, raises
from chatd.store.threads.worker import Worker

Result = TypeVar("Result")

#: Posts that may be pending in the writer; further ones are refused: a hanging disk must not
#: exhaust memory.
MAX_PENDING = 50_000
#: Seconds that a disk has to take what is pending when the store closes; systemd kills a service
#: that takes 90 s to stop, and the documented unit one that takes 45 s.
CLOSE_SECONDS = 30.0
#: Seconds after which old events are looked for again.
PRUNE_SECONDS = 5.0


class StoreError(Exception):
    """The database cannot be used; the argument completes a sentence about it."""


def connect(path: Path, *, power: bool = False) -> sqlite3.Connection:
    """Open a database for use by one thread at a time; transactions are begun explicitly."""
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute(f"PRAGMA synchronous = {'FULL' if power else 'NORMAL'}")
    database.execute("PRAGMA foreign_keys = ON")
    return database


class SqliteStore:
    """A store in the file at ``path``.

    ``now`` returns the time of day in seconds since the epoch, as far as it is believed, in any
    thread; events are dropped ``days`` after they happened, or never.  `prepare` and `begin` come
    before everything else, in this order; a process may fork between the two, which no SQLite
    connection and no thread survives.
    """

    def __init__(
        self,
        path: Path,
        main_thread: MainThread,
        now: Callable[[], float],
        *,
        days: float | None = None,
        power: bool = False,
    ) -> None:
        self.health = StoreHealth()
        self._path = path
        self._main_thread = main_thread
        self._now = now
        self._days = days
        self._power = power
        self._observer: StoreObserver | None = None
        self._claims = Claims()
        self._lock = -1
        #: The time of the last event that was stored before, once it is prepared.
        self.newest: float | None = None
        self._prune_at = 0.0
        self._write_thread: Worker[Job] = Worker(
            "chatd writes", self._write, idle=self._prune, idle_seconds=PRUNE_SECONDS
        )
        self._read_thread = ReadThread("chatd reads", main_thread)
        self._search_thread = SearchThread(main_thread)

    def prepare(self, notify: Callable[[str], object] | None = None) -> None:
        """Lock the file for this process, and upgrade its tables.

        ``notify`` is called beforehand, with a sentence, if that will take a while.

        :raises StoreError: when the file cannot be used.
        """
        self._lock = _take_lock(self._path)
        try:
            self.newest = _upgrade_tables(self._path, notify)
        except StoreError:
            os.close(self._lock)
            raise

    def begin(self) -> None:
        """Open the connections and start the threads."""
        self._database = connect(self._path, power=self._power)
        self._writer = Writer(self._database)
        self._write_thread.start()
        self._read_thread.begin(connect(self._path))
        self._search_thread.begin(connect(self._path))

    def open(self, observer: StoreObserver) -> None:
        """Notify this observer from now on."""
        self._observer = observer

    # Writing --------------------------------------------------------------------------------------

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        """Post an event to a room; the observer is notified once it is committed."""
        observer = self._observer
        if observer is None:
            raise RuntimeError("the store is not open")
        if len(self._write_thread) >= MAX_PENDING and isinstance(event, KeptEvent | Change):
            reason = "the server cannot keep up; try again later."
            self.health.failed(f"{MAX_PENDING} lines wait to be written", reason, 1, 0)
            self._main_thread.call_soon(partial(observer.failed, room, message_id, reason))
        else:
            self._write_thread.do(Post(room, message_id, event, author))

    def limit(self, room: str, maximum: int | None) -> None:
        """Keep at most so many events of a room; None: as many as of other rooms."""
        self._write_thread.do(Limit(room, maximum))

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Drop every room but these."""
        self._write_thread.do(DropRoomsBut(tuple(rooms)))

    def drop_room(self, room: str) -> None:
        """Drop the events of a room that is gone permanently."""
        self._write_thread.do(DropRoom(room))

    def _write(self, jobs: list[Job]) -> None:
        """Do all gathered jobs in one transaction (in the write thread)."""
        notifications: list[Callable[[], None]] = []
        lines, changes = _count(jobs)
        begun_at = monotonic()
        self.health.begun(lines)
        try:
            self._database.execute("BEGIN IMMEDIATE")
            notifications = self._run_jobs(jobs)
            self._writer.finish()
            self._database.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            notifications = self._report_failure(jobs, error)
        else:
            self._writer.remember([job for job in jobs if isinstance(job, Post)])
            if self.health.is_failing and lines + changes:
                notifications.append(self.health.stored)
        self.health.ended(monotonic() - begun_at)
        self._main_thread.call_soon(partial(do_each, notifications))
        for job in jobs:
            if isinstance(job, Read):
                job.start()
        if monotonic() >= self._prune_at:
            self._prune()

    def _run_jobs(self, jobs: list[Job]) -> list[Callable[[], None]]:
        """Do jobs; return the notifications of their outcomes."""
        notifications: list[Callable[[], None]] = []
        observer = self._observer
        seen: set[str] = set()
        for job in jobs:
            match job:
                case DropRoom(room=room):
                    self._writer.drop_room(room)
                case Limit():
                    self._writer.limit(job)
                case Read():
                    pass  # when this is committed
                case DropRoomsBut(rooms=rooms):
                    self._writer.drop_rooms_but(rooms)
                case Put(promise=promise):
                    self._writer.put(job)
                    notifications.append(partial(promise.resolve, None))
                case Post(room=room, message_id=message_id, event=event):
                    if message_id in seen:
                        continue
                    seen.add(message_id)
                    number = self._writer.post(job)
                    if number is not None and observer is not None:
                        notifications.append(
                            partial(observer.stored, room, message_id, number, event)
                        )
        return notifications

    def _roll_back(self) -> None:
        self._writer.roll_back()
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")

    def _report_failure(self, jobs: list[Job], error: Exception) -> list[Callable[[], None]]:
        """Return the notifications of a transaction that was rolled back; raise a bug."""
        observer = self._observer
        for job in jobs:
            if isinstance(job, Limit):  # it needs no disk, and applies from the next event on
                self._writer.retention.limit(job.room, job.maximum)
        full = isinstance(error, sqlite3.OperationalError) and "full" in str(error)
        reason = "the server's disk is full." if full else "the server cannot write it down."
        notifications: list[Callable[[], None]] = [
            partial(self.health.failed, str(error), reason, *_count(jobs))
        ]
        notifications += [
            partial(observer.failed, job.room, job.message_id, reason)
            for job in jobs
            if observer is not None and isinstance(job, Post)
        ]
        notifications += [
            partial(job.promise.fail, NotStoredError(reason))
            for job in jobs
            if isinstance(job, Put)
        ]
        if not isinstance(error, sqlite3.OperationalError):  # not the machine's fault
            self._main_thread.call_soon(partial(raises, error))
        return notifications

    def _prune(self) -> None:
        """Drop old events, a bounded number per transaction (in the write thread).

        It continues while no job is pending, so that users never wait for more than one such
        transaction.
        """
        before = None if self._days is None else self._now() - self._days * 86400
        more = True
        while more:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                more = self._writer.retention.prune(before)
                self._database.execute("COMMIT")
            except sqlite3.Error:
                self._roll_back()
                more = False
            if len(self._write_thread):
                break
        self._prune_at = monotonic() + (0.0 if more else PRUNE_SECONDS)

    def subscribe(self, room: str) -> None:
        """Do nothing: no other server posts."""

    def unsubscribe(self, room: str) -> None:
        """Do nothing: no other server posts."""

    # Reading --------------------------------------------------------------------------------------

    async def before(
        self, room: str, number: int | None, count: int, skip: int = 0
    ) -> Sequence[tuple[int, RoomEvent]]:
        """Return the last ``count`` events below ``number`` and before ``skip`` more."""
        return await self._read(
            lambda database: queries.before(database, room, number, count, skip)
        )

    async def after(self, room: str, number: int, count: int) -> Sequence[tuple[int, RoomEvent]]:
        """Return the first ``count`` events numbered above ``number``, oldest first."""
        return await self._read(lambda database: queries.after(database, room, number, count))

    async def count(self, room: str, above: int, below: int) -> int:
        """Return how many events are numbered between two numbers."""
        return await self._read(lambda database: queries.count(database, room, above, below))

    async def last_by(
        self, room: str, nick: str, account: str | None = None
    ) -> tuple[int, KeptEvent] | None:
        """Return the last message of a nick in a room."""
        return await self._read(lambda database: queries.last_by(database, room, nick, account))

    async def search(
        self, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
    ) -> Sequence[tuple[str, int, KeptEvent]]:
        """Return matches in some rooms, newest first."""
        return await self._read(
            lambda database: queries.search(database, rooms, search, skip, count),
            self._search_thread,
        )

    async def _read(self, query: Query[Result], thread: ReadThread | None = None) -> Result:
        """Return the result of a query that sees everything that was posted before.

        It is queued with the writer's jobs, and runs in a read thread after that commit.
        """
        promise = self._main_thread.promise()
        thread = self._read_thread if thread is None else thread
        self._write_thread.do(Read(partial(thread.do, query, promise)))
        return cast(Result, await promise)

    # Records --------------------------------------------------------------------------------------

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        """Put records in place of those with their keys, in one transaction.

        :raises NotStoredError: from the awaitable, if they are not stored.
        """
        promise = self._main_thread.promise()
        self._write_thread.do(Put(records, promise))
        return promise

    def put_quietly(self, record: Record, written: Written) -> None:
        """Put a record that nobody waits for; ``written`` is called with the outcome."""
        self._write_thread.do(Put([record], Quietly(written)))

    async def records(self, kind: str) -> Mapping[str, str]:
        """Return the records of a kind, by their keys."""
        query = "SELECT key, value FROM record WHERE kind = ?"
        return await self._read(lambda database: dict(database.execute(query, (kind,))))

    # Nicks, and the end ---------------------------------------------------------------------------

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Claim a nick; only one process uses the file, so claims in memory are enough."""
        return self._claims.claim(nick, holder, owner=owner)

    def release(self, nick: str, holder: str) -> None:
        """Release a nick, if this holder has it."""
        self._claims.release(nick, holder)

    async def close(self) -> None:
        """Store all pending posts, then end.

        :raises NotClosedError: when the disk has not taken them within `CLOSE_SECONDS`.
        """
        promise = self._main_thread.promise()
        run_within(CLOSE_SECONDS, self._close, self._main_thread, promise)
        if not await promise:
            lines = sum(
                isinstance(job, Post) and isinstance(job.event, KeptEvent | Change)
                for job in self._write_thread.unfinished
            )
            counted = f"{lines} line{'s' * (lines != 1)} {'was' if lines == 1 else 'were'}"
            raise NotClosedError(
                f"{counted} not taken in {CLOSE_SECONDS:.0f} s; nobody was told that they are kept"
            )

    def _close(self) -> None:
        """Do the pending jobs, and close the file; blocks until they are on disk."""
        self._write_thread.end()
        self._write_thread.join()
        self._search_thread.close()
        self._read_thread.close()
        self._database.execute("PRAGMA busy_timeout = 0")  # a checkpoint does not wait for readers
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._database.close()
        os.close(self._lock)


def _count(jobs: list[Job]) -> tuple[int, int]:
    """Return how many stored events, and how many records, jobs write."""
    lines = changes = 0
    for job in jobs:
        if isinstance(job, Post):
            lines += isinstance(job.event, KeptEvent | Change)
        elif isinstance(job, Put):
            changes += len(job.records)
    return lines, changes


def _take_lock(path: Path) -> int:
    """Lock a database for this process; return a descriptor that holds the lock.

    :raises StoreError: when another process has it, or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{error.strerror}: {error.filename}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StoreError(f"another chatd is using {path}") from None
    return lock


def _header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(100)


def _upgrade_tables(path: Path, notify: Callable[[str], object] | None) -> float | None:
    """Upgrade the tables of a database; return the time of the last event, if there is one.

    :raises StoreError: when it is not a chatd database, is damaged, or of a newer version.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if _header(path)[18:19] == b"\x01":  # not in WAL mode, to which `connect` would change it
            read_only = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
            with closing(read_only) as database:
                schema.check(database)
        with closing(connect(path)) as database:
            schema.upgrade(database, notify=notify)
            query = "SELECT time FROM event WHERE typeof(time) = 'real' ORDER BY id DESC LIMIT 1"
            last = database.execute(query).fetchone()
            return None if last is None else float(last[0])
    except OSError as error:
        raise StoreError(f"{error.strerror}: {error.filename}") from None
    except (sqlite3.Error, schema.SchemaError) as error:
        raise StoreError(f"{path}: {disk.explained(error, path.parent)}") from None
