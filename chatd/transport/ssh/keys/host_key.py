"""The server's own key: ed25519, made once, kept in one file, never overwritten.

It knows files and keys.  It knows nothing of connections.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key

#: As OpenSSH names it, so that an administrator knows it and ``ssh-keygen -l`` reads it.
FILE_NAME = "ssh_host_ed25519_key"


class HostKeyError(Exception):
    """The host key can neither be read nor made: one sentence for who starts the server."""


def load_or_make(folder: Path) -> Key:
    """Read the host key that is kept in ``folder``, or make one and keep it there.

    Raises ``HostKeyError`` when there is a file that is no such key: a server that quietly took
    a new key would look to everybody who knows it like somebody else.
    """
    path = folder / FILE_NAME
    try:
        if not os.path.lexists(path):
            _make(folder, path)
        kept = path.read_bytes()
    except OSError as error:
        raise HostKeyError(f"The SSH host key {path} is out of reach: {error.strerror}.") from error
    return _read(path, kept)


def _read(path: Path, kept: bytes) -> Key:
    try:
        key = serialization.load_ssh_private_key(kept, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HostKeyError(
            f"The SSH host key {path} is not an OpenSSH private key without a passphrase;"
            " mend it or move it away."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise HostKeyError(f"The SSH host key {path} is not an ed25519 key; move it away.")
    return Key(key)


def _make(folder: Path, path: Path) -> None:
    """Write a new key: whole or not at all, and never in the place of another."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)  # whatever the umask was
    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    handle, draft = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=folder)  # of mode 0600
    with open(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):  # another process was quicker: take its key
            os.link(draft, path)
    finally:
        os.unlink(draft)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Have the new name survive a loss of power too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
