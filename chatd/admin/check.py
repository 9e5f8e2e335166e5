"""Consistency check of a database: SQLite's own check, and chatd's invariants.

It knows the tables; it changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from chatd.admin import erased_numbers
from chatd.chat.text.query import folded
from chatd.store.sqlite.search_index import BLOCK, is_by, is_in, room_of_mark

#: The most faults of one kind that are reported individually.
REPORTED = 10
#: Kinds of events that this chatd can read.
_KINDS = ("said", "acted", "topic")


def plural(count: int, what: str) -> str:
    """Return a number with a noun, in the plural if required."""
    return f"{count} {what}{'s' * (count != 1)}"


def count_messages(database: sqlite3.Connection) -> tuple[int, int]:
    """Return how many messages there are, and in how many rooms."""
    query = (
        "SELECT count(event.id), count(DISTINCT room.id) FROM room"
        " LEFT JOIN event ON event.room = room.id WHERE room.name IS NOT NULL"
    )
    messages, rooms = database.execute(query).fetchone()
    return int(messages), int(rooms)


def find_faults(database: sqlite3.Connection) -> Iterator[str]:
    """Return the faults of a database as sentences; best called inside one transaction."""
    checks: tuple[Callable[[sqlite3.Connection], Iterator[str]], ...] = (
        _pages,
        _references,
        _kinds,
        _types,
        _index,
        _words,
        _spans,
        _gaps,
    )
    for check in checks:
        try:
            yield from check(database)
        except sqlite3.Error as why:
            yield f"SQLite cannot read on: {why}."
        except (TypeError, ValueError):
            yield "A value is not of its type."


def _pages(database: sqlite3.Connection) -> Iterator[str]:
    for (text,) in database.execute(f"PRAGMA integrity_check({REPORTED})"):
        if text != "ok":
            yield f"SQLite says: {' '.join(text.split())}."


def _references(database: sqlite3.Connection) -> Iterator[str]:
    count = sum(1 for _ in database.execute("PRAGMA foreign_key_check"))
    if count:
        yield f"{plural(count, 'message')} of a room that is not there."


def _kinds(database: sqlite3.Connection) -> Iterator[str]:
    query = "SELECT DISTINCT kind FROM event WHERE kind NOT IN (?, ?, ?) LIMIT ?"
    for (kind,) in database.execute(query, (*_KINDS, REPORTED)):
        yield f"Messages of a kind that this chatd does not know: {kind}."


def _types(database: sqlite3.Connection) -> Iterator[str]:
    query = (
        "SELECT count(*) FROM event WHERE typeof(number) <> 'integer' OR typeof(time) <> 'real'"
        " OR typeof(nick) <> 'text' OR typeof(author) <> 'text' OR typeof(text) <> 'text'"
        " OR typeof(account) <> 'text' OR edited NOT IN (0, 1)"
    )
    (count,) = database.execute(query).fetchone()
    if count:
        yield f"{plural(count, 'message')} with a value that is not of its type."


def _index(database: sqlite3.Connection) -> Iterator[str]:
    """Check that the search index has an entry for every message, and for nothing else."""
    missing = spare = 0
    for room in _indexed_rooms(database):
        one, other = "SELECT id FROM event WHERE room = ?", "SELECT rowid FROM search(?)"
        values = (room, is_in([room]))
        query = f"SELECT count(*) FROM ({one} EXCEPT {other})"
        missing += int(database.execute(query, values).fetchone()[0])
        query = f"SELECT count(*) FROM ({other} EXCEPT {one})"
        spare += int(database.execute(query, values[::-1]).fetchone()[0])
    if missing:
        yield f"{plural(missing, 'message')} without an entry in the search index."
    if spare:
        yield f"{plural(spare, 'entry')} of the search index without a message.".replace(
            "entrys", "entries"
        )


def _indexed_rooms(database: sqlite3.Connection) -> list[int]:
    """Return the rooms that have messages or entries in the search index."""
    database.execute("CREATE VIRTUAL TABLE temp.term USING fts5vocab(main, search, row)")
    try:
        marks = [room_of_mark(term) for (term,) in database.execute("SELECT term FROM term")]
    finally:
        database.execute("DROP TABLE temp.term")
    rooms = {room for (room,) in database.execute("SELECT DISTINCT room FROM event")}
    return sorted(rooms.union(mark for mark in marks if mark is not None))


def _spans(database: sqlite3.Connection) -> Iterator[str]:
    """Check that the messages of each block are within the times that are stored for it."""
    query = (
        f"SELECT count(*) FROM event LEFT JOIN span ON span.block = event.id / {BLOCK}"
        " WHERE span.block IS NULL OR time < first OR time > last"
    )
    (count,) = database.execute(query).fetchone()
    if count:
        yield f"{plural(count, 'message')} that a search by day may not find."


def _words(database: sqlite3.Connection) -> Iterator[str]:
    """Check that the newest messages are found by their authors and their first words."""
    found = "SELECT 1 FROM search WHERE search MATCH ? AND rowid = ?"
    newest = "SELECT id, author, text FROM event ORDER BY id DESC LIMIT 1000"
    lost = 0
    for ident, author, text in database.execute(newest):
        word = folded(text).partition(" ")[0]
        match = f'{is_by(author)} AND "{word}"' if word else is_by(author)
        if database.execute(found, (match, ident)).fetchone() is None:
            lost += 1
    if lost:
        yield f"{plural(lost, 'message')} that the search index does not find."


def _gaps(database: sqlite3.Connection) -> Iterator[str]:
    """Check that the numbers of each room rise by one from its oldest message on."""
    rooms = "SELECT id, name, last FROM room WHERE name IS NOT NULL ORDER BY name"
    for ident, name, last in database.execute(rooms).fetchall():
        gone = sorted([*erased_numbers.runs(database, name), *_deleted(database, ident)])
        gaps = (
            (gap, erased_numbers.count_unexplained(gap, gone))
            for gap in _jumps(database, ident, last)
        )
        losses = [(gap, count) for gap, count in gaps if count]
        for (first, until), count in losses[:REPORTED]:
            between = f"the numbers {first} to {until}" if until > first else f"number {first}"
            yield f"{name} lacks {plural(count, 'message')} of {between}."
        if len(losses) > REPORTED:
            yield f"{name} lacks more in {plural(len(losses) - REPORTED, 'place')}."
        highest = "SELECT max(number) FROM event WHERE room = ?"
        (number,) = database.execute(highest, (ident,)).fetchone()
        if number is not None and number > last:
            yield f"{name} has a message of number {number}, and believes its last is {last}."


def _deleted(database: sqlite3.Connection, ident: int) -> Iterator[erased_numbers.Run]:
    """Return the numbers of a room's messages that users have deleted."""
    query = "SELECT number FROM deleted WHERE room = ?"
    return ((number, number) for (number,) in database.execute(query, (ident,)))


def _jumps(database: sqlite3.Connection, ident: int, last: int) -> Iterator[tuple[int, int]]:
    """Return the runs of numbers without a message in a room, except the run at its beginning."""
    before = None
    for (number,) in database.execute(
        "SELECT number FROM event WHERE room = ? ORDER BY number", (ident,)
    ):
        if before is not None and number > before + 1:
            yield before + 1, number - 1
        before = number
    if before is not None and before < last:
        yield before + 1, last
