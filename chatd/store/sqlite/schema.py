"""Schema of the SQLite store, and its upgrades.

Each upgrade takes a database from one version to the next; SQLite's ``user_version`` holds the
current version.  An upgrade is one transaction: it is complete or has no effect.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from chatd.store.sqlite.search_index import BLOCK, indexed

#: The statements of each upgrade; the first creates the tables of version 1 in an empty file.
UPGRADES: tuple[tuple[str, ...], ...] = (
    (
        # A dropped room has no name; it remains until its events are pruned.
        "CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT UNIQUE, last INTEGER NOT NULL)",
        "CREATE TABLE event (id INTEGER PRIMARY KEY, room INTEGER NOT NULL REFERENCES room(id),"
        " number INTEGER NOT NULL, time REAL NOT NULL, kind TEXT NOT NULL, nick TEXT NOT NULL,"
        " author TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (room, number))",
        # The words are already folded: its tokenizer only has to split at blanks.
        "CREATE VIRTUAL TABLE search USING fts5(words, content='', tokenize='ascii')",
    ),
    (
        "CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
        " PRIMARY KEY (kind, key)) WITHOUT ROWID",
    ),
    (
        # The author is a folded nick; the account is the author's, empty for guests.
        "ALTER TABLE event ADD COLUMN account TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE event ADD COLUMN edited INTEGER NOT NULL DEFAULT 0",
        # Numbers missing in rooms because a message was deleted: a check does not report them.
        "CREATE TABLE deleted (room INTEGER NOT NULL, number INTEGER NOT NULL,"
        " PRIMARY KEY (room, number)) WITHOUT ROWID",
        # The earliest and latest time of the events of a block of ids.
        "CREATE TABLE span (block INTEGER PRIMARY KEY, first REAL NOT NULL, last REAL NOT NULL)",
        f"INSERT INTO span SELECT id / {BLOCK}, min(time), max(time) FROM event GROUP BY 1",
        "DROP TABLE search",
        # Prefixes of three letters are indexed themselves: too many words begin with "the".
        "CREATE VIRTUAL TABLE search USING"
        " fts5(words, content='', columnsize=0, prefix='3', tokenize='ascii')",
        # Its segments are merged less often: an insert costs less, a search hardly more.
        "INSERT INTO search (search, rank) VALUES ('automerge', 8)",
        "INSERT INTO search (rowid, words)"
        " SELECT id, indexed(room, author, text) FROM event ORDER BY id",
    ),
)

VERSION = len(UPGRADES)
#: The number of events from which an upgrade takes so long, half a second, that it is announced.
ANNOUNCED_EVENTS = 20_000


class SchemaError(Exception):
    """The database is a newer chatd's, or not chatd's; the argument is a sentence."""


def check(database: sqlite3.Connection) -> int:
    """Return the version of a database; 0 if it is empty.

    :raises SchemaError: when it cannot be used.
    """
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise SchemaError(
            f"it was written by a newer chatd (version {version}, this one knows {VERSION})."
        )
    if not version and database.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise SchemaError("it is a database of something else.")
    return int(version)


def upgrade(
    database: sqlite3.Connection,
    version: int = VERSION,
    notify: Callable[[str], object] | None = None,
) -> None:
    """Upgrade the tables of a database to a version, the newest unless given.

    ``notify`` is called beforehand, with a sentence, if that will take a while.

    :raises SchemaError: when they are of a later version, or not chatd's.
    """
    before = check(database)
    database.create_function("indexed", 3, indexed, deterministic=True)
    if notify is not None and 0 < before < version:
        (events,) = database.execute("SELECT count(*) FROM event").fetchone()
        if events >= ANNOUNCED_EVENTS:
            notify(f"The search index of {events} messages is made anew; that takes a while, once.")
    for number, steps in enumerate(UPGRADES[before:version], before + 1):
        database.execute("BEGIN IMMEDIATE")
        try:
            for step in steps:
                database.execute(step)
            database.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            database.execute("ROLLBACK")
            raise
        database.execute("COMMIT")
