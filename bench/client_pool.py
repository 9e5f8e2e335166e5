"""Everyone who is connected to the server that is measured, all read by one epoll loop.

It knows sockets and dialects; it knows nothing of messages, of time or of what is measured.
Reading is what the load must be fast at: large chunks into one buffer, of which only the line ends
are counted.
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

from bench.protocols import Dialect
from bench.ssh import SshClient

#: Bytes that are read at once.
_CHUNK = 1 << 18
#: Seconds in which everybody has to be in.  ngircd needs minutes for 5000 in one room.
_PATIENCE = 90
#: The receive buffer of somebody who is not to read.
_SMALL = 4096


class Member:
    """One connection, and how it speaks."""

    __slots__ = ("before", "client", "dialect", "nick", "room", "socket")

    def __init__(self, dialect: Dialect, nick: str, room: str, port: int, small: bool) -> None:
        self.dialect, self.nick, self.room = dialect, nick, room
        self.before = b""
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = SshClient(nick, self.socket.sendall) if dialect.by_ssh else None

    def write(self, data: bytes) -> None:
        """Send bytes of the dialect."""
        if not data:
            return
        if self.client is not None:
            self.client.say(data)
        else:
            self.socket.sendall(data)

    def plain(self, data: bytes) -> bytes:
        """What bytes of the connection are in the dialect."""
        return data if self.client is None else self.client.take(data)

    def say(self, texts: Iterable[bytes]) -> None:
        """Say texts in the room, in one write."""
        before, after = self.before, self.dialect.after
        self.write(b"".join([before + text + after for text in texts]))


class _Wait:
    """A member that waits to be told something, then calls back; knows what was told so far."""

    __slots__ = ("_pattern", "_then", "_told", "member")

    def __init__(
        self, member: Member, pattern: re.Pattern[bytes], then: Callable[[re.Match[bytes]], None]
    ) -> None:
        self.member, self._pattern, self._then = member, pattern, then
        self._told = b""

    def take(self, data: bytes) -> int:
        """Take what came; return how many line ends it has."""
        text = self.member.plain(data)
        self._told += text
        found = self._pattern.search(self._told)
        if found is not None:
            self._then(found)
        return text.count(b"\n")


class Crowd:
    """Everyone's connections: from ``with`` to the end of it.

    ``line_ends`` counts those that were read; ``gone`` counts members whom the server closed.
    """

    def __init__(self, dialect: Dialect, port: int) -> None:
        self.dialect = dialect
        self.line_ends = 0
        self.gone = 0
        self._port = port
        self._named = 0
        self._epoll = select.epoll()
        self._members: dict[int, Member] = {}
        self._receive: dict[int, Callable[[bytearray], int]] = {}
        self._listen: dict[int, Callable[[bytes], int]] = {}
        self._buffer = bytearray(_CHUNK)

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members.values():
            member.socket.close()
        self._epoll.close()

    # Reading --------------------------------------------------------------------------------------

    def read(self, timeout: float) -> int:
        """Read what has come, or wait for it; return from how many connections."""
        buffer, receive, listen = self._buffer, self._receive, self._listen
        count, ends = buffer.count, 0
        ready = self._epoll.poll(timeout)
        for fd, _ in ready:
            try:
                size = receive[fd](buffer)
            except OSError:
                size = 0
            take = listen.get(fd)
            if not size:
                self.gone += 1
                self.leave(self._members[fd])
            elif take is None:
                ends += count(b"\n", 0, size)
            else:
                ends += take(bytes(memoryview(buffer)[:size]))
        self.line_ends += ends
        return len(ready)

    def settle(self, seconds: float = 0.2) -> None:
        """Read until nothing has come for a while."""
        while self.read(seconds):
            pass

    def listen(self, member: Member, heard: Callable[[bytes], None]) -> None:
        """Hand on what one member is told, too."""

        def take(data: bytes) -> int:
            text = member.plain(data)
            heard(text)
            return text.count(b"\n")

        self._listen[member.socket.fileno()] = take

    def stop_listening(self, member: Member) -> None:
        """Only count what one member is told."""
        if member.client is None:
            self._listen.pop(member.socket.fileno(), None)
        else:
            self.listen(member, lambda text: None)

    def deafen(self, member: Member) -> None:
        """Read nothing of one member's any more."""
        self._epoll.unregister(member.socket.fileno())

    # Coming and going -----------------------------------------------------------------------------

    def gather(
        self,
        rooms: Sequence[str],
        *,
        stay: bool = True,
        small: bool = False,
        ports: Sequence[int] = (),
    ) -> list[Member]:
        """Bring in one member for each of the rooms named.

        With ``stay=False`` each leaves as soon as it is welcome.  ``small`` gives them small
        receive buffers.  They come in by ``ports`` in turn, where the server has several.
        """
        at = cycle(ports or [self._port])
        came: list[Member] = []
        waiting = deque(rooms)
        until = time.monotonic() + _PATIENCE
        while len(came) < len(rooms):
            while waiting and len(rooms) - len(waiting) - len(came) < self.dialect.at_once:
                member = self._connect(waiting.popleft(), small, next(at))
                self._lead_in(member, stay, came.append)
            self._read_on(until)
        return came

    def _connect(self, room: str, small: bool, port: int) -> Member:
        """Connect somebody who is to sit in a room."""
        self._named += 1
        member = Member(self.dialect, f"u{self._named:05}", room, port, small)
        fd = member.socket.fileno()
        self._members[fd] = member
        self._receive[fd] = member.socket.recv_into
        self._epoll.register(fd, select.EPOLLIN)
        return member

    def _lead_in(self, member: Member, stay: bool, done: Callable[[Member], None]) -> None:
        """Have somebody say what is said at the door, and go to their room."""
        dialect, nick, room = self.dialect, member.nick, member.room

        def welcome(_: re.Match[bytes] | None) -> None:
            if stay:
                self._expect(member, dialect.moved, moved)
                member.write(dialect.move(nick, room))
            else:
                self.leave(member)
                done(member)

        def moved(found: re.Match[bytes]) -> None:
            member.before = dialect.before(nick, room, found)
            self.stop_listening(member)
            done(member)

        if dialect.welcome is None:
            welcome(None)
        else:
            self._expect(member, dialect.welcome, welcome)
            member.write(dialect.hello(nick, room))

    def join(self, members: Sequence[Member], rooms: Sequence[str]) -> None:
        """Have everyone join another room, all at once, and wait until all have."""
        there: list[Member] = []
        until = time.monotonic() + _PATIENCE
        for member, room in zip(members, rooms, strict=True):

            def joined(_: re.Match[bytes], member: Member = member) -> None:
                self.stop_listening(member)
                there.append(member)

            self._expect(member, self.dialect.joined, joined)
            member.write(self.dialect.join(member.nick, room))
            self.read(0)
        while len(there) < len(members):
            self._read_on(until)

    def leave(self, member: Member) -> None:
        """Hang up."""
        fd = member.socket.fileno()
        if self._members.pop(fd, None) is None:
            return
        with contextlib.suppress(OSError):  # somebody deaf is not registered any more
            self._epoll.unregister(fd)
        self._listen.pop(fd, None)
        del self._receive[fd]
        member.socket.close()

    def _expect(
        self, member: Member, pattern: re.Pattern[bytes], then: Callable[[re.Match[bytes]], None]
    ) -> None:
        self._listen[member.socket.fileno()] = _Wait(member, pattern, then).take

    def _read_on(self, until: float) -> None:
        """Read something, or give up."""
        gone = self.gone
        self.read(1)
        if time.monotonic() > until:
            raise TimeoutError(f"too slow, or stuck; {len(self._members)} are connected")
        if self.gone > gone:
            raise ConnectionError(f"the server closed {self.gone} of {self._named} connections")
