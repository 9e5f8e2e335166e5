"""chatd-admin: the commands for the data of a server, while it runs and while it is stopped."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd import tap
from chatd.admin import check, erased_numbers, export, main
from chatd.chat.events import Acted, Deleted, Edited, KeptEvent, Said, TopicSet
from chatd.chat.text.query import SearchQuery
from chatd.store.sqlite import copies, files, schema
from chatd.store.sqlite.store import SqliteStore, StoreError, connect
from tests.kill_rounds import OPTIONS, SendingBot
from tests.store.test_stores import RecordingObserver, started
from tests.support.callers import Netcat
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE, Served

DAY = 86400.0
NOON = 1893499200.0  # 2030-01-01 12:00 UTC
PROGRAM = str(Path(sys.executable).with_name("chatd-admin"))


def opened(folder: Path) -> tuple[SqliteStore, TestMainThread, RecordingObserver]:
    turn, observer = TestMainThread(), RecordingObserver()
    store = started(SqliteStore(folder / files.DATABASE, turn, lambda: 0.0))
    store.open(observer)
    return store, turn, observer


def kept(folder: Path, events: Iterable[tuple[str, KeptEvent]]) -> None:
    """Store events of rooms in a folder, with the server's own store."""
    store, turn, observer = opened(folder)
    wanted = 0
    for number, (room, event) in enumerate(events):
        store.post(room, f"{room} {number}", event)
        wanted += 1
    turn.run_until(lambda: sum(map(len, observer.stored_in.values())) == wanted)
    wait_for(store.close())


def said(count: int, nick: str = "ada", text: str = "word") -> list[tuple[str, KeptEvent]]:
    return [("lobby", Said(NOON + 60 * each, nick, f"{text} {each}")) for each in range(count)]


def change(folder: Path, *steps: str) -> None:
    """Damage a database."""
    with closing(connect(folder / files.DATABASE)) as database:
        database.execute("PRAGMA foreign_keys = OFF")
        for step in steps:
            database.execute(step)


