"""A faulty disk, folder or file costs as little as possible, and is reported in a sentence."""

from __future__ import annotations

import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from chatd.chat.limits import ROOM_OWNER_SECONDS
from chatd.store.sqlite import schema
from tests.kill_rounds import OPTIONS, SendingBot, check, stored_rows
from tests.support.callers import Netcat
from tests.support.served import LISTENING, PATIENCE, Served

NOT_DELIVERED = "That was not delivered: "
REFUSAL = "chatd cannot keep what is said: "
DATABASE = "data/chatd.db"


def served(folder: Path) -> Served:
    return Served(folder, options=("--data", str(folder / "data")))


@contextmanager
def served_to_kill(folder: Path) -> Iterator[Served]:
    """Run a server whose log is not checked, and kill it at the end."""
    server = Served(folder, options=("--data", str(folder / "data"), "--flood", "none"))
    server.__enter__()
    try:
        yield server
    finally:
        server.kill()


def twistd(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a twistd that is to end by itself, or to become a daemon."""
    command = [
        str(Path(sys.executable).with_name("twistd")),
        *options,
        "chatd",
        "--listen=auto=tcp:0:interface=127.0.0.1",
        f"--data={folder / 'data'}",
    ]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def refusal_to_start(folder: Path) -> str:
    """Return the sentence of a server that refuses to start."""
    done = twistd(folder, "-n", "--pidfile=")
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    (sentence,) = (line for line in said.splitlines() if REFUSAL in line)
    return sentence


def database_with_messages(folder: Path, *lines: str) -> Path:
    """Let a server store messages and end; return its database."""
    with served(folder) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        for line in lines or ("an apple", "a pear"):
            ada.says(line)
            ada.says("/history 1")
            ada.hears(f"ada: {line}\r\n")
    return folder / DATABASE


def file_contents(folder: Path) -> dict[str, bytes]:
    """Return the files of the store, byte for byte, but for the lock."""
    return {
        path.name: path.read_bytes() for path in folder.glob("data/chatd.db*") if path.is_file()
    }


def limit_file_size(server: Served, size: int) -> None:
    """Let no file of a server grow beyond a size: like a full disk, also if root runs the test."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def without_space(server: Served, size: int) -> Iterator[None]:
    """Let no file grow for a while."""
    limit_file_size(server, size)
    yield
    limit_file_size(server, resource.RLIM_INFINITY)


# A disk that is full ----------------------------------------------------------------------------


def test_while_the_disk_is_full_authors_are_told_and_afterwards_it_goes_on(
    tmp_path: Path,
) -> None:
    with (
        served_to_kill(tmp_path) as server,
        Netcat(server.port(), b"/nick ada\n") as ada,
        Netcat(server.port()) as bob,
    ):
        ada.hears("now known as ada.")
        bob.greeted()
        ada.says("before")
        bob.hears("ada: before\r\n")
        with without_space(server, (tmp_path / f"{DATABASE}-wal").stat().st_size):
            for line in ("one", "two"):
                ada.says(line)
                ada.hears(NOT_DELIVERED)
            bob.says("/history")
            bob.hears("ada: before\r\n")
            with Netcat(server.port()) as cy:
                cy.greeted()
        ada.says("after")
        assert "ada: one" not in bob.hears("ada: after\r\n")
    assert [text for _, text in stored_rows(tmp_path / DATABASE)] == ["before", "after"]


def test_a_full_disk_is_not_logged_as_a_bug(tmp_path: Path) -> None:
    with served(tmp_path) as server, Netcat(server.port()) as ada:
        ada.greeted()
        ada.says("before")
        with without_space(server, (tmp_path / f"{DATABASE}-wal").stat().st_size):
            ada.says("one")
            ada.hears(NOT_DELIVERED)


def test_history_can_be_read_while_the_disk_is_full(tmp_path: Path) -> None:
    with served_to_kill(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        for number in range(100):  # more than the database file has space for yet
            ada.says(f"{number} {'x' * 400}")
        ada.says("before")
        ada.says("/history 1")
        ada.hears("ada: before\r\n")
        with without_space(server, (tmp_path / DATABASE).stat().st_size):
            for number in range(60):
                ada.says(f"{number}")
                ada.hears(NOT_DELIVERED)
            assert "Exception in thread" not in server.log
            ada.says("/history 1")
            ada.hears("ada: before\r\n")


def test_a_server_that_ends_while_the_disk_is_full_loses_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        ada.says("before")
        ada.says("/history")
        ada.hears("ada: before\r\n")
        limit_file_size(server, 4096)
    assert [text for _, text in stored_rows(tmp_path / DATABASE)] == ["before"]


def make_accounts_older(database: Path) -> None:
    """Make all accounts older than new ones, which own no persistent rooms."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE record SET value = json_set(value, '$.created',"
            " json_extract(value, '$.created') - ?) WHERE kind = 'account'",
            (2 * ROOM_OWNER_SECONDS,),
        )


def test_a_full_disk_is_logged_and_what_was_confirmed_is_there_after_a_kill(
    tmp_path: Path,
) -> None:
    with served(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        ada.says("/register sesame and more")
        ada.hears("ada is yours now")
    make_accounts_older(tmp_path / DATABASE)
    with served_to_kill(tmp_path) as server, Netcat(server.port(), b"/login ada\n") as ada:
        ada.hears("Password of ada")
        ada.says("sesame and more")
        ada.hears("You are logged in as ada.")
        ada.says("/join den")
        ada.hears("You opened den; it is yours.")
        ada.says("/room lasting")
        ada.hears("den: lasting on")
        with without_space(server, (tmp_path / f"{DATABASE}-wal").stat().st_size):
            for line in (
                "/topic tea",
                "/room slow 5",
                "/set bell all",
                "/join hut",
                "/ban nick:bob",
            ):
                ada.says(line)
                ada.hears("That was not done: the server cannot write it down.")
            server.wait_for(r"disk: cannot keep what is said: .+; \d+ changes? refused")
        server.wait_for(r"disk: keeps again after \d+ s; \d+ changes were refused")
        ada.says("/topic coffee")
        ada.hears("coffee")
        with Netcat(server.port(), b"/nick cy\n") as cy:
            cy.hears("now known as cy.")
            cy.says("/register sesame and more")
            cy.hears("cy is yours now")
            cy.says("/quit")
            ada.hears("cy left")
        ada.says("/dm cy good evening")
        ada.hears("cy is not here now, and will be shown it then.")
        ada.says("/join hut")
        ada.hears("You opened hut; it is yours.")
        server.kill()
    with served(tmp_path) as server, Netcat(server.port(), b"/nick bea\n") as bea:
        bea.hears("now known as bea.")
        bea.says("/rooms")
        assert "tea" not in bea.hears("hut: 0 people")
        bea.says("/join den")
        bea.hears("Topic: coffee")
        bea.says("/login cy sesame and more")
        bea.hears("good evening")


def test_a_disk_that_takes_its_time_is_logged_meanwhile(tmp_path: Path) -> None:
    with served(tmp_path) as server, Netcat(server.port()) as ada:
        ada.greeted()
        with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # the server's transaction waits for this one
            ada.says("hello")
            server.wait_for(r"disk: has not kept 1 line for \d\.\d s")
            other.execute("COMMIT")
        ada.says("/history")
        ada.hears(": hello\r\n")


# A folder, or a file, that cannot be used -------------------------------------------------------


@pytest.mark.parametrize("name", ["chatd.lock", "chatd.db"])
def test_an_unwritable_folder_is_reported_in_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "data" / name).mkdir(parents=True)  # not by permissions, which do not stop root
    assert refusal_to_start(tmp_path).endswith(f"Is a directory: {tmp_path / 'data' / name}")


def test_a_file_in_place_of_the_folder_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"a file")
    done = twistd(tmp_path, "-n", "--pidfile=")
    assert done.returncode == 1
    assert "--data: " in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def cut_in_the_middle(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)


def cut_within_a_page(database: Path) -> None:
    os.truncate(database, 1000)


def garbage(database: Path) -> None:
    database.write_bytes(bytes(range(256)) * 64)


def garbage_behind_the_header(database: Path) -> None:
    whole = database.read_bytes()
    database.write_bytes(whole[:100] + bytes(range(256)) * ((len(whole) - 100) // 256))


def newer_version(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        opened.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        opened.commit()


def newer_version_without_wal(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA journal_mode = DELETE").fetchone()
    newer_version(database)


@pytest.mark.parametrize(
    "damage",
    [
        cut_in_the_middle,
        cut_within_a_page,
        garbage,
        garbage_behind_the_header,
        newer_version,
        newer_version_without_wal,
    ],
)
def test_an_unusable_database_is_left_as_it_is(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    database = database_with_messages(tmp_path)
    damage(database)
    before = file_contents(tmp_path)
    sentence = refusal_to_start(tmp_path)
    assert str(database) in sentence
    assert file_contents(tmp_path) == before


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / DATABASE
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE recipe (title TEXT)")
    before = file_contents(tmp_path)
    refusal_to_start(tmp_path)
    assert file_contents(tmp_path) == before


def test_an_empty_file_becomes_a_new_store(tmp_path: Path) -> None:
    database = database_with_messages(tmp_path)
    os.truncate(database, 0)
    with served(tmp_path) as server, Netcat(server.port(), b"/history\n") as bob:
        bob.hears("Nothing was said in lobby yet.")


# Ends -------------------------------------------------------------------------------------------


def wal_of_a_killed_server(folder: Path, *lines: str) -> Path:
    """Let a server store messages, and kill it; return its write-ahead log."""
    with served_to_kill(folder) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        for line in lines:
            ada.says(line)
            ada.says("/history 1")
            ada.hears(f"ada: {line}\r\n")
        server.kill()
    return folder / f"{DATABASE}-wal"


def test_messages_that_are_only_in_the_wal_are_there_after_a_kill(tmp_path: Path) -> None:
    log = wal_of_a_killed_server(tmp_path, "an apple", "a pear")
    assert b"a pear" in log.read_bytes()
    assert b"a pear" not in (tmp_path / DATABASE).read_bytes()
    with served(tmp_path) as server, Netcat(server.port(), b"/history\n") as bob:
        bob.hears("ada: an apple\r\n")
        bob.hears("ada: a pear\r\n")
    assert not log.exists()


def test_a_truncated_wal_is_read_up_to_its_end(tmp_path: Path) -> None:
    log = wal_of_a_killed_server(tmp_path, "an apple", "a pear")
    os.truncate(log, log.stat().st_size - 100)
    with served(tmp_path) as server, Netcat(server.port(), b"/history\n") as bob:
        bob.hears("ada: an apple\r\n")
        bob.says("/history")
        bob.hears("ada: an apple\r\n")
    assert [text for _, text in stored_rows(tmp_path / DATABASE)] == ["an apple"]


def test_a_second_server_does_not_start_and_the_first_goes_on(tmp_path: Path) -> None:
    with served(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        sentence = refusal_to_start(tmp_path)
        assert sentence.endswith(f"another chatd is using {tmp_path / DATABASE}")
        ada.says("still here")
        ada.says("/history")
        ada.hears("ada: still here\r\n")


def test_acknowledged_messages_survive_a_stop_of_the_server(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    with Served(tmp_path, ("json",), (*OPTIONS, "--data", folder)) as server:
        talkers = [SendingBot(server.port("json"), f"bot{number}") for number in range(4)]
        for talker in talkers:
            talker.start()
        while not all(len(talker.acknowledged) > 50 for talker in talkers):
            talkers[0].join(0.001)
            assert all(talker.is_alive() for talker in talkers), "nobody talks any more"
    for talker in talkers:
        talker.join(PATIENCE)
    check(talkers, stored_rows(tmp_path / DATABASE))


# A daemon ---------------------------------------------------------------------------------------


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition by polling."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not come to be so"
        time.sleep(0.01)


@contextmanager
def daemon(folder: Path) -> Iterator[int]:
    """Run a daemon; yield its port."""
    pidfile, log = folder / "pid", folder / "log"
    log.unlink(missing_ok=True)
    done = twistd(folder, f"--pidfile={pidfile}", f"--logfile={log}")
    try:
        assert done.returncode == 0, done.stderr
        listening = LISTENING.format(way="auto") + "\n"
        eventually(lambda: re.search(listening, log.read_text()) is not None)
        yield int(re.findall(listening, log.read_text())[0][1])
    finally:
        if pidfile.exists():
            os.kill(int(pidfile.read_text()), signal.SIGTERM)
        eventually(lambda: not pidfile.exists())
    assert "Traceback" not in log.read_text()


def test_a_daemon_stores_messages_too(tmp_path: Path) -> None:
    for line in ("an apple", "a pear"):
        with daemon(tmp_path) as port, Netcat(port, b"/nick ada\n") as ada:
            ada.hears("now known as ada.")
            ada.says(line)
            ada.says("/history")
            ada.hears(f"ada: {line}\r\n")
    assert [text for _, text in stored_rows(tmp_path / DATABASE)] == ["an apple", "a pear"]
    assert not (tmp_path / f"{DATABASE}-wal").exists()


def test_a_daemon_that_does_not_start_says_why(tmp_path: Path) -> None:
    database = tmp_path / DATABASE
    database.parent.mkdir()
    garbage(database)
    options = (f"--pidfile={tmp_path / 'pid'}", f"--logfile={tmp_path / 'log'}")
    done = twistd(tmp_path, *options)
    assert done.returncode == 1
    assert "file is not a database" in done.stdout + done.stderr
    assert not (tmp_path / "pid").exists()
