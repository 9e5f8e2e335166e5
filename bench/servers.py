"""Measured servers: starting each without limits, and stopping it.

It knows their command lines and configuration, but nothing of the measurements.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import machine
from bench.protocols import FLOOR, IRC, IRC_BY_THE_SECOND, WAYS, ChatProtocol

#: Seconds that a server may take to listen, and to stop: ngircd takes long to close many clients.
START_SECONDS = 30
STOP_SECONDS = 3

_NGIRCD = """
[Global]
Name = bench.localhost
Info = bench
Listen = 127.0.0.1
Ports = {port}
MotdPhrase = bench
ServerUID = {uid}
ServerGID = {gid}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxNickLength = 30
MaxPenaltyTime = 0
PingTimeout = 3600
PongTimeout = 3600
[Options]
DNS = no
Ident = no
PAM = no
"""

_INSPIRCD = """
<server name="bench.localhost" description="bench" network="bench" id="0BN">
<admin name="bench" nick="bench" email="bench@localhost">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect allow="*" timeout="3600" pingfreq="3600" localmax="1000000" globalmax="1000000"
         limit="1000000" maxchans="1000" recvq="1048576" softsendq="1073741824"
         hardsendq="1073741824" commandrate="1000000000" threshold="1000000" fakelag="no"
         useident="no" resolvehostnames="no" maxconnwarn="no">
<performance netbuffersize="65534" somaxconn="4096" softlimit="1000000" quietbursts="yes">
<options defaultbind="ipv4" cyclehostsfromuser="no">
<limits maxnick="30">
<dns timeout="1">
<cidr ipv4clone="32" ipv6clone="128">
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server to compare; ``command`` prepares a folder and returns the command line."""

    name: str
    protocol: ChatProtocol
    command: Callable[[Path, int], list[str]]


class RunningServer:
    """A peer's process, on ``core`` and in its own folder, which runs during ``with``."""

    def __init__(self, peer: Peer, core: int | None) -> None:
        self.peer = peer
        self.port = machine.free_port()
        self.core = core

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        folder = Path(self._folder.name)
        self._log = (folder / "log").open("wb+")
        try:
            self._process = subprocess.Popen(
                self.peer.command(folder, self.port),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
            )
            machine.pin(self._process.pid, self.core)
            self._wait()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        log = self.log
        self._stop()
        if error is None and "Traceback" in log:
            raise RuntimeError(f"{self.peer.name} failed:\n{log}")

    @property
    def pid(self) -> int:
        """Return the server's process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """Return the server's output."""
        return Path(self._log.name).read_text(errors="replace")

    def _wait(self) -> None:
        """Wait until the server accepts connections."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self._process.poll() is None:
            if machine.listens(self.port):
                return
            time.sleep(0.01)
        raise RuntimeError(f"{self.peer.name} does not listen:\n{self.log}")

    def _stop(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()
        self._folder.cleanup()


def chatd(way: str, name: str = "", options: Sequence[str] = ("--history=none",)) -> Peer:
    """Return the chatd of this Python's environment, with one way in; no history by default."""
    listening = "json" if way == "bots" else way

    def command(folder: Path, port: int) -> list[str]:
        twistd = str(Path(sys.executable).with_name("twistd"))
        listen = f"--listen={listening}=tcp:{port}:interface=127.0.0.1"
        open_to_all = ["--flood=none", "--per-address=none", "--max-connections=60000"]
        return [twistd, "-n", "--pidfile=", "chatd", listen, "--data=data", *open_to_all, *options]

    return Peer(f"chatd {name or way}", WAYS[way], command)


def floor() -> Peer:
    """Return the floor, in C where there is a compiler."""
    compiler = shutil.which("cc")

    def compiled(folder: Path, port: int) -> list[str]:
        source = Path(__file__).with_name("floor.c")
        built = str(folder / "floor")
        subprocess.run([str(compiler), "-O2", "-D_GNU_SOURCE", "-o", built, source], check=True)
        return [built, str(port)]

    def interpreted(folder: Path, port: int) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("floor.py")), str(port)]

    return Peer("floor", FLOOR, compiled) if compiler else Peer("floor (py)", FLOOR, interpreted)


def _configured(program: str, text: str, *options: str) -> Callable[[Path, int], list[str]]:
    """Return the command of a server with a configuration file, whose path follows the options."""

    def command(folder: Path, port: int) -> list[str]:
        path = folder / "conf"
        path.write_text(text.format(port=port, uid=os.getuid(), gid=os.getgid()))
        return [program, *options[:-1], options[-1] + str(path)]

    return command


def irc_daemons(more: Sequence[str] = ()) -> list[Peer]:
    """Return the IRC daemons that are installed, and those given as ``NAME=COMMAND``.

    ``{port}`` in a command is the port to listen on.
    """
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin"
    peers = []
    if program := shutil.which("ngircd", path=path):
        peers.append(Peer("ngircd", IRC, _configured(program, _NGIRCD, "-n", "-f", "")))
    if program := shutil.which("inspircd", path=path):
        as_we_are = ["--runasroot"] if os.getuid() == 0 else []
        options = [*as_we_are, "--nofork", "--nolog", "--nopid", "--config="]
        peers.append(Peer("inspircd", IRC_BY_THE_SECOND, _configured(program, _INSPIRCD, *options)))
    for each in more:
        name, _, words = each.partition("=")
        peers.append(Peer(name, IRC, _custom(words)))
    return peers


def _custom(words: str) -> Callable[[Path, int], list[str]]:
    return lambda folder, port: [word.format(port=port) for word in shlex.split(words)]
