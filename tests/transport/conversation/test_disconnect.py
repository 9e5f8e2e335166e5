"""Disconnect: a client that only ends its input leaves; one that is gone may resume its session."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from typing import cast

import pytest
from twisted.internet import tcp
from twisted.internet.task import Clock

from chatd.transport.conversation.disconnect import CHECK_SECONDS, CHECKS, PeerCheck
from chatd.transport.net.outbox import SocketOutbox, bytes_in_flight
from tests.support.served import PATIENCE


class Fated:
    """An outbox that gives these answers in turn."""

    def __init__(self, *fates: bool | None) -> None:
        self.fates = list(fates)

    def was_reset(self) -> bool | None:
        return self.fates.pop(0) if len(self.fates) > 1 else self.fates[0]


@pytest.mark.parametrize(
    ("fates", "checks", "cut_off"),
    [
        ([False], 0, False),
        ([True], 0, True),
        ([None, None, False], 2, False),
        ([None, True], 1, True),
        ([None], CHECKS, True),
    ],
)
def test_the_check_waits_until_the_answer_is_known(
    fates: list[bool | None], checks: int, cut_off: bool
) -> None:
    clock, told = Clock(), list[bool]()
    goodbye = PeerCheck(Fated(*fates), clock, told.append)  # type: ignore[arg-type]
    goodbye.start()
    for _ in range(checks):
        assert told == []
        clock.advance(CHECK_SECONDS)
    assert told == [cut_off]
    assert clock.getDelayedCalls() == []


def test_the_check_stops_with_the_connection() -> None:
    clock, told = Clock(), list[bool]()
    goodbye = PeerCheck(Fated(None), clock, told.append)  # type: ignore[arg-type]
    goodbye.start()
    goodbye.stop()
    clock.advance(10)
    assert told == []


# Real sockets -------------------------------------------------------------------------------------


class Connection(tcp.Connection):
    """A transport of which only the socket is used."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self.connected = True


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return both ends of a TCP connection; the second has a small receive buffer."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as far:
        far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        far.settimeout(PATIENCE)
        far.connect(server.getsockname())
        near, _ = server.accept()
        with near:
            yield near, far


def fill(near: socket.socket) -> int:
    """Send as much as possible; return how many bytes that was."""
    near.setblocking(False)
    sent = 0
    try:
        while True:
            sent += near.send(bytes(65536))
    except BlockingIOError:
        return sent


def outbox_of(end: socket.socket) -> SocketOutbox:
    return SocketOutbox(Connection(end), Clock(), lambda: None)


def waits_for(outbox: SocketOutbox, fate: bool | None) -> None:
    """Wait until an outbox gives this answer."""
    end = time.monotonic() + PATIENCE
    while outbox.was_reset() is not fate:
        assert time.monotonic() < end, f"it says {outbox.was_reset()}"
        time.sleep(0.01)


def test_acknowledged_bytes_are_not_counted(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    outbox = outbox_of(near)
    assert outbox.unreached() is None
    near.sendall(b"goodbye")
    assert far.recv(100) == b"goodbye"
    waits_for(outbox, False)
    assert bytes_in_flight(Connection(near)) is None


def test_unacknowledged_bytes_are_counted(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    outbox = outbox_of(near)
    sent = fill(near)
    unreached = outbox.unreached()
    assert unreached is not None
    assert 0 < unreached[0] <= sent
    assert outbox.was_reset() is None
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    waits_for(outbox, True)
    after = outbox.unreached()
    assert after is not None, "it is known still"
    assert after[0] > 0


@pytest.mark.parametrize(
    ("sent_again", "probes", "silent"), [(0, 0, 0), (2, 0, 0), (3, 0, 9), (0, 3, 9)]
)
def test_bytes_in_flight_after_a_long_silence_are_no_sign_of_death(
    ends: tuple[socket.socket, socket.socket], sent_again: int, probes: int, silent: float
) -> None:
    near, _ = ends
    fill(near)

    class Handle:
        fileno = near.fileno

        def getsockopt(self, *_: int) -> bytes:
            return bytes((1, 0, sent_again, probes)).ljust(56, b"\0") + struct.pack("i", 9000)

    unreached = bytes_in_flight(Connection(cast(socket.socket, Handle())))
    assert unreached is not None
    assert unreached[1] == silent


def test_a_half_closed_client_still_reads(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    far.shutdown(socket.SHUT_WR)
    assert near.recv(1) == b""
    near.sendall(b"goodbye")
    waits_for(outbox_of(near), False)


def test_a_client_that_is_gone_resets_the_connection(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    far.close()
    assert near.recv(1) == b""
    near.sendall(b"goodbye")
    waits_for(outbox_of(near), True)


def test_a_closed_socket_reports_nothing(ends: tuple[socket.socket, socket.socket]) -> None:
    near, _ = ends
    connection = Connection(near)
    near.close()
    assert bytes_in_flight(connection) is None
