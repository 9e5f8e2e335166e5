"""Floods of ssh packets, from guests without a key."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

from chatd.wire.ssh import string, uint32
from tests.hostile.flood import Flood, Target
from tests.support.ssh import peer as ssh
from tests.support.ssh.peer import Peer

#: Packets that are sealed and sent together.
_BATCH = 50
#: Seconds that a step of the login may take.
_PATIENCE = 10.0

_DEBUG, _IGNORE, _GLOBAL_REQUEST, _UNKNOWN = 4, 2, 80, 192
_LOGGED_IN, _OPENED = ssh.AUTH_SUCCESS, ssh.CONFIRMATION


class _Wire:
    """A socket with the interface of the transport and of the protocol that a `Peer` uses."""

    disconnecting = False

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _PATIENCE)
        self.waits = False

    def dataReceived(self, data: bytes) -> None:
        self.socket.sendall(data)

    def value(self) -> bytes:
        """Return what has arrived; wait for something if ``waits``."""
        if not self.waits:
            return b""
        data = self.socket.recv(64 * 1024)
        if not data:
            raise ConnectionResetError
        return data

    def clear(self) -> None:
        """Do nothing: what was received is gone."""


class SocketPeer(Peer):
    """The client of a real server."""

    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.took: list[tuple[int, bytes]] = []
        wire: Any = _Wire(self.port)
        self.wire = self.protocol = wire
        self.socket: socket.socket = wire.socket
        self.server_version = b""
        self._unread = b""
        self.got.clear()
        self._bytes_sent.clear()

    def check_signature(self, signature: bytes, digest: bytes) -> None:
        """Do nothing: any server will do."""

    def await_message(self, wanted: int) -> bytes:
        """Return the next message of this number.

        :raises OSError: when the server closes the connection.
        """
        self.wire.waits = True  # type: ignore[attr-defined]  # it is ours
        while True:
            for at, (number, payload) in enumerate(self.got):
                if number == wanted:
                    del self.got[: at + 1]
                    self.wire.waits = False  # type: ignore[attr-defined]
                    return payload
            self.read()

    def logs_in(self) -> None:
        """Log in as a guest."""
        self.begin()
        self.await_message(ssh.KEXINIT)
        self.share()
        self.await_message(ssh.NEWKEYS)
        self.newkeys()
        self.ask_service()
        self.await_message(ssh.SERVICE_ACCEPT)
        self.try_keyboard()
        self.await_message(_LOGGED_IN)

    def opens_screen(self) -> int:
        """Open a channel with a shell on a terminal; return its number."""
        self.send(ssh.OPEN, string(b"session") + uint32(7) + uint32(1 << 30) + uint32(32768))
        number = int.from_bytes(self.await_message(_OPENED)[4:8], "big")
        size = uint32(80) + uint32(24) + uint32(0) + uint32(0)
        for kind, data in ((b"pty-req", string(b"xterm") + size + string(b"")), (b"shell", b"")):
            self.send(ssh.REQUEST, uint32(number) + string(kind) + b"\1" + data)
            self.await_message(ssh.SUCCESS)
        return number


def _flood(target: Target, payloads: Callable[[SocketPeer], Iterator[bytes]]) -> None:
    """Send these packets on every connection, until the time is up."""
    peers: list[tuple[SocketPeer, Iterator[bytes], list[bytes]]] = []
    for _ in range(target.connections):
        with suppress(OSError):
            peer = SocketPeer(target.port)
            peer.logs_in()
            peers.append((peer, payloads(peer), [b""]))
    while time.monotonic() < target.until and peers:
        for each in list(peers):
            peer, packets, unsent = each
            peer.socket.setblocking(False)
            try:
                with suppress(BlockingIOError):
                    peer.socket.recv(64 * 1024)
                sealed = unsent[0] or b"".join(
                    peer.sealer.seal(next(packets)) for _ in range(_BATCH)
                )
                unsent[0] = sealed
                with suppress(BlockingIOError):
                    unsent[0] = sealed[peer.socket.send(sealed) :]
            except OSError:
                peers.remove(each)
    for peer, _, _ in peers:
        peer.socket.close()


def _same(payload: bytes) -> Callable[[Target], None]:
    def endless(peer: SocketPeer) -> Iterator[bytes]:
        while True:
            yield payload

    return lambda target: _flood(target, endless)


def _requests(kind: bytes, data: Callable[[int], bytes]) -> Callable[[Target], None]:
    """Return an attack by requests of a channel with a screen."""

    def endless(peer: SocketPeer) -> Iterator[bytes]:
        peer.socket.setblocking(True)
        channel = peer.opens_screen()
        for number in count():
            yield bytes((ssh.REQUEST,)) + uint32(channel) + string(kind) + b"\1" + data(number)

    return lambda target: _flood(target, endless)


def _size(number: int) -> bytes:
    return uint32(20 + number % 200) + uint32(5 + number % 90) + uint32(0) + uint32(0)


def _typing(target: Target) -> None:
    """Type long lines and go to and fro in them."""
    keys = ("क्षि".encode() * 200 + b"\x01\x05" * 200 + b"\x15") * 2

    def endless(peer: SocketPeer) -> Iterator[bytes]:
        peer.socket.setblocking(True)
        channel = peer.opens_screen()
        while True:
            yield bytes((ssh.DATA,)) + uint32(channel) + string(keys)

    _flood(target, endless)


def _exchanges(target: Target) -> None:
    """Exchange keys without a pause, on connections that do nothing else."""
    while time.monotonic() < target.until:
        peers = []
        with suppress(OSError):
            for _ in range(target.connections):
                peer = SocketPeer(target.port)
                peers.append(peer)
                peer.begin()
                peer.share()
            for peer in peers:
                peer.await_message(ssh.NEWKEYS)
        for peer in peers:
            peer.socket.close()


_MODES = string(b"".join(bytes((code,)) + uint32(1 << 31) for code in range(1, 160)))

FLOODS = (
    Flood("ssh-ignore", "packets that say nothing", _same(bytes((_IGNORE,)) + string(b""))),
    Flood(
        "ssh-debug", "messages for debugging", _same(bytes((_DEBUG,)) + b"\1" + string(b"x") * 2)
    ),
    Flood("ssh-unknown", "packets of an unknown kind", _same(bytes((_UNKNOWN,)))),
    Flood(
        "ssh-global",
        "global requests that want an answer",
        _same(bytes((_GLOBAL_REQUEST,)) + string(b"tcpip-forward") + b"\1"),
    ),
    Flood(
        "ssh-opens",
        "channels of a kind that is refused",
        _same(bytes((ssh.OPEN,)) + string(b"direct-tcpip") + uint32(7) * 3),
    ),
    Flood("ssh-sizes", "window sizes of a terminal", _requests(b"window-change", _size)),
    Flood(
        "ssh-modes",
        "terminals with odd modes",
        _requests(b"pty-req", lambda number: string(b"xterm") + _size(number) + _MODES),
    ),
    Flood("ssh-subsystems", "subsystems", _requests(b"subsystem", lambda number: string(b"sftp"))),
    Flood("ssh-signals", "signals", _requests(b"signal", lambda number: string(b"INT"))),
    Flood("ssh-typing", "keys in long lines", _typing),
    Flood("ssh-exchanges", "key exchanges of new connections", _exchanges),
)
