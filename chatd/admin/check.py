"""Whether a database is whole: what SQLite says of it, and what chatd relies on.

It knows the tables; it changes nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from chatd.admin import forgotten
from chatd.chat.search import folded

#: Faults of one kind that are told one by one.
TOLD = 10
#: Kinds of events that this chatd can read.
_KINDS = ("said", "acted", "topic")


def plural(count: int, what: str) -> str:
    """A number of things."""
    return f"{count} {what}{'s' * (count != 1)}"


def counted(database: sqlite3.Connection) -> tuple[int, int]:
    """How many messages there are, in how many rooms."""
    query = (
        "SELECT count(event.id), count(DISTINCT room.id) FROM room"
        " LEFT JOIN event ON event.room = room.id WHERE room.name IS NOT NULL"
    )
    messages, rooms = database.execute(query).fetchone()
    return int(messages), int(rooms)


def faults(database: sqlite3.Connection) -> Iterator[str]:
    """Look for what is wrong with a database, in sentences; best inside one transaction."""
    looks: tuple[Callable[[sqlite3.Connection], Iterator[str]], ...] = (
        _pages,
        _references,
        _kinds,
        _types,
        _index,
        _words,
        _gaps,
    )
    for look in looks:
        try:
            yield from look(database)
        except sqlite3.Error as why:
            yield f"SQLite cannot read on: {why}."
        except (TypeError, ValueError):
            yield "A value is not of its type."


def _pages(database: sqlite3.Connection) -> Iterator[str]:
    for (text,) in database.execute(f"PRAGMA integrity_check({TOLD})"):
        if text != "ok":
            yield f"SQLite says: {' '.join(text.split())}."


def _references(database: sqlite3.Connection) -> Iterator[str]:
    count = sum(1 for _ in database.execute("PRAGMA foreign_key_check"))
    if count:
        yield f"{plural(count, 'message')} of a room that is not there."


def _kinds(database: sqlite3.Connection) -> Iterator[str]:
    query = "SELECT DISTINCT kind FROM event WHERE kind NOT IN (?, ?, ?) LIMIT ?"
    for (kind,) in database.execute(query, (*_KINDS, TOLD)):
        yield f"Messages of a kind that this chatd does not know: {kind}."


def _types(database: sqlite3.Connection) -> Iterator[str]:
    query = (
        "SELECT count(*) FROM event WHERE typeof(number) <> 'integer' OR typeof(time) <> 'real'"
        " OR typeof(nick) <> 'text' OR typeof(author) <> 'text' OR typeof(text) <> 'text'"
    )
    (count,) = database.execute(query).fetchone()
    if count:
        yield f"{plural(count, 'message')} with a value that is not of its type."


def _index(database: sqlite3.Connection) -> Iterator[str]:
    """See that the search index has an entry of every message, and of nothing else."""
    indexed, kept = "SELECT rowid FROM search", "SELECT id FROM event"
    missing, spare = (
        int(database.execute(f"SELECT count(*) FROM ({one} EXCEPT {other})").fetchone()[0])
        for one, other in ((kept, indexed), (indexed, kept))
    )
    if missing:
        yield f"{plural(missing, 'message')} without an entry in the search index."
    if spare:
        yield f"{plural(spare, 'entry')} of the search index without a message.".replace(
            "entrys", "entries"
        )


def _words(database: sqlite3.Connection) -> Iterator[str]:
    """See that the newest messages are found by their first words."""
    found = "SELECT 1 FROM search WHERE search MATCH ? AND rowid = ?"
    newest = "SELECT id, text FROM event ORDER BY id DESC LIMIT 1000"
    lost = 0
    for ident, text in database.execute(newest):
        words = folded(text).split(" ", 1)[0]
        if words and database.execute(found, (f'"{words}"', ident)).fetchone() is None:
            lost += 1
    if lost:
        yield f"{plural(lost, 'message')} that the search index does not find."


def _gaps(database: sqlite3.Connection) -> Iterator[str]:
    """See that the numbers of each room rise by one from its oldest message on."""
    rooms = "SELECT id, name, last FROM room WHERE name IS NOT NULL ORDER BY name"
    for ident, name, last in database.execute(rooms).fetchall():
        gone = forgotten.runs(database, name)
        gaps = ((gap, forgotten.lost(gap, gone)) for gap in _jumps(database, ident, last))
        losses = [(gap, count) for gap, count in gaps if count]
        for (first, until), count in losses[:TOLD]:
            between = f"the numbers {first} to {until}" if until > first else f"number {first}"
            yield f"{name} lacks {plural(count, 'message')} of {between}."
        if len(losses) > TOLD:
            yield f"{name} lacks more in {plural(len(losses) - TOLD, 'place')}."
        highest = "SELECT max(number) FROM event WHERE room = ?"
        (number,) = database.execute(highest, (ident,)).fetchone()
        if number is not None and number > last:
            yield f"{name} has a message of number {number}, and believes its last is {last}."


def _jumps(database: sqlite3.Connection, ident: int, last: int) -> Iterator[tuple[int, int]]:
    """The runs of numbers that a room has no message of, but for one at its beginning."""
    before = None
    for (number,) in database.execute(
        "SELECT number FROM event WHERE room = ? ORDER BY number", (ident,)
    ):
        if before is not None and number > before + 1:
            yield before + 1, number - 1
        before = number
    if before is not None and before < last:
        yield before + 1, last