class Admin:
    """Runs chatd-admin on one folder, in this process."""

    def __init__(self, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        self.folder = folder
        self._captured = capfdbinary

    def __call__(self, *arguments: str, status: int = 0) -> str:
        """Run a command; return its output, or its standard error if it is expected to fail."""
        ended = main(["--data", str(self.folder), *arguments])
        out, err = (text.decode() for text in self._captured.readouterr())
        assert ended == status, (out, err)
        return out or err

    def fails(self, *arguments: str) -> str:
        """Run a command that has to fail; return its one sentence."""
        ended = main(["--data", str(self.folder), *arguments])
        out, err = (text.decode() for text in self._captured.readouterr())
        assert (ended, out) == (1, "")
        assert err.startswith("chatd-admin: ")
        assert err.endswith(".\n")
        assert err.count("\n") == 1
        return err.removeprefix("chatd-admin: ").removesuffix(".\n")


@pytest.fixture
def admin(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Admin:
    return Admin(tmp_path, capfdbinary)


# Rooms and what was said in them ------------------------------------------------------------------


def test_rooms_are_listed_with_their_messages_and_days(admin: Admin) -> None:
    kept(
        admin.folder,
        [
            ("lobby", Said(NOON, "ada", "x")),
            ("lobby", Said(NOON + 2 * DAY, "ada", "y")),
            ("küche@a1.2", Said(NOON + 11.5 * 3600, "bob", "z")),
        ],
    )
    assert admin("rooms") == (
        "küche@a1.2          1  2030-01-01  2030-01-01\n"
        "lobby               2  2030-01-01  2030-01-03\n"
    )
    assert "küche@a1.2          1  2030-01-02  2030-01-02\n" in admin(
        "rooms", "--zone", "Europe/Berlin"
    )
    change(admin.folder, "DELETE FROM event WHERE nick = 'bob'")
    assert "küche@a1.2          0  -  -\n" in admin("rooms")


def test_a_room_is_exported_as_text(admin: Admin) -> None:
    events: list[KeptEvent] = [
        Said(NOON, "ada", "hello"),
        Acted(NOON + 59, "bob", "waves"),
        TopicSet(NOON + 60, "ada", "snöw"),
        Said(NOON + DAY, "bob", "two\nlines"),
    ]
    kept(admin.folder, [("lobby", event) for event in events])
    assert admin("export", "lobby").splitlines() == [
        "2030-01-01 12:00 ada: hello",
        "2030-01-01 12:00 * bob waves",
        "2030-01-01 12:01 -- ada set the topic of lobby: snöw",
        "2030-01-02 12:00 bob: two",
        "    lines",
    ]
    assert admin("export", "#Lobby", "--zone", "Asia/Tokyo", "--until", "2030-01-01").startswith(
        "2030-01-01 21:00 ada: hello\n"
    )


def test_a_room_is_exported_as_json(admin: Admin) -> None:
    kept(
        admin.folder,
        [("attic@1f.3", Said(NOON, "ada", "hello")), ("attic@1f.3", Acted(NOON, "bob", "waves"))],
    )
    assert [json.loads(line) for line in admin("export", "Attic", "--json").splitlines()] == [
        {
            "event": event,
            "sender": nick,
            "message": text,
            "room": "attic",
            "seq": number,
            "time": "2030-01-01T12:00:00.000Z",
        }
        for number, (event, nick, text) in enumerate(
            [("said", "ada", "hello"), ("acted", "bob", "waves")], 1
        )
    ]


def test_days_are_those_of_the_zone_and_until_includes_its_day(admin: Admin) -> None:
    midnight = NOON + DAY / 2
    kept(
        admin.folder,
        [
            ("lobby", Said(midnight + offset, "ada", str(offset)))
            for offset in (-1, 0, DAY - 1, DAY)
        ],
    )

    def exported(*options: str) -> list[str]:
        return [line.rpartition(" ")[2] for line in admin("export", "lobby", *options).splitlines()]

    assert exported("--since", "2030-01-02") == ["0", "86399.0", "86400.0"]
    assert exported("--until", "2030-01-01") == ["-1"]
    assert exported("--since", "2030-01-02", "--until", "2030-01-02") == ["0", "86399.0"]
    assert exported("--until", "2030-01-01", "--zone", "America/New_York") == ["-1", "0"]


def test_a_long_room_is_read_in_batches_and_exported_completely(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "READ_EVENTS", 3)
    for more, count in ((6, 6), (1, 7)):
        kept(admin.folder, said(more))
        assert admin("export", "lobby").count("\n") == count


def test_no_transaction_is_open_between_two_batches(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "READ_EVENTS", 3)
    kept(admin.folder, said(9))
    with files.reading(admin.folder / files.DATABASE) as database:
        entries = export.entries(database, "lobby", None, None)
        next(entries)
        with closing(connect(admin.folder / files.DATABASE)) as other:
            other.execute("DELETE FROM event WHERE number = 9")
            busy = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        assert not busy, "an export that is paged through keeps the log from being emptied"
        assert [entry.number for entry in entries] == [2, 3, 4, 5, 6, 7, 8]


def test_an_unknown_or_ambiguous_room_is_reported(admin: Admin) -> None:
    kept(admin.folder, [(room, Said(NOON, "ada", "x")) for room in ("attic@1.1", "attic@2.1")])
    assert admin.fails("export", "cellar") == (
        "nothing is kept of a room cellar; chatd-admin rooms lists those there are"
    )
    assert admin.fails("export", "attic") == "several rooms were called attic: attic@1.1, attic@2.1"
    assert admin("export", "attic@2.1") == "2030-01-01 12:00 ada: x\n"
    assert "something else" in admin.fails("export", "no room")
    assert admin.fails("export", "")


@pytest.mark.parametrize(
    "value", ["kind = 'sung'", "time = 'noon'", "time = 1e300", "text = x'ff'", "nick = x'00'"]
)
def test_an_event_that_cannot_be_shown_is_reported_in_a_sentence(admin: Admin, value: str) -> None:
    kept(admin.folder, said(1))
    change(admin.folder, f"UPDATE event SET {value}")
    admin.fails("export", "lobby")


def test_a_closed_pipe_ends_the_export_quietly(admin: Admin) -> None:
    kept(admin.folder, said(3000))
    reading, writing = os.pipe()
    with subprocess.Popen(
        [PROGRAM, "--data", str(admin.folder), "export", "lobby"],
        stdout=writing,
        stderr=subprocess.PIPE,
    ) as program:
        os.close(writing)
        assert os.read(reading, 10) == b"2030-01-01"
        os.close(reading)
        assert program.communicate(timeout=PATIENCE)[1] == b""
        assert program.returncode == 0


def test_a_full_disk_behind_standard_output_is_reported_in_a_sentence(admin: Admin) -> None:
    kept(admin.folder, said(1))
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [PROGRAM, "--data", str(admin.folder), "export", "lobby"],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
        )
    assert ran.stderr == b"chatd-admin: No space left on device: standard output.\n"
    assert ran.returncode == 1


# Backup -------------------------------------------------------------------------------------------


def test_a_backup_is_one_private_file_that_a_server_can_start_with(
    admin: Admin, tmp_path: Path
) -> None:
    admin.folder = tmp_path / "data"
    kept(admin.folder, said(100))
    copy = tmp_path / "copies" / files.DATABASE
    copy.parent.mkdir()
    assert admin("backup", str(copy)) == f"{copy}: {copy.stat().st_size} bytes\n"
    assert [path.name for path in copy.parent.iterdir()] == [files.DATABASE]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    original = admin("export", "lobby")
    admin.folder = copy.parent
    assert admin("export", "lobby") == original
    assert admin("check") == "all is well: 100 messages in 1 room\n"
    kept(admin.folder, said(1))


def test_a_backup_replaces_a_file_only_with_force(admin: Admin, tmp_path: Path) -> None:
    kept(admin.folder, said(1))
    copy = tmp_path / "copy"
    copy.write_text("precious")
    assert admin.fails("backup", str(copy)) == f"{copy} is there already; --force replaces it"
    assert copy.read_text() == "precious"
    admin("backup", "--force", str(copy))
    assert copy.read_bytes().startswith(b"SQLite format 3\0")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_backup_replaces_neither_the_database_nor_anything_but_a_file(
    admin: Admin, tmp_path: Path
) -> None:
    kept(admin.folder, said(1))
    database, other = tmp_path / files.DATABASE, tmp_path / "other"
    other.symlink_to(database)
    for name in (database, other):
        assert admin.fails("backup", "--force", str(name)) == f"{name} is the database itself"
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in (folder, Path("/dev/null")):
        why = admin.fails("backup", "--force", str(name))
        assert why == f"{name} is no file that could be replaced"
    missing = admin.fails("backup", str(tmp_path / "nowhere" / "copy"))
    assert missing.startswith(f"No such file or directory: {tmp_path / 'nowhere'}")
    assert admin("rooms")


def test_a_failed_backup_leaves_no_file_and_keeps_the_previous_one(
    admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin.folder = tmp_path / "data"
    kept(admin.folder, said(1))
    backups = tmp_path / "copies"
    backups.mkdir()
    (backups / "last").write_text("precious")

    def stopped(status: int, remaining: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(copies, "COPIED_PAGES", 1)
    monkeypatch.setattr(copies, "_interruptible", stopped)
    admin("backup", "--force", str(backups / "last"), status=130)
    assert [path.name for path in backups.iterdir()] == ["last"]
    assert (backups / "last").read_text() == "precious"


def test_a_backup_is_a_snapshot_whatever_is_written_meanwhile(
    admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(admin.folder, said(300, text="x" * 200))
    steps = 0
    with closing(connect(admin.folder / files.DATABASE)) as writer:

        def written(status: int, remaining: int, total: int) -> None:
            nonlocal steps
            steps += 1
            writer.execute("UPDATE event SET text = 'new'")

        monkeypatch.setattr(copies, "COPIED_PAGES", 1)
        monkeypatch.setattr(copies, "_interruptible", written)
        copies.copy(admin.folder / files.DATABASE, tmp_path / "copy")
    assert steps > 10
    with closing(sqlite3.connect(tmp_path / "copy")) as copy:
        assert copy.execute("SELECT count(*) FROM event WHERE text = 'new'").fetchone() == (0,)


def test_backup_export_and_check_work_while_the_server_runs(admin: Admin, tmp_path: Path) -> None:
    data = tmp_path / "data"
    admin.folder = data
    with Served(tmp_path, ("json",), (*OPTIONS, "--data", str(data))) as server:
        talkers = [SendingBot(server.port("json"), f"bot{each}") for each in range(3)]
        for talker in talkers:
            talker.start()
        for number in range(3):
            told = sum(len(talker.acknowledged) for talker in talkers)
            while sum(len(talker.acknowledged) for talker in talkers) < told + 50:
                assert any(talker.is_alive() for talker in talkers)
                talkers[0].join(0.001)
            acknowledged = [text for talker in talkers for text in list(talker.acknowledged)]
            copy = tmp_path / f"copy{number}" / files.DATABASE
            copy.parent.mkdir()
            admin("backup", str(copy))
            beside = exported(admin)
            assert admin("check").startswith("all is well: ")
            admin.folder = copy.parent
            assert admin("check").startswith("all is well: ")
            copied = exported(admin)
            admin.folder = data
            assert [each["seq"] for each in copied] == list(range(1, len(copied) + 1))
            assert copied == beside[: len(copied)]
            assert set(acknowledged) <= {each["message"] for each in copied}
        for refused in (["upgrade"], ["forget-person", "bot1", "--yes"]):
            assert admin.fails(*refused) == (
                f"another chatd is using {data / files.DATABASE}: stop it first"
            )


def exported(admin: Admin) -> list[dict[str, object]]:
    return [json.loads(line) for line in admin("export", "lobby", "--json").splitlines()]


# Check --------------------------------------------------------------------------------------------


def test_a_consistent_database_has_no_faults(admin: Admin) -> None:
    kept(admin.folder, [("attic@1.1", Said(NOON, "bob", "…")), *said(2)])
    assert admin("check") == "all is well: 3 messages in 2 rooms\n"


def delete(where: str) -> str:
    return f"DELETE FROM event WHERE {where}"


UNINDEX = "INSERT INTO search (search, rowid, words) VALUES ('delete', {0}, '§1 ¶616461 word {1}')"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([UNINDEX.format(2, 1)], "1 message without an entry in the search index."),
        (
            ["INSERT INTO search (rowid, words) VALUES (99, '§1 ¶61 x')"],
            "1 entry of the search index without a message.",
        ),
        (
            ["INSERT INTO search (rowid, words) VALUES (99, '§7 ¶61 x')"],
            "1 entry of the search index without a message.",
        ),
        (["UPDATE span SET last = first"], "4 messages that a search by day may not find."),
        (["DELETE FROM span"], "5 messages that a search by day may not find."),
        ([UNINDEX.format(3, 2), delete("number = 3")], "lobby lacks 1 message of number 3."),
        (
            [*(UNINDEX.format(each + 1, each) for each in (3, 4)), delete("number > 3")],
            "lobby lacks 2 messages of the numbers 4 to 5.",
        ),
        (["UPDATE room SET last = 3"], "lobby has a message of number 5, and believes its last"),
        (["UPDATE event SET kind = 'sung' WHERE id = 1"], "Messages of a kind that this chatd"),
        (["UPDATE event SET time = 'noon' WHERE id = 1"], "1 message with a value that is not"),
        (["UPDATE event SET room = 7 WHERE id = 5"], "1 message of a room that is not there."),
        (
            [
                UNINDEX.format(2, 1),
                "INSERT INTO search (rowid, words) VALUES (2, '§1 ¶616461 other')",
            ],
            "1 message that the search index does not find.",
        ),
    ],
)
def test_each_fault_is_reported(admin: Admin, steps: list[str], told: str) -> None:
    kept(admin.folder, said(5))
    change(admin.folder, *steps)
    assert told in admin("check", status=1)


def test_a_gap_at_the_beginning_is_no_fault(admin: Admin) -> None:
    kept(admin.folder, said(5))
    change(admin.folder, UNINDEX.format(1, 0), delete("number = 1"))
    assert admin("check") == "all is well: 4 messages in 1 room\n"


def test_not_all_of_many_gaps_are_reported(admin: Admin) -> None:
    kept(admin.folder, said(60))
    change(admin.folder, delete("number % 2 = 0"))
    told = admin("check", status=1).splitlines()
    assert sum("of number" in line for line in told) == check.REPORTED
    assert told[-1] == "lobby lacks more in 20 places."


def test_an_overwritten_page_is_found(admin: Admin) -> None:
    kept(admin.folder, said(500, text="x" * 100))
    path = admin.folder / files.DATABASE
    data = bytearray(path.read_bytes())
    for page in range(10, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = b"\xaa" * 200
    path.write_bytes(data)
    assert "SQLite " in admin("check", status=1)
    why = admin.fails("backup", str(admin.folder / "copy"))
    assert why.startswith("the database is damaged, and was not copied: ")
    assert not (admin.folder / "copy").exists()


@given(st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)), st.sets(st.integers(1, 30)))
def test_lost_numbers_are_distinguished_from_erased_ones(
    first: set[int], then: set[int], gap: set[int]
) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        schema.upgrade(database)
        for numbers in (first, then - first):
            erased_numbers.record(database, "lobby", sorted(numbers))
        gone = erased_numbers.runs(database, "lobby")
    low, high = min(gap, default=1), max(gap, default=30)
    missing = set(range(low, high + 1)) - first - then
    assert erased_numbers.count_unexplained((low, high), gone) == len(missing)


# Upgrade ------------------------------------------------------------------------------------------


def older(folder: Path, version: int) -> None:
    """Make a database with tables of an older version."""
    with closing(connect(folder / files.DATABASE)) as database:
        schema.upgrade(database, version)


@pytest.mark.parametrize("version", range(schema.VERSION))
def test_the_tables_of_an_older_version_are_upgraded(admin: Admin, version: int) -> None:
    older(admin.folder, version)
    told = f"the tables were of version {version} and are of version {schema.VERSION} now\n"
    assert admin("upgrade") == told
    assert admin("upgrade") == f"nothing to do: the tables are of version {schema.VERSION}\n"
    assert admin("check") == "all is well: 0 messages in 0 rooms\n"


def test_older_tables_are_not_read_but_can_be_backed_up(admin: Admin, tmp_path: Path) -> None:
    older(admin.folder, schema.VERSION)
    change(admin.folder, f"PRAGMA user_version = {schema.VERSION - 1}")
    if schema.VERSION > 1:
        why = admin.fails("rooms")
        assert f"has tables of version {schema.VERSION - 1}, this chatd those of" in why
        assert why.endswith("chatd-admin upgrade brings them up to date")
        admin("backup", str(tmp_path / "copy"))


# Forgetting somebody ------------------------------------------------------------------------------


def mixed(folder: Path) -> None:
    events: list[tuple[str, KeptEvent]] = []
    for number in range(600):
        events.append(("lobby", Said(NOON + number, "Ada", f"zyzzyva {number}")))
        events.append(("lobby", Said(NOON + number, "bob", f"apple {number}")))
    events.append(("attic@1.1", TopicSet(NOON, "ada", "zyzzyva")))
    events.append(("attic@1.1", Acted(NOON, "ada", "zyzzyva")))
    events.append(("attic@1.1", Said(NOON, "ada2", "another")))
    kept(folder, events)


def test_all_messages_of_a_forgotten_user_are_deleted_and_no_others(admin: Admin) -> None:
    mixed(admin.folder)
    before = [line for line in admin("export", "lobby", "--json").splitlines() if "bob" in line]
    assert admin("forget-person", "ADA", "--yes") == "602 messages of ADA deleted\n"
    assert admin("export", "lobby", "--json").splitlines() == before
    assert admin("check") == "all is well: 601 messages in 2 rooms\n"
    for path in admin.folder.iterdir():
        assert b"zyzzyva" not in path.read_bytes(), path
    store, turn, observer = opened(admin.folder)
    assert wait_for(store.search(["lobby", "attic@1.1"], SearchQuery(("zyzzyva",)), 0, 10)) == []
    assert len(wait_for(store.search(["lobby"], SearchQuery(("apple",)), 0, 10_000))) == 600
    store.post("lobby", "next", Said(NOON, "ada", "x"))
    turn.run_until(lambda: "lobby" in observer.stored_in)
    assert observer.stored_in["lobby"][0][1] == 1201, "numbers go on"
    wait_for(store.close())
    assert admin("check") == "all is well: 602 messages in 2 rooms\n"
    assert admin("forget-person", "ada", "--yes") == "1 message of ada deleted\n"
    assert admin("check") == "all is well: 601 messages in 2 rooms\n"
    change(admin.folder, delete("number = 4"))
    assert "lobby lacks 1 message of the numbers 3 to 5.\n" in admin("check", status=1)


def keep_records(folder: Path, *records: tuple[str, str, object]) -> None:
    with closing(connect(folder / files.DATABASE)) as database:
        for kind, key, value in records:
            row = (kind, key, json.dumps(value))
            database.execute("INSERT INTO record VALUES (?, ?, ?)", row)


def records_of(folder: Path, kind: str) -> dict[str, Any]:
    with closing(connect(folder / files.DATABASE)) as database:
        query = "SELECT key, value FROM record WHERE kind = ?"
        return {key: json.loads(value) for key, value in database.execute(query, (kind,))}


def room_of(name: str, topic: str, **keepers: str) -> tuple[str, str, object]:
    return ("room", name, {"id": f"{name}@1.1", "topic": topic, "keepers": keepers})


def test_an_account_is_forgotten_with_its_profile_roles_and_private_messages(admin: Admin) -> None:
    store, turn, observer = opened(admin.folder)
    said_there: list[tuple[str, KeptEvent, str]] = [
        ("attic@1.1", TopicSet(NOON, "Ada", "zyzzyva"), "ada"),
        ("cellar@1.1", TopicSet(NOON, "ada", "zyzzyva"), "ada"),
        ("cellar@1.1", TopicSet(NOON, "bob", "apples"), "bob"),
        ("lobby", Said(NOON, "grace", "zyzzyva under another nick"), "ada"),
        ("lobby", Said(NOON, "ada", "zyzzyva without an account"), ""),
        ("lobby", Said(NOON, "bob", "ada said something"), "bob"),
    ]
    for number, (room, event, account) in enumerate(said_there):
        store.post(room, str(number), event, account)
    turn.run_until(lambda: sum(map(len, observer.stored_in.values())) == len(said_there))
    wait_for(store.close())
    keep_records(
        admin.folder,
        ("account", "ada", {"nick": "Ada", "keys": [], "created": NOON}),
        ("account", "bob", {"nick": "bob", "keys": [], "created": NOON}),
        ("mail", "ada", [[NOON, "bob", "Ada", "zyzzyva"]]),
        ("profile", "ada", {"chosen": {"timezone": "Africa/Zyzzyva"}, "read": {}}),
        ("mail", "bob", [[NOON, "Ada", "bob", "zyzzyva"], [NOON, "cy", "bob", "an apple"]]),
        ("mail", "cy", [[NOON, "Ada", "cy", "zyzzyva"]]),
        room_of("attic", "zyzzyva", ada="owner", bob="moderator", cy="moderator"),
        room_of("cellar", "apples", bob="owner", ada="moderator"),
        room_of("vault", "", ada="owner"),
        room_of("ada", "", bob="owner"),
    )
    told = admin("forget-person", "ADA", "--yes")
    assert told == "4 messages and the account of ADA deleted\n"
    assert list(records_of(admin.folder, "account")) == ["bob"]
    assert records_of(admin.folder, "mail") == {"bob": [[NOON, "cy", "bob", "an apple"]]}
    rooms = records_of(admin.folder, "room")
    assert {name: room["keepers"] for name, room in rooms.items()} == {
        "attic": {"bob": "owner", "cy": "moderator"},
        "cellar": {"bob": "owner"},
        "vault": {},
        "ada": {"bob": "owner"},
    }
    assert [rooms[name]["topic"] for name in ("attic", "cellar")] == ["", "apples"]
    assert admin("export", "lobby").endswith(" bob: ada said something\n")
    assert admin("check") == "all is well: 2 messages in 3 rooms\n"
    for path in admin.folder.iterdir():
        assert b"zyzzyva" not in path.read_bytes(), path
    assert admin("forget-person", "ada") == "0 messages of ada deleted\n"


def test_deleting_an_account_without_messages_is_confirmed_too(admin: Admin) -> None:
    kept(admin.folder, said(1, "bob"))
    keep_records(admin.folder, ("account", "ada", {"nick": "Ada", "keys": [], "created": NOON}))
    assert "say --yes" in admin.fails("forget-person", "ada")
    told = admin("forget-person", "ada", "--yes")
    assert told == "0 messages and the account of ada deleted\n"
    assert records_of(admin.folder, "account") == {}


@pytest.mark.parametrize(
    ("kind", "value"), [("mail", "x"), ("mail", [7]), ("room", {}), ("room", [])]
)
def test_an_unreadable_record_is_reported_in_a_sentence(
    admin: Admin, kind: str, value: object
) -> None:
    kept(admin.folder, said(1))
    keep_records(admin.folder, (kind, "bob", value))
    why = admin.fails("forget-person", "ada", "--yes")
    assert why == "a record is none that this chatd knows"
    assert admin("check") == "all is well: 1 message in 1 room\n"


def test_messages_that_users_deleted_are_no_fault(admin: Admin) -> None:
    store, turn, observer = opened(admin.folder)
    for number in range(1, 6):
        store.post("lobby", str(number), Said(NOON, "ada", f"word {number}"))
    store.post("lobby", "edit", Edited(NOON, "ada", 3, "another"))
    for number in (1, 2, 5):
        store.post("lobby", f"delete {number}", Deleted(NOON, "ada", "ada", number))
    turn.run_until(lambda: len(observer.stored_in.get("lobby", [])) == 9)
    wait_for(store.close())
    assert admin("check") == "all is well: 2 messages in 1 room\n"
    assert "ada: another (edited)\n" in admin("export", "lobby")
    assert b'"edited": true' in admin("export", "lobby", "--json").encode()
    change(admin.folder, UNINDEX.format(4, 4), delete("number = 4"))
    assert "lobby lacks 1 message of the numbers 4 to 5." in admin("check", status=1)


def test_forgetting_a_user_without_messages_or_an_invalid_nick(admin: Admin) -> None:
    kept(admin.folder, said(1))
    assert admin("forget-person", "nobody") == "0 messages of nobody deleted\n"
    why = admin.fails("forget-person", "no body", "--yes")
    assert why == "no body is no nick that anybody could have"


@pytest.mark.parametrize(("answer", "left"), [("yes\n", 0), ("Y\n", 0), ("\n", 1), ("", 1)])
def test_at_a_terminal_deletion_is_confirmed_first(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    kept(admin.folder, said(1))
    assert admin.fails("forget-person", "ada") == (
        "nothing was deleted: say --yes, it cannot be undone"
    )
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    told = admin("forget-person", "ada", status=left)
    if left:
        question = "Delete 1 message of ada for good? [y/N] "
        assert told == f"{question}chatd-admin: nothing was deleted.\n"
    assert admin("export", "lobby").count("\n") == left


def test_a_failed_deletion_has_deleted_nothing(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    mixed(admin.folder)

    def fails(database: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(erased_numbers, "drop_unknown_rooms", fails)
    assert admin.fails("forget-person", "ada", "--yes").endswith("database or disk is full")
    assert admin("check") == "all is well: 1203 messages in 2 rooms\n"


def test_a_concurrent_reader_keeps_traces_in_the_file_and_that_is_reported(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(admin.folder, said(1))

    def impatient(path: Path) -> sqlite3.Connection:
        database = connect(path)
        database.execute("PRAGMA busy_timeout = 0")
        return database

    monkeypatch.setattr(files, "connect", impatient)
    with closing(sqlite3.connect(admin.folder / files.DATABASE)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM event").fetchone()
        told = admin("forget-person", "ada", "--yes", status=1)
        assert told == "1 message of ada deleted\n"
    assert admin("forget-person", "ada", "--yes") == "0 messages of ada deleted\n"


def test_records_of_rooms_that_no_longer_exist_are_dropped(admin: Admin) -> None:
    kept(admin.folder, [("attic@1.1", Said(NOON, "ada", "x")), *said(3, "bob")])
    admin("forget-person", "ada", "--yes")
    change(admin.folder, "DELETE FROM room WHERE name = 'attic@1.1'")
    admin("forget-person", "bob", "--yes")
    with closing(connect(admin.folder / files.DATABASE)) as database:
        records = database.execute("SELECT * FROM record").fetchall()
    assert records == [(erased_numbers.KIND, "lobby 1", "3")]


# What goes wrong ----------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_short(path: Path) -> None:
    os.truncate(path, 50)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 1000)


def foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipe (name TEXT)")


def newer(path: Path) -> None:
    change(path.parent, f"PRAGMA user_version = {schema.VERSION + 1}")


def removed(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


COMMANDS = (
    ["backup", "{copy}"],
    ["rooms"],
    ["export", "lobby"],
    ["check"],
    ["upgrade"],
    ["forget-person", "ada", "--yes"],
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (truncated, "database disk image is malformed"),
        (cut_short, "database disk image is malformed"),
        (emptied, "chatd.db is empty"),
        (no_database, "file is not a database"),
        (foreign, "chatd.db is no database of chatd"),
        (newer, "it was written by a newer chatd"),
        (removed, "has no chatd.db: is it kept elsewhere?"),
        (a_folder, "Is a directory: "),
    ],
)
def test_an_unusable_file_is_reported_in_one_sentence(
    admin: Admin, tmp_path: Path, command: list[str], damage: Callable[[Path], None], why: str
) -> None:
    admin.folder = tmp_path / "data"
    kept(admin.folder, said(200))
    damage(admin.folder / files.DATABASE)
    copy = tmp_path / "copy"
    arguments = [word.format(copy=copy) for word in command]
    if damage is newer and command[0] == "backup":
        admin(*arguments)  # a copy is a copy
    elif damage is emptied and command[0] == "upgrade":
        assert admin(*arguments).startswith("the tables were of version 0 and are of version ")
    else:
        assert why in admin.fails(*arguments)
        assert not copy.exists()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_missing_folder_is_reported_in_one_sentence_and_not_made(
    admin: Admin, command: list[str]
) -> None:
    admin.folder /= "nowhere"
    arguments = [word.format(copy=admin.folder.parent / "copy") for word in command]
    assert admin.fails(*arguments) == f"there is no folder {admin.folder}"
    assert not admin.folder.exists()


def test_without_write_permission_the_sentence_names_the_owner(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(admin.folder, said(1))
    error = sqlite3.OperationalError("attempt to write a readonly database")
    error.sqlite_errorname = "SQLITE_READONLY_DIRECTORY"

    def refuses(path: Path) -> sqlite3.Connection:
        raise error

    monkeypatch.setattr(files, "_read_only", refuses)
    assert admin.fails("rooms").endswith(
        "run this as the user that the server runs as, also to read"
    )


def test_the_lock_is_never_a_link_to_another_file(admin: Admin, tmp_path: Path) -> None:
    kept(admin.folder, said(1))
    (tmp_path / "chatd.lock").unlink()
    (tmp_path / "chatd.lock").symlink_to(tmp_path / "precious")
    assert "chatd.lock" in admin.fails("upgrade")
    assert not (tmp_path / "precious").exists()


def test_files_made_by_root_belong_to_the_owner_of_the_database(admin: Admin) -> None:
    kept(admin.folder, said(3))
    lock = admin.folder / "chatd.lock"
    lock.unlink()
    if os.geteuid() == 0:
        for path in (admin.folder, admin.folder / files.DATABASE):
            os.chown(path, 12345, 12345)
    for command in (["rooms"], ["check"], ["upgrade"], ["rooms"]):
        admin(*command)
    owner = (admin.folder / files.DATABASE).stat().st_uid
    assert lock.exists()
    assert {path.stat().st_uid for path in admin.folder.iterdir()} == {owner}


def test_the_lock_is_the_one_of_the_server(tmp_path: Path) -> None:
    store, _, _ = opened(tmp_path)
    with (
        pytest.raises(StoreError, match="another chatd is using"),
        files.locked(tmp_path / files.DATABASE),
    ):
        pass
    wait_for(store.close())
    with files.locked(tmp_path / files.DATABASE), pytest.raises(StoreError):
        opened(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sing"],
        ["backup"],
        ["export"],
        ["export", "lobby", "--since", "yesterday"],
        ["export", "lobby", "--zone", "Middle/Earth"],
        ["export", "lobby", "--zone", "../etc/passwd"],
        ["rooms", "--zone", "Europe"],
    ],
)
def test_wrong_usage_has_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: chatd-admin" in capsys.readouterr().err


def test_a_day_that_is_too_far_away_is_reported_in_a_sentence(admin: Admin) -> None:
    kept(admin.folder, said(1))
    why = admin.fails("export", "lobby", "--until", "9999-12-31")
    assert why == "9999-12-31 is too far away"


def test_the_default_data_folder_is_the_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    other = str(tmp_path / "xdg")
    for state, xdg in (("", ""), ("", other), (f"{tmp_path}/one:{tmp_path}/two", other)):
        monkeypatch.setenv("STATE_DIRECTORY", state)
        monkeypatch.setenv("XDG_STATE_HOME", xdg)
        options = tap.Options()
        options.parseOptions(["--listen", "line=tcp:0", "--data", ""])
        assert files.data_folder() == options["data"]


def test_the_program_is_installed_and_finds_the_data_of_a_server(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "LC_ALL": "C", "PYTHONUTF8": "0"}
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        environment.pop(name, None)
    with Served(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        ada.says("snöw")
        ada.says("/history")
        ada.hears("ada: snöw\r\n")
        ran = subprocess.run(
            [PROGRAM, "export", "lobby"],
            env=environment,
            cwd="/",
            capture_output=True,
            timeout=PATIENCE,
        )
    assert ran.stdout.decode().endswith(" ada: snöw\n")
    assert (ran.stderr, ran.returncode) == (b"", 0)
