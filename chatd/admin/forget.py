"""Forgetting a user: deletes an account and all its owner's messages, with no trace in the file.

It knows the tables of events and of records.  Messages of other users that mention them stay, and
so do rooms.
"""

from __future__ import annotations

import json
import sqlite3

from chatd.admin import erased_numbers
from chatd.chat.events import Role
from chatd.chat.records import accounts, logins, offline_messages, persistent_rooms, profiles
from chatd.chat.text.names import fold
from chatd.store.sqlite.retention import drop
from chatd.store.sqlite.store import StoreError

#: Events of a nick, or of the account of that name under other nicks.
_BY_USER = "(author = :nick OR account = :nick)"


def count_messages_by(database: sqlite3.Connection, nick: str) -> int:
    """Return how many messages there are by a folded nick, or by its owner under other nicks."""
    query = f"SELECT count(*) FROM event WHERE {_BY_USER}"
    return int(database.execute(query, {"nick": nick}).fetchone()[0])


def has_account(database: sqlite3.Connection, nick: str) -> bool:
    """Return whether there is an account of a folded nick."""
    return _value(database, accounts.KIND, nick) is not None


def forget(database: sqlite3.Connection, nick: str) -> int:
    """Delete an account, if there is one, and all messages by a folded nick or by its owner.

    It is atomic.  The numbers of other messages do not change; the deleted ones are recorded
    (`chatd.admin.erased_numbers`).

    :return: the number of deleted messages.
    :raises StoreError: when a record cannot be read.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        _forget_offline_messages(database, nick)
        _forget_in_rooms(database, nick)
        for kind in (
            accounts.KIND,
            accounts.SEEN,
            logins.KIND,
            offline_messages.KIND,
            profiles.KIND,
        ):
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
    """Delete the private messages that they sent and that have not been delivered."""
    for key, value in _records(database, offline_messages.KIND):
        undelivered = json.loads(value)
        left = [row for row in undelivered if fold(row[1]) != nick]
        if len(left) < len(undelivered):
            _put(database, offline_messages.KIND, key, json.dumps(left) if left else None)


def _forget_in_rooms(database: sqlite3.Connection, nick: str) -> None:
    """Remove their roles in rooms, and their topics; a room without an owner gets a new one."""
    for key, value in _records(database, persistent_rooms.KIND):
        room = json.loads(value)
        roles = room["keepers"]
        if roles.pop(nick, None) == Role.OWNER.value and Role.OWNER.value not in roles.values():
            successor = next(
                iter(roles), None
            )  # all others are moderators, in order of appointment
            if successor is not None:
                roles[successor] = Role.OWNER.value
        if _is_topic_of(database, room["id"], nick):
            room["topic"] = ""
        _put(database, persistent_rooms.KIND, key, json.dumps(room))


def _is_topic_of(database: sqlite3.Connection, room: str, nick: str) -> bool:
    """Return whether the newest topic of a room is theirs."""
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
    """Rewrite the file without traces of deleted data; it temporarily needs as much disk space
    again.

    :raises StoreError: when there is not enough space, or the database is being read.
    """
    # The index drops words only when it merges its segments, SQLite pages only when it rewrites
    # all of them.
    try:
        database.execute("INSERT INTO search (search) VALUES ('optimize')")
        database.execute("VACUUM")
        (busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as why:
        raise StoreError(str(why)) from None
    if busy:
        raise StoreError("somebody is reading the database")
