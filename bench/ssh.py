"""The least of an ssh client: one session without a terminal, as cheap as Python makes it.

It knows the packets of RFC 4253, 4252 and 4254, one exchange (curve25519) and one cipher (AES-GCM).
It checks no host key and never exchanges keys again, which no server asks for in the first GiB.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION = b"SSH-2.0-bench"
_CIPHER = b"aes128-gcm@openssh.com"
_TAG = 16
#: A window that no run fills, so that none of it is ever given back.
_WINDOW = 0xFFFFFFFF
_PACKET = 32768


def _string(text: bytes) -> bytes:
    return struct.pack(">L", len(text)) + text


def _mpint(number: bytes) -> bytes:
    number = number.lstrip(b"\0")
    return _string(b"\0" + number if number and number[0] & 0x80 else number)


def _strings(data: bytes, count: int) -> list[bytes]:
    """The strings that a packet begins with."""
    found = []
    for _ in range(count):
        (size,) = struct.unpack_from(">L", data)
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def _offer() -> bytes:
    names = [b"curve25519-sha256", b"ssh-ed25519", _CIPHER, _CIPHER, b"hmac-sha2-256"]
    names += [b"hmac-sha2-256", b"none", b"none", b"", b""]
    return b"\x14" + os.urandom(16) + b"".join(map(_string, names)) + bytes(5)


class _Sealing:
    """One direction: AES-GCM as RFC 5647 has it, its counter in the last 8 bytes of the nonce."""

    __slots__ = ("_cipher", "_counter", "_fixed")

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._cipher = AESGCM(key)
        self._fixed = nonce[:4]
        self._counter = int.from_bytes(nonce[4:], "big")

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter += 1
        return nonce

    def seal(self, packet: bytes) -> bytes:
        length = struct.pack(">L", len(packet))
        return length + self._cipher.encrypt(self._nonce(), packet, length)

    def open(self, length: bytes, sealed: bytes) -> bytes:
        return self._cipher.decrypt(self._nonce(), sealed, length)


class SshClient:
    """Bytes of a connection to text of a session, and back.

    ``write`` takes what goes to the server.  ``take`` gives what came out of the session.
    """

    def __init__(self, nick: str, write: Callable[[bytes], object]) -> None:
        self._nick = nick.encode()
        self._write = write
        self._data = b""
        self._version: bytes | None = None
        self._seal: _Sealing | None = None
        self._open: _Sealing | None = None
        self._next_open: _Sealing | None = None
        self._channel = b""
        self._key = X25519PrivateKey.generate()
        self._ours = _offer()
        write(_VERSION + b"\r\n")
        self._send(self._ours)

    def _send(self, payload: bytes) -> None:
        clear = 0 if self._seal else 4
        padding = 16 - (len(payload) + 1 + clear) % 16
        padding += 16 if padding < 4 else 0
        packet = bytes((padding,)) + payload + bytes(padding)
        if self._seal is None:
            self._write(struct.pack(">L", len(packet)) + packet)
        else:
            self._write(self._seal.seal(packet))

    def say(self, text: bytes) -> None:
        """Send text to the session."""
        for at in range(0, len(text), _PACKET // 4):
            self._send(b"\x5e" + self._channel + _string(text[at : at + _PACKET // 4]))

    def take(self, data: bytes) -> bytes:
        """Take bytes of the connection; return the text that they hold."""
        data = self._data + data if self._data else data
        if self._version is None:
            line, found, rest = data.partition(b"\r\n")
            self._version, data = (line, rest) if found else (None, data)
        text, at = b"", 0
        while self._version is not None and len(data) - at >= 4:
            end = at + 4 + int.from_bytes(data[at : at + 4], "big") + (_TAG if self._open else 0)
            if end > len(data):
                break
            packet = data[at + 4 : end]
            if self._open is not None:
                packet = self._open.open(data[at : at + 4], packet)
            text += self._packet(packet[1 : len(packet) - packet[0]])
            at = end
        self._data = data[at:]
        return text

    def _packet(self, payload: bytes) -> bytes:
        number = payload[0]
        if number == 94:
            return payload[9:]
        if number == 1:
            raise ConnectionError(f"the server disconnected: {payload!r}")
        answer = _ANSWERS.get(number)
        if answer is not None:
            answer(self, payload)
        return b""

    def _offered(self, theirs: bytes) -> None:
        self._theirs = theirs
        self._send(b"\x1e" + _string(self._key.public_key().public_bytes_raw()))

    def _exchanged(self, payload: bytes) -> None:
        host_key, share, _ = _strings(payload[1:], 3)
        secret = _mpint(self._key.exchange(X25519PublicKey.from_public_bytes(share)))
        ours = self._key.public_key().public_bytes_raw()
        said = (_VERSION, self._version or b"", self._ours, self._theirs, host_key, ours, share)
        digest = hashlib.sha256(b"".join(map(_string, said)) + secret).digest()

        def key(letter: bytes) -> bytes:
            return hashlib.sha256(secret + digest + letter + digest).digest()

        self._send(b"\x15")
        self._seal = _Sealing(key(b"C")[:16], key(b"A")[:12])
        self._next_open = _Sealing(key(b"D")[:16], key(b"B")[:12])

    def _keys_changed(self, payload: bytes) -> None:
        self._open = self._next_open
        self._send(b"\x05" + _string(b"ssh-userauth"))

    def _ask(self, method: bytes, rest: bytes = b"") -> None:
        words = (self._nick, b"ssh-connection", method)
        self._send(b"\x32" + b"".join(map(_string, words)) + rest)

    def _served(self, payload: bytes) -> None:
        self._ask(b"none")

    def _not_so(self, payload: bytes) -> None:
        self._ask(b"keyboard-interactive", _string(b"") * 2)

    def _is_in(self, payload: bytes) -> None:
        self._send(b"\x5a" + _string(b"session") + struct.pack(">LLL", 0, _WINDOW, _PACKET))

    def _opened(self, payload: bytes) -> None:
        self._channel = payload[5:9]
        self._send(b"\x62" + self._channel + _string(b"shell") + b"\0")

    def _asked(self, payload: bytes) -> None:
        """A keepalive: any answer is a sign of life."""
        self._send(b"\x52")


_ANSWERS: dict[int, Callable[[SshClient, bytes], None]] = {
    6: SshClient._served,
    20: SshClient._offered,
    21: SshClient._keys_changed,
    31: SshClient._exchanged,
    51: SshClient._not_so,
    52: SshClient._is_in,
    80: SshClient._asked,
    91: SshClient._opened,
}
