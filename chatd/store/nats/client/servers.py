"""Servers of a NATS cluster, and the identity used there, as operators configure them.

It needs no NATS library, so that options can be parsed where none is installed.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatd.store.nats.client.creds import Creds


@dataclass(frozen=True, slots=True)
class Servers:
    """The NATS servers, and the identity that is used there."""

    servers: tuple[str, ...]
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    creds: Creds | None = None
    tls: ssl.SSLContext | None = None


def read_servers(text: str | None) -> tuple[str, ...]:
    """Parse ``nats://HOST[:PORT]``, several separated by commas.

    :raises ValueError: with a sentence.
    """
    servers = tuple(text.split(",")) if text is not None else ()
    for server in servers:
        scheme, _, rest = server.partition("://")
        if scheme not in ("nats", "tls") or not rest:
            raise ValueError(f"a NATS server is nats://HOST[:PORT] or tls://…, not {server}")
    return servers


def read_login(path: str | None) -> tuple[str, str] | None:
    """Read a file with ``USER:PASSWORD``; None without a path.

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
    """Return the path of a file that can be read.

    :raises OSError: when it cannot.
    """
    if path is not None:
        Path(path).read_bytes()
    return path


def tls(ca: str | None, cert: str | None) -> ssl.SSLContext | None:
    """Return the TLS context to verify the servers, with this server's certificate; None without
    TLS files.

    :raises OSError: when a file has no certificate, or no key (`ssl.SSLError` is a subclass).
    """
    if ca is None and cert is None:
        return None
    return _ReloadingContext(ca, cert)


class _ReloadingContext(ssl.SSLContext):
    """A TLS context that reloads its files for a connection when they have changed."""

    def __new__(cls, ca: str | None, cert: str | None) -> _ReloadingContext:
        """Create a context that verifies the other side's certificate and name."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, ca: str | None, cert: str | None) -> None:
        self._files = [path for path in (ca, cert) if path is not None]
        self._ca, self._cert = ca, cert
        self._load()

    def _load(self) -> None:
        self._versions: list[tuple[int, int]] = []
        if self._ca is None:
            self.load_default_certs()
        else:
            self.load_verify_locations(self._ca)
        if self._cert is not None:
            self.load_cert_chain(self._cert)
        self._versions = self._file_versions()

    def _file_versions(self) -> list[tuple[int, int]]:
        files = [Path(path).stat() for path in self._files]
        return [(each.st_mtime_ns, each.st_ino) for each in files]

    def wrap_bio(self, *ends: Any, **options: Any) -> ssl.SSLObject:
        """Begin a connection; an incompletely written file is tried again for the next one."""
        with suppress(OSError):
            if self._file_versions() != self._versions:
                self._load()
        return super().wrap_bio(*ends, **options)
