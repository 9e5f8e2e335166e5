"""The factory of SSH connections."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from chatd.transport.ssh.protocol.config import ServerConfig
from chatd.transport.ssh.protocol.server import ServerTransport


class SSHFactory(Factory[ServerTransport]):
    """Builds a `ServerTransport` for each connection; it has no state but the configuration."""

    noisy = False

    def __init__(self, config: ServerConfig) -> None:
        self.config = config

    def buildProtocol(self, addr: IAddress | None) -> ServerTransport:
        """Return the protocol of one connection; ``addr`` is its peer's address."""
        assert addr is not None  # the gate always knows where a connection comes from
        return ServerTransport(self.config, addr)
