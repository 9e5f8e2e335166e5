"""What is done with the tables of the SQLite store, each job as part of a transaction.

It knows the tables; threads, and who is told of what, are `chatd.store.sqlite`'s.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chatd.chat.events import Acted, KeptEvent, RoomEvent, Said, TopicSet
from chatd.chat.limits import MESSAGE_IDS
from chatd.chat.people import fold
from chatd.chat.search import folded, text_of
from chatd.store.turn import Answer

#: Events that are dropped in one transaction when they are too old or their room is gone.
PRUNED = 500

#: The columns of an event, as `event_from` takes them.
EVENT = "event.number, event.time, event.kind, event.nick, event.text"

_KINDS: dict[str, Callable[[float, str, str], KeptEvent]] = {
    "said": Said,
    "acted": Acted,
    "topic": TopicSet,
}
_KIND_OF: dict[type[KeptEvent], str] = {Said: "said", Acted: "acted", TopicSet: "topic"}


def event_from(row: Sequence[Any]) -> tuple[int, KeptEvent]:
    """The number and the event of a row with the columns of ``EVENT``."""
    number, time, kind, nick, text = row
    return number, _KINDS[kind](time, nick, text)


@dataclass(frozen=True, slots=True)
class Post:
    """Put an event into the order of a room."""

    room: str
    message_id: str
    event: RoomEvent


@dataclass(frozen=True, slots=True)
class Forget:
    """Let a room be gone."""

    room: str


@dataclass(frozen=True, slots=True)
class Retain:
    """Let every room be gone but these."""

    rooms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Put:
    """Keep a record, or drop it, and say so."""

    kind: str
    key: str
    value: str | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class Look:
    """Look something up once everything before it is committed."""

    look: Callable[[], None]


Job = Post | Forget | Retain | Put | Look


class Tables:
    """What the writer does with the database; each method is part of a transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self.database = database
        self._rooms: dict[str, tuple[int, int]] = {}
        self._last: dict[int, int] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()

    def roll_back(self) -> None:
        """The transaction came to nothing: what was learnt from it is not so."""
        self._rooms.clear()
        self._last.clear()

    def post(self, post: Post) -> int | None:
        """Keep an event; return its number, or None when it was kept before."""
        room = self._rooms.get(post.room) or self._find(post.room)
        event = post.event
        if not isinstance(event, KeptEvent):
            return room[1]
        if post.message_id in self._seen:
            return None
        ident, number = room[0], room[1] + 1
        text = text_of(event)
        cursor = self.database.execute(
            "INSERT INTO event (room, number, time, kind, nick, author, text)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (ident, number, event.time, _KIND_OF[type(event)], event.nick, fold(event.nick), text),
        )
        self.database.execute(
            "INSERT INTO search (rowid, words) VALUES (?, ?)", (cursor.lastrowid, folded(text))
        )
        self._last[ident] = number
        self._rooms[post.room] = (ident, number)
        return number

    def finish(self) -> None:
        """Before the transaction is committed: what is written once for all that is in it."""
        if self._last:
            last = [(number, ident) for ident, number in self._last.items()]
            self.database.executemany("UPDATE room SET last = ? WHERE id = ?", last)
            self._last.clear()

    def remember(self, posts: list[Post]) -> None:
        """These are kept for good: the same ids are not kept again."""
        for post in posts:
            self._seen[post.message_id] = None
        while len(self._seen) > MESSAGE_IDS:
            self._seen.popitem(last=False)

    def _find(self, room: str) -> tuple[int, int]:
        """The number of a room in the tables, and of its last event; a new room is made."""
        row = self.database.execute("SELECT id, last FROM room WHERE name = ?", (room,)).fetchone()
        if row is None:
            made = self.database.execute("INSERT INTO room (name, last) VALUES (?, 0)", (room,))
            row = (made.lastrowid, 0)
        found = self._rooms[room] = (int(row[0]), int(row[1]))
        return found

    def forget(self, room: str) -> None:
        """A room is gone; its events go later, some at a time."""
        self._rooms.pop(room, None)
        self.database.execute("UPDATE room SET name = NULL WHERE name = ?", (room,))

    def retain(self, rooms: tuple[str, ...]) -> None:
        """All rooms are gone but these; their events go later, some at a time."""
        self.finish()  # what is read anew has to be written
        self._rooms.clear()
        others = "name NOT IN (SELECT value FROM json_each(?))"
        self.database.execute(f"UPDATE room SET name = NULL WHERE {others}", (json.dumps(rooms),))

    def put(self, put: Put) -> None:
        """Keep or drop a record."""
        self.database.execute("DELETE FROM record WHERE kind = ? AND key = ?", (put.kind, put.key))
        if put.value is not None:
            row = (put.kind, put.key, put.value)
            self.database.execute("INSERT INTO record VALUES (?, ?, ?)", row)

    def prune(self, before: float | None) -> bool:
        """Drop some events of rooms that are gone, or from before a time; say if there are more."""
        rows = self.database.execute(
            "SELECT id, text FROM event WHERE room IN (SELECT id FROM room WHERE name IS NULL)"
            " LIMIT ?",
            (PRUNED,),
        ).fetchall()
        if not rows:
            self.database.execute("DELETE FROM room WHERE name IS NULL")
            if before is not None:
                oldest = "SELECT id, text, time FROM event ORDER BY id LIMIT ?"
                rows = [
                    (ident, text)
                    for ident, text, time in self.database.execute(oldest, (PRUNED,))
                    if time < before
                ]
        for ident, text in rows:
            self.database.execute(
                "INSERT INTO search (search, rowid, words) VALUES ('delete', ?, ?)",
                (ident, folded(text)),
            )
            self.database.execute("DELETE FROM event WHERE id = ?", (ident,))
        return len(rows) == PRUNED
