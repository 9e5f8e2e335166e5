"""Queries of the SQLite store: history and search.

Each function runs in one read transaction; threads belong to `chatd.store.sqlite.store`.  However
much is stored, a search reads little more than it returns: matches come from the search index,
newest first, with room and author among its words, and times bound the ids that are examined.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from chatd.chat.events import KeptEvent
from chatd.chat.text.query import SearchQuery
from chatd.store.sqlite.jobs import EVENT, event_from
from chatd.store.sqlite.search_index import BLOCK, has_phrase, is_by, is_in

#: The most rooms that a query of the index names individually.
NAMED = 64

Row = tuple[int, KeptEvent]
_OF_ROOM = f"SELECT {EVENT} FROM event WHERE room = (SELECT id FROM room WHERE name = ?) AND number"


def before(
    database: sqlite3.Connection, room: str, number: int | None, count: int, skip: int
) -> list[Row]:
    """Return the last ``count`` events below ``number`` and before ``skip`` more, oldest first."""
    below = 2**63 - 1 if number is None else number
    query = f"{_OF_ROOM} < ? ORDER BY number DESC LIMIT ? OFFSET ?"
    rows = database.execute(query, (room, below, count, skip)).fetchall()
    return [event_from(row) for row in reversed(rows)]


def after(database: sqlite3.Connection, room: str, number: int, count: int) -> list[Row]:
    """Return the first ``count`` events numbered above ``number``, oldest first."""
    query = f"{_OF_ROOM} > ? ORDER BY number LIMIT ?"
    return [event_from(row) for row in database.execute(query, (room, number, count))]


def count(database: sqlite3.Connection, room: str, above: int, below: int) -> int:
    """Return how many events are numbered between two numbers."""
    query = (
        "SELECT count(*) FROM event WHERE room = (SELECT id FROM room WHERE name = ?)"
        " AND number > ? AND number < ?"
    )
    (found,) = database.execute(query, (room, above, below)).fetchone()
    return int(found)


def last_by(
    database: sqlite3.Connection, room: str, author: str, account: str | None
) -> Row | None:
    """Return the last message in a room by a folded nick, or by an account under this nick."""
    room_ids = database.execute("SELECT id FROM room WHERE name = ?", (room,)).fetchone()
    if room_ids is None:
        return None
    query = (
        f"SELECT {EVENT} FROM search CROSS JOIN event ON event.id = search.rowid"
        " WHERE search MATCH ? AND event.kind IN ('said', 'acted')"
        " AND event.account = coalesce(?, event.account) ORDER BY search.rowid DESC LIMIT 1"
    )
    match = f"{is_in(room_ids)} AND {is_by(author)}"
    row = database.execute(query, (match, account)).fetchone()
    return event_from(row) if row is not None else None


def search(
    database: sqlite3.Connection, rooms: Sequence[str], search: SearchQuery, skip: int, count: int
) -> list[tuple[str, int, KeptEvent]]:
    """Return matches in some rooms, newest first.

    Without words to match, the events are read by their ids; otherwise the index comes first
    (``CROSS JOIN`` keeps SQLite from reordering the join), and its rowids are the ids.
    """
    tests: list[tuple[str, object]] = [
        # The + keeps SQLite from using the index on rooms, whose rows it would have to sort.
        (
            "+event.room IN (SELECT id FROM room WHERE name IN (SELECT value FROM json_each(?)))",
            json.dumps(list(rooms)),
        )
    ]
    fts_query = _fts_query(database, rooms, search)
    if fts_query is None:
        return []
    id_column = "search.rowid" if fts_query else "event.id"
    if fts_query:
        tests.append(("search MATCH ?", fts_query))
    if search.since is not None:
        tests.append(("event.time >= ?", search.since))
        tests.append((f"{id_column} >= ?", _first_id(database, search.since)))
    if search.until is not None:
        tests.append(("event.time < ?", search.until))
        tests.append((f"{id_column} < ?", _end_id(database, search.until)))
    tables = "search CROSS JOIN event ON event.id = search.rowid" if fts_query else "event"
    query = (
        f"SELECT room.name, {EVENT} FROM {tables} CROSS JOIN room ON room.id = event.room"
        f" WHERE {' AND '.join(test for test, _ in tests)}"
        f" ORDER BY {id_column} DESC LIMIT ? OFFSET ?"
    )
    values = [value for _, value in tests]
    return [
        (row[0], *event_from(row[1:])) for row in database.execute(query, [*values, count, skip])
    ]


def _fts_query(
    database: sqlite3.Connection, rooms: Sequence[str], search: SearchQuery
) -> str | None:
    """Return the FTS5 query of a search: empty for times only, None when no room is known."""
    terms = [has_phrase(phrase) for phrase in search.phrases]
    if search.author is not None:
        terms.append(is_by(search.author))
    if len(rooms) <= NAMED:
        query = "SELECT id FROM room WHERE name IN (SELECT value FROM json_each(?))"
        room_ids = [room_id for (room_id,) in database.execute(query, (json.dumps(list(rooms)),))]
        return " AND ".join([is_in(room_ids), *terms]) if room_ids else None
    others = _largest_other_rooms(database, rooms) if terms else []
    found = " AND ".join(terms)
    return f"({found}) NOT {is_in(others)}" if others else found


def _largest_other_rooms(database: sqlite3.Connection, rooms: Sequence[str]) -> list[int]:
    """Return the largest of the other rooms: if excluded, their matches need not be skipped."""
    query = (
        "SELECT id FROM room WHERE name IS NULL OR name NOT IN (SELECT value FROM json_each(?))"
        " ORDER BY last DESC LIMIT ?"
    )
    return [room_id for (room_id,) in database.execute(query, (json.dumps(list(rooms)), NAMED))]


def _first_id(database: sqlite3.Connection, since: float) -> int:
    """Return an id below which no event is as late as ``since``, however the clock was set."""
    query = "SELECT min(block) FROM span WHERE last >= ?"
    (block,) = database.execute(query, (since,)).fetchone()
    return 2**62 if block is None else int(block) * BLOCK


def _end_id(database: sqlite3.Connection, until: float) -> int:
    """Return an id from which on no event is as early as ``until``."""
    query = "SELECT max(block) FROM span WHERE first < ?"
    (block,) = database.execute(query, (until,)).fetchone()
    return 0 if block is None else (int(block) + 1) * BLOCK
