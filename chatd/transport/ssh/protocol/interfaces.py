"""Interfaces between the parts of the SSH protocol.

Each part imports these interfaces instead of the classes that implement them, so the modules of
this folder form no import cycle.  The camelCase names are those of Conch's transport.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IAddress, IReactorTime

from chatd.transport.channel import Channel, Program
from chatd.transport.net.outbox import Outbox
from chatd.transport.ssh.protocol.peer import SshPeer


class Transport(Protocol):
    """A connection as its services see it.  It sends packets, unless keys are being exchanged."""

    @property
    def clock(self) -> IReactorTime:
        """The clock of every timeout."""

    @property
    def outbox(self) -> Outbox:
        """The encrypted bytes on their way to the peer."""

    @property
    def address(self) -> IAddress:
        """The peer's address."""

    @property
    def held(self) -> list[tuple[int, bytes]] | None:
        """Messages held back by a key exchange; None while there is no key exchange."""

    @property
    def ended(self) -> bool:
        """Whether nothing more is sent or read."""

    def sendPacket(self, messageType: int, payload: bytes) -> None:  # noqa: N803
        """Send a message, after the key exchange if one is under way."""

    def transmit(self, payload: bytes) -> None:
        """Send a payload now; the caller has checked that ``held`` is None."""

    def sendUnimplemented(self) -> None:  # noqa: N802
        """Answer that the packet read last was not understood."""

    def sendDisconnect(self, reason: int, desc: str) -> None:
        """Send a DISCONNECT with a reason code and its description, and close."""

    def abort(self, reason: str) -> None:
        """Close immediately; ``reason`` goes to the log only."""


class Login(Transport, Protocol):
    """A connection as user authentication sees it."""

    attempts: int

    @property
    def sessionID(self) -> bytes | None:  # noqa: N802
        """The session identifier that signatures cover; None before the first key exchange."""

    @property
    def otherVersionString(self) -> bytes:  # noqa: N802
        """The peer's identification line."""

    def log_in(self, peer: SshPeer) -> None:
        """Admit an authenticated peer, or disconnect it with a sentence."""


class SshChannel(Channel, Protocol):
    """A session channel as the program that is started in it sees it."""

    @property
    def peer(self) -> SshPeer:
        """The client that opened it."""

    @property
    def address(self) -> IAddress:
        """That client's address."""


class ChannelOwner(Protocol):
    """The connection service, as a channel sees it."""

    @property
    def transport(self) -> Transport:
        """The connection that carries the channel."""

    @property
    def peer(self) -> SshPeer:
        """The client at the other end."""

    def start(self, channel: SshChannel, command: str | None) -> Program | None:
        """Start a shell (None) or a command in a channel; None when it is refused."""

    def reconsider(self) -> None:
        """Check whether a program still runs: one has started or ended."""
