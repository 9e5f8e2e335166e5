"""SSH peer: a client's statements about itself, truncated and made safe, and its key.

It knows byte strings of the peer.  Whether a user is admitted is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from chatd.transport.channel import printable_ascii

#: Bytes of a user name that are kept.  Nicks are shorter; a user name only suggests one.
MAX_USER = 256

#: Characters of a client's software version that are kept.
MAX_CLIENT = 80

#: Bytes of the name and of the value of an environment variable.
MAX_VALUE = 256


@dataclass(frozen=True, slots=True)
class SshPeer:
    """A logged-in client.  Only the key is proven; the rest is what the client claims."""

    user: str
    #: The blob of the public key whose possession a signature has proven; None without a key.
    key: bytes | None
    fingerprint: str | None
    client: str


def user_name(raw: bytes) -> str:
    """Return the user name of a login request, cut to `MAX_USER` bytes but otherwise unchecked."""
    return raw[:MAX_USER].decode("utf-8", "replace")


def is_guest(raw: bytes) -> bool:
    """Return whether a user name asks to be a guest whatever keys there are: ``ada+guest``."""
    return b"guest" in raw.split(b"+")[1:]


def client_name(raw: bytes) -> str:
    """Return a client's software version, safe to show and to log.

    ``raw`` is its identification line (RFC 4253 section 4.2).
    """
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F else "?"
        for byte in raw.removeprefix(b"SSH-2.0-")[:MAX_CLIENT]
    )


def environment_value(raw: bytes) -> str | None:
    """Return the name or the value of an environment variable; None when it is not accepted."""
    return printable_ascii(raw, MAX_VALUE)
