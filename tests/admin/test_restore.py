"""chatd-admin restore: a backup comes into the place of the database, completely or not at all."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chatd.store.sqlite import copies, disk, files, schema
from chatd.store.sqlite.store import connect
from tests.admin.test_admin import NOON, Admin, admin, kept, said
from tests.support.served import Served

__all__ = ["admin"]


def texts(path: Path) -> list[str]:
    """Return what is in a database, with a log that belongs to it."""
    with closing(sqlite3.connect(path)) as database:
        return [text for (text,) in database.execute("SELECT text FROM event ORDER BY id")]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without those that SQLite has for its readers."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    return {name: data for name, data in files.items() if data and not name.endswith("-shm")}


@pytest.fixture
def backup(admin: Admin, tmp_path: Path) -> Path:
    """Return a backup of three messages; the database has had another one since."""
    admin.folder = tmp_path / "data"
    kept(admin.folder, said(3))
    path = tmp_path / "backup"
    admin("backup", str(path))
    kept(admin.folder, [("attic", said(1, text="later")[0][1])])
    return path


def test_a_backup_comes_into_the_place_of_the_database_which_is_kept(
    admin: Admin, backup: Path
) -> None:
    database = admin.folder / files.DATABASE
    told = admin("restore", str(backup)).splitlines()
    assert told[0] == f"{database} is a copy of {backup} now: 3 messages in 1 room"
    before, _, old = told[1].partition("; it is called ")
    assert before == "before: 4 messages in 2 rooms"
    assert texts(database) == ["word 0", "word 1", "word 2"]
    assert texts(admin.folder / old.removesuffix(" now"))[-1] == "later 0"
    assert texts(backup) == texts(database)
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert admin("check") == "all is well: 3 messages in 1 room\n"
    kept(admin.folder, said(1, text="new"))
    assert texts(database)[-1] == "new 0"


def test_the_log_of_the_old_database_goes_with_it(admin: Admin, backup: Path) -> None:
    database = admin.folder / files.DATABASE
    killed = admin.folder.parent / "killed"
    killed.mkdir()
    with closing(connect(database)) as server:
        server.execute("UPDATE event SET text = 'only in the log'")
        for tail in ("", "-wal", "-shm"):
            shutil.copy(f"{database}{tail}", killed / f"chatd.db{tail}")
    admin.folder = killed
    told = admin("restore", str(backup))
    assert texts(killed / files.DATABASE) == ["word 0", "word 1", "word 2"]
    old = killed / told.rpartition("called ")[2].removesuffix(" now\n")
    assert set(texts(old)) == {"only in the log"}


def test_a_backup_is_restored_where_nothing_is(admin: Admin, backup: Path, tmp_path: Path) -> None:
    admin.folder = tmp_path / "new"
    assert admin.fails("restore", str(backup)) == f"there is no folder {admin.folder}"
    admin.folder.mkdir()
    (admin.folder / "chatd.db-wal").write_bytes(b"a log without a database")
    told = admin("restore", str(backup))
    assert (
        told == f"{admin.folder / files.DATABASE} is a copy of {backup} now: 3 messages in 1 room\n"
    )
    assert texts(admin.folder / files.DATABASE)[0] == "word 0"


def test_two_within_a_second_keep_both_old_databases(admin: Admin, backup: Path) -> None:
    database = admin.folder / files.DATABASE
    first = copies.restore(database, backup, "now")
    second = copies.restore(database, backup, "now")
    assert first is not None
    assert second is not None
    assert [first.name, second.name] == ["chatd.db.replaced-now", "chatd.db.replaced-now-2"]
    assert (len(texts(first)), len(texts(second))) == (4, 3)


def test_a_database_that_cannot_be_read_is_replaced_too(admin: Admin, backup: Path) -> None:
    (admin.folder / files.DATABASE).write_bytes(b"no database at all" * 1000)
    told = admin("restore", str(backup)).splitlines()
    assert told[0].endswith("3 messages in 1 room")
    assert "before: not to be read" in told[1]
    assert "file is not a database" in told[1]


def test_the_restored_file_belongs_to_the_owner_of_the_folder(admin: Admin, backup: Path) -> None:
    if os.geteuid() == 0:
        os.chown(admin.folder, 12345, 12346)
    owner = admin.folder.stat()
    admin("restore", str(backup))
    restored = (admin.folder / files.DATABASE).stat()
    assert (restored.st_uid, restored.st_gid) == (owner.st_uid, owner.st_gid)


def test_an_older_backup_is_restored_and_a_server_brings_it_up_to_date(
    admin: Admin, backup: Path
) -> None:
    backup.unlink()
    with closing(connect(backup)) as old:
        schema.upgrade(old, 1)
        old.execute("INSERT INTO room (name, last) VALUES ('lobby', 1)")
        old.execute(f"INSERT INTO event VALUES (1, 1, 1, {NOON}, 'said', 'Ada', 'ada', 'old')")
        old.execute("INSERT INTO search (rowid, words) VALUES (1, 'old')")
    assert "1 message in 1 room" in admin("restore", str(backup))
    with Served(admin.folder.parent, options=("--data", str(admin.folder))):
        pass
    assert admin("check") == "all is well: 1 message in 1 room\n"


# What is refused ----------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")


def damaged(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + bytes(4096) + whole[8192:])


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipes (cake TEXT)")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (truncated, ""),
        (damaged, ""),
        (newer, "it was written by a newer chatd"),
        (foreign, "no database of chatd"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"a letter to grandmother" * 500), "file is not a database"),
        (Path.unlink, "there is no file"),
    ],
    ids=["truncated", "damaged", "newer", "foreign", "empty", "garbage", "missing"],
)
def test_a_backup_that_is_none_is_refused_and_nothing_changes(
    admin: Admin, backup: Path, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(backup)
    before = contents(admin.folder)
    refusal = admin.fails("restore", str(backup))
    assert str(backup) in refusal
    assert why in refusal
    assert contents(admin.folder) == before


def test_the_database_itself_is_refused(admin: Admin, backup: Path) -> None:
    database = admin.folder / files.DATABASE
    assert admin.fails("restore", str(database)) == f"{database} is the database itself"
    assert len(texts(database)) == 4


def test_a_server_that_runs_is_not_robbed_of_its_database(
    admin: Admin, backup: Path, tmp_path: Path
) -> None:
    with Served(tmp_path, options=("--data", str(admin.folder))):
        assert admin.fails("restore", str(backup)).endswith("stop it first")
    assert len(texts(admin.folder / files.DATABASE)) == 4


@pytest.mark.parametrize("at", ["copied", "renamed"])
def test_one_that_is_interrupted_changes_nothing(
    admin: Admin, backup: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    before = contents(admin.folder)
    if at == "copied":
        monkeypatch.setattr(copies, "_interruptible", stopped)
    else:
        monkeypatch.setattr(os, "replace", stopped)
    admin("restore", str(backup), status=130)
    assert contents(admin.folder) == before


# A read-only file system, and a full one ----------------------------------------------------------


class Unwritable:
    """A folder in a file system that is read-only, to SQLite and to chatd."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: list[str] = []
        connect_to = sqlite3.connect
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorname = "SQLITE_CANTOPEN"

        def refuses(address: str, **options: object) -> sqlite3.Connection:
            self.opened.append(str(address))
            if "immutable=1" in str(address) or "mode=ro" not in str(address):
                return connect_to(address, **options)  # type: ignore[call-overload, no-any-return]
            raise error

        monkeypatch.setattr(sqlite3, "connect", refuses)
        monkeypatch.setattr(disk, "is_read_only", lambda folder: True)


