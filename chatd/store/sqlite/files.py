"""Files of the SQLite store, for administration with or without a running server.

It knows their location, how one process locks them, how they are read alongside a running server
and how they are copied.  It does not know the contents of the tables.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from chatd.store.sqlite import schema
from chatd.store.sqlite.store import StoreError, connect

#: The name of the database in the data folder.
DATABASE = "chatd.db"
#: The common prefix of the files that a server creates there.
_FILE_PREFIXES = ("chatd.", "ssh_host_")
#: Pages that one step copies (4 MiB); the command can be interrupted between two steps.
COPIED_PAGES = 1024
#: Seconds that a reader waits for another process to release the file.
READ_SECONDS = 10.0
#: A reader in WAL mode writes too: its read marks, in the shared memory file next to the database.
_PERMISSION_HINT = "run this as the user that the server runs as, also to read"


def data_folder() -> Path:
    """Return the data folder that systemd sets, else the one of the XDG base directories."""
    state_directory = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if state_directory:
        return Path(state_directory)
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "chatd"


def change_owner(folder: Path, uid: int | None, gid: int | None) -> None:
    """Change the owner of a data folder, and of the server's files in it, to the server's user.

    :raises OSError: when that is not permitted.
    """
    if uid is None and gid is None:
        return
    owner = (-1 if uid is None else uid, -1 if gid is None else gid)
    os.chown(folder, *owner)
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink() and path.name.startswith(_FILE_PREFIXES):
            os.chown(path, *owner, follow_symlinks=False)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a database for this process, with the lock that a server takes.

    :raises StoreError: when another process has it, or the folder cannot be written to.
    """
    _check_there(path)
    try:
        lock = _open_lock(path)
    except OSError as error:
        raise StoreError(f"{error.strerror}: {error.filename}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"another chatd is using {path}: stop it first") from None
        yield
    finally:
        os.close(lock)


def _open_lock(path: Path) -> int:
    """Open the lock file of a database; if root creates it, it belongs to the database's owner."""
    lock, flags = path.with_suffix(".lock"), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(lock, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(lock, flags)
    if os.geteuid() == 0:  # a server that does not run as root must be able to open it
        owner = path.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


@contextmanager
def reading(path: Path, *, any_version: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a database for reading, even alongside a server: in WAL mode neither blocks the other.

    :raises StoreError: when it cannot be read, has tables of another version (unless
        ``any_version``), or SQLite fails while it is read.
    """
    _check_there(path)
    with _sqlite_errors_as_sentences(path), closing(_read_only(path)) as database:
        version = _version(path, database)
        if not any_version:
            _check_version(path, version)
        yield database


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database that is `locked`, to change its contents.

    :raises StoreError: as `reading` does.
    """
    with _sqlite_errors_as_sentences(path), closing(connect(path)) as database:
        _check_version(path, _version(path, database))
        yield database


def upgrade(path: Path) -> tuple[int, int]:
    """Upgrade the tables of a database; return the versions before and after.

    :raises StoreError: when another process has it, or its tables cannot be upgraded.
    """
    with locked(path), _sqlite_errors_as_sentences(path):
        with closing(_read_only(path)) as database:  # another program's database stays unchanged
            version = _version(path, database, empty=True)
        with closing(connect(path)) as database:
            schema.upgrade(database)
            return version, _version(path, database)


def copy(path: Path, target: Path, *, replace: bool = False) -> int:
    """Copy a snapshot of a database into one file; return its size in bytes.

    A server may write meanwhile.  The copy is complete or absent, and readable only by its owner.

    :raises StoreError: when the target exists and is not to be replaced, the database cannot be
        read, or the copy cannot be written.
    """
    _check_target(path, target, replace=replace)
    with reading(path, any_version=True) as database:
        try:
            return _write_copy(database, target)
        except OSError as error:
            raise StoreError(f"{error.strerror}: {error.filename or target}") from None


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


def _write_copy(database: sqlite3.Connection, target: Path) -> int:
    """Write a copy under a temporary name, check that it can be read, and rename it."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    os.close(handle)
    try:
        with closing(sqlite3.connect(name, isolation_level=None)) as copy:
            # All steps of one read transaction copy the same snapshot; without it, SQLite would
            # restart the backup whenever the server writes.
            database.execute("BEGIN")
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            database.backup(copy, pages=COPIED_PAGES, progress=_interruptible)
            database.execute("COMMIT")
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, readable from anywhere
            (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(f"the database is damaged, and was not copied: {verdict}")
        size = os.stat(name).st_size
        os.replace(name, target)
        _sync_folder(target.parent)
    except BaseException:
        for tail in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                os.unlink(name + tail)
        raise
    return size


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


def _read_only(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=READ_SECONDS)


def _version(path: Path, database: sqlite3.Connection, *, empty: bool = False) -> int:
    """Return the version of a database's tables; 0 without any, if that is allowed."""
    version = int(database.execute("PRAGMA user_version").fetchone()[0])
    (tables,) = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if version == 0 and (tables or not empty):
        raise StoreError(f"{path} is {'no database of chatd' if tables else 'empty'}")
    return version


def _check_version(path: Path, version: int) -> None:
    if version > schema.VERSION:
        raise StoreError(
            f"{path}: it was written by a newer chatd"
            f" (version {version}, this one knows {schema.VERSION})"
        )
    if version < schema.VERSION:
        raise StoreError(
            f"{path} has tables of version {version}, this chatd those of {schema.VERSION}:"
            " chatd-admin upgrade brings them up to date"
        )


def _check_there(path: Path) -> None:
    """Check that there is a database: nothing here creates one."""
    try:
        with path.open("rb"):
            return
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise StoreError(f"there is no folder {path.parent}") from None
        raise StoreError(f"{path.parent} has no {path.name}: is it kept elsewhere?") from None
    except OSError as error:
        raise StoreError(f"{error.strerror}: {path}") from None


@contextmanager
def _sqlite_errors_as_sentences(path: Path) -> Iterator[None]:
    """Turn errors of SQLite into sentences."""
    try:
        yield
    except schema.SchemaError as error:
        raise StoreError(f"{path}: {str(error).rstrip('.')}") from None
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")):
            raise StoreError(f"{path}: {error}; {_PERMISSION_HINT}") from None
        raise StoreError(f"{path}: {error}") from None
