"""Real connections to the real server leave nothing for its garbage collector."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import ROOT
from tests.support.callers import Netcat, Ssh, Telnet
from tests.support.served import Served

#: Connections of each kind that are counted, and before them.
CONNECTIONS, WARM_UP = 20, 2


class CollectedServer(Served):
    """A server that collects garbage when it is told to."""

    def _command(self) -> list[str]:
        program = ROOT / "tests" / "support" / "garbage_count.py"
        return [sys.executable, "-P", str(program), *super()._command()[1:]]

    def garbage(self) -> dict[str, int]:
        """Collect garbage once all connections have ended; return what was found, by type."""
        before = self.log.count("garbage: ")
        os.kill(self.pid, signal.SIGUSR2)
        self.wait_for(rf"(?s)(garbage: .*\n.*){{{before + 1}}}")
        found: dict[str, int] = json.loads(re.findall(r"garbage: (.*)", self.log)[-1])
        return found


def by_lines(port: int) -> None:
    with Netcat(port) as client:
        client.greeted()
        for line in ("hello", "/search hello", "/join attic", "/history 1 lobby"):
            client.says(line)
        client.hears("attic")


def by_lines_to_the_end(port: int) -> None:
    with Netcat(port) as client:
        client.greeted()
        client.says("/quit")
        client.hears_the_end()


def by_telnet(port: int) -> None:
    with Telnet(port) as client:
        client.hears("If you are cut off")
        client.sends(b"hello\r\0")


def by_json(port: int) -> None:
    with Netcat(port, b'{"username": "bot", "version": 2}\n') as client:
        client.hears('"isConnected": true')
        client.sends(b'{"message": "hello", "room": "lobby", "id": 1}\n')
        client.hears('"id": 1')


def by_tcd(port: int) -> None:
    join = b"JOIN_CHATROOM: attic\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: bob\n"
    with Netcat(port, join) as client:
        client.hears("JOIN_ID")


def by_ssh(port: int) -> None:
    with Ssh(port, "ann", terminal=True) as client:
        client.hears("If you are cut off")


def by_command(port: int) -> None:
    with Ssh(port, "ann", command="say lobby hello") as client:
        client.hears_the_end()


@pytest.mark.parametrize(
    "way",
    [by_lines, by_lines_to_the_end, by_telnet, by_json, by_tcd, by_ssh, by_command],
    ids=lambda way: way.__name__,
)
def test_connections_leave_no_garbage(tmp_path: Path, way: Callable[[int], None]) -> None:
    options = ("--data", str(tmp_path / "data"), "--per-address", "none", "--flood", "none")
    with CollectedServer(tmp_path, options=options) as server:
        for _ in range(WARM_UP):
            way(server.port())
        server.garbage()
        for _ in range(CONNECTIONS):
            way(server.port())
        assert server.garbage() == {}