def test_a_database_on_a_read_only_file_system_is_read_by_itself(
    admin: Admin, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Unwritable(monkeypatch)
    assert admin("check") == "all is well: 4 messages in 2 rooms\n"
    admin("backup", str(tmp_path / "other"))
    assert len(texts(tmp_path / "other")) == 4


def test_but_not_when_its_log_has_more(
    admin: Admin, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (admin.folder / "chatd.db-wal").write_bytes(b"more")
    Unwritable(monkeypatch)
    assert admin.fails("check") == (
        f"{admin.folder / files.DATABASE}: the file system is read-only;"
        " SQLite needs to write beside the database"
    )


@pytest.mark.parametrize(
    ("error", "full", "read_only", "why"),
    [
        ("SQLITE_IOERR_WRITE", True, False, "the disk is full"),
        ("SQLITE_CANTOPEN", True, False, "the disk is full"),
        ("SQLITE_IOERR_WRITE", False, False, "oh dear"),
        ("SQLITE_CORRUPT", True, True, "oh dear"),
        ("SQLITE_READONLY", False, False, "oh dear"),
        (
            "SQLITE_READONLY_CANTINIT",
            True,
            True,
            "the file system is read-only; SQLite needs to write beside the database",
        ),
    ],
)
def test_why_sqlite_fails_is_told_in_better_words_than_its_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: str,
    full: bool,
    read_only: bool,
    why: str,
) -> None:
    monkeypatch.setattr(disk, "is_full", lambda folder: full)
    monkeypatch.setattr(disk, "is_read_only", lambda folder: read_only)
    raised = sqlite3.OperationalError("oh dear")
    raised.sqlite_errorname = error
    assert disk.explained(raised, tmp_path) == why


@pytest.mark.parametrize(
    ("blocks", "file_count", "free_files", "full"),
    [(0, 9, 9, True), (9999, 9, 9, False), (9999, 9, 0, True), (9999, 0, 0, False)],
)
def test_a_disk_is_full_without_space_or_without_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blocks: int,
    file_count: int,
    free_files: int,
    full: bool,
) -> None:
    space = os.statvfs_result(
        (4096, 4096, 9999, blocks, blocks, file_count, free_files, free_files, 0, 255)
    )
    monkeypatch.setattr(os, "statvfs", lambda folder: space)
    assert disk.is_full(tmp_path) is full
    assert not disk.is_read_only(tmp_path)


def test_a_folder_that_is_gone_is_neither_full_nor_read_only(tmp_path: Path) -> None:
    assert not disk.is_full(tmp_path / "gone")
    assert not disk.is_read_only(tmp_path / "gone")
