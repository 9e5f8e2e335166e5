"""Builds the protocol of each SSH connection; what all of them share.

It knows the host key, the clock and whom to ask.  It knows nothing of any one connection.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.conch.ssh.keys import Key
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory

from chatd.transport.channel import Program, SshPeer
from chatd.transport.ssh.protocol.channel import SessionChannel
from chatd.transport.ssh.protocol.kex import HOST_KEY
from chatd.transport.ssh.protocol.server import ServerTransport

#: Asked once somebody is known: None lets them in, a sentence says why not.
Admit = Callable[[SshPeer, IAddress], str | None]

#: Asked for a shell (None) or a command: what runs in the channel, or None to refuse.
Start = Callable[[SessionChannel, str | None], Program | None]


class SSHFactory(Factory[ServerTransport]):
    """A way in over SSH."""

    noisy = False

    def __init__(
        self,
        host_key: Key,
        *,
        clock: IReactorTime,
        admit: Admit,
        start: Start,
        login_seconds: float = 30,
    ) -> None:
        self.clock = clock
        self.admit = admit
        self.start = start
        self.login_seconds = login_seconds
        # Named as Conch's key exchange looks them up.
        self.privateKeys = {HOST_KEY: host_key}
        self.publicKeys = {HOST_KEY: host_key.public()}

    def buildProtocol(self, addr: IAddress | None) -> ServerTransport:
        """The protocol of one connection; ``addr`` is where its peer counts as being."""
        assert addr is not None  # whoever accepts a connection knows from where
        return ServerTransport(self, addr)
