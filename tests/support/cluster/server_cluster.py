"""A town whose servers have doors: several whole servers in memory that are one cluster."""

from __future__ import annotations

from tests.support.cluster.chat_cluster import ChatCluster, ClusterStore
from tests.support.memory_server import ClientConnection
from tests.support.people import Server
from tests.support.ssh.clients import SshClient, SshServer
from tests.support.ssh.peer import USER_KEY


class WholeServer(Server):
    """A whole server of a town."""

    def __init__(self, branch: ClusterStore) -> None:
        self.ssh_server = SshServer(cluster_store=branch)
        self.memory_server = self.ssh_server.memory_server
        self.chat = self.memory_server.chat
        self._cluster = self.memory_server.cluster

    @property
    def now(self) -> float:
        return self.memory_server.clock.seconds()

    @now.setter
    def now(self, now: float) -> None:
        self.memory_server.clock.advance(now - self.memory_server.clock.seconds())

    def end_turn(self) -> None:
        self.memory_server.end_turn()


class ServerCluster(ChatCluster):
    """A town of houses; the first two are ``here`` and ``there``."""

    def start_server(self, branch: ClusterStore) -> WholeServer:
        return WholeServer(branch)

    def server(self, number: int) -> WholeServer:
        house = self.servers[number]
        assert isinstance(house, WholeServer)
        return house

    def run_for(self, seconds: float) -> None:
        """Let time pass in small steps, in which everything that is told arrives."""
        while seconds > 0:
            self.advance(min(seconds, 0.25))
            seconds -= 0.25

    def crash(self, number: int) -> None:
        """A server is killed: it keeps its number, and is heard no more."""
        self.disconnect(self.servers[number])

    def ssh_client(
        self, number: int, terminal: bytes | None = b"xterm", key: bool = True
    ) -> SshClient:
        """Somebody comes to a server by ssh, with ada's key, and has read the greeting."""
        guest = SshClient(self.server(number).ssh_server, key=USER_KEY if key else None)
        guest.opens_shell(terminal)
        self.sees(guest)
        return guest

    def sees(self, guest: SshClient) -> list[str]:
        """The rows of somebody's screen, when everything has arrived."""
        for _ in range(4):
            guest.receives()
            self.deliver_all()
        return guest.sees()

    def says(self, guest: SshClient, text: str) -> list[str]:
        """Let somebody type, and return the rows of their screen."""
        guest.types(text)
        return self.sees(guest)

    def netcat(self, number: int) -> ClientConnection:
        """Somebody comes by netcat, and has read the greeting."""
        connection = self.server(number).memory_server.enters()
        self.deliver_all()
        return connection

    def receives(self, connection: ClientConnection) -> list[str]:
        """The lines that somebody was sent, when everything has arrived."""
        data = b""
        for _ in range(4):
            data += connection.receives()
            self.deliver_all()
        return (data + connection.receives()).decode().splitlines()
