"""Where a cluster is, and as whom it is spoken to; what is typed for that is read here.

It needs no library of NATS, so that options can be read where there is none.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Where:
    """How the cluster is reached: its servers, and as whom.

    ``creds`` is a file with a user's credentials.
    """

    servers: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    creds: str | None = None
    tls: ssl.SSLContext | None = None


def read_servers(text: str | None) -> tuple[str, ...]:
    """Read ``nats://HOST[:PORT]``, several with commas between them.

    :raises ValueError: with a sentence.
    """
    servers = tuple(text.split(",")) if text is not None else ()
    for server in servers:
        scheme, _, rest = server.partition("://")
        if scheme not in ("nats", "tls") or not rest:
            raise ValueError(f"a NATS server is nats://HOST[:PORT] or tls://…, not {server}")
    return servers


def read_login(path: str | None) -> tuple[str, str] | None:
    """Read a file with ``USER:PASSWORD``.

    :raises ValueError: with a sentence.
    :raises OSError: when it cannot be read.
    """
    if path is None:
        return None
    user, colon, password = Path(path).read_text(encoding="utf-8").strip().partition(":")
    if not colon or not user:
        raise ValueError(f"{path} has no USER:PASSWORD")
    return user, password


def readable(path: str | None) -> str | None:
    """A file that can be read.

    :raises OSError: when it cannot.
    """
    if path is not None:
        Path(path).read_bytes()
    return path


def tls(ca: str | None, cert: str | None) -> ssl.SSLContext | None:
    """How the servers prove who they are, and this one who it is; None for no proof at all.

    :raises OSError: when a file has no certificate, or no key (`ssl.SSLError` is one).
    """
    if ca is None and cert is None:
        return None
    context = ssl.create_default_context(cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert)
    return context
