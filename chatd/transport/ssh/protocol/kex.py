"""The key exchange: what both sides can do, strictly in order, again after an hour (RFC 4253, 7).

Conch does the arithmetic of the exchange; the negotiation, the order of the packets and the change
of keys are here: strict key exchange as OpenSSH's PROTOCOL 1.10 defines it, sequence numbers that
start again with every key, and a deadline for exchanges that do not end.

It knows algorithms and keys.  It knows nothing of people or channels.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from twisted.conch.ssh import _kex
from twisted.conch.ssh import transport as conch
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

#: The exchanges that are offered, ours first.  The first needs a cryptography package with ML-KEM.
EXCHANGES: Final = tuple(
    name
    for name in (HYBRID, b"curve25519-sha256", b"curve25519-sha256@libssh.org")
    if name in _kex.getSupportedKeyExchanges()
)

#: Bytes both ways, and seconds, after which we ask for new keys (RFC 4253 section 9).
REKEY_BYTES = 1 << 30
REKEY_SECONDS = 3600

#: Seconds that an exchange of new keys may take.
EXCHANGE_SECONDS = 30

#: Exchanges that a peer may begin between two ticks (a minute).  One costs us half a millisecond;
#: OpenSSH asked for new keys every 16 kB, the least it allows, stays below while people chat.
MAX_EXCHANGES = 100

_MESSAGES_1_TO_4: Final = frozenset((1, 2, 3, 4))

#: What may come at each step of an exchange besides, when it is not strict, messages 1 to 4.
_INIT: Final = frozenset((conch.MSG_DISCONNECT, conch.MSG_KEXINIT))
_EXCHANGE: Final = frozenset((conch.MSG_DISCONNECT, conch.MSG_KEXDH_INIT))
_NEWKEYS: Final = frozenset((conch.MSG_DISCONNECT, conch.MSG_NEWKEYS))


def _offer(*exchanges: bytes) -> bytes:
    """The part of a KEXINIT that follows the cookie (RFC 4253 section 7.1)."""
    both_ways = 2 * names(*ciphers.CIPHERS) + 2 * names(*ciphers.MACS) + 2 * names(b"none")
    return names(*exchanges) + names(HOST_KEY) + both_ways + 2 * names() + b"\0" + uint32(0)


_FIRST_OFFER: Final = _offer(*EXCHANGES, b"ext-info-s", STRICT_SERVER)
_NEXT_OFFER: Final = _offer(*EXCHANGES)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two sides agreed on."""

    exchange: bytes
    cipher_in: bytes
    cipher_out: bytes
    mac_in: bytes
    mac_out: bytes
    wrong_guess: bool  # the peer's next packet is for an exchange that was not agreed on
    extensions: bool
    strict: bool


def _first(theirs: list[bytes], ours: tuple[bytes, ...], what: str) -> bytes:
    for name in theirs:
        if name in ours:
            return name
    raise PacketError(conch.DISCONNECT_KEY_EXCHANGE_FAILED, f"no {what} in common")


def agree(packet: bytes) -> Agreement:
    """Read a client's KEXINIT; the client's first choice that we offer is taken.

    Raises ``PacketError`` when nothing fits.  A MAC matters only beside a cipher that has none.
    """
    fields = Fields(packet)
    fields.take(16)  # the cookie
    exchanges, host_keys = fields.names(), fields.names()
    ciphers_in, ciphers_out = fields.names(), fields.names()
    macs_in, macs_out = fields.names(), fields.names()
    for _ in ("client to server", "server to client"):
        _first(fields.names(), (b"none",), "compression")
    for _ in ("client to server", "server to client"):
        fields.names()  # languages
    guessed = fields.boolean()
    fields.uint32()
    fields.end()
    exchange = _first(exchanges, EXCHANGES, "key exchange")
    _first(host_keys, (HOST_KEY,), "kind of host key")
    cipher_in = _first(ciphers_in, ciphers.CIPHERS, "cipher")
    cipher_out = _first(ciphers_out, ciphers.CIPHERS, "cipher")
    return Agreement(
        exchange=exchange,
        cipher_in=cipher_in,
        cipher_out=cipher_out,
        mac_in=b"" if cipher_in in ciphers.GCM_KEYS else _first(macs_in, ciphers.MACS, "MAC"),
        mac_out=b"" if cipher_out in ciphers.GCM_KEYS else _first(macs_out, ciphers.MACS, "MAC"),
        wrong_guess=guessed and (exchanges[0] != EXCHANGES[0] or host_keys[0] != HOST_KEY),
        extensions=b"ext-info-c" in exchanges,
        strict=STRICT_CLIENT in exchanges,
    )


