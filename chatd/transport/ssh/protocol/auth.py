"""User authentication (RFC 4252, 4256), which admits every user.

Any key is accepted once a signature proves it.  A user without a key logs in by
keyboard-interactive, which asks nothing, or by asking for ``none`` again.  Clients that know
nothing but ``password`` log in with any: it is not looked at, and the user is a guest.  It is
offered last, so that clients that know another method ask nobody for a password.  A user name
that asks for a guest (`is_guest`) is admitted by the first request for ``none``: that is how
clients without any method log in, such as OpenSSH with ``BatchMode=yes``.
Each request is answered before the next one is read, so only one is ever in flight.

It knows requests and keys.  Whether the user is admitted is decided by the transport's config.
"""

from __future__ import annotations

from typing import Final

from twisted.conch.ssh import transport as conch

from chatd.transport.ssh.keys.public_keys import (
    KEY_TYPES,
    fingerprint,
    proves,
    read_key,
    signed_message,
)
from chatd.transport.ssh.protocol.ciphers import PacketError
from chatd.transport.ssh.protocol.interfaces import Login
from chatd.transport.ssh.protocol.peer import SshPeer, client_name, is_guest, user_name
from chatd.wire.ssh import Fields, names, string

USERAUTH_REQUEST = 50
USERAUTH_FAILURE = 51
USERAUTH_SUCCESS = 52
USERAUTH_BANNER = 53
USERAUTH_PK_OK = 60

SERVICE = b"ssh-userauth"
NEXT_SERVICE = b"ssh-connection"

#: Authentication requests of one connection (RFC 4252 section 4 recommends 20).  OpenSSH asks
#: once for each key of an agent, and the first key is accepted, so a client needs only a few.
MAX_ATTEMPTS = 20

#: The methods that admit a user without a key, in the order in which they are offered.
_ADMITTING: Final = (b"keyboard-interactive", b"password")
_METHODS: Final = names(b"publickey", *_ADMITTING)


class UserAuth:
    """The service ``ssh-userauth`` of one connection; it ends with the first success."""

    __slots__ = ("_asked_none", "_transport")

    def __init__(self, transport: Login) -> None:
        self._transport = transport
        self._asked_none = False

    def packet_received(self, number: int, packet: bytes) -> None:
        """Answer an authentication request.

        :raises PacketError: after `MAX_ATTEMPTS` requests, or for a service that does not exist.
        """
        if number != USERAUTH_REQUEST:
            self._transport.sendUnimplemented()
            return
        self._transport.attempts += 1
        if self._transport.attempts > MAX_ATTEMPTS:
            raise PacketError(conch.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, "too many attempts")
        fields = Fields(packet)
        user, service, method = fields.string(), fields.string(), fields.string()
        if service != NEXT_SERVICE:
            raise PacketError(conch.DISCONNECT_SERVICE_NOT_AVAILABLE, "no such service")
        if method == b"publickey":
            self._try_key(user, fields)
        elif method in _ADMITTING or (method == b"none" and (self._asked_none or is_guest(user))):
            self._succeed(user, None)
        else:
            # Clients ask for "none" first, to learn the methods (RFC 4252 section 5.2): admitting
            # them immediately would keep them from ever offering their key.
            self._asked_none = self._asked_none or method == b"none"
            self._fail()

    def _try_key(self, user: bytes, fields: Fields) -> None:
        """Check a signature, or answer that a key is acceptable (RFC 4252 section 7)."""
        signed, algorithm, blob = fields.boolean(), fields.string(), fields.string()
        signature = fields.string() if signed else b""
        fields.end()
        key = read_key(blob)
        if key is None or KEY_TYPES.get(algorithm) != key.sshType():
            self._fail()
        elif not signed:
            self._transport.sendPacket(USERAUTH_PK_OK, string(algorithm) + string(blob))
        else:
            session = self._transport.sessionID
            assert session is not None  # no service is started before the first key exchange
            message = signed_message(session, user, NEXT_SERVICE, algorithm, blob)
            if proves(key, algorithm, signature, message):
                self._succeed(user, blob)
            else:
                self._fail()

    def _fail(self) -> None:
        self._transport.sendPacket(USERAUTH_FAILURE, _METHODS + b"\0")

    def _succeed(self, user: bytes, key: bytes | None) -> None:
        self._transport.log_in(
            SshPeer(
                user=user_name(user),
                key=key,
                fingerprint=None if key is None else fingerprint(key),
                client=client_name(self._transport.otherVersionString),
            )
        )

    def stopped(self) -> None:
        """Do nothing: the connection is gone."""
