"""Look-alikes: the skeletons of texts, which are equal for texts that look alike.

They are those of Unicode TS 39, section 4.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from confusable_homoglyphs import confusables

#: Accents and other marks of European scripts, which readers overlook.  Marks of other scripts,
#: such as vowels or the dakuten of kana, make another word.
_ACCENTS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\ufe20-\ufe2f]+")


def skeleton(text: str) -> str:
    """Return the skeleton of a text."""
    table = _prototypes()
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(table.get(c, c) for c in decomposed)).casefold()


def bare_skeleton(text: str) -> str:
    """Return the skeleton of a text without its accents: ``listéner`` is read as ``listener``.

    A stroke is one as well (``ł``).  The marks of other scripts stay, although some look like
    accents.
    """
    if text.isascii():
        return skeleton(text)
    table = _prototypes()
    letters = _ACCENTS.sub("", unicodedata.normalize("NFD", text))
    bare = [c if unicodedata.combining(c) else _ACCENTS.sub("", table.get(c, c)) for c in letters]
    return unicodedata.normalize("NFD", "".join(bare)).casefold()


def prepare() -> None:
    """Load the table of look-alikes, some 50 ms, before the first nick needs it."""
    _prototypes()


@cache
def _prototypes() -> dict[str, str]:
    """Return the prototype of each character that looks like another one.

    The data lists pairs; a union-find groups them into classes, and the shortest, smallest member
    of a class is its prototype.
    """
    parent: dict[str, str] = {}

    def root(text: str) -> str:
        while parent.setdefault(text, text) != text:
            text = parent[text]
        return text

    for source, targets in confusables.confusables_data.items():
        for target in targets:
            pair = (root(source), root(target["c"]))
            kept, merged = sorted(pair, key=lambda text: (-len(text), text))
            parent[merged] = kept
    return {text: root(text) for text in parent if len(text) == 1 and root(text) != text}
