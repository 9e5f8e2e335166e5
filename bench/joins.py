"""Joins benchmark: how long the server keeps everybody waiting while very many people come in.

It knows which clients join, and what is noted of the server's turns; it does not know how.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

from bench.client_pool import ClientPool
from bench.config import Config, connections_within_limit
from bench.figures import median, shown, table
from bench.rooms import room_names
from bench.servers import Peer, RunningServer, chatd

#: Seconds in which the server prints what it noted.
_SECONDS = 30.0
_NOTED = re.compile(r'^\{"longest": .*\}$', re.MULTILINE)


def joins(config: Config, ways: list[str], people: int) -> str:
    """Let people come into rooms of ten; return the longest turns of the server's reactor."""
    count = connections_within_limit(people)
    noted: dict[str, list[dict[str, float]]] = {}

    def work(server: RunningServer) -> None:
        with ClientPool(server.peer.protocol, server.port) as pool:
            pool.connect(["first"], stay=False)  # once it is served, the server has started
            os.kill(server.pid, signal.SIGUSR1)
            pool.connect(room_names(count))
            noted.setdefault(server.peer.name, []).append(_noted(server))

    config.run_each([_observed(chatd(way)) for way in ways], work)
    rows = [
        [name, *(shown(median([run[what] for run in runs]), 1) for what in runs[0])]
        for name, runs in noted.items()
    ]
    headings = ["longest turn, ms", "longest collection, ms", "all collections, ms"]
    return table([f"{count} come into rooms of 10", *headings], rows)


def _observed(peer: Peer) -> Peer:
    """Return a server whose turns are measured."""

    def command(folder: Path, port: int) -> list[str]:
        (folder / "bench").symlink_to(Path(__file__).parent)
        return [sys.executable, "-m", "bench.turns", *peer.command(folder, port)[1:]]

    return dataclasses.replace(peer, command=command)


def _noted(server: RunningServer) -> dict[str, float]:
    """Return what the server has noted.

    :raises TimeoutError: when it does not print that.
    """
    os.kill(server.pid, signal.SIGUSR2)
    until = time.monotonic() + _SECONDS
    while (found := _NOTED.search(server.log)) is None:
        if time.monotonic() > until:
            raise TimeoutError("the server printed nothing of its turns")
        time.sleep(0.05)
    figures: dict[str, float] = json.loads(found[0])["longest"]
    return figures
