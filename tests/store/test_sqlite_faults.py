"""What is wrong with a disk, a folder or a file costs as little as can be, and is said plainly."""

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

from chatd.store.sqlite import schema
from tests.kill_rounds import OPTIONS, SendingBot, check, stored_rows
from tests.support.callers import Netcat
from tests.support.served import LISTENING, PATIENCE, Served

NOT_KEPT = "That was not delivered: "
REFUSAL = "chatd cannot keep what is said: "
DATABASE = "data/chatd.db"


def serving(folder: Path) -> Served:
    return Served(folder, options=("--data", str(folder / "data")))


@contextmanager
def serving_on(folder: Path) -> Iterator[Served]:
    """A server whose log is not looked at, and that is killed at the end."""
    server = Served(folder, options=("--data", str(folder / "data"), "--flood", "none"))
    server.__enter__()
    try:
        yield server
    finally:
        server.kill()


def twistd(
    folder: Path, *options: str, patience: float = PATIENCE
) -> subprocess.CompletedProcess[str]:
    """Run a twistd that is to end of itself, or to become a daemon."""
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
        timeout=patience,
    )


def does_not_start(folder: Path, patience: float = PATIENCE) -> str:
    """What a server says that refuses to start: one sentence."""
    done = twistd(folder, "-n", "--pidfile=", patience=patience)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "Traceback" not in said
    (sentence,) = (line for line in said.splitlines() if REFUSAL in line)
    return sentence


def with_something_said(folder: Path, *lines: str) -> Path:
    """A folder in which a server kept something and ended; return its database."""
    with serving(folder) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        for line in lines or ("an apple", "a pear"):
            ada.says(line)
            ada.says("/history 1")
            ada.hears(f"ada: {line}\r\n")
    return folder / DATABASE


def content(folder: Path) -> dict[str, bytes]:
    """The files of the store, byte for byte; the lock is none of them."""
    return {
        path.name: path.read_bytes() for path in folder.glob("data/chatd.db*") if path.is_file()
    }


def limit(server: Served, size: int) -> None:
    """No file of the server's becomes larger: as on a full disk, whoever runs the test."""
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@contextmanager
def no_room(server: Served, size: int) -> Iterator[None]:
    """There is room again at the end."""
    limit(server, size)
    yield
    limit(server, resource.RLIM_INFINITY)


# A disk that is full ----------------------------------------------------------------------------


def test_while_nothing_can_be_written_the_writer_is_told_and_then_it_goes_on(
    tmp_path: Path,
) -> None:
    with (
        serving_on(tmp_path) as server,
        Netcat(server.port(), b"/nick ada\n") as ada,
        Netcat(server.port()) as bob,
    ):
        ada.hears("now known as ada.")
        bob.greeted()
        ada.says("before")
        bob.hears("ada: before\r\n")
        with no_room(server, (tmp_path / f"{DATABASE}-wal").stat().st_size):
            for line in ("one", "two"):
                ada.says(line)
                ada.hears(NOT_KEPT)
            bob.says("/history")
            bob.hears("ada: before\r\n")
            with Netcat(server.port()) as cy:
                cy.greeted()
        ada.says("after")
        assert "ada: one" not in bob.hears("ada: after\r\n")
    assert [text for _, text in stored_rows(tmp_path / DATABASE)] == ["before", "after"]