class KexTransport(PacketTransport):
    """A connection that gets its keys, and new ones in time.

    Until the first keys are there nothing but the exchange is listened to: ``expected`` says what
    may come, and everything else ends the connection.
    """

    keyAlg = HOST_KEY  # noqa: N815
    expected: frozenset[int] | None = _INIT | _MESSAGES_1_TO_4
    agreed: Agreement | None = None
    strict = False
    _exchanges = 0
    _keys_since = 0.0
    _skip_guess = False
    _exchange_deadline: IDelayedCall | None = None
    _next_opener: PacketCipher | None = None

    def connectionMade(self) -> None:
        """Say who we are and what we can do."""
        super().connectionMade()
        self.sendKexInit()

    def _end(self) -> None:
        super()._end()
        self._cancel_exchange_deadline()

    # New keys in time

    def refresh_keys(self) -> None:
        """Ask for new keys when these are old or have seen much."""
        if self.held is not None or self.ended:
            return
        total = self.sealer.total + self.opener.total
        if total >= REKEY_BYTES or self.clock.seconds() - self._keys_since >= REKEY_SECONDS:
            self.sendKexInit()

    def count_anew(self) -> None:
        """A minute has passed: the peer may exchange keys again."""
        self._exchanges = 0

    def exchange_began(self) -> None:
        """Nothing but the exchange may be sent from now on."""

    def exchange_ended(self) -> None:
        """Everything may be sent again."""

    def _exchange_late(self) -> None:
        self._exchange_deadline = None
        self.abort("did not finish a key exchange")

    def _cancel_exchange_deadline(self) -> None:
        if self._exchange_deadline is not None:
            self._exchange_deadline.cancel()
            self._exchange_deadline = None

    # The exchange itself

    def sendKexInit(self) -> None:
        """Begin an exchange, or answer the peer that began it."""
        first = self.sessionID is None
        offer = os.urandom(16) + (_FIRST_OFFER if first else _NEXT_OFFER)
        self.ourKexInitPayload = bytes((conch.MSG_KEXINIT,)) + offer
        self.held = []
        if not first:  # the first one is bounded by the deadline of the login
            self._exchange_deadline = self.clock.callLater(EXCHANGE_SECONDS, self._exchange_late)
            self.exchange_began()
        self.sendPacket(conch.MSG_KEXINIT, offer)

    def ssh_KEXINIT(self, packet: bytes) -> None:
        """Agree on algorithms with the peer."""
        self._exchanges += 1
        if self._exchanges > MAX_EXCHANGES:
            raise MalformedError("too many key exchanges")
        agreed = self.agreed = agree(packet)
        if self.sessionID is None:
            self.strict = agreed.strict
            if agreed.strict and self.opener.sequence != 1:
                raise MalformedError("KEXINIT was not the first packet")
        self.otherKexInitPayload = bytes((conch.MSG_KEXINIT,)) + packet
        self.kexAlg = agreed.exchange
        self._skip_guess = agreed.wrong_guess
        if self.held is None:
            self.sendKexInit()
        self._expect(_EXCHANGE)

    def _expect(self, numbers: frozenset[int]) -> None:
        """Let nothing else come; messages 1 to 4 only outside a strict first exchange."""
        strict = self.strict and isinstance(self.opener, ciphers.Clear)
        self.expected = numbers if strict else numbers | _MESSAGES_1_TO_4

    def ssh_KEX_DH_GEX_REQUEST_OLD(self, packet: bytes) -> None:
        """Compute the shared secret from the peer's share: message 30, whichever the exchange."""
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
        except ValueError as error:  # a share of the wrong length or of low order
            raise PacketError(conch.DISCONNECT_KEY_EXCHANGE_FAILED, "bad key share") from error

    def _keySetup(self, sharedSecret: bytes, exchangeHash: bytes) -> None:  # noqa: N802, N803
        """Derive the keys; from NEWKEYS on ours are used for what we send (RFC 4253, 7.2, 7.3)."""
        assert self.agreed is not None
        first = self.sessionID is None
        if first:
            self.sessionID = exchangeHash

        def key(letter: bytes) -> bytes:
            return self._getKey(letter, sharedSecret, exchangeHash)

        agreed = self.agreed
        self._next_opener = ciphers.packet_cipher(
            agreed.cipher_in, agreed.mac_in, key(b"C"), key(b"A"), key(b"E")
        )
        sealer = ciphers.packet_cipher(
            agreed.cipher_out, agreed.mac_out, key(b"D"), key(b"B"), key(b"F")
        )
        self.sendPacket(conch.MSG_NEWKEYS, b"")
        sealer.sequence = 0 if self.strict else self.sealer.sequence
        self.sealer = sealer
        if first:
            self._send_extensions()
        self._expect(_NEWKEYS)

    def _send_extensions(self) -> None:
        """Say which signatures we take (RFC 8308): right after our first NEWKEYS."""
        assert self.agreed is not None
        if self.agreed.extensions:
            value = string(b"server-sig-algs") + names(*KEY_TYPES)
            self.transmit(bytes((conch.MSG_EXT_INFO,)) + uint32(1) + value)

    def ssh_NEWKEYS(self, packet: bytes) -> None:
        """The peer uses its new keys from now on."""
        Fields(packet).end()
        assert self._next_opener is not None
        self._next_opener.sequence = 0 if self.strict else self.opener.sequence
        self.opener = self._next_opener
        self.expected = None
        self._keys_since = self.clock.seconds()
        del self._next_opener, self.ourKexInitPayload, self.otherKexInitPayload, self.agreed
        if hasattr(self, "ecPub"):  # Conch leaves it behind
            del self.ecPub
        self._cancel_exchange_deadline()
        self.release()
        self.exchange_ended()
