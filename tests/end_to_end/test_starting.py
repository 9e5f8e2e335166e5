"""A server that cannot start says why in a sentence and ends with status 1, also as a daemon."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from chatd.transport.gate.admission import FULL, RESERVE
from chatd.transport.net.descriptors import OTHERS
from tests.support.callers import Netcat
from tests.support.served import PATIENCE, Served


def start(folder: Path, *options: str, daemon: bool) -> tuple[str, str]:
    """Start a server that cannot; return what it printed and what it logged.

    It has to end by itself: a parent that waits for its daemon for ever is the fault.
    """
    pid_file, log = folder / "pid", folder / "log"
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("twistd")),
            *([] if daemon else ["-n"]),
            f"--pidfile={pid_file}",
            f"--logfile={log}",
            "chatd",
            *options,
        ],
        cwd=folder,
        env={**os.environ, "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    printed, logged = done.stdout + done.stderr, log.read_text() if log.exists() else ""
    assert done.returncode == 1, printed + logged
    assert "Traceback" not in printed + logged
    assert not pid_file.exists()
    return printed, logged


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield int(listening.getsockname()[1])


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """Hold the lock of a data folder, as another server does."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "chatd.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.parametrize("daemon", [True, False])
def test_a_port_that_is_taken(tmp_path: Path, taken: int, daemon: bool) -> None:
    listen = f"--listen=auto=tcp:{taken}:interface=127.0.0.1"
    printed, logged = start(tmp_path, listen, f"--data={tmp_path / 'data'}", daemon=daemon)
    sentence = f"chatd cannot listen: Couldn't listen on 127.0.0.1:{taken}"
    assert sentence in printed
    assert logged.count(sentence) == 1


@pytest.mark.parametrize("daemon", [True, False])
def test_the_ports_of_several_processes_that_are_taken(
    tmp_path: Path, taken: int, daemon: bool
) -> None:
    printed, logged = start(
        tmp_path,
        f"--listen=auto=tcp:{taken}:interface=127.0.0.1",
        f"--data={tmp_path / 'data'}",
        "--processes=2",
        "--cluster=nats://127.0.0.1:1",
        daemon=daemon,
    )
    assert "chatd cannot listen: " in printed
    assert "chatd cannot listen: " in logged


@pytest.mark.parametrize("daemon", [True, False])
def test_a_cluster_that_is_not_there(tmp_path: Path, daemon: bool) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        printed, logged = start(
            tmp_path,
            "--listen=auto=tcp:0:interface=127.0.0.1",
            f"--data={tmp_path / 'data'}",
            f"--cluster=nats://127.0.0.1:{port}",
            daemon=daemon,
        )
    assert "chatd cannot use the cluster: " in printed
    assert "Connect call failed" in logged


def test_a_data_folder_that_another_server_uses(tmp_path: Path) -> None:
    with locked(tmp_path / "data"):
        printed, _ = start(
            tmp_path,
            "--listen=auto=tcp:0:interface=127.0.0.1",
            f"--data={tmp_path / 'data'}",
            daemon=True,
        )
    assert f"another chatd is using {tmp_path / 'data' / 'chatd.db'}" in printed


@pytest.mark.parametrize("wanted", ["index=0", "name=chat"])
def test_a_socket_that_systemd_did_not_pass(tmp_path: Path, wanted: str) -> None:
    listen = f"--listen=auto=systemd:domain=INET6:{wanted}"
    printed, _ = start(tmp_path, listen, f"--data={tmp_path / 'data'}", daemon=True)
    number = wanted.partition("=")[2]
    assert f"systemd passed no socket {number}; is chatd.socket started?" in printed


class Limited(Served):
    """A server that the system allows so few open files."""

    files = 120

    def _command(self) -> list[str]:
        limit = f'ulimit -n {self.files}; exec "$@"'
        return ["sh", "-c", limit, "sh", *super()._command()]


def test_with_few_open_files_as_many_come_in_as_fit_and_others_are_told(tmp_path: Path) -> None:
    options = ("--per-address", "none", "--data", str(tmp_path / "data"))
    possible, callers = Limited.files - OTHERS, []
    guests = possible - possible // (RESERVE + 1)  # the others are for those who prove who they are
    with Limited(tmp_path, ["line"], options) as server, ExitStack() as stack:
        server.wait_for(f"the system allows {Limited.files}: {possible} people may come")
        for number in range(2 * Limited.files):
            caller = stack.enter_context(Netcat(server.port("line")))
            callers.append(caller)
            if number < guests:
                caller.greeted()
            else:
                assert FULL in caller.hears_the_end()
        callers[0].says("/users")
        callers[0].hears("guest1")
        assert "Too many open files" not in server.log
