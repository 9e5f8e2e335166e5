"""The floor in Python, for machines without a C compiler; floor.c describes it.

It knows sockets and nothing else of the benchmark.  ``python -m bench.floor PORT``
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys


class Floor:
    """A server whose rooms are numbers; each client is in at most one room."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._epoll = select.epoll()
        self._epoll.register(self._listening.fileno(), select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._room_of: dict[int, int] = {}
        self._rest: dict[int, bytes] = {}
        self._rooms: dict[int, dict[int, socket.socket]] = {}
        self._outgoing: dict[int, list[bytes]] = {}

    def run_once(self) -> None:
        """Read what has arrived, then send it to the rooms."""
        for fd, _ in self._epoll.poll():
            if fd == self._listening.fileno():
                self._accept()
            else:
                self._receive(fd)
        for room, news in self._outgoing.items():
            data = b"".join(news)
            for member in self._rooms[room].values():
                with contextlib.suppress(OSError):
                    member.send(data, socket.MSG_DONTWAIT)
        self._outgoing.clear()

    def _accept(self) -> None:
        client, _ = self._listening.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients[client.fileno()] = client
        self._epoll.register(client.fileno(), select.EPOLLIN)

    def _receive(self, fd: int) -> None:
        try:
            data = self._clients[fd].recv(65536)
        except OSError:
            data = b""
        if not data:
            self._close(fd)
            return
        whole, end, rest = (self._rest.pop(fd, b"") + data).rpartition(b"\n")
        self._rest[fd] = rest
        if whole.startswith(b"/join "):
            self._leave(fd)
            room = self._room_of[fd] = int(whole[6:])
            self._rooms.setdefault(room, {})[fd] = self._clients[fd]
            self._clients[fd].send(b"joined\n")
        elif end and fd in self._room_of:
            self._outgoing.setdefault(self._room_of[fd], []).append(whole + end)

    def _leave(self, fd: int) -> None:
        if fd in self._room_of:
            del self._rooms[self._room_of.pop(fd)][fd]

    def _close(self, fd: int) -> None:
        self._leave(fd)
        self._rest.pop(fd, None)
        self._epoll.unregister(fd)
        self._clients.pop(fd).close()


if __name__ == "__main__":
    floor = Floor(int(sys.argv[1]))
    while True:
        floor.run_once()
