"""Minimal ssh client: one session without a terminal, as cheap as possible in Python.

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
#: A window that no run exhausts, so that it never needs to be adjusted.
_WINDOW = 0xFFFFFFFF
_PACKET = 32768


def _string(text: bytes) -> bytes:
    return struct.pack(">L", len(text)) + text


def _mpint(number: bytes) -> bytes:
    number = number.lstrip(b"\0")
    return _string(b"\0" + number if number and number[0] & 0x80 else number)


def _strings(data: bytes, count: int) -> list[bytes]:
    """Return the strings that a packet begins with."""
    found = []
    for _ in range(count):
        (size,) = struct.unpack_from(">L", data)
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def _kexinit() -> bytes:
    names = [b"curve25519-sha256", b"ssh-ed25519", _CIPHER, _CIPHER, b"hmac-sha2-256"]
    names += [b"hmac-sha2-256", b"none", b"none", b"", b""]
    return b"\x14" + os.urandom(16) + b"".join(map(_string, names)) + bytes(5)


class _Cipher:
    """One direction: AES-GCM (RFC 5647), its counter in the last 8 bytes of the nonce."""

    __slots__ = ("_cipher", "_counter", "_fixed")

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._cipher = AESGCM(key)
        self._fixed = nonce[:4]
        self._counter = int.from_bytes(nonce[4:], "big")

    def _nonce(self) -> bytes:
        nonce = self._fixed + self._counter.to_bytes(8, "big")
        self._counter += 1
        return nonce

    def encrypt(self, packet: bytes) -> bytes:
        length = struct.pack(">L", len(packet))
        return length + self._cipher.encrypt(self._nonce(), packet, length)

    def decrypt(self, length: bytes, sealed: bytes) -> bytes:
        return self._cipher.decrypt(self._nonce(), sealed, length)


class SshClient:
    """Converts between bytes of a connection and text of a session.

    ``write`` is called with the bytes for the server; `receive_data` returns the session's text.
    """

    def __init__(self, nick: str, write: Callable[[bytes], object]) -> None:
        self._nick = nick.encode()
        self._write = write
        self._data = b""
        self._version: bytes | None = None
        self._encryptor: _Cipher | None = None
        self._decryptor: _Cipher | None = None
        self._next_decryptor: _Cipher | None = None
        self._channel = b""
        self._key = X25519PrivateKey.generate()
        self._our_kexinit = _kexinit()
        write(_VERSION + b"\r\n")
        self._send(self._our_kexinit)

    def _send(self, payload: bytes) -> None:
        clear = 0 if self._encryptor else 4
        padding = 16 - (len(payload) + 1 + clear) % 16
        padding += 16 if padding < 4 else 0
        packet = bytes((padding,)) + payload + bytes(padding)
        if self._encryptor is None:
            self._write(struct.pack(">L", len(packet)) + packet)
        else:
            self._write(self._encryptor.encrypt(packet))

    def send_text(self, text: bytes) -> None:
        """Send text into the session."""
        for at in range(0, len(text), _PACKET // 4):
            self._send(b"\x5e" + self._channel + _string(text[at : at + _PACKET // 4]))

    def receive_data(self, data: bytes) -> bytes:
        """Return the text of the session that these bytes of the connection complete."""
        data = self._data + data if self._data else data
        if self._version is None:
            line, found, rest = data.partition(b"\r\n")
            self._version, data = (line, rest) if found else (None, data)
        text, at = b"", 0
        while self._version is not None and len(data) - at >= 4:
            end = (
                at + 4 + int.from_bytes(data[at : at + 4], "big") + (_TAG if self._decryptor else 0)
            )
            if end > len(data):
                break
            packet = data[at + 4 : end]
            if self._decryptor is not None:
                packet = self._decryptor.decrypt(data[at : at + 4], packet)
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
        answer = _HANDLERS.get(number)
        if answer is not None:
            answer(self, payload)
        return b""

    def _on_kexinit(self, theirs: bytes) -> None:
        self._their_kexinit = theirs
        self._send(b"\x1e" + _string(self._key.public_key().public_bytes_raw()))

    def _on_kex_reply(self, payload: bytes) -> None:
        host_key, share, _ = _strings(payload[1:], 3)
        secret = _mpint(self._key.exchange(X25519PublicKey.from_public_bytes(share)))
        ours = self._key.public_key().public_bytes_raw()
        said = (
            _VERSION,
            self._version or b"",
            self._our_kexinit,
            self._their_kexinit,
            host_key,
            ours,
            share,
        )
        digest = hashlib.sha256(b"".join(map(_string, said)) + secret).digest()

        def key(letter: bytes) -> bytes:
            return hashlib.sha256(secret + digest + letter + digest).digest()

        self._send(b"\x15")
        self._encryptor = _Cipher(key(b"C")[:16], key(b"A")[:12])
        self._next_decryptor = _Cipher(key(b"D")[:16], key(b"B")[:12])

    def _on_newkeys(self, payload: bytes) -> None:
        self._decryptor = self._next_decryptor
        self._send(b"\x05" + _string(b"ssh-userauth"))

    def _authenticate(self, method: bytes, rest: bytes = b"") -> None:
        words = (self._nick, b"ssh-connection", method)
        self._send(b"\x32" + b"".join(map(_string, words)) + rest)

    def _on_service_accept(self, payload: bytes) -> None:
        self._authenticate(b"none")

    def _on_failure(self, payload: bytes) -> None:
        self._authenticate(b"keyboard-interactive", _string(b"") * 2)

    def _on_success(self, payload: bytes) -> None:
        self._send(b"\x5a" + _string(b"session") + struct.pack(">LLL", 0, _WINDOW, _PACKET))

    def _on_channel_open(self, payload: bytes) -> None:
        self._channel = payload[5:9]
        self._send(b"\x62" + self._channel + _string(b"shell") + b"\0")

    def _on_global_request(self, payload: bytes) -> None:
        """Answer a keepalive; any answer is a sign of life."""
        self._send(b"\x52")


_HANDLERS: dict[int, Callable[[SshClient, bytes], None]] = {
    6: SshClient._on_service_accept,
    20: SshClient._on_kexinit,
    21: SshClient._on_newkeys,
    31: SshClient._on_kex_reply,
    51: SshClient._on_failure,
    52: SshClient._on_success,
    80: SshClient._on_global_request,
    91: SshClient._on_channel_open,
}
