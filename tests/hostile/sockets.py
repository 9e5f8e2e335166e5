"""Sockets of attackers: many connections of one process, which send without a pause.

A connection that the server closes is opened again, within the rate that the server allows one
address by default.  What the server sends is read and dropped, unless an attacker does not read.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle

from tests.hostile.flood import Target

#: Seconds between two attempts to connect, of all connections together: a server admits 120 a
#: minute from one address, and the first connections are a burst.
RECONNECT_SECONDS = 0.5
#: Bytes that are read at a time.
_READ_BYTES = 64 * 1024


@dataclass(slots=True)
class Attacker:
    """One connection; ``unsent`` is the rest of what it is sending."""

    opening: bytes
    pieces: Callable[[], bytes]
    reads: bool
    connection: socket.socket | None = None
    unsent: bytes = b""

    def connect(self, port: int) -> socket.socket:
        """Open the connection.

        :raises OSError: when the server does not take it.
        """
        self.connection = socket.create_connection(("127.0.0.1", port), 5)
        self.connection.setblocking(False)
        self.unsent = self.opening
        return self.connection

    def send(self) -> None:
        """Send what the kernel takes.

        :raises OSError: when the connection is gone.
        """
        assert self.connection is not None
        self.unsent = self.unsent or self.pieces()
        try:
            self.unsent = self.unsent[self.connection.send(self.unsent) :]
        except BlockingIOError:
            return

    def receive(self) -> None:
        """Drop what has arrived.

        :raises OSError: when the connection is gone.
        """
        assert self.connection is not None
        try:
            if not self.connection.recv(_READ_BYTES):
                raise ConnectionResetError
        except BlockingIOError:
            return


def endless(*pieces: bytes) -> Callable[[], bytes]:
    """Return a function that returns these pieces in turn, for ever."""
    return cycle(pieces).__next__


def flood(
    target: Target,
    opening: bytes | Callable[[], bytes],
    pieces: Callable[[], bytes],
    reads: bool = True,
) -> None:
    """Send pieces on every connection until the time is up.

    :param opening: what a connection sends first, such as the first bytes of its protocol; a
        function returns that of the next connection.
    :param reads: whether the attackers read what the server answers.
    """
    open_next = opening if callable(opening) else endless(opening)
    attackers = [Attacker(open_next(), pieces, reads) for _ in range(target.connections)]
    selector = selectors.DefaultSelector()
    next_attempt = 0.0
    try:
        for attacker in attackers:
            _connect(attacker, target.port, selector)
        while (now := time.monotonic()) < target.until:
            closed = [attacker for attacker in attackers if attacker.connection is None]
            if closed and now >= next_attempt:
                next_attempt = now + RECONNECT_SECONDS
                _connect(closed[0], target.port, selector)
            for key, events in selector.select(0.1):
                _serve(key.data, events, selector)
    finally:
        for attacker in attackers:
            _close(attacker, selector)
        selector.close()


def _connect(attacker: Attacker, port: int, selector: selectors.BaseSelector) -> None:
    try:
        opened = attacker.connect(port)
    except OSError:
        _close(attacker, selector)
        return
    events = selectors.EVENT_WRITE | (selectors.EVENT_READ if attacker.reads else 0)
    selector.register(opened, events, attacker)


def _serve(attacker: Attacker, events: int, selector: selectors.BaseSelector) -> None:
    try:
        if events & selectors.EVENT_READ:
            attacker.receive()
        if events & selectors.EVENT_WRITE:
            attacker.send()
    except OSError:
        _close(attacker, selector)


def _close(attacker: Attacker, selector: selectors.BaseSelector) -> None:
    if attacker.connection is not None:
        if attacker.connection.fileno() in selector.get_map():
            selector.unregister(attacker.connection)
        attacker.connection.close()
        attacker.connection = None
