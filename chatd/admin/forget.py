"""Deleting an account and all that its owner has said, so that nothing of it is left in the file.

It knows the tables of events and of records.  What others said of them stays, and so do rooms.
"""

from __future__ import annotations

import json
import sqlite3

from chatd.admin import erased_numbers
from chatd.chat.events import Role
from chatd.chat.model.people import fold
from chatd.chat.records import accounts, offline_messages, persistent_rooms, profiles
from chatd.store.sqlite.retention import drop
from chatd.store.sqlite.store import StoreError

#: What was said under a nick, or under others by the account of that name.
_BY_USER = "(author = :nick OR account = :nick)"


def count_messages_by(database: sqlite3.Connection, nick: str) -> int:
    """How many messages there are by a folded nick, or by its owner under others."""
    query = f"SELECT count(*) FROM event WHERE {_BY_USER}"
    return int(database.execute(query, {"nick": nick}).fetchone()[0])


def has_account(database: sqlite3.Connection, nick: str) -> bool:
    """Whether a folded nick is an account's."""
    return _value(database, accounts.KIND, nick) is not None


def forget(database: sqlite3.Connection, nick: str) -> int:
    """Delete an account, if there is one, and all messages by a folded nick or by its owner.

    It is done whole or not at all.  The numbers of other messages stay as they are; those that
    are gone are noted.

    :return: how many messages they were.
    :raises StoreError: when there is a record that cannot be read.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        _forget_offline_messages(database, nick)
        _forget_in_rooms(database, nick)
        for kind in (accounts.KIND, offline_messages.KIND, profiles.KIND):
            _put(database, kind, nick, None)
        _record_numbers(database, nick)
        query = f"SELECT id, room, author, text FROM event WHERE {_BY_USER}"
        rows = database.execute(query, {"nick": nick}).fetchall()
        drop(database, rows)
        erased_numbers.drop_unknown_rooms(database)
    except (AttributeError, LookupError, TypeError, ValueError):
        database.execute("ROLLBACK")
        raise StoreError("a record is none that this chatd knows") from None
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")
    return len(rows)


def _forget_offline_messages(database: sqlite3.Connection, nick: str) -> None:
    """Delete what they wrote to others alone and what nobody has read yet."""
    for key, value in _records(database, offline_messages.KIND):
        waiting = json.loads(value)
        left = [row for row in waiting if fold(row[1]) != nick]
        if len(left) < len(waiting):
            _put(database, offline_messages.KIND, key, json.dumps(left) if left else None)


def _forget_in_rooms(database: sqlite3.Connection, nick: str) -> None:
    """Take them out of those who look after rooms; where nobody else owns one, a moderator does."""
    for key, value in _records(database, persistent_rooms.KIND):
        room = json.loads(value)
        keepers = room["keepers"]
        if keepers.pop(nick, None) == Role.OWNER.value and Role.OWNER.value not in keepers.values():
            heir = next(iter(keepers), None)  # all the others are moderators, the first came first
            if heir is not None:
                keepers[heir] = Role.OWNER.value
        if _is_topic_of(database, room["id"], nick):
            room["topic"] = ""
        _put(database, persistent_rooms.KIND, key, json.dumps(room))


def _is_topic_of(database: sqlite3.Connection, room: str, nick: str) -> bool:
    """Whether it was they who set the topic of a room."""
    query = (
        f"SELECT {_BY_USER} FROM event WHERE room = (SELECT id FROM room WHERE name = :room)"
        " AND kind = 'topic' ORDER BY number DESC LIMIT 1"
    )
    row = database.execute(query, {"nick": nick, "room": room}).fetchone()
    return row is not None and bool(row[0])


def _value(database: sqlite3.Connection, kind: str, key: str) -> str | None:
    query = "SELECT value FROM record WHERE kind = ? AND key = ?"
    row = database.execute(query, (kind, key)).fetchone()
    return None if row is None else str(row[0])


def _records(database: sqlite3.Connection, kind: str) -> list[tuple[str, str]]:
    return database.execute("SELECT key, value FROM record WHERE kind = ?", (kind,)).fetchall()


def _put(database: sqlite3.Connection, kind: str, key: str, value: str | None) -> None:
    database.execute("DELETE FROM record WHERE kind = ? AND key = ?", (kind, key))
    if value is not None:
        database.execute("INSERT INTO record VALUES (?, ?, ?)", (kind, key, value))


def _record_numbers(database: sqlite3.Connection, nick: str) -> None:
    rooms = "SELECT id, name FROM room WHERE name IS NOT NULL"
    query = f"SELECT number FROM event WHERE room = :room AND {_BY_USER} ORDER BY number"
    for ident, name in database.execute(rooms).fetchall():
        values = {"room": ident, "nick": nick}
        numbers = (number for (number,) in database.execute(query, values))
        erased_numbers.record(database, name, numbers)


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
