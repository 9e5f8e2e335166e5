"""Credentials for NATS: a file with a user's JWT and seed, as ``nsc`` writes it, or a seed alone.

A seed is an Ed25519 key in base32, between two bytes that state its purpose and a CRC-16
(ADR-14 of NATS).  A client proves that it has the key by signing the server's nonce.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: The prefix bytes of a seed, and of a user's public key.
_SEED, _USER = 18 << 3, 20 << 3
_BLOCK = r"-+BEGIN {}-+\s+(\S+)\s+-+END {}-+"


@dataclass(frozen=True, slots=True)
class _UserKey:
    """A user's key, and the JWT that identifies them; without one the key itself does."""

    key: Ed25519PrivateKey
    token: str


class Creds:
    """Credentials in a file, which is reloaded for every connection, as it may have changed."""

    def __init__(self, path: str) -> None:
        """Read the file.

        :raises ValueError: with a sentence, when there are no credentials in it.
        :raises OSError: when it cannot be read.
        """
        self._path = Path(path)
        self._user_key = _read(self._path)

    @property
    def has_token(self) -> bool:
        """Whether there is a JWT."""
        return bool(self._user_key.token)

    @property
    def user(self) -> str:
        """The public key of the user."""
        raw = bytes([_USER]) + self._user_key.key.public_key().public_bytes_raw()
        return base64.b32encode(raw + _crc(raw)).decode().rstrip("=")

    def sign(self, nonce: str) -> bytes:
        """Sign a server's nonce; while the file is unreadable, the last credentials are used."""
        with suppress(OSError, ValueError):
            self._user_key = _read(self._path)
        return base64.b64encode(self._user_key.key.sign(nonce.encode()))

    def token(self) -> bytes:
        """Return the JWT that belongs to the last signature."""
        return self._user_key.token.encode()


def read_creds(path: str | None) -> Creds | None:
    """Read credentials; None without a path.

    :raises ValueError: with a sentence.
    :raises OSError: when they cannot be read.
    """
    return Creds(path) if path is not None else None


def _read(path: Path) -> _UserKey:
    text = path.read_text(encoding="ascii", errors="replace")
    seed, token = _block("USER NKEY SEED", text), _block("NATS USER JWT", text)
    if not seed and not token:
        seed = text.strip()
    elif not seed or not token:
        raise ValueError(f"{path} has a token or a seed, but not both")
    raw = _decode(seed)
    if raw is None or len(raw) != 34 or raw[0] & 0xF8 != _SEED:
        raise ValueError(f"{path} has no seed of NATS, or a damaged one")
    if (raw[0] & 7) << 5 | raw[1] >> 3 != _USER:
        raise ValueError(f"{path} has a seed that is not a user's")
    return _UserKey(Ed25519PrivateKey.from_private_bytes(raw[2:]), token)


def _block(name: str, text: str) -> str:
    found = re.search(_BLOCK.format(name, name), text)
    return found[1] if found is not None else ""


def _decode(key: str) -> bytes | None:
    """Return the content of a key without its checksum; None if that is wrong."""
    try:
        raw = base64.b32decode(key + "=" * (-len(key) % 8))
    except (binascii.Error, ValueError):
        return None
    return raw[:-2] if raw[-2:] == _crc(raw[:-2]) else None


def _crc(data: bytes) -> bytes:
    """Return the CRC-16 (XMODEM), low byte first."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "little")
