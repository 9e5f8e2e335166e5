"""Packet ciphers: sealing and opening the binary packet protocol (RFC 4253 section 6).

There are four: plaintext (before the first keys), AES-GCM (RFC 5647 with the names of OpenSSH's
PROTOCOL 1.6), AES-CTR with the MAC over the encrypted packet ("-etm", OpenSSH's PROTOCOL 1.5) and
AES-CTR with the MAC over the plaintext (RFC 4253 section 6.4).  There is no compression.

It knows keys, sequence numbers and bytes; it knows no transport and no message.
"""

from __future__ import annotations

import os
import struct
from hmac import compare_digest
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC

#: Bytes of the longest packet that is read, without its length and its MAC.  RFC 4253 section 6.1
#: requires 35000; our channels allow their peers less than half of that in one packet.
MAX_PACKET = 35000

PROTOCOL_ERROR = 2
MAC_ERROR = 5

_BLOCK = 16
_HEAD: Final = struct.Struct(">LB")
_LENGTH: Final = struct.Struct(">L")

#: Random padding (RFC 4253 section 6), drawn once for the process: the cipher hides it, and
#: drawing it for each packet would cost as much as encrypting the packet.
_PADDING = os.urandom(2 * _BLOCK)


class PacketError(Exception):
    """An error that ends the connection; ``code`` is a reason code of RFC 4253 section 11.1."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class PacketCipher(Protocol):
    """One direction of a connection between two key exchanges."""

    #: The sequence number of the next packet, modulo 2**32 (RFC 4253 section 6.4).
    sequence: int
    #: Bytes sealed or opened with these keys; plaintext is not counted.
    total: int

    def seal(self, payload: bytes) -> bytes:
        """Return the packet that carries a payload."""

    def open(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        """Return the payload of the packet that begins at ``at`` and where the next one begins.

        None when the packet is not complete.

        :raises PacketError: when it is no valid packet.
        """


def _packet_length(data: bytes, at: int, block: int, clear: int) -> int:
    """Return a packet's length, checked before waiting for its bytes.

    :param clear: leading bytes that are not encrypted, and so not part of a block.
    :raises PacketError: when it is out of bounds or no multiple of the block size.
    """
    (length,) = _LENGTH.unpack_from(data, at)
    if not _BLOCK // 2 <= length <= MAX_PACKET or (length + 4 - clear) % block:
        raise PacketError(PROTOCOL_ERROR, "bad packet length")
    return int(length)


def _payload(packet: bytes, at: int) -> bytes:
    """Return a packet's payload; its padding length is at ``at``.

    :raises PacketError: for a padding shorter than 4 bytes, or one that leaves no payload.
    """
    padding = packet[at]
    end = len(packet) - padding
    if padding < 4 or end < at + 2:
        raise PacketError(PROTOCOL_ERROR, "bad padding")
    return packet[at + 1 : end]


def _pad(length: int, block: int) -> int:
    """Return the padding that makes ``length`` a multiple of ``block``: at least 4 bytes."""
    padding = -length % block
    return padding if padding >= 4 else padding + block


class Plaintext:
    """No cipher and no MAC, before the first key exchange; blocks are 8 bytes."""

    __slots__ = ("sequence", "total")

    def __init__(self) -> None:
        self.sequence = 0
        self.total = 0

    def seal(self, payload: bytes) -> bytes:
        """Return the packet that carries a payload."""
        padding = _pad(5 + len(payload), 8)
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF
        return _HEAD.pack(1 + len(payload) + padding, padding) + payload + _PADDING[:padding]

    def open(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        """Return the payload of the packet at ``at`` and where the next one begins."""
        if len(data) - at < 4:
            return None
        end = at + 4 + _packet_length(data, at, 8, 0)
        if len(data) < end:
            return None
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF
        return _payload(data[at + 4 : end], 0), end


class AesGcm:
    """AES-GCM (RFC 5647): the length is not encrypted but authenticated.

    The nonce is 4 fixed bytes and a counter of 8 (its section 7.1).
    """

    __slots__ = ("_aes", "_count", "_fixed", "sequence", "total")

    TAG = 16

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._aes = AESGCM(key)
        self._fixed = iv[:4]
        self._count = int.from_bytes(iv[4:12], "big")
        self.sequence = 0
        self.total = 0

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._count.to_bytes(8, "big")
        self._count = (self._count + 1) & 0xFFFFFFFFFFFFFFFF
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF
        return nonce

    def seal(self, payload: bytes) -> bytes:
        """Return the packet that carries a payload."""
        size = 1 + len(payload)
        padding = _pad(size, _BLOCK)
        self.total += size
        length = _LENGTH.pack(size + padding)
        body = padding.to_bytes(1, "big") + payload + _PADDING[:padding]
        return length + self._aes.encrypt(self._nonce(), body, length)

    def open(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        """Return the payload of the packet at ``at`` and where the next one begins."""
        if len(data) - at < 4:
            return None
        body = at + 4
        end = body + _packet_length(data, at, _BLOCK, 4) + self.TAG
        if len(data) < end:
            return None
        self.total += end - at
        try:
            packet = self._aes.decrypt(self._nonce(), data[body:end], data[at:body])
        except InvalidTag:
            raise PacketError(MAC_ERROR, "bad MAC") from None
        return _payload(packet, 0), end


class _Ctr:
    """The key stream and the keyed hash of both kinds of AES-CTR with a MAC (RFC 4344, 6668).

    CTR encrypts and decrypts by the same operation, so one context does either.
    """

    __slots__ = ("_mac", "_mac_size", "_stream", "sequence", "total")

    def __init__(self, key: bytes, iv: bytes, mac: hashes.HashAlgorithm, mac_key: bytes) -> None:
        self._stream = Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update
        self._mac = HMAC(mac_key, mac)
        self._mac_size = mac.digest_size
        self.sequence = 0
        self.total = 0

    def _sign(self, data: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(_LENGTH.pack(self.sequence) + data)
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF
        return mac.finalize()

    def _check(self, data: bytes, mac: bytes) -> None:
        if not compare_digest(self._sign(data), mac):
            raise PacketError(MAC_ERROR, "bad MAC")


class AesCtrEtm(_Ctr):
    """AES-CTR with the MAC over the encrypted packet (encrypt-then-MAC), its length plaintext."""

    __slots__ = ()

    def seal(self, payload: bytes) -> bytes:
        """Return the packet that carries a payload."""
        size = 1 + len(payload)
        padding = _pad(size, _BLOCK)
        self.total += size
        body = self._stream(padding.to_bytes(1, "big") + payload + _PADDING[:padding])
        packet = _LENGTH.pack(size + padding) + body
        return packet + self._sign(packet)

    def open(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        """Return the payload of the packet at ``at`` and where the next one begins."""
        if len(data) - at < 4:
            return None
        end = at + 4 + _packet_length(data, at, _BLOCK, 4)
        after = end + self._mac_size
        if len(data) < after:
            return None
        self.total += after - at
        self._check(data[at:end], data[end:after])
        return _payload(self._stream(data[at + 4 : end]), 0), after


class AesCtrMac(_Ctr):
    """AES-CTR with the MAC over the plaintext (encrypt-and-MAC); the length is encrypted too."""

    __slots__ = ("_first",)

    def __init__(self, key: bytes, iv: bytes, mac: hashes.HashAlgorithm, mac_key: bytes) -> None:
        super().__init__(key, iv, mac, mac_key)
        #: The first block of an incomplete packet, decrypted: the key stream cannot go back.
        self._first = b""

    def seal(self, payload: bytes) -> bytes:
        """Return the packet that carries a payload."""
        size = 5 + len(payload)
        padding = _pad(size, _BLOCK)
        self.total += size
        packet = _HEAD.pack(size + padding - 4, padding) + payload + _PADDING[:padding]
        return self._stream(packet) + self._sign(packet)

    def open(self, data: bytes, at: int) -> tuple[bytes, int] | None:
        """Return the payload of the packet at ``at`` and where the next one begins."""
        if not self._first:
            if len(data) - at < _BLOCK:
                return None
            self._first = self._stream(data[at : at + _BLOCK])
        end = at + 4 + _packet_length(self._first, 0, _BLOCK, 0)
        after = end + self._mac_size
        if len(data) < after:
            return None
        self.total += after - at
        packet = self._first + self._stream(data[at + _BLOCK : end])
        self._first = b""
        self._check(packet, data[end:after])
        return _payload(packet, 4), after


#: The ciphers that are offered, the preferred one first: name, bytes of its key.
GCM_KEYS: Final = {b"aes128-gcm@openssh.com": 16, b"aes256-gcm@openssh.com": 32}
CTR_KEYS: Final = {b"aes128-ctr": 16, b"aes256-ctr": 32, b"aes192-ctr": 24}
CIPHERS: Final = (*GCM_KEYS, *CTR_KEYS)

#: The MACs that are offered, "-etm" first.  The last is for dbclient, which has no "-etm".
ETM_HASHES: Final[dict[bytes, hashes.HashAlgorithm]] = {
    b"hmac-sha2-256-etm@openssh.com": hashes.SHA256(),
    b"hmac-sha2-512-etm@openssh.com": hashes.SHA512(),
}
MAC_HASHES: Final[dict[bytes, hashes.HashAlgorithm]] = {b"hmac-sha2-256": hashes.SHA256()}
MACS: Final = (*ETM_HASHES, *MAC_HASHES)


def packet_cipher(cipher: bytes, mac: bytes, key: bytes, iv: bytes, mac_key: bytes) -> PacketCipher:
    """Return the cipher of one direction.

    Keys and IV may be longer than it needs: they are cut (RFC 4253 section 7.2).
    """
    if cipher in GCM_KEYS:
        return AesGcm(key[: GCM_KEYS[cipher]], iv)
    key, iv = key[: CTR_KEYS[cipher]], iv[:_BLOCK]
    if mac in ETM_HASHES:
        kind = ETM_HASHES[mac]
        return AesCtrEtm(key, iv, kind, mac_key[: kind.digest_size])
    kind = MAC_HASHES[mac]
    return AesCtrMac(key, iv, kind, mac_key[: kind.digest_size])
