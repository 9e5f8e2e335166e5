"""Copies of the SQLite store's database: a backup of it, and a backup put in its place.

A copy is complete or absent, whenever the command is interrupted.  It does not know the contents of
the tables.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from chatd.store.sqlite import files, schema
from chatd.store.sqlite.store import StoreError

#: Pages that one step copies (4 MiB); the command can be interrupted between two steps.
COPIED_PAGES = 1024
#: What is appended to the name of a database for the files that SQLite has beside it.
TAILS = ("-wal", "-shm", "-journal")


def copy(path: Path, target: Path, *, replace: bool = False) -> int:
    """Copy a snapshot of a database into one file; return its size in bytes.

    A server may write meanwhile.  The copy is complete or absent, and readable only by its owner.

    :raises StoreError: when the target exists and is not to be replaced, the database cannot be
        read, or the copy cannot be written.
    """
    _check_target(path, target, replace=replace)
    with files.reading(path, any_version=True) as database, _named_errors(target):
        with _temporary_copy(database, target) as name:
            size = os.stat(name).st_size
            os.replace(name, target)
        _sync_folder(target.parent)
    return size


def _check_target(path: Path, target: Path, *, replace: bool) -> None:
    """Check that a copy may have this name, which must not be that of the database itself."""
    try:
        existing = target.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{error.strerror}: {target}") from None
    if path.exists() and target.exists() and path.samefile(target):
        raise StoreError(f"{target} is the database itself")
    if not stat.S_ISREG(existing.st_mode):
        raise StoreError(f"{target} is no file that could be replaced")
    if not replace:
        raise StoreError(f"{target} is there already; --force replaces it")


@contextmanager
def _named_errors(target: Path) -> Iterator[None]:
    """Turn errors of the system into sentences."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.strerror}: {error.filename or target}") from None


@contextmanager
def _temporary_copy(
    database: sqlite3.Connection, target: Path, what: str = "the database"
) -> Iterator[str]:
    """Write a copy beside ``target``, and check that it can be read; yield its temporary name.

    ``what`` names the original for users.  The copy is dropped at the end, unless it has been
    renamed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    os.close(handle)
    try:
        with closing(sqlite3.connect(name, isolation_level=None)) as copied:
            # All steps of one read transaction copy the same snapshot; without it, SQLite would
            # restart the backup whenever the server writes.
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            database.backup(copied, pages=COPIED_PAGES, progress=_interruptible)
            database.execute("COMMIT")
            copied.execute("PRAGMA journal_mode = DELETE")  # one file, readable from anywhere
            (verdict,) = copied.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(f"{what} is damaged, and was not copied: {verdict}")
        yield name
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:  # only the copy is written
            raise StoreError(f"{target.parent}: the disk is full") from None
        raise
    finally:
        for tail in ("", *TAILS):
            with suppress(OSError):
                os.unlink(name + tail)


def _interruptible(status: int, remaining: int, total: int) -> None:
    """Do nothing between two steps: Python handles signals when it is called."""


def _sync_folder(folder: Path) -> None:
    """Sync a folder, so that the new name survives a power cut, where folders can be synced."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)


# Restoring ----------------------------------------------------------------------------------------


def restore(path: Path, source: Path, now: str) -> Path | None:
    """Put a copy of a backup in the place of a database; return the new name of the old one.

    The old one keeps the files that belong to it, under the same new name: a log that stayed would
    be applied to the backup, and undo it.  ``now`` is the time, for that name.  Nothing has changed
    if it fails.

    :return: None if there was none.
    :raises StoreError: when a server uses the database, or the backup is damaged, of a newer
        version, or no database of chatd.
    """
    with files.locked(path, may_be_missing=True), files.reading(source, any_version=True) as backup:
        if path.exists() and path.samefile(source):
            raise StoreError(f"{source} is the database itself")
        (version,) = backup.execute("PRAGMA user_version").fetchone()
        if version > schema.VERSION:
            raise StoreError(
                f"{source}: it was written by a newer chatd"
                f" (version {version}, this one knows {schema.VERSION})"
            )
        with _named_errors(path), _temporary_copy(backup, path, str(source)) as name:
            _give_to_owner(name, path.parent)
            old = _free_name(path.with_name(f"{path.name}.replaced-{now}"))
            is_replaced = path.exists()
            _exchange(name, path, old)
            _sync_folder(path.parent)
    return old if is_replaced else None


def _give_to_owner(name: str, folder: Path) -> None:
    """Give a file the owner of its folder, who is the server's user, and sync it."""
    owner = folder.stat()
    handle = os.open(name, os.O_RDWR | os.O_CLOEXEC)
    try:
        if os.geteuid() == 0:
            os.fchown(handle, owner.st_uid, owner.st_gid)
        os.fchmod(handle, 0o600)
        os.fsync(handle)
    finally:
        os.close(handle)


def _free_name(path: Path) -> Path:
    """Return a name under which there is no database, nor a file that belongs to one."""
    free, again = path, 1
    while any(Path(f"{free}{tail}").exists() for tail in ("", *TAILS)):
        again += 1
        free = path.with_name(f"{path.name}-{again}")
    return free


def _exchange(name: str, path: Path, old: Path) -> None:
    """Rename a database, with the files that belong to it, and put a file in its place."""
    renamed: list[str] = []
    try:
        for tail in (*TAILS, ""):
            with suppress(FileNotFoundError):
                os.rename(f"{path}{tail}", f"{old}{tail}")
                renamed.append(tail)
        os.replace(name, path)
    except BaseException:
        for tail in reversed(renamed):
            os.rename(f"{old}{tail}", f"{path}{tail}")
        raise
