"""Users' public keys: types, fingerprints and signatures (RFC 4252 section 7).

It knows keys and signatures.  It knows neither who owns a key nor what the owner may do.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from twisted.conch.ssh.keys import BadKeyError, Key

from chatd.wire.ssh import Fields, MalformedError, string

#: The accepted signature algorithms, each with the type of key that it needs.  RSA signs with
#: SHA-2 only (RFC 8332), never with SHA-1.  These are announced as ``server-sig-algs`` (RFC 8308
#: section 3.1).
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

#: Bits of an RSA key.  A shorter one can be factored, and a key is a user's identity here; a
#: signature of a longer one takes a millisecond to check.
RSA_BITS = range(2048, 8192 + 1)

_SECURITY_KEYS: Final = (b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com")
_USER_PRESENT = 0x01


def fingerprint(blob: bytes) -> str:
    """Return the fingerprint of a key, as ``ssh-keygen -l`` prints it."""
    digest = hashlib.sha256(blob).digest()
    return "SHA256:" + base64.b64encode(digest).decode("ascii").rstrip("=")


def read_key(blob: bytes) -> Key | None:
    """Return the key in a blob; None for a key that is not accepted.

    Only the canonical blob of a key is accepted: the blob is the identity, and a key with two
    blobs would be two users.
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
    """Return whether a signature over ``message`` was made with ``key`` by ``algorithm``.

    A security key must have been touched, which its signature says (OpenSSH's PROTOCOL.u2f).
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
    """Return the message that a security key signs: flags and counter between two hashes."""
    application = hashlib.sha256(key.application).digest()
    return application + touched + hashlib.sha256(message).digest()


def signed_message(
    session: bytes, user: bytes, service: bytes, algorithm: bytes, blob: bytes
) -> bytes:
    """Return the message that the signature of a login covers (RFC 4252 section 7).

    The session identifier in it makes the signature worthless in any other connection.
    """
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
