"""One SSH connection from its first byte to its last: login timeout, keepalives, new keys.

It starts the services and passes messages to them.  It knows nothing of what runs in a channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.conch.ssh import transport as conch
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from chatd.transport.ssh.protocol.auth import SERVICE, USERAUTH_BANNER, USERAUTH_SUCCESS, UserAuth
from chatd.transport.ssh.protocol.ciphers import PacketError
from chatd.transport.ssh.protocol.connection import ConnectionService
from chatd.transport.ssh.protocol.kex import REKEY_BYTES, KexTransport
from chatd.transport.ssh.protocol.peer import SshPeer
from chatd.wire.ssh import Fields, MalformedError, string

#: Seconds between two keepalives, and how many may go unanswered.
TICK_SECONDS = 60
MAX_SILENT_TICKS = 3

#: Message numbers from this one on belong to the services (RFC 4251 section 7).
_FIRST_OF_SERVICES = 50


class Service(Protocol):
    """The receiver of the messages from number 50 on."""

    def packet_received(self, number: int, packet: bytes) -> None:
        """Handle a message from the peer.

        :raises PacketError: to end the connection with that code and reason.
        :raises MalformedError: to end it with a protocol error.
        """

    def stopped(self) -> None:
        """Clean up: the connection is gone."""


class ServerTransport(KexTransport):
    """One client's connection.  Its service is the user authentication first, then the channels."""

    service: Service | None = None  # type: ignore[assignment]  # ours are not Conch's
    connection: ConnectionService | None = None
    #: Authentication requests; counted here and not in the service, so that the peer cannot
    #: reset the count by requesting the service again.
    attempts = 0
    _silent_ticks = 0
    #: The login timeout first, then the next tick.
    _timer: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Send our identification line and KEXINIT, and start the login timeout."""
        self._timer = self.clock.callLater(self.config.login_seconds, self._login_timed_out)
        super().connectionMade()

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Stop the service."""
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

    def _login_timed_out(self) -> None:
        self.sendDisconnect(conch.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, "no login in time")
        # A peer that does not read would keep the connection open for ever.
        if self.outbox.full:
            self.outbox.abort()

    def _tick(self) -> None:
        """Check once a minute that the peer answers and reads, and that the keys are fresh."""
        assert self.connection is not None
        self._timer = self.clock.callLater(TICK_SECONDS, self._tick)
        if self._silent_ticks >= MAX_SILENT_TICKS:
            self.abort("gives no sign of life")
        elif self.connection.has_stalled_channel():
            self.abort("does not read")
        else:
            self._silent_ticks += 1
            self.reset_exchange_count()
            self.rekey_if_due()
            if self.held is None and not self.outbox.full:
                self.connection.send_keepalive()

    # Input

    def dataReceived(self, data: bytes) -> None:
        """Read packets; bytes of any kind prove that the peer is there."""
        self._silent_ticks = 0
        super().dataReceived(data)
        if self.sealer.total + self.opener.total >= REKEY_BYTES:
            self.rekey_if_due()

    def dispatchMessage(self, messageNum: int, payload: bytes) -> None:  # noqa: N802, N803
        """Handle a message of the transport layer; pass others to the service.

        :raises MalformedError: for a message that is not allowed now.
        """
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
        """Ignore a message that asks for nothing: IGNORE, UNIMPLEMENTED, DEBUG, EXT_INFO."""

    def ssh_DISCONNECT(self, packet: bytes) -> None:
        """Close; nothing may be sent after the peer's DISCONNECT (RFC 4253 section 11.1)."""
        self.peer_disconnected()

    def ssh_SERVICE_REQUEST(self, packet: bytes) -> None:
        """Start the user authentication, once.

        The service after it is named in the authentication requests and needs no request of its
        own (RFC 4252 section 5).

        :raises PacketError: for any other service, and for a second request.
        """
        name = Fields(packet).string()
        if name != SERVICE or self.service is not None:
            raise PacketError(conch.DISCONNECT_SERVICE_NOT_AVAILABLE, "no such service now")
        self.service = UserAuth(self)
        self.sendPacket(conch.MSG_SERVICE_ACCEPT, string(name))

    # Above the login

    def log_in(self, peer: SshPeer) -> None:
        """Admit an authenticated peer and start the channels, or disconnect it with a sentence.

        The sentence goes out twice: OpenSSH shows the banner (RFC 4252 section 5.4), others show
        the description of the DISCONNECT.
        """
        refusal = self.config.admit(peer, self.address)
        if refusal is not None:
            sentence = refusal.encode("utf-8")
            self.sendPacket(USERAUTH_BANNER, string(sentence + b"\r\n") + string(b""))
            self.sendDisconnect(conch.DISCONNECT_BY_APPLICATION, sentence)
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.clock.callLater(TICK_SECONDS, self._tick)
        self.service = self.connection = ConnectionService(
            self, peer, self.config.start, self.config.may_open
        )
        self.sendPacket(USERAUTH_SUCCESS, b"")

    def exchange_began(self) -> None:
        """Stop sending in the channels."""
        if self.connection is not None:
            self.connection.hold()

    def exchange_ended(self) -> None:
        """Continue sending in the channels."""
        if self.connection is not None:
            self.connection.resume()

    def drained(self) -> None:
        """Continue sending in the channels: the transport has room again."""
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
