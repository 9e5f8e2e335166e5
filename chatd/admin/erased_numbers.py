"""Numbers that are gone because somebody was forgotten: without this they would look like a loss.

They are records of the store, one for each run of numbers: the kind is `KIND`, the key the room
and the first number, the value the last.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections.abc import Iterable, Sequence

KIND = "forgotten"
Run = tuple[int, int]


def runs(database: sqlite3.Connection, room: str) -> list[Run]:
    """The numbers of a room that are gone: first and last of each run, lowest first."""
    query = "SELECT key, value FROM record WHERE kind = ?"
    parted = ((key.rpartition(" "), last) for key, last in database.execute(query, (KIND,)))
    return sorted((int(first), int(last)) for (name, _, first), last in parted if name == room)


def record(database: sqlite3.Connection, room: str, numbers: Iterable[int]) -> None:
    """Note that numbers of a room, in rising order, are gone; part of a transaction."""
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
    """Drop the records of rooms that are no more; part of a transaction."""
    known = {name for (name,) in database.execute("SELECT name FROM room")}
    for (key,) in database.execute("SELECT key FROM record WHERE kind = ?", (KIND,)).fetchall():
        if key.rpartition(" ")[0] not in known:
            database.execute("DELETE FROM record WHERE kind = ? AND key = ?", (KIND, key))


def count_unexplained(gap: Run, gone: Sequence[Run]) -> int:
    """How many numbers of a gap, from its first to its last, are missing for no known reason.

    The runs come lowest first, and none has a number of another.
    """
    first, last = gap
    known = 0
    for place in range(bisect_left(gone, first, key=_end), len(gone)):
        begin, end = gone[place]
        if begin > last:
            break
        known += min(last, end) - max(first, begin) + 1
    return last - first + 1 - known


def _end(run: Run) -> int:
    return run[1]
