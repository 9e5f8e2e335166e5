"""Reserved nicks: those that would be mistaken for the server or for the people who run it."""

from __future__ import annotations

import re
from functools import cache
from string import ascii_letters, digits

from chatd.chat.text.lookalikes import bare_skeleton, skeleton

#: Nicks that would be mistaken for the server; nobody can have them.
RESERVED = frozenset({"server", "chatd", "system", "you", "operator", "everyone", "all", "here"})
#: Those of them that nobody reads into a longer or numbered nick.
_EXACT = frozenset({"you", "all", "here"})
#: Nicks that would be mistaken for the people who run it; only operators can take them.
STAFF = frozenset(
    {
        *("abuse", "admin", "administrator", "chanserv", "helpdesk", "mod", "moderator"),
        *("nickserv", "operators", "oper", "postmaster", "root", "security"),
        *("services", "staff", "sudo", "superuser", "support", "sysadmin", "sysop", "webmaster"),
    }
)

_SEPARATORS = re.compile(r"[._\-]+")
#: Digits that are read as letters (``r00t``, ``4dm1n``), and letters that look alike.
_READ_AS = str.maketrans("01345678i", "oleasgtbl")


def is_servers(shown: str, key: str) -> bool:
    """Whether a nick looks like one of the server."""
    return not _servers().isdisjoint((skeleton(shown), skeleton(key)))


def is_staffs(shown: str, key: str) -> bool:
    """Whether a nick can be read as one of `STAFF` or of the server, or is composed of such words.

    Accents, separators, a number at the end and digits in place of letters make no difference.
    """
    texts = (key,) if key.isascii() else (key, shown)
    return any(map(_is_reserved, texts))


def _is_reserved(text: str) -> bool:
    words = [word for word in _SEPARATORS.split(text) if word]
    if not _read_as_reserved("".join(words)):
        return len(words) > 1 and all(map(_read_as_reserved, words))
    return True


def _read_as_reserved(word: str) -> bool:
    while word:
        if _reading(word) in _reserved():
            return True
        if not word[-1].isdigit():
            return False
        word = word[:-1]
    return False


def _reading(word: str) -> str:
    """Return a word in the form in which it is equal to all that are read as the same word."""
    if not word.isascii():
        word = bare_skeleton(word)
        for looks, letter in _latin():
            word = word.replace(looks, letter)
    return word.lower().translate(_READ_AS).replace("rn", "m").replace("vv", "w")


@cache
def _latin() -> tuple[tuple[str, str], ...]:
    """Return the skeletons of Latin letters and digits that are none themselves, with the letter.

    A skeleton is composed of the least common of all characters that look alike.
    """
    return tuple(
        (looks, letter)
        for letter in ascii_letters + digits
        if not (looks := skeleton(letter)).isascii()
    )


@cache
def _reserved() -> frozenset[str]:
    return frozenset(map(_reading, (RESERVED | STAFF) - _EXACT))


@cache
def _servers() -> frozenset[str]:
    return frozenset(map(skeleton, RESERVED))
