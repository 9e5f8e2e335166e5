"""People's public keys: which are taken, what they are called, what proves one (RFC 4252, 7).

It knows keys and signatures.  It knows neither who owns a key nor what it is good for.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from twisted.conch.ssh.keys import BadKeyError, Key

from chatd.wire.ssh import Fields, MalformedError, string

#: The signature algorithms that are taken, and the type of key each one needs (RFC 8332 for
#: RSA: never with SHA-1).  This is also what we announce as ``server-sig-algs`` (RFC 8308, 3.1).
KEY_TYPES: Final = {
    b"ssh-ed25519": b"ssh-ed25519",
    b"sk-ssh-ed25519@openssh.com": b"sk-ssh-ed25519@openssh.com",
    b"ecdsa-sha2-nistp256": b"ecdsa-sha2-nistp256",
    b"ecdsa-sha2-nistp384": b"ecdsa-sha2-nistp384",
    b"ecdsa-sha2-nistp521": b"ecdsa-sha2-nistp521",
    b"sk-ecdsa-sha2-nistp256@openssh.com": b"sk-ecdsa-sha2-nistp256@openssh.com",
    b"rsa-sha2-512": b"ssh-rsa",
    b"rsa-sha2-256": b"ssh-rsa",
}

#: Bits of an RSA key.  Shorter ones can be broken, and a key is somebody's identity here; longer
#: ones cost a millisecond to check.
RSA_BITS = range(2048, 8192 + 1)

_SECURITY_KEYS: Final = (b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com")
_USER_PRESENT = 0x01


def fingerprint(blob: bytes) -> str:
    """The name of a key, as ``ssh-keygen -l`` says it."""
    digest = hashlib.sha256(blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def read_key(blob: bytes) -> Key | None:
    """The key that a blob holds, or None when we take no such key.

    Only the one canonical blob of a key is taken: the blob is the identity, and a key that could
    be written in two ways would be two people.
    """
    try:
        if Fields(blob).string() not in KEY_TYPES.values():
            return None
        key = Key.fromString(blob, type="blob")
        canonical = key.blob() == blob
    except (MalformedError, BadKeyError, ValueError, struct.error, UnsupportedAlgorithm):
        return None
    if key.type() == "RSA" and key.size() not in RSA_BITS:
        return None
    return key if canonical else None


def proves(key: Key, algorithm: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature over ``message`` was made with ``key`` by ``algorithm``.

    A security key must have been touched: the signature says so (OpenSSH's PROTOCOL.u2f).
    """
    try:
        fields = Fields(signature)
        if fields.string() != algorithm:
            return False
        fields.string()
        if algorithm in _SECURITY_KEYS:
            touched = fields.take(5)
            if not touched[0] & _USER_PRESENT:
                return False
            message = _security_key_message(key, touched, message)
        fields.end()
        return bool(key.verify(signature, message))
    except (MalformedError, ValueError, struct.error):
        return False


def _security_key_message(key: Key, touched: bytes, message: bytes) -> bytes:
    """What a security key signs: flags and counter between two hashes."""
    application = hashlib.sha256(key.application).digest()
    return application + touched + hashlib.sha256(message).digest()


def signed_message(
    session: bytes, user: bytes, service: bytes, algorithm: bytes, blob: bytes
) -> bytes:
    """What the signature of a login covers (RFC 4252 section 7)."""
    return b"".join(
        (
            string(session),
            b"\x32",  # SSH_MSG_USERAUTH_REQUEST
            string(user),
            string(service),
            string(b"publickey"),
            b"\x01",
            string(algorithm),
            string(blob),
        )
    )
