"""One SSH connection from its first byte to its last: login in time, signs of life, new keys.

It knows the services and passes messages to them.  It knows nothing of what runs in a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.conch.ssh import transport as conch
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from chatd.transport.channel import SshPeer
from chatd.transport.ssh.protocol.auth import SERVICE, USERAUTH_BANNER, USERAUTH_SUCCESS, UserAuth
from chatd.transport.ssh.protocol.ciphers import PacketError
from chatd.transport.ssh.protocol.connection import ConnectionService
from chatd.transport.ssh.protocol.kex import REKEY_BYTES, KexTransport
from chatd.wire.ssh import Fields, MalformedError, string

#: Seconds between two signs of life, and how many may go unanswered.
TICK_SECONDS = 60
MAX_SILENT_TICKS = 3

#: From here on messages belong to the services (RFC 4251 section 7).
_FIRST_OF_SERVICES = 50


class Service(Protocol):
    """What takes the messages from 50 on."""

    def packet_received(self, number: int, packet: bytes) -> None:
        """A message of the peer's."""

    def stopped(self) -> None:
        """The connection is gone."""


class ServerTransport(KexTransport):
    """One visitor's connection.  Its service is at first the login, then the channels."""

    service: Service | None = None  # type: ignore[assignment]  # ours are not Conch's
    connection: ConnectionService | None = None
    #: Requests to log in; on the transport, so that nothing the peer does can reset it.
    attempts = 0
    _silent_ticks = 0
    _timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Say who we are and wait for the login."""
        self._timer = self.clock.callLater(self.factory.login_seconds, self._login_late)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell what is above."""
        self._end()
        super().connectionLost(reason)
        service, self.service = self.service, None
        self.connection = None
        if service is not None:
            service.stopped()

    def _end(self) -> None:
        super()._end()
        if self._timer is not None:
            if self._timer.active():
                self._timer.cancel()
            self._timer = None
        if self.connection is not None:
            self.connection.hold()

    def _login_late(self) -> None:
        self.sendDisconnect(conch.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, "no login in time")
        # A peer that does not read would keep the rest of it for ever.
        if self.outbox.full:
            self.outbox.abort()

    def _tick(self) -> None:
        """Once a minute: is the peer there, does it read, are the keys old?"""
        assert self.connection is not None
        self._timer = self.clock.callLater(TICK_SECONDS, self._tick)
        if self._silent_ticks >= MAX_SILENT_TICKS:
            self.abort("gives no sign of life")
        elif self.connection.has_stalled_reader():
            self.abort("does not read")
        else:
            self._silent_ticks += 1
            self.count_anew()
            self.refresh_keys()
            if self.held is None and not self.outbox.full:
                self.connection.send_keepalive()

    # What comes in

    def dataReceived(self, data: bytes) -> None:
        """Read packets; whatever they are, the peer is there."""
        self._silent_ticks = 0
        super().dataReceived(data)
        if self.sealer.total + self.opener.total >= REKEY_BYTES:
            self.refresh_keys()

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:  # noqa: N802, N803
        """Hand a message to whom it concerns."""
        if messageNum >= _FIRST_OF_SERVICES:
            if self.service is None:
                raise MalformedError(f"message {messageNum} before a service was asked for")
            self.service.packet_received(messageNum, payload)
        elif self.expected is None and messageNum > conch.MSG_KEXINIT:
            raise MalformedError(f"message {messageNum} outside of a key exchange")
        else:
            _MESSAGES.get(messageNum, ServerTransport._unknown)(self, payload)

    def _unknown(self, packet: bytes) -> None:
        self.sendUnimplemented()

    def _ignored(self, packet: bytes) -> None:
        """Messages that ask for nothing: IGNORE, UNIMPLEMENTED, DEBUG, EXT_INFO."""

    def ssh_DISCONNECT(self, packet: bytes) -> None:
        """The peer is going, for reasons of its own."""
        self.leave()

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """Begin the login, once; what follows it needs no request (RFC 4252 section 5)."""
        name = Fields(packet).string()
        if name != SERVICE or self.service is not None:
            raise PacketError(conch.DISCONNECT_SERVICE_NOT_AVAILABLE, "no such service now")
        self.service = UserAuth(self)
        self.sendPacket(conch.MSG_SERVICE_ACCEPT, string(name))

    # Above the login

    def log_in(self, visitor: SshPeer) -> None:
        """Let a visitor in, if they are welcome."""
        refusal = self.factory.admit(visitor, self.peer)
        if refusal is not None:
            sentence = refusal.encode("utf-8")
            self.sendPacket(USERAUTH_BANNER, string(sentence + b"\r\n") + string(b""))
            self.sendDisconnect(conch.DISCONNECT_BY_APPLICATION, sentence)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.clock.callLater(TICK_SECONDS, self._tick)
        self.service = self.connection = ConnectionService(self, visitor)
        self.sendPacket(USERAUTH_SUCCESS, b"")

    def exchange_began(self) -> None:
        """Stop the channels."""
        if self.connection is not None:
            self.connection.hold()

    def exchange_ended(self) -> None:
        """Let the channels go on."""
        if self.connection is not None:
            self.connection.resume()

    def drained(self) -> None:
        """The transport has room again: let the channels go on."""
        if self.connection is not None and self.held is None:
            self.connection.resume()


_MESSAGES: Final[dict[int, Callable[[ServerTransport, bytes], None]]] = {
    conch.MSG_DISCONNECT: ServerTransport.ssh_DISCONNECT,
    conch.MSG_IGNORE: ServerTransport._ignored,
    conch.MSG_UNIMPLEMENTED: ServerTransport._ignored,
    conch.MSG_DEBUG: ServerTransport._ignored,
    conch.MSG_SERVICE_REQUEST: ServerTransport.ssh_SERVICE_REQUEST,
    conch.MSG_EXT_INFO: ServerTransport._ignored,
    conch.MSG_KEXINIT: ServerTransport.ssh_KEXINIT,
    conch.MSG_NEWKEYS: ServerTransport.ssh_NEWKEYS,
    conch.MSG_KEXDH_INIT: ServerTransport.ssh_KEX_DH_GEX_REQUEST_OLD,
}
