"""Erased numbers: those of a forgotten user's messages, which would otherwise look like lost
messages.

They are records of the store, one for each run of numbers: the kind is `KIND`, the key the room
and the first number, the value the last number.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence

KIND = "forgotten"
Run = tuple[int, int]


def runs(database: sqlite3.Connection, room: str) -> list[Run]:
    """Return the erased numbers of a room: first and last of each run, lowest first."""
    query = "SELECT key, value FROM record WHERE kind = ?"
    split = ((key.rpartition(" "), last) for key, last in database.execute(query, (KIND,)))
    return sorted((int(first), int(last)) for (name, _, first), last in split if name == room)


def record(database: sqlite3.Connection, room: str, numbers: Iterable[int]) -> None:
    """Record the erased numbers of a room, in rising order; part of a transaction."""
    first = last = None
    for number in numbers:
        if first is None or last is None or number != last + 1:
            _put(database, room, first, last)
            first = number
        last = number
    _put(database, room, first, last)


def _put(database: sqlite3.Connection, room: str, first: int | None, last: int | None) -> None:
    if first is not None:
        row = (KIND, f"{room} {first}", str(last))
        database.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", row)


def drop_unknown_rooms(database: sqlite3.Connection) -> None:
    """Drop the records of rooms that no longer exist; part of a transaction."""
    known = {name for (name,) in database.execute("SELECT name FROM room")}
    for (key,) in database.execute("SELECT key FROM record WHERE kind = ?", (KIND,)).fetchall():
        if key.rpartition(" ")[0] not in known:
            database.execute("DELETE FROM record WHERE kind = ? AND key = ?", (KIND, key))


def count_unexplained(gap: Run, gone: Sequence[Run]) -> int:
    """Return how many numbers of a gap, from its first to its last, are in no run of ``gone``.

    The runs are sorted, lowest first, and do not overlap.
    """
    first, last = gap
    known = 0
    for at in range(bisect_left(gone, first, key=_end), len(gone)):
        begin, end = gone[at]
        if begin > last:
            break
        known += min(last, end) - max(first, begin) + 1
    return last - first + 1 - known


def _end(run: Run) -> int:
    return run[1]
