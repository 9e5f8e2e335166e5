"""Jobs of the SQLite store's writer, each part of a transaction.

It knows the tables; threads and notifications belong to `chatd.store.sqlite.store`.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chatd.chat.events import Acted, Change, Edited, KeptEvent, RoomEvent, Said, TopicSet
from chatd.chat.limits import MESSAGE_IDS
from chatd.chat.store import Record
from chatd.chat.text.names import fold
from chatd.chat.text.query import text_of
from chatd.store.sqlite.retention import Retention, drop
from chatd.store.sqlite.search_index import BLOCK, indexed
from chatd.store.threads.main_thread import Outcome

#: The columns of an event, as `event_from` takes them.
EVENT = "event.number, event.time, event.kind, event.nick, event.text, event.edited"

_KINDS: dict[str, Callable[[float, str, str], KeptEvent]] = {
    "said": Said,
    "acted": Acted,
    "topic": TopicSet,
}
_INDEX = "INSERT INTO search (rowid, words) VALUES (?, ?)"
_EDITABLE: dict[str, type[Said | Acted]] = {"said": Said, "acted": Acted}
_KIND_OF: dict[type[KeptEvent], str] = {Said: "said", Acted: "acted", TopicSet: "topic"}


def event_from(row: Sequence[Any]) -> tuple[int, KeptEvent]:
    """Return the number and the event of a row with the columns of ``EVENT``."""
    number, time, kind, nick, text, edited = row
    if edited:
        return number, _EDITABLE[kind](time, nick, text, True)
    return number, _KINDS[kind](time, nick, text)


@dataclass(frozen=True, slots=True)
class Post:
    """Store an event in a room, or apply a change there."""

    room: str
    message_id: str
    event: RoomEvent
    account: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """Keep at most so many events of a room; None: without a limit."""

    room: str
    maximum: int | None


@dataclass(frozen=True, slots=True)
class DropRoom:
    """Drop a room."""

    room: str


@dataclass(frozen=True, slots=True)
class DropRoomsBut:
    """Drop every room but these."""

    rooms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Put:
    """Put some records, and resolve a promise."""

    records: Sequence[Record]
    promise: Outcome


@dataclass(frozen=True, slots=True)
class Read:
    """Start a query of a read thread once everything before it is committed."""

    start: Callable[[], None]


Job = Post | Limit | DropRoom | DropRoomsBut | Put | Read


class Writer:
    """Does the writer's jobs; each method is part of a transaction.

    Rows are gathered and inserted by `finish`, with one ``executemany`` per table.  ``_rooms``
    caches room ids and last numbers, ``_seen`` the last `MESSAGE_IDS` message ids.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self.retention = Retention(database)
        self._rooms: dict[str, tuple[int, int]] = {}
        self._last: dict[int, int] = {}
        self._spans: dict[int, tuple[float, float]] = {}
        self._events: list[tuple[object, ...]] = []
        self._words: list[tuple[int, str]] = []
        self._last_event_id = 0
        self._seen: OrderedDict[str, None] = OrderedDict()

    def roll_back(self) -> None:
        """Discard what was gathered and cached in a transaction that was rolled back."""
        self._rooms.clear()
        self._last.clear()
        self._spans.clear()
        self._events.clear()
        self._words.clear()
        self._last_event_id = 0
        self.retention.roll_back()

    def post(self, post: Post) -> int | None:
        """Store an event or apply a change; return its number, or None for a repetition."""
        room = self._rooms.get(post.room) or self._load_room(post.room)
        event = post.event
        if not isinstance(event, KeptEvent | Change):
            return room[1]
        if post.message_id in self._seen:
            return None
        room_id, number = room
        if isinstance(event, Change):
            self._insert()
            self._change(room_id, event)
            return number
        number += 1
        self._add(room_id, number, event, post.account)
        self._last[room_id] = number
        self._rooms[post.room] = (room_id, number)
        self.retention.added(post.room, room_id)
        return number

    def _add(self, room: int, number: int, event: KeptEvent, account: str) -> None:
        """Gather the rows of an event."""
        if not self._last_event_id:
            (last,) = self.database.execute("SELECT max(id) FROM event").fetchone()
            self._last_event_id = last or 0
        self._last_event_id = row_id = self._last_event_id + 1
        time, nick, text, author = event.time, event.nick, text_of(event), fold(event.nick)
        kind = _KIND_OF[type(event)]
        self._events.append((row_id, room, number, time, kind, nick, author, text, account))
        self._words.append((row_id, indexed(room, author, text)))
        first, last = self._spans.get(row_id // BLOCK, (time, time))
        self._spans[row_id // BLOCK] = (min(first, time), max(last, time))

    def _insert(self) -> None:
        """Insert the gathered rows: before a change, which may affect one, and at the end."""
        if self._events:
            self.database.executemany(
                "INSERT INTO event (id, room, number, time, kind, nick, author, text, account)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                self._events,
            )
            self._events.clear()
            self.database.executemany(_INDEX, self._words)
            self._words.clear()

    def _change(self, room: int, change: Change) -> None:
        """Apply a change, unless its event was dropped.

        The search index stores no text (``content=''``), so a row can be changed only by deleting
        it with the words it was indexed with and inserting it again.
        """
        query = (
            "SELECT id, room, author, text, time, kind, nick, account FROM event"
            " WHERE room = ? AND number = ?"
        )
        row = self.database.execute(query, (room, change.number)).fetchone()
        if row is None or (isinstance(change, Edited) and row[5] not in _EDITABLE):
            return
        drop(self.database, [row[:4]])
        if isinstance(change, Edited):
            row_id, _, author, _, *others = row
            self.database.execute(
                "INSERT INTO event (id, room, author, text, time, kind, nick, account, number,"
                " edited) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
                (row_id, room, author, change.text, *others, change.number),
            )
            self.database.execute(_INDEX, (row_id, indexed(room, author, change.text)))
        else:
            gone = (room, change.number)
            self.database.execute("INSERT OR IGNORE INTO deleted VALUES (?, ?)", gone)
            self.retention.removed(room)

    def finish(self) -> None:
        """Write the data that is written once per transaction, before the commit."""
        self._insert()
        self._last_event_id = 0  # the last event may be pruned before the next one comes
        if self._last:
            last = [(number, row_id) for row_id, number in self._last.items()]
            self.database.executemany("UPDATE room SET last = ? WHERE id = ?", last)
            self._last.clear()
        if self._spans:
            rows = [(block, *times) for block, times in self._spans.items()]
            self.database.executemany(
                "INSERT INTO span VALUES (?, ?, ?) ON CONFLICT (block) DO UPDATE"
                " SET first = min(first, excluded.first), last = max(last, excluded.last)",
                rows,
            )
            self._spans.clear()
        self.retention.trim()

    def limit(self, limit: Limit) -> None:
        """Set the number of events a room keeps."""
        room = limit.room
        self.retention.limit(room, limit.maximum)
        self.retention.added(room, (self._rooms.get(room) or self._load_room(room))[0], 0)

    def remember(self, posts: list[Post]) -> None:
        """Remember the message ids of committed posts, so that a retry is not stored again."""
        for post in posts:
            self._seen[post.message_id] = None
        while len(self._seen) > MESSAGE_IDS:
            self._seen.popitem(last=False)

    def _load_room(self, room: str) -> tuple[int, int]:
        """Return the id of a room and its last number; a new room is inserted."""
        row = self.database.execute("SELECT id, last FROM room WHERE name = ?", (room,)).fetchone()
        if row is None:
            cursor = self.database.execute("INSERT INTO room (name, last) VALUES (?, 0)", (room,))
            row = (cursor.lastrowid, 0)
        loaded = self._rooms[room] = (int(row[0]), int(row[1]))
        return loaded

    def drop_room(self, room: str) -> None:
        """Remove the name of a room; its events are pruned later, some at a time."""
        known = self._rooms.pop(room, None)
        self.retention.drop_room(room, known[0] if known is not None else None)
        self.database.execute("UPDATE room SET name = NULL WHERE name = ?", (room,))

    def drop_rooms_but(self, rooms: tuple[str, ...]) -> None:
        """Remove the names of all rooms but these; their events are pruned later."""
        self.finish()  # the numbers of the rooms that are read again have to be written
        self._rooms.clear()
        self.retention.drop_rooms_but(rooms)
        others = "name NOT IN (SELECT value FROM json_each(?))"
        self.database.execute(f"UPDATE room SET name = NULL WHERE {others}", (json.dumps(rooms),))

    def put(self, put: Put) -> None:
        """Put or drop records."""
        for record in put.records:
            where = (record.kind, record.key)
            self.database.execute("DELETE FROM record WHERE kind = ? AND key = ?", where)
            if record.value is not None:
                self.database.execute("INSERT INTO record VALUES (?, ?, ?)", record)
