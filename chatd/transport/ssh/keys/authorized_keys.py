"""Lists of keys in the format of ``authorized_keys`` (sshd(8)), as administrators write them.

It knows the file's format.  It does not know what the listed may do.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from chatd.transport.ssh.keys.public_keys import KEY_TYPES, fingerprint, read_key
from chatd.wire.ssh import Fields, MalformedError

__all__ = ["AuthorizedKeysError", "fingerprint", "read_authorized_keys"]

_TYPES = frozenset(name.decode("ascii") for name in KEY_TYPES.values())

#: Options that say when or for whom a key counts.  We cannot keep such a promise, and to read over
#: it would give more than was meant; all others only take away what a chat has not got.
_CONDITIONS = frozenset({"cert-authority", "expiry-time", "from", "principals", "verify-required"})


class AuthorizedKeysError(Exception):
    """A file of keys cannot be read: one sentence, with the number of the line."""


def read_authorized_keys(path: Path) -> dict[bytes, str]:
    """The keys of a file: the blob of each one, and its comment.

    Raises ``AuthorizedKeysError`` for a file or a line that cannot be understood.
    """
    keys: dict[bytes, str] = {}
    for number, line in lines_of(path):
        try:
            blob, comment = read_line(line)
        except ValueError as error:
            raise AuthorizedKeysError(f"{path}, line {number}: {error}.") from None
        keys.setdefault(blob, comment)
    return keys


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that say something, with their numbers.

    Raises ``AuthorizedKeysError`` for a file that cannot be read.
    """
    try:
        text = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise AuthorizedKeysError(f"{path} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def read_line(line: str) -> tuple[bytes, str]:
    """The blob and the comment of the key of one line.

    Raises ``ValueError`` with the reason, for one that cannot be understood.
    """
    kind, rest = _word(line)
    if kind not in _TYPES:
        options, rest = _split_options(line)
        for option in options:
            if option in _CONDITIONS:
                raise ValueError(f"the option {option} is not supported")
        kind, rest = _word(rest)
    if kind not in _TYPES:
        raise ValueError("no key of a type that is known")
    encoded, comment = _word(rest)
    return _read_blob(kind, encoded), comment


def _word(text: str) -> tuple[str, str]:
    """The first word of a text and what follows it."""
    word, *rest = text.split(None, 1) or [""]
    return word, rest[0] if rest else ""


def _read_blob(kind: str, encoded: str) -> bytes:
    try:
        blob = base64.b64decode(encoded.encode("ascii", "replace"), validate=True)
        named = Fields(blob).string()
    except (binascii.Error, MalformedError):
        raise ValueError("the key is not whole") from None
    if named != kind.encode("ascii") or read_key(blob) is None:
        raise ValueError(f"the key is no good {kind} key")
    return blob


def _split_options(line: str) -> tuple[list[str], str]:
    r"""The names of the options that a line begins with, and what follows them.

    Commas part them and a blank ends them, but not within quotes, where ``\\"`` is a quote.
    """
    names, name, quoted, at = [], "", False, 0
    while at < len(line) and (quoted or line[at] not in " \t"):
        if line.startswith('\\"', at):
            at += 1
        elif line[at] == '"':
            quoted = not quoted
        elif line[at] == "," and not quoted:
            names.append(name)
            name = ""
            at += 1
            continue
        name += line[at]
        at += 1
    if quoted:
        raise ValueError("a quote is not closed")
    names.append(name)
    return [each.partition("=")[0].lower() for each in names], line[at:].lstrip()