def test_that_nothing_can_be_written_is_no_bug(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Netcat(server.port()) as ada:
        ada.greeted()
        ada.says("before")
        with no_room(server, (tmp_path / f"{DATABASE}-wal").stat().st_size):
            ada.says("one")
            ada.hears(NOT_KEPT)


def test_what_was_said_can_be_read_however_long_nothing_can_be_written(tmp_path: Path) -> None:
    with serving_on(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        for number in range(100):  # what the database has no room for yet
            ada.says(f"{number} {'x' * 400}")
        ada.says("before")
        ada.says("/history 1")
        ada.hears("ada: before\r\n")
        with no_room(server, (tmp_path / DATABASE).stat().st_size):
            for number in range(60):
                ada.says(f"{number}")
                ada.hears(NOT_KEPT)
            assert "Exception in thread" not in server.log
            ada.says("/history 1")
            ada.hears("ada: before\r\n")


def test_a_server_that_ends_while_nothing_can_be_written_has_lost_nothing(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        ada.says("before")
        ada.says("/history")
        ada.hears("ada: before\r\n")
        limit(server, 4096)
    assert [text for _, text in stored_rows(tmp_path / DATABASE)] == ["before"]


# A folder, or a file, that cannot be used -------------------------------------------------------


@pytest.mark.parametrize("name", ["chatd.lock", "chatd.db"])
def test_a_folder_that_cannot_be_written_to_is_said_in_a_sentence(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "data" / name).mkdir(parents=True)  # no permissions: they mean nothing to root
    assert does_not_start(tmp_path).endswith(f"Is a directory: {tmp_path / 'data' / name}")


def test_a_place_that_is_no_folder_is_a_usage_error(tmp_path: Path) -> None:
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


def newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        opened.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
        opened.commit()


def newer_without_a_log(database: Path) -> None:
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("PRAGMA journal_mode = DELETE").fetchone()
    newer(database)


@pytest.mark.parametrize(
    "harm",
    [
        cut_in_the_middle,
        cut_within_a_page,
        garbage,
        garbage_behind_the_header,
        newer,
        newer_without_a_log,
    ],
)
def test_a_file_that_cannot_be_used_is_left_as_it_is(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    database = with_something_said(tmp_path)
    harm(database)
    before = content(tmp_path)
    sentence = does_not_start(tmp_path)
    assert str(database) in sentence
    assert content(tmp_path) == before


def test_a_database_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / DATABASE
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as opened:
        opened.execute("CREATE TABLE recipe (title TEXT)")
    before = content(tmp_path)
    does_not_start(tmp_path, patience=5)
    assert content(tmp_path) == before


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    database = with_something_said(tmp_path)
    os.truncate(database, 0)
    with serving(tmp_path) as server, Netcat(server.port(), b"/history\n") as bob:
        bob.hears("Nothing was said in lobby yet.")


# Ends -------------------------------------------------------------------------------------------


def killed(folder: Path, *lines: str) -> Path:
    """A folder in which a server kept something and was killed; return its log of writes."""
    with serving_on(folder) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        for line in lines:
            ada.says(line)
            ada.says("/history 1")
            ada.hears(f"ada: {line}\r\n")
        server.kill()
    return folder / f"{DATABASE}-wal"


def test_what_is_in_the_log_only_is_there_after_a_kill(tmp_path: Path) -> None:
    log = killed(tmp_path, "an apple", "a pear")
    assert b"a pear" in log.read_bytes()
    assert b"a pear" not in (tmp_path / DATABASE).read_bytes()
    with serving(tmp_path) as server, Netcat(server.port(), b"/history\n") as bob:
        bob.hears("ada: an apple\r\n")
        bob.hears("ada: a pear\r\n")
    assert not log.exists()


def test_a_log_whose_end_is_missing_is_read_up_to_there(tmp_path: Path) -> None:
    log = killed(tmp_path, "an apple", "a pear")
    os.truncate(log, log.stat().st_size - 100)
    with serving(tmp_path) as server, Netcat(server.port(), b"/history\n") as bob:
        bob.hears("ada: an apple\r\n")
        bob.says("/history")
        bob.hears("ada: an apple\r\n")
    assert [text for _, text in stored_rows(tmp_path / DATABASE)] == ["an apple"]


def test_a_second_server_does_not_start_and_the_first_goes_on(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("now known as ada.")
        sentence = does_not_start(tmp_path)
        assert sentence.endswith(f"another chatd is using {tmp_path / DATABASE}")
        ada.says("still here")
        ada.says("/history")
        ada.hears("ada: still here\r\n")


def test_nothing_that_anybody_was_told_is_lost_when_the_server_is_stopped(tmp_path: Path) -> None:
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


def eventually(so: Callable[[], bool]) -> None:
    """Wait for something that nobody tells us of."""
    until = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < until, "it did not come to be so"
        time.sleep(0.01)


@contextmanager
def daemon(folder: Path) -> Iterator[int]:
    """The port of a daemon; it is stopped at the end."""
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


def test_a_daemon_keeps_what_is_said_too(tmp_path: Path) -> None:
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
    done = twistd(tmp_path, *options, patience=5)
    assert done.returncode == 1
    assert "file is not a database" in done.stdout + done.stderr
    assert not (tmp_path / "pid").exists()
