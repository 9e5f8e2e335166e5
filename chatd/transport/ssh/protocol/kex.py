"""The key exchange: algorithm negotiation, strict order of packets, rekeying (RFC 4253 section 7).

Conch does the arithmetic of the exchange; the negotiation, the order of the packets and the change
of keys are here: strict key exchange as OpenSSH's PROTOCOL 1.10 defines it, sequence numbers that
start again with every key, and a timeout for exchanges that do not end.

It knows algorithms and keys.  It knows nothing of users or channels.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from twisted.conch.ssh import _kex
from twisted.conch.ssh import transport as conch
from twisted.conch.ssh.keys import Key
from twisted.internet.interfaces import IDelayedCall

from chatd.transport.ssh.keys.public_keys import KEY_TYPES
from chatd.transport.ssh.protocol import ciphers
from chatd.transport.ssh.protocol.ciphers import PacketCipher, PacketError
from chatd.transport.ssh.protocol.packets import PacketTransport
from chatd.wire.ssh import Fields, MalformedError, names, string, uint32

HYBRID = b"mlkem768x25519-sha256"
HOST_KEY = b"ssh-ed25519"
STRICT_CLIENT = b"kex-strict-c-v00@openssh.com"
STRICT_SERVER = b"kex-strict-s-v00@openssh.com"

#: The key exchange methods that are offered, the preferred one first (RFC 8731 and
#: draft-ietf-sshm-mlkem-hybrid-kex).  The first needs a ``cryptography`` package with ML-KEM.
#: Methods that RFC 9142 deprecates are not offered.
EXCHANGES: Final = tuple(
    name
    for name in (HYBRID, b"curve25519-sha256", b"curve25519-sha256@libssh.org")
    if name in _kex.getSupportedKeyExchanges()
)

#: Bytes in both directions, and seconds, after which we ask for new keys (RFC 4253 section 9).
REKEY_BYTES = 1 << 30
REKEY_SECONDS = 3600

#: Seconds that a rekeying may take.
EXCHANGE_SECONDS = 30

#: Key exchanges that a peer may begin between two ticks (a minute).  One costs us half a
#: millisecond.  An OpenSSH client configured to rekey every 16 kB, its minimum, stays below this
#: while chatting.
MAX_EXCHANGES = 100

_MESSAGES_1_TO_4: Final = frozenset((1, 2, 3, 4))

#: Messages that may arrive at each step of an exchange; when it is not strict, also 1 to 4
#: (RFC 4253 section 7.1).
_INIT: Final = frozenset((conch.MSG_DISCONNECT, conch.MSG_KEXINIT))
_EXCHANGE: Final = frozenset((conch.MSG_DISCONNECT, conch.MSG_KEXDH_INIT))
_NEWKEYS: Final = frozenset((conch.MSG_DISCONNECT, conch.MSG_NEWKEYS))


def _offer(*exchanges: bytes) -> bytes:
    """Return the part of a KEXINIT that follows the cookie (RFC 4253 section 7.1)."""
    both_ways = 2 * names(*ciphers.CIPHERS) + 2 * names(*ciphers.MACS) + 2 * names(b"none")
    return names(*exchanges) + names(HOST_KEY) + both_ways + 2 * names() + b"\0" + uint32(0)


#: The markers of extensions (RFC 8308 section 2.1) and of strict key exchange count in the first
#: KEXINIT only.
_FIRST_OFFER: Final = _offer(*EXCHANGES, b"ext-info-s", STRICT_SERVER)
_NEXT_OFFER: Final = _offer(*EXCHANGES)


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The outcome of the algorithm negotiation; "in" is from client to server."""

    exchange: bytes
    cipher_in: bytes
    cipher_out: bytes
    mac_in: bytes
    mac_out: bytes
    wrong_guess: bool  # the peer's next packet is for a method that was not chosen
    extensions: bool
    strict: bool


def _choose(theirs: list[bytes], ours: tuple[bytes, ...], what: str) -> bytes:
    """Return the client's first choice that we offer (RFC 4253 section 7.1).

    :raises PacketError: when there is none; ``what`` says of which kind.
    """
    for name in theirs:
        if name in ours:
            return name
    raise PacketError(conch.DISCONNECT_KEY_EXCHANGE_FAILED, f"no {what} in common")


