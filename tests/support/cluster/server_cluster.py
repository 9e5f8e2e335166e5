"""Cluster of whole servers in memory, for tests with real clients' bytes: ssh and netcat."""

from __future__ import annotations

from tests.support.cluster.chat_cluster import ChatCluster, ClusterStore
from tests.support.memory_server import ClientConnection
from tests.support.people import Server
from tests.support.ssh.clients import SshClient, SshServer
from tests.support.ssh.peer import USER_KEY


class WholeServer(Server):
    """A server of a `ServerCluster`, with its ways in."""

    def __init__(self, store: ClusterStore) -> None:
        self.ssh_server = SshServer(cluster_store=store)
        self.memory_server = self.ssh_server.memory_server
        self.chat = self.memory_server.chat
        self._cluster = self.memory_server.cluster

    @property
    def now(self) -> float:
        return self.memory_server.clock.seconds()

    @now.setter
    def now(self, now: float) -> None:
        self.memory_server.clock.advance(now - self.memory_server.clock.seconds())

    @property
    def elapsed(self) -> float:
        """The same as `now`: nobody sets the clock of these servers."""
        return self.now

    @elapsed.setter
    def elapsed(self, elapsed: float) -> None:
        """Do nothing: it advances with `now`."""

    def end_turn(self) -> None:
        self.memory_server.end_turn()


class ServerCluster(ChatCluster):
    """A cluster of whole servers."""

    def start_server(self, store: ClusterStore) -> WholeServer:
        return WholeServer(store)

    def server(self, number: int) -> WholeServer:
        """Return the server with an index."""
        server = self.servers[number]
        assert isinstance(server, WholeServer)
        return server

    def run_for(self, seconds: float) -> None:
        """Advance all clocks in steps of a quarter of a second, delivering all messages."""
        while seconds > 0:
            self.advance(min(seconds, 0.25))
            seconds -= 0.25

    def crash(self, number: int) -> None:
        """Disconnect a server for good; unlike a killed one it keeps its index."""
        self.disconnect(self.servers[number])

    def ssh_client(
        self, number: int, terminal: bytes | None = b"xterm", key: bool = True
    ) -> SshClient:
        """Connect an ssh client to a server, with the tests' one user key; it reads the greeting.

        It has a terminal of the given type, or none.
        """
        client = SshClient(self.server(number).ssh_server, key=USER_KEY if key else None)
        client.opens_shell(terminal)
        self.sees(client)
        return client

    def sees(self, client: SshClient) -> list[str]:
        """Deliver all messages; return the rows of a client's screen."""
        for _ in range(4):
            client.receives()
            self.deliver_all()
        return client.sees()

    def says(self, client: SshClient, text: str) -> list[str]:
        """Type a text at a client, and return the rows of its screen."""
        client.types(text)
        return self.sees(client)

    def netcat(self, number: int) -> ClientConnection:
        """Connect a netcat to a server; it reads the greeting."""
        connection = self.server(number).memory_server.enters()
        self.deliver_all()
        return connection

    def receives(self, connection: ClientConnection) -> list[str]:
        """Deliver all messages; return the lines that a connection received."""
        data = b""
        for _ in range(4):
            data += connection.receives()
            self.deliver_all()
        return (data + connection.receives()).decode().splitlines()
