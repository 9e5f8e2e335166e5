"""The host key: ed25519 (RFC 8709), generated once, stored in one file, never overwritten.

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

#: OpenSSH's name for it, which administrators know; ``ssh-keygen -l`` reads the file.
FILE_NAME = "ssh_host_ed25519_key"


class HostKeyError(Exception):
    """A host key that can neither be read nor generated: one sentence for the operator."""


def load_or_generate(folder: Path) -> Key:
    """Return the host key in ``folder``; generate and store it when there is none.

    :raises HostKeyError: when the file is no such key, or cannot be read or written.  A server
        that replaced its key silently would look like an impostor to every client that knows it.
    """
    path = folder / FILE_NAME
    try:
        if not os.path.lexists(path):
            _generate(folder, path)
        stored = path.read_bytes()
    except OSError as error:
        raise HostKeyError(f"The SSH host key {path} is out of reach: {error.strerror}.") from error
    return _read(path, stored)


def _read(path: Path, stored: bytes) -> Key:
    try:
        key = serialization.load_ssh_private_key(stored, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HostKeyError(
            f"The SSH host key {path} is not an OpenSSH private key without a passphrase;"
            " mend it or move it away."
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise HostKeyError(f"The SSH host key {path} is not an ed25519 key; move it away.")
    return Key(key)


def _generate(folder: Path, path: Path) -> None:
    """Generate and store a key: completely or not at all, and never over another.

    The file is first written under a temporary name and then linked: unlike a rename, a link fails
    when the name is taken.
    """
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)  # regardless of the umask
    text = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    handle, draft = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=folder)  # mode 0600
    with open(handle, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):  # use the key of a process that was faster
            os.link(draft, path)
    finally:
        os.unlink(draft)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Flush the folder, so that the new name survives a loss of power too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