def negotiate(packet: bytes) -> Negotiated:
    """Return the algorithms for a client's KEXINIT.

    A MAC is negotiated only for a cipher without built-in authentication: with AES-GCM
    OpenSSH ignores the list (its PROTOCOL 1.6), which therefore need not have a common name.

    :raises PacketError: when there is no algorithm in common.
    :raises MalformedError: when the packet is no KEXINIT.
    """
    fields = Fields(packet)
    fields.take(16)  # the cookie
    exchanges, host_keys = fields.names(), fields.names()
    ciphers_in, ciphers_out = fields.names(), fields.names()
    macs_in, macs_out = fields.names(), fields.names()
    for _ in ("client to server", "server to client"):
        _choose(fields.names(), (b"none",), "compression")
    for _ in ("client to server", "server to client"):
        fields.names()  # languages
    guessed = fields.boolean()
    fields.uint32()
    fields.end()
    exchange = _choose(exchanges, EXCHANGES, "key exchange")
    _choose(host_keys, (HOST_KEY,), "kind of host key")
    cipher_in = _choose(ciphers_in, ciphers.CIPHERS, "cipher")
    cipher_out = _choose(ciphers_out, ciphers.CIPHERS, "cipher")
    return Negotiated(
        exchange=exchange,
        cipher_in=cipher_in,
        cipher_out=cipher_out,
        mac_in=b"" if cipher_in in ciphers.GCM_KEYS else _choose(macs_in, ciphers.MACS, "MAC"),
        mac_out=b"" if cipher_out in ciphers.GCM_KEYS else _choose(macs_out, ciphers.MACS, "MAC"),
        wrong_guess=guessed and (exchanges[0] != EXCHANGES[0] or host_keys[0] != HOST_KEY),
        extensions=b"ext-info-c" in exchanges,
        strict=STRICT_CLIENT in exchanges,
    )


