"""Client pool: all connections to the measured server, read by one epoll loop.

It knows sockets and protocols; it knows nothing of messages, time or measurements.  The load
generator must read fast, so it reads large chunks into one buffer and only counts the line ends in
them.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle

from bench.protocols import ChatProtocol
from bench.ssh import SshClient

#: The most bytes of one read.
_CHUNK = 1 << 18
#: Seconds within which all clients have to be connected.  ngircd needs minutes for 5000 in one
#: room.
_CONNECT_SECONDS = 90
#: Receive buffer of a client that does not read, in bytes.
_SMALL_BUFFER = 4096


class Client:
    """One connection and its protocol."""

    __slots__ = ("before", "nick", "protocol", "room", "socket", "ssh")

    def __init__(
        self, protocol: ChatProtocol, nick: str, room: str, port: int, small: bool
    ) -> None:
        self.protocol, self.nick, self.room = protocol, nick, room
        self.before = b""
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ssh = SshClient(nick, self.socket.sendall) if protocol.by_ssh else None

    def write(self, data: bytes) -> None:
        """Send bytes of the chat protocol."""
        if not data:
            return
        if self.ssh is not None:
            self.ssh.send_text(data)
        else:
            self.socket.sendall(data)

    def decode(self, data: bytes) -> bytes:
        """Return received bytes as bytes of the chat protocol: they may be wrapped in ssh."""
        return data if self.ssh is None else self.ssh.receive_data(data)

    def say(self, texts: Iterable[bytes]) -> None:
        """Send texts to the room, in one write."""
        before, after = self.before, self.protocol.after
        self.write(b"".join([before + text + after for text in texts]))


class _Expectation:
    """Calls back once all that a client has received matches a pattern."""

    __slots__ = ("_pattern", "_received", "_then", "client")

    def __init__(
        self, client: Client, pattern: re.Pattern[bytes], then: Callable[[re.Match[bytes]], None]
    ) -> None:
        self.client, self._pattern, self._then = client, pattern, then
        self._received = b""

    def receive(self, data: bytes) -> int:
        """Add received bytes; return the number of line ends in them."""
        text = self.client.decode(data)
        self._received += text
        found = self._pattern.search(self._received)
        if found is not None:
            self._then(found)
        return text.count(b"\n")


class ClientPool:
    """All clients' connections, closed at the end of ``with``.

    ``line_ends`` counts the line ends that were read; ``closed_by_server`` the connections that the
    server closed.
    """

    def __init__(self, protocol: ChatProtocol, port: int) -> None:
        self.protocol = protocol
        self.line_ends = 0
        self.closed_by_server = 0
        self._port = port
        self._connected = 0
        self._epoll = select.epoll()
        self._clients: dict[int, Client] = {}
        self._receive: dict[int, Callable[[bytearray], int]] = {}
        self._observers: dict[int, Callable[[bytes], int]] = {}
        self._buffer = bytearray(_CHUNK)

    def __enter__(self) -> ClientPool:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients.values():
            client.socket.close()
        self._epoll.close()

    # Reading --------------------------------------------------------------------------------------

    def read(self, timeout: float) -> int:
        """Read what has arrived, waiting up to ``timeout`` seconds; return how many had data."""
        buffer, receive, listen = self._buffer, self._receive, self._observers
        count, ends = buffer.count, 0
        ready = self._epoll.poll(timeout)
        for fd, _ in ready:
            try:
                size = receive[fd](buffer)
            except OSError:
                size = 0
            take = listen.get(fd)
            if not size:
                self.closed_by_server += 1
                self.close(self._clients[fd])
            elif take is None:
                ends += count(b"\n", 0, size)
            else:
                ends += take(bytes(memoryview(buffer)[:size]))
        self.line_ends += ends
        return len(ready)

    def drain(self, seconds: float = 0.2) -> None:
        """Read until nothing has arrived for the given seconds."""
        while self.read(seconds):
            pass

    def observe(self, client: Client, received: Callable[[bytes], None]) -> None:
        """Pass on what one client receives, as bytes of its protocol, besides counting it."""

        def take(data: bytes) -> int:
            text = client.decode(data)
            received(text)
            return text.count(b"\n")

        self._observers[client.socket.fileno()] = take

    def stop_observing(self, client: Client) -> None:
        """Only count what a client receives."""
        if client.ssh is None:
            self._observers.pop(client.socket.fileno(), None)
        else:
            self.observe(client, lambda text: None)

    def stop_reading(self, client: Client) -> None:
        """Never read from a client again."""
        self._epoll.unregister(client.socket.fileno())

    # Connecting and disconnecting
    # -----------------------------------------------------------------------------

    def connect(
        self,
        rooms: Sequence[str],
        *,
        stay: bool = True,
        small: bool = False,
        ports: Sequence[int] = (),
    ) -> list[Client]:
        """Connect one client for each of the given rooms, and let it join that room.

        With ``stay=False`` each disconnects as soon as it is welcomed.  ``small`` gives them small
        receive buffers.  They use ``ports`` in rotation.

        :raises TimeoutError: when that takes too long.
        :raises ConnectionError: when the server closes a connection.
        """
        at = cycle(ports or [self._port])
        entered: list[Client] = []
        rooms_left = deque(rooms)
        until = time.monotonic() + _CONNECT_SECONDS
        most = self.protocol.max_connecting
        while len(entered) < len(rooms):
            while rooms_left and len(rooms) - len(rooms_left) - len(entered) < most:
                client = self._connect(rooms_left.popleft(), small, next(at))
                self._enter_room(client, stay, entered.append)
            self._read_on(until)
        return entered

    def _connect(self, room: str, small: bool, port: int) -> Client:
        """Connect a client that is to join a room."""
        self._connected += 1
        client = Client(self.protocol, f"u{self._connected:05}", room, port, small)
        fd = client.socket.fileno()
        self._clients[fd] = client
        self._receive[fd] = client.socket.recv_into
        self._epoll.register(fd, select.EPOLLIN)
        return client

    def _enter_room(self, client: Client, stay: bool, done: Callable[[Client], None]) -> None:
        """Let a client introduce itself and join its room; ``done`` is called after that."""
        protocol, nick, room = self.protocol, client.nick, client.room

        def welcome(_: re.Match[bytes] | None) -> None:
            if stay:
                self._expect(client, protocol.moved, moved)
                client.write(protocol.move(nick, room))
            else:
                self.close(client)
                done(client)

        def moved(found: re.Match[bytes]) -> None:
            client.before = protocol.before(nick, room, found)
            self.stop_observing(client)
            done(client)

        if protocol.welcome is None:
            welcome(None)
        else:
            self._expect(client, protocol.welcome, welcome)
            client.write(protocol.hello(nick, room))

    def join(self, members: Sequence[Client], rooms: Sequence[str]) -> None:
        """Let each client join another room, all simultaneously, and wait until all have."""
        there: list[Client] = []
        until = time.monotonic() + _CONNECT_SECONDS
        for client, room in zip(members, rooms, strict=True):

            def joined(_: re.Match[bytes], client: Client = client) -> None:
                self.stop_observing(client)
                there.append(client)

            self._expect(client, self.protocol.joined, joined)
            client.write(self.protocol.join(client.nick, room))
            self.read(0)
        while len(there) < len(members):
            self._read_on(until)

    def close(self, client: Client) -> None:
        """Close a client's connection."""
        fd = client.socket.fileno()
        if self._clients.pop(fd, None) is None:
            return
        with contextlib.suppress(OSError):  # after `stop_reading` it is no longer registered
            self._epoll.unregister(fd)
        self._observers.pop(fd, None)
        del self._receive[fd]
        client.socket.close()

    def _expect(
        self, client: Client, pattern: re.Pattern[bytes], then: Callable[[re.Match[bytes]], None]
    ) -> None:
        self._observers[client.socket.fileno()] = _Expectation(client, pattern, then).receive

    def _read_on(self, until: float) -> None:
        """Read something, or give up at the time ``until``."""
        gone = self.closed_by_server
        self.read(1)
        if time.monotonic() > until:
            raise TimeoutError(f"too slow, or stuck; {len(self._clients)} are connected")
        if self.closed_by_server > gone:
            raise ConnectionError(
                f"the server closed {self.closed_by_server} of {self._connected} connections"
            )
