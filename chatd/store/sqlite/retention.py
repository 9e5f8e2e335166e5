"""Retention: drops removed rooms, old events, and events beyond a limit from the SQLite store.

It drops a bounded number at a time, as part of a transaction, so that posting never waits long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from chatd.store.sqlite.search_index import BLOCK, indexed

#: The most events of removed rooms, old events or events beyond a limit that one transaction drops.
PRUNED = 500

#: The columns of an event that are needed to drop it: its id, room, author and text.
Row = tuple[int, int, str, str]
_ROW = "SELECT id, room, author, text FROM event"
_UNINDEX = "INSERT INTO search (search, rowid, words) VALUES ('delete', ?, ?)"


def drop(database: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Drop events and their entries in the search index.

    The index stores no text, so a row of it is deleted by the words with which it was inserted
    (FTS5's ``delete`` command).
    """
    indexed_rows = [(room_id, indexed(room, author, text)) for room_id, room, author, text in rows]
    database.executemany(_UNINDEX, indexed_rows)
    database.executemany(
        "DELETE FROM event WHERE id = ?", [(room_id,) for room_id, _ in indexed_rows]
    )


class Retention:
    """The limits of rooms, the event numbers that they need, and the rooms beyond their limits."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._limits: dict[str, int] = {}
        self._counts: dict[int, int] = {}
        self._changed: dict[str, int] = {}

    def roll_back(self) -> None:
        """Discard the counts of a transaction that was rolled back."""
        self._counts.clear()
        self._changed.clear()

    def limit(self, room: str, maximum: int | None) -> None:
        """Keep at most so many events of a room; None: without a limit."""
        self._limits.pop(room, None)
        if maximum is not None:
            self._limits[room] = maximum

    def drop_room(self, room: str, room_id: int | None) -> None:
        """Forget a room that is gone; without its id, nothing was counted."""
        self.limit(room, None)
        if room_id is not None:
            self._counts.pop(room_id, None)

    def drop_rooms_but(self, rooms: Collection[str]) -> None:
        """Forget the limits of all rooms but these."""
        self._limits = {room: self._limits[room] for room in rooms if room in self._limits}

    def added(self, room: str, room_id: int, count: int = 1) -> None:
        """Count events added to the room with the id ``room_id``; or have it checked again."""
        if room in self._limits:
            if room_id in self._counts:
                self._counts[room_id] += count
            self._changed[room] = room_id
        else:
            self._counts.pop(room_id, None)  # a new limit counts again

    def removed(self, room_id: int, count: int = 1) -> None:
        """Count events that were removed from a room."""
        if room_id in self._counts:
            self._counts[room_id] -= count

    def trim(self) -> bool:
        """Drop the oldest events of rooms beyond their limits; return whether there are more."""
        for room, room_id in list(self._changed.items()):
            excess = self._count(room_id) - self._limits[room] if room in self._limits else 0
            if excess > 0:
                query = f"{_ROW} WHERE room = ? ORDER BY number LIMIT ?"
                self._drop(self._database.execute(query, (room_id, min(excess, PRUNED))).fetchall())
            if excess > PRUNED:
                return True
            del self._changed[room]
        return False

    def _count(self, room_id: int) -> int:
        if room_id not in self._counts:
            query = "SELECT count(*) FROM event WHERE room = ?"
            self._counts[room_id] = int(self._database.execute(query, (room_id,)).fetchone()[0])
        return self._counts[room_id]

    def prune(self, before: float | None) -> bool:
        """Drop some events of removed rooms, of rooms beyond their limits, or from before a time.

        :return: whether there may be more.
        """
        query = f"{_ROW} WHERE room IN (SELECT id FROM room WHERE name IS NULL) LIMIT ?"
        rows = self._database.execute(query, (PRUNED,)).fetchall()
        if rows:
            self._drop(rows)
            return True
        gone = "SELECT id FROM room WHERE name IS NULL"
        self._database.execute(f"DELETE FROM deleted WHERE room IN ({gone})")
        self._database.execute("DELETE FROM room WHERE name IS NULL")
        return self.trim() or (before is not None and self._drop_older(before))

    def _drop_older(self, before: float) -> bool:
        query = f"{_ROW.replace('text', 'text, time')} ORDER BY id LIMIT ?"
        oldest = self._database.execute(query, (PRUNED,)).fetchall()
        rows = [row[:4] for row in oldest if row[4] < before]
        self._drop(rows)
        if rows:
            (first,) = self._database.execute("SELECT min(id) FROM event").fetchone()
            end = 2**62 if first is None else first
            self._database.execute("DELETE FROM span WHERE block < ?", (end // BLOCK,))
        return len(rows) == PRUNED

    def _drop(self, rows: list[Row]) -> None:
        """Drop the first events of rooms, and the marks of deleted events among them."""
        drop(self._database, rows)
        for room in {room for _, room, _, _ in rows}:
            self.removed(room, sum(row[1] == room for row in rows))
            self._database.execute(
                "DELETE FROM deleted WHERE room = ? AND number <"
                " (SELECT min(number) FROM event WHERE room = ?)",
                (room, room),
            )
