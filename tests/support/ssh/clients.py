"""SSH clients of a whole server in memory, through its gate: for tests of shells and commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from chatd.chat.limits import Rate
from chatd.chat.records.server_access import AllowList, everybody
from chatd.transport.gate.gate import Door, GateFactory
from chatd.transport.ssh.protocol.factory import SSHFactory
from chatd.transport.ways import ways_in
from chatd.wire.ssh import Fields, string, uint32
from tests.support.cluster.chat_cluster import ClusterStore
from tests.support.displays import TIPS, Display
from tests.support.memory_server import MemoryServer
from tests.support.ssh import peer as ssh_peer
from tests.support.ssh.peer import CLOSE, DATA, EOF, EXTENDED, REQUEST, SUCCESS, Peer

COLUMNS, ROWS = 80, 24
GREETING = "-- You are ann in lobby, alone so far; /help says what you can do."
#: The rows that a terminal shows first.
GREETED = [GREETING, *TIPS]


class SshServer(ssh_peer.Server):
    """A `MemoryServer` with a port for ssh, under the host key that the tests' clients know."""

    def __init__(
        self,
        *,
        flood: Rate | None = None,
        flood_per_address: Rate | None = None,
        max_connections: int = 1000,
        operator: Key | None = None,
        cluster_store: ClusterStore | None = None,
        allowed: Callable[[], AllowList | None] = everybody,
    ) -> None:
        self.memory_server = MemoryServer(
            flood=flood,
            flood_per_address=flood_per_address,
            max_connections=max_connections,
            operator=operator,
            cluster_store=cluster_store,
            allowed=allowed,
        )
        self.clock: Clock = self.memory_server.clock
        host = self.memory_server.host
        ways = ways_in(host, ssh_peer.HOST_KEY)
        door = Door(host, self.memory_server.admission, ways, declared="ssh")
        # The client only calls buildProtocol.
        self.factory = cast(SSHFactory, GateFactory(door))


class SshClient:
    """An ssh client that has logged in, with ``key`` or else without any, and its screen."""

    def __init__(
        self,
        server: SshServer,
        user: bytes = b"ann",
        *,
        key: Key | None = None,
        address: str = ssh_peer.ADDRESS.host,
    ) -> None:
        self.server = server
        self.peer = Peer(server=server, address=IPv4Address("TCP", address, 2222))
        if key is not None:
            self.peer.login(key)
        else:
            self.peer.exchange().ask_service().try_keyboard(user)
        self.display = Display(COLUMNS, ROWS)
        self.errors = b""
        self.requests: list[bytes] = []
        self.numbers: list[int] = []
        self.channel = -1

    def opens_shell(
        self,
        terminal: bytes | None = None,
        *,
        environment: tuple[tuple[bytes, bytes], ...] = (),
        window: int = 1 << 20,
    ) -> SshClient:
        """Open a channel with a shell, on a terminal of the given type or on none."""
        self.channel = self.peer.open(window=window)
        for name, value in environment:
            variable = string(name) + string(value)
            assert self.peer.request(self.channel, b"env", variable) == [SUCCESS]
        if terminal is not None:
            size = uint32(COLUMNS) + uint32(ROWS) + 2 * uint32(0)
            request = string(terminal) + size + string(b"\0")
            assert self.peer.request(self.channel, b"pty-req", request) == [SUCCESS]
        assert SUCCESS in self.peer.request(self.channel, b"shell")
        return self

    def runs(self, command: bytes, *, window: int = 1 << 20) -> SshClient:
        """Open a channel and execute a command."""
        self.channel = self.peer.open(window=window)
        assert SUCCESS in self.peer.request(self.channel, b"exec", string(command))
        return self

    def sends_request(self, kind: bytes, data: bytes = b"", *, reply: bool = False) -> None:
        """Send a request of a kind for the channel."""
        payload = uint32(self.channel) + string(kind) + bytes((reply,)) + data
        self.peer.send(REQUEST, payload)

    def types(self, text: str) -> None:
        """Type a text."""
        self.peer.type(self.channel, text.encode())

    def ends_input(self) -> None:
        """Send the end of input."""
        self.peer.send(EOF, uint32(self.channel))

    def receives(self) -> bytes:
        """End the reactor's turn; return the output received since the last call."""
        self.server.memory_server.end_turn()
        text = b""
        for number, payload in self.peer.take():
            self.numbers.append(number)
            if number == DATA:
                text += Fields(payload[4:]).string()
            elif number == EXTENDED:
                self.errors += Fields(payload[8:]).string()
            elif number == REQUEST:
                self.requests.append(payload[4:])
        self.display.feed(text)
        return text

    def sees(self) -> list[str]:
        """Return the rows of the screen."""
        self.receives()
        return self.display.lines

    @property
    def status(self) -> int | None:
        """The exit status; None until it is received."""
        for request in self.requests:
            fields = Fields(request)
            if fields.string() == b"exit-status":
                return int.from_bytes(request[-4:], "big")
        return None

    @property
    def closed(self) -> bool:
        """Whether the channel is closed."""
        return CLOSE in self.numbers
