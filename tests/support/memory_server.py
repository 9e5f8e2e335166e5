"""Whole server in memory, with fake transports and a clock that tests advance."""

from collections.abc import Callable
from ipaddress import ip_network

from twisted.conch.ssh.keys import Key
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from chatd.chat.chat import Chat
from chatd.chat.limits import DETACHED_SECONDS, Rate
from chatd.chat.model.preferences import Preferences
from chatd.chat.options import Environment, Options
from chatd.chat.peers import ALONE
from chatd.chat.ratelimit.line_budget import LineBudgets
from chatd.chat.ratelimit.reports import SecurityReport
from chatd.chat.records.server_access import AllowList, everybody
from chatd.cluster.cluster import Cluster
from chatd.store.memory import MemoryStore
from chatd.transport.gate.admission import Admission, PerAddress
from chatd.transport.gate.gate import PROBE_SECONDS, SILENCE_SECONDS, Door, Gate, GateFactory
from chatd.transport.host import Host
from chatd.transport.net.turns import TURN_SECONDS, Turns
from chatd.transport.relay.streams import Streams
from chatd.transport.ways import ways_in
from tests.support.cluster.chat_cluster import ClusterStore
from tests.support.keys import HOST_KEY
from tests.support.passwords import Hasher


class FakeTransport(StringTransport):
    """A transport that remembers whether it was aborted."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()

    def stops_reading(self) -> None:
        """Let the peer read no more; Twisted may pause its producer more than once."""
        assert self.producer is not None
        self.producer.pauseProducing()
        self.producer.pauseProducing()

    def resumes_reading(self) -> None:
        """Let the peer read again."""
        assert self.producer is not None
        self.producer.resumeProducing()

    @property
    def paused(self) -> bool:
        """Whether the server has stopped reading."""
        return bool(self.producerState == "paused")


class BusyWork:
    """Input that takes all the time of a turn to handle, as a flood's does."""

    due = 0.0

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def step(self) -> bool:
        self.clock.rightNow += TURN_SECONDS
        return False

    def failed(self) -> None:
        raise AssertionError("it cannot fail")


class ClientConnection:
    """A client's connection to a `MemoryServer`, which answers at the end of the turn."""

    def __init__(self, server: "MemoryServer", address: str) -> None:
        self.server = server
        kind = IPv6Address if ":" in address else IPv4Address
        self.transport = FakeTransport(peerAddress=kind("TCP", address, 4321))
        gate = server.factory.buildProtocol(self.transport.getPeer())
        assert isinstance(gate, Gate)
        self.gate = gate
        self.gate.makeConnection(self.transport)

    def sends(self, data: bytes) -> None:
        """Send bytes to the server, unless it has closed the connection."""
        if not self.closed:
            self.gate.dataReceived(data)

    def stays_silent(self) -> None:
        """Send nothing until the gate has probed the client, and greeted it as a netcat."""
        self.server.clock.pump([SILENCE_SECONDS, PROBE_SECONDS])
        self.server.end_turn()

    def receives(self) -> bytes:
        """End the turn; return the bytes received since the last call."""
        self.server.end_turn()
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return bool(self.transport.disconnecting)

    def loses_connection(self) -> None:
        """Lose the connection; as in Twisted, its transport then forgets its producer."""
        self.gate.connectionLost(Failure(ConnectionResetError()))
        self.transport.producer = None

    def ends_input(self) -> None:
        """Close this direction; the client still reads."""
        self.gate.readConnectionLost()


class MemoryServer:
    """A server with one port.

    The gate recognises the protocol of a connection, unless one is ``declared``.  With
    ``cluster_store``, which is its store and its bus, it is one server of a cluster.
    """

    def __init__(
        self,
        declared: str | None = None,
        *,
        flood: Rate | None = None,
        flood_per_address: Rate | None = None,
        max_connections: int = 1000,
        per_address: PerAddress | None = None,
        proxies: tuple[str, ...] = (),
        motd: tuple[str, ...] = (),
        replay: int = 0,
        joins: str = "fold",
        operator: Key | None = None,
        store: MemoryStore | None = None,
        cluster_store: ClusterStore | None = None,
        allowed: Callable[[], AllowList | None] = everybody,
    ) -> None:
        self.clock = Clock()
        self.store = store or cluster_store or MemoryStore()
        self.reports: list[SecurityReport] = []
        environment = Environment(
            self._schedule,
            lambda step: self.clock.callLater(DETACHED_SECONDS, lambda: step(self.clock.seconds())),
            Hasher(),
            incarnation=cluster_store.name if cluster_store is not None else "0",
            report=self.reports.append,
        )
        options = Options(preferences=Preferences(replay=replay, joins=joins), allowed=allowed)
        self._cluster = (
            Cluster(cluster_store, self._schedule) if cluster_store is not None else None
        )
        self.chat = Chat(self.store, environment, options, self._cluster or ALONE)
        self.streams: Streams | None = None
        if cluster_store is not None and self._cluster is not None:
            self.streams = Streams(self.chat, self._cluster, self.clock, cluster_store.name)
            self._cluster.start(self.chat, self.streams)
        operators = frozenset({operator.blob()}) if operator is not None else frozenset()
        self.host = Host(
            self.chat,
            self.clock,
            self.clock.seconds,
            Turns(self.clock),
            motd=motd,
            budgets=LineBudgets(flood, flood_per_address),
            operators=operators,
            relay=self.streams,
        )
        self.admission = Admission(max_connections, per_address)
        networks = tuple(ip_network(proxy) for proxy in proxies)
        ways = ways_in(self.host, HOST_KEY)
        self.factory = GateFactory(Door(self.host, self.admission, ways, declared, networks))

    @property
    def cluster(self) -> Cluster:
        """The cluster that the server is in."""
        assert self._cluster is not None
        return self._cluster

    def _schedule(self, step: Callable[[], None]) -> None:
        self.clock.callLater(0, step)

    def spends_turn(self) -> None:
        """Use up the time of this turn: input that comes now is handled in the next one."""
        self.host.turns.begin(BusyWork(self.clock))

    def end_turn(self) -> None:
        """End the reactor's turn."""
        self.clock.advance(0)

    def connects(self, address: str = "192.0.2.1") -> ClientConnection:
        """Return a new connection."""
        return ClientConnection(self, address)

    def enters(self, nick: str = "", address: str = "192.0.2.1") -> ClientConnection:
        """Return a new connection of a netcat, in the lobby, which has read the greeting."""
        connection = self.connects(address)
        connection.stays_silent()
        if nick:
            connection.sends(b"/nick %s\n" % nick.encode())
        connection.receives()
        return connection
