"""A connection that ends leaves nothing for the garbage collector, whatever it spoke and did."""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Callable

import pytest

from chatd.chat import events
from chatd.chat.limits import Rate
from chatd.chat.ratelimit import reports
from chatd.wire.ssh import string, uint32
from tests.support.all_clients.clients import TELNET
from tests.support.cluster.server_cluster import ServerCluster
from tests.support.memory_server import ClientConnection, MemoryServer
from tests.support.ssh.clients import SshServer
from tests.support.ssh.peer import EOF, USER_KEY, Peer

#: Connections of each kind.
CONNECTIONS = 100


def garbage(connect: Callable[[], None], connections: int = CONNECTIONS) -> Counter[str]:
    """Return what only a collection frees after some connections, and what is never freed.

    Objects are counted by their type.  What the first connections leave in caches is not counted.
    """
    for _ in range(3):
        connect()
    gc.collect()
    before = _objects()
    gc.disable()
    try:
        for _ in range(connections):
            connect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        found = Counter(type(each).__qualname__ for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    gc.collect()
    for kind, count in (_objects() - before).items():
        if count >= connections:
            found[f"{kind}, never freed"] = count
    return found


def _objects() -> Counter[str]:
    """Count the server's own objects, except for the events and reports that a test keeps."""
    kinds = [type(each) for each in gc.get_objects()]
    return Counter(
        kind.__qualname__
        for kind in kinds
        if str(kind.__module__).startswith("chatd.")
        and kind.__module__ not in (events.__name__, reports.__name__)
    )


def lines(server: MemoryServer, *texts: str) -> ClientConnection:
    """Return a new connection of plain lines, which has sent some."""
    connection = server.connects()
    connection.stays_silent()
    for text in texts:
        connection.sends(f"{text}\n".encode())
        connection.receives()
    return connection


# Each makes a server, and returns what makes one connection to it and ends that.


def line_talks() -> Callable[[], None]:
    server = MemoryServer()
    server.enters("bob").sends(b"/join attic\n")

    def connect() -> None:
        connection = lines(
            server, "/nick ada", "hello bob", "/join attic", "/search hello", "/history", "/leave"
        )
        connection.sends(b"/dm bob psst\n/nonsense\n/join den\n/join lobby\nunfinished")
        connection.receives()
        connection.loses_connection()
        server.end_turn()

    return connect


def line_quits() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = lines(server, "/quit bye")
        assert connection.closed
        connection.loses_connection()

    return connect


def line_ends_its_input() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = lines(server, "hello")
        connection.ends_input()
        server.clock.pump([0.05] * 5)
        connection.loses_connection()
        server.end_turn()

    return connect


def line_is_lost_in_a_question() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        lines(server, "/register").loses_connection()
        server.end_turn()

    return connect


def line_is_lost_while_lines_wait() -> Callable[[], None]:
    server = MemoryServer(flood=Rate(2, 1.0))

    def connect() -> None:
        lines(server, "one", "two", "three", "four").loses_connection()
        server.end_turn()

    return connect


def line_is_lost_while_it_does_not_read() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = lines(server, "hello")
        connection.transport.stops_reading()
        connection.sends(b"/help\n/help\n")
        connection.receives()
        connection.loses_connection()
        server.end_turn()

    return connect


def says_nothing() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        server.connects().loses_connection()

    return connect


def is_refused() -> Callable[[], None]:
    server = MemoryServer(max_connections=0)

    def connect() -> None:
        lines(server, "hello").loses_connection()

    return connect


def speaks_http() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = server.connects()
        connection.sends(b"GET / HTTP/1.1\r\n\r\n")
        connection.loses_connection()

    return connect


def telnet() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = server.connects()
        connection.sends(TELNET)
        server.clock.pump([0.5])
        connection.sends(b"hello\r\0/join attic\r\0\x1b[A\x1b")
        connection.receives()
        connection.loses_connection()
        server.clock.pump([0.5])

    return connect


def telnet_leaves_character_mode() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = server.connects()
        connection.sends(TELNET)
        server.clock.pump([0.5])
        connection.sends(b"\xff\xfe\x01\xff\xfe\x03hello\r\n")
        connection.receives()
        connection.loses_connection()

    return connect


def line_becomes_telnet() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = lines(server, "hello")
        connection.sends(TELNET + b"hello\r\0")
        connection.receives()
        connection.loses_connection()
        server.end_turn()

    return connect


def json_client(version: int) -> Callable[[], None]:
    server = MemoryServer()
    objects = [
        {"username": "bot", "version": version},
        {"join": "attic"},
        {"message": "hello", "room": "attic", "id": 1},
        {"message": "hello", "sender": "bot"},
        {"history": "attic", "count": 5, "id": 2},
        {"leave": "attic"},
        {"nonsense": True},
    ]

    def connect() -> None:
        connection = server.connects()
        for each in objects:
            connection.sends(json.dumps(each).encode() + b"\n")
            connection.receives()
        connection.sends(b"{broken\n")
        connection.receives()
        connection.loses_connection()
        server.end_turn()

    return connect


def tcd() -> Callable[[], None]:
    server = MemoryServer()

    def connect() -> None:
        connection = server.connects()
        join = "JOIN_CHATROOM: {}\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: bob\n"
        for room in ("attic", "den"):
            connection.sends(join.format(room).encode())
            server.clock.pump([0.5])
        answer = connection.receives()
        assert b"JOINED_CHATROOM" in answer
        connection.sends(b"HELO x\nLEAVE_CHATROOM: 1\n")
        connection.receives()
        connection.loses_connection()
        server.clock.pump([0.5])

    return connect


def ssh(
    start: Callable[[Peer], None], *, key: bool = False, after: float = 0.0
) -> Callable[[], None]:
    server = SshServer()

    def connect() -> None:
        peer = Peer(server=server)
        peer.login(USER_KEY if key else None)
        start(peer)
        server.clock.pump([0.1] * 3)
        peer.hang_up()
        server.clock.advance(after)

    return connect


def opens_shell(peer: Peer, terminal: bool) -> int:
    """Open a shell in a new channel; return the channel's number."""
    channel = peer.open()
    if terminal:
        size = uint32(80) + uint32(24) + 2 * uint32(0)
        peer.request(channel, b"pty-req", string(b"xterm") + size + string(b"\0"))
    peer.request(channel, b"shell")
    peer.server.clock.advance(0)
    return channel


def talks(terminal: bool) -> Callable[[Peer], None]:
    def start(peer: Peer) -> None:
        channel = opens_shell(peer, terminal)
        for text in (b"hello\r", b"/join attic\r", b"/help\r", b"/join lobby\r", b"half"):
            peer.type(channel, text if terminal else text.replace(b"\r", b"\n"))
            peer.server.clock.advance(0.1)

    return start


def runs(command: bytes, typed: bytes = b"") -> Callable[[Peer], None]:
    def start(peer: Peer) -> None:
        channel = peer.open()
        peer.request(channel, b"exec", string(command))
        if typed:
            peer.type(channel, typed)
            peer.send(EOF, uint32(channel))

    return start


def two_channels(peer: Peer) -> None:
    talks(terminal=True)(peer)
    runs(b"tail lobby")(peer)


def quits(peer: Peer) -> None:
    peer.type(opens_shell(peer, terminal=True), b"/quit\r")


def only_connects(peer: Peer) -> None:
    peer.take()


KINDS: dict[str, Callable[[], Callable[[], None]]] = {
    "line": line_talks,
    "line quits": line_quits,
    "line ends its input": line_ends_its_input,
    "line in a question": line_is_lost_in_a_question,
    "line with pending lines": line_is_lost_while_lines_wait,
    "line that does not read": line_is_lost_while_it_does_not_read,
    "silent": says_nothing,
    "refused": is_refused,
    "http": speaks_http,
    "telnet": telnet,
    "telnet, by lines": telnet_leaves_character_mode,
    "line becomes telnet": line_becomes_telnet,
    "json": lambda: json_client(1),
    "bot": lambda: json_client(2),
    "tcd": tcd,
    "ssh": lambda: ssh(only_connects),
    "ssh shell": lambda: ssh(talks(terminal=True)),
    "ssh shell without a terminal": lambda: ssh(talks(terminal=False)),
    "ssh shell with a key": lambda: ssh(talks(terminal=True), key=True, after=200.0),
    "ssh shell that quits": lambda: ssh(quits),
    "ssh shell and command": lambda: ssh(two_channels),
    **{
        f"ssh {command.decode()}": lambda command=command, typed=typed: ssh(runs(command, typed))  # type: ignore[misc]
        for command, typed in (
            (b"who", b""),
            (b"rooms", b""),
            (b"search hello", b""),
            (b"search", b""),
            (b"nonsense", b""),
            (b"say lobby hello", b""),
            (b"say nowhere hello", b""),
            (b"say lobby", b"one\ntwo\n"),
            (b"tail lobby", b""),
            (b"tail nowhere", b""),
        )
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_leaves_no_garbage(kind: str) -> None:
    assert garbage(KINDS[kind]()) == {}


# Relayed connections ------------------------------------------------------------------------------


def relayed(cluster: ServerCluster, *, crashes: bool) -> Callable[[], None]:
    """Return what lets Ann use a second server than the one that runs her connection."""

    def settle() -> None:
        for _ in range(4):
            cluster.deliver_all()

    def connect() -> None:
        peers = []
        for number in (0, 1):
            peer = Peer(server=cluster.server(number).ssh_server)
            peer.login(USER_KEY)
            channel = opens_shell(peer, terminal=True)
            settle()
            peer.type(channel, b"/register\rhello\r")
            settle()
            peers.append(peer)
        peers = peers[::-1] if crashes else peers
        for peer in peers:
            peer.hang_up()
            settle()
        cluster.run_for(130.0)

    return connect


@pytest.mark.parametrize("crashes", [False, True])
def test_a_relayed_connection_leaves_no_garbage(crashes: bool) -> None:
    assert garbage(relayed(ServerCluster(), crashes=crashes), 5) == {}
