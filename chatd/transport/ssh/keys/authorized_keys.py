"""Files of keys in the ``authorized_keys`` format (sshd(8)).

It knows the format.  It does not know what the owners of the keys may do.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from chatd.transport.ssh.keys.public_keys import KEY_TYPES, read_key
from chatd.wire.ssh import Fields, MalformedError

_TYPES = frozenset(name.decode("ascii") for name in KEY_TYPES.values())

#: Options that restrict when or for whom a key is valid.  They are not implemented, and ignoring
#: them would grant more than was meant; all other options only withhold features of a shell.
_CONDITIONS = frozenset({"cert-authority", "expiry-time", "from", "principals", "verify-required"})


class AuthorizedKeysError(Exception):
    """A file of keys that cannot be read: one sentence, with the number of the line."""


def read_authorized_keys(path: Path) -> dict[bytes, str]:
    """Return the keys of a file, each blob with its comment.

    :raises AuthorizedKeysError: when the file cannot be read or a line is invalid.
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
    """Return the lines of a file with their numbers, without blank lines and comments.

    :raises AuthorizedKeysError: when the file cannot be read.
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
    """Return the blob and the comment of the key in a line.

    :raises ValueError: with the reason, when the line is invalid.
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
    """Return the first word of a text and the text after it."""
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
    r"""Return the names of the options that a line begins with, and the text after them.

    A comma separates and a blank ends them, but not within quotes, where ``\\"`` is a quote.

    :raises ValueError: when a quote is not closed.
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