class KexTransport(PacketTransport):
    """A connection that exchanges keys, and renews them in time.

    ``expected`` has the messages that may arrive during an exchange; any other ends the
    connection.  Before the first keys nothing but the exchange itself may arrive.
    """

    keyAlg = HOST_KEY  # noqa: N815
    expected: frozenset[int] | None = _INIT | _MESSAGES_1_TO_4
    negotiated: Negotiated | None = None
    strict = False
    #: The cipher for reading after the peer's NEWKEYS.
    next_opener: PacketCipher | None = None
    _exchanges = 0
    _rekeyed_at = 0.0
    _skip_guess = False
    _exchange_timeout: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Send our identification line and our KEXINIT."""
        super().connectionMade()
        self.sendKexInit()

    def _end(self) -> None:
        super()._end()
        self._cancel_exchange_timeout()

    def _getHostKeys(self, keyFormat: bytes) -> tuple[Key, Key]:  # noqa: N802, N803
        """Return the host key, public and private; Conch's own method would ask its factory."""
        host_key = self.config.host_key
        return host_key.public(), host_key

    # New keys in time

    def rekey_if_due(self) -> None:
        """Begin a key exchange if the keys are old or have encrypted much data."""
        if self.held is not None or self.ended:
            return
        total = self.sealer.total + self.opener.total
        if total >= REKEY_BYTES or self.clock.seconds() - self._rekeyed_at >= REKEY_SECONDS:
            self.sendKexInit()

    def reset_exchange_count(self) -> None:
        """Allow the peer `MAX_EXCHANGES` again; called once a minute."""
        self._exchanges = 0

    def exchange_began(self) -> None:
        """Stop sending anything but the exchange; called when a key exchange begins."""

    def exchange_ended(self) -> None:
        """Continue sending; called when the new keys are in use."""

    def _exchange_timed_out(self) -> None:
        self._exchange_timeout = None
        self.abort("did not finish a key exchange")

    def _cancel_exchange_timeout(self) -> None:
        if self._exchange_timeout is not None:
            self._exchange_timeout.cancel()
            self._exchange_timeout = None

    # The exchange itself

    def sendKexInit(self) -> None:
        """Send a KEXINIT, which begins an exchange or answers the peer's; hold other messages."""
        first = self.sessionID is None
        offer = os.urandom(16) + (_FIRST_OFFER if first else _NEXT_OFFER)
        self.ourKexInitPayload = bytes((conch.MSG_KEXINIT,)) + offer
        self.held = []
        if not first:  # the login timeout bounds the first one
            self._exchange_timeout = self.clock.callLater(
                EXCHANGE_SECONDS, self._exchange_timed_out
            )
            self.exchange_began()
        self.sendPacket(conch.MSG_KEXINIT, offer)

    def ssh_KEXINIT(self, packet: bytes) -> None:
        """Negotiate the algorithms.

        With strict key exchange the client's KEXINIT must be its first packet: a packet injected
        before it would shift the sequence numbers unnoticed (the Terrapin attack, CVE-2023-48795).

        :raises PacketError: when there is no algorithm in common.
        :raises MalformedError: for a KEXINIT that is not first, and for one exchange too many.
        """
        self._exchanges += 1
        if self._exchanges > MAX_EXCHANGES:
            raise MalformedError("too many key exchanges")
        negotiated = self.negotiated = negotiate(packet)
        if self.sessionID is None:
            self.strict = negotiated.strict
            if negotiated.strict and self.opener.sequence != 1:
                raise MalformedError("KEXINIT was not the first packet")
        self.otherKexInitPayload = bytes((conch.MSG_KEXINIT,)) + packet
        self.kexAlg = negotiated.exchange
        self._skip_guess = negotiated.wrong_guess
        if self.held is None:
            self.sendKexInit()
        self._expect(_EXCHANGE)

    def _expect(self, numbers: frozenset[int]) -> None:
        """Accept only these messages, and 1 to 4 unless this is a strict first exchange."""
        strict = self.strict and isinstance(self.opener, ciphers.Plaintext)
        self.expected = numbers if strict else numbers | _MESSAGES_1_TO_4

    def ssh_KEX_DH_GEX_REQUEST_OLD(self, packet: bytes) -> None:
        """Compute the shared secret from the peer's share: message 30 of every method offered.

        A share for a wrongly guessed method is skipped (RFC 4253 section 7).

        :raises PacketError: for a share of the wrong length or of low order.
        """
        if self._skip_guess:
            self._skip_guess = False
            return
        fields = Fields(packet)
        share = fields.string()
        fields.end()
        try:
            if self.kexAlg == HYBRID:
                self._ssh_KEX_HYBRID_INIT(string(share))
            else:
                self._ssh_KEX_ECDH_INIT(string(share))
        except ValueError as error:
            raise PacketError(conch.DISCONNECT_KEY_EXCHANGE_FAILED, "bad key share") from error

    def _keySetup(self, sharedSecret: bytes, exchangeHash: bytes) -> None:  # noqa: N802, N803
        """Derive the keys and send NEWKEYS: later packets use them (RFC 4253 sections 7.2, 7.3).

        The first exchange hash is the session identifier for good.  Under strict key exchange the
        sequence number starts again at 0 with each key.
        """
        assert self.negotiated is not None
        first = self.sessionID is None
        if first:
            self.sessionID = exchangeHash

        def key(letter: bytes) -> bytes:
            return self._getKey(letter, sharedSecret, exchangeHash)

        negotiated = self.negotiated
        self.next_opener = ciphers.packet_cipher(
            negotiated.cipher_in, negotiated.mac_in, key(b"C"), key(b"A"), key(b"E")
        )
        sealer = ciphers.packet_cipher(
            negotiated.cipher_out, negotiated.mac_out, key(b"D"), key(b"B"), key(b"F")
        )
        self.sendPacket(conch.MSG_NEWKEYS, b"")
        sealer.sequence = 0 if self.strict else self.sealer.sequence
        self.sealer = sealer
        if first:
            self._send_extensions()
        self._expect(_NEWKEYS)

    def _send_extensions(self) -> None:
        """Send the signature algorithms that we accept, right after our first NEWKEYS.

        RFC 8308 sections 2.4 and 3.1.  Without it clients have to guess whether an RSA key may
        sign with SHA-2 (RFC 8332 section 3.3), and some assume that it may not.
        """
        assert self.negotiated is not None
        if self.negotiated.extensions:
            value = string(b"server-sig-algs") + names(*KEY_TYPES)
            self.transmit(bytes((conch.MSG_EXT_INFO,)) + uint32(1) + value)

    def ssh_NEWKEYS(self, packet: bytes) -> None:
        """Read with the new keys from now on, and drop the state of the exchange."""
        Fields(packet).end()
        assert self.next_opener is not None
        self.next_opener.sequence = 0 if self.strict else self.opener.sequence
        self.opener = self.next_opener
        self.expected = None
        self._rekeyed_at = self.clock.seconds()
        del self.next_opener, self.ourKexInitPayload, self.otherKexInitPayload, self.negotiated
        if hasattr(self, "ecPub"):  # left behind by Conch
            del self.ecPub
        self._cancel_exchange_timeout()
        self.send_held()
        self.exchange_ended()
