"""Deleting all that somebody has said, so that nothing of it is left in the file.

It knows the tables of events and of the search index.  What others said of them stays.
"""

from __future__ import annotations

import sqlite3

from chatd.admin import forgotten
from chatd.store.pruning import drop
from chatd.store.sqlite import StoreError


def said_by(database: sqlite3.Connection, author: str) -> int:
    """How many messages there are by a folded nick."""
    query = "SELECT count(*) FROM event WHERE author = ?"
    return int(database.execute(query, (author,)).fetchone()[0])


def forget(database: sqlite3.Connection, author: str) -> int:
    """Delete all messages by a folded nick, whole or not at all; return how many they were.

    The numbers of the others stay as they are; those that are gone are noted.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        _note(database, author)
        query = "SELECT id, room, author, text FROM event WHERE author = ?"
        rows = database.execute(query, (author,)).fetchall()
        drop(database, rows)
        count = len(rows)
        forgotten.tidy(database)
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
    return count


def _note(database: sqlite3.Connection, author: str) -> None:
    rooms = "SELECT id, name FROM room WHERE name IS NOT NULL"
    query = "SELECT number FROM event WHERE room = ? AND author = ? ORDER BY number"
    for ident, name in database.execute(rooms).fetchall():
        numbers = (number for (number,) in database.execute(query, (ident, author)))
        forgotten.record(database, name, numbers)


def scrub(database: sqlite3.Connection) -> None:
    """Write the file anew, without what was deleted from it; it needs as much room again.

    :raises StoreError: when there is no room, or somebody is reading in the old one.
    """
    # The index drops words only when it joins its parts, SQLite pages only when it rewrites all.
    try:
        database.execute("INSERT INTO search (search) VALUES ('optimize')")
        database.execute("VACUUM")
        (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as why:
        raise StoreError(str(why)) from None
    if busy:
        raise StoreError("somebody is reading the database")
