"""Files of the SQLite store, for administration with or without a running server.

It knows their location, how one process locks them, and how they are read alongside a running
server.  It does not know the contents of the tables.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from chatd.store.sqlite import disk, schema
from chatd.store.sqlite.store import StoreError, connect

#: The name of the database in the data folder.
DATABASE = "chatd.db"
#: The common prefix of the files that a server creates there.
_FILE_PREFIXES = ("chatd.", "ssh_host_")
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
def locked(path: Path, *, may_be_missing: bool = False) -> Iterator[None]:
    """Lock a database for this process, with the lock that a server takes.

    With ``may_be_missing`` its folder is enough.

    :raises StoreError: when another process has it, or the folder cannot be written to.
    """
    if not may_be_missing:
        _check_there(path)
    elif not path.parent.is_dir():
        raise StoreError(f"there is no folder {path.parent}")
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
        owner = path.parent.stat() if not path.exists() else path.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


@contextmanager
def reading(path: Path, *, any_version: bool = False) -> Iterator[sqlite3.Connection]:
    """Open a database for reading, even alongside a server: in WAL mode neither blocks the other.

    :raises StoreError: when it cannot be read, has tables of another version (unless
        ``any_version``), or SQLite fails while it is read.
    """
    _check_there(path)
    with _sqlite_errors_as_sentences(path), closing(_readable(path)) as database:
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


def _read_only(path: Path, more: str = "") -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=ro{more}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=READ_SECONDS)


def _readable(path: Path) -> sqlite3.Connection:
    """Open a database for reading, and read its header.

    Where SQLite cannot write beside it, as the file system is read-only, the file alone is read,
    unless there is a log with more in it.
    """
    try:
        return _checked(_read_only(path))
    except sqlite3.OperationalError as error:
        log = path.with_name(f"{path.name}-wal")
        has_more = log.exists() and log.stat().st_size
        if has_more or not (_is_refused(error) and disk.is_read_only(path.parent)):
            raise
    return _read_only(path, "&immutable=1")


def _checked(database: sqlite3.Connection) -> sqlite3.Connection:
    """Return a database whose header can be read; SQLite opens the files only then."""
    try:
        database.execute("PRAGMA user_version").fetchone()
    except BaseException:
        database.close()
        raise
    return database


def _is_refused(error: sqlite3.Error) -> bool:
    """Return whether SQLite may not write, or not open what it needs."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))


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
        if path.name != DATABASE:
            raise StoreError(f"there is no file {path}") from None
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
        reason = disk.explained(error, path.parent)
        if _is_refused(error) and reason == str(error):
            reason = f"{error}; {_PERMISSION_HINT}"
        raise StoreError(f"{path}: {reason}") from None
