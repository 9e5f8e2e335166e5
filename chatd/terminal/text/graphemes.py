"""Characters as people see them (grapheme clusters, UAX 29), and how many cells each takes.

Terminals do not agree about all of them: whether a family of emoji is one picture or four, whether
a heart with a variation selector is narrow or wide, what a new or a private character is.  Such a
cluster is not `sure`: its width here is what current terminals think, and `widest` what any might.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple
from unicodedata import category

import wcwidth

#: Code points of one cluster, and those of them that may take cells.  With 8 of two cells even the
#: terminal that joins nothing has it in one row of 20 columns.  What is longer is taken apart.
CODE_POINTS = 12
_SPACING = 8

#: Letters of the most usual scripts, each a cluster and of a width that is sure; only what follows
#: one may join it.
_LETTER: Final = re.compile(
    r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03a1\u03a3-\u0482\u048a-\u052f"
    r"\u3041-\u3096\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]"
)
ALONE: Final = re.compile(f"{_LETTER.pattern}*")

#: Marks that stand on another character and take no cell of their own.
_MARKS: Final = ("Mn", "Me")
#: Unassigned, private and invisible characters, and vowel signs that stand beside their letter.
_UNSURE_CATEGORIES: Final = ("Cn", "Co", "Cf", "Cs", "Mc")
#: Hangul jamo; technical and other symbols, some of which are emoji; variation selectors; emoji.
_UNSURE_RANGES: Final = (
    range(0x1100, 0x1200),
    range(0xA960, 0xA980),
    range(0xD7B0, 0xD800),
    range(0x2300, 0x2400),
    range(0x25A0, 0x27C0),
    range(0x2900, 0x2980),
    range(0x2B00, 0x2C00),
    range(0xFE00, 0xFE10),
    range(0x1F000, 0x20000),
    range(0xE0000, 0x110000),
)


class Measure(NamedTuple):
    """The cells of a cluster, the most that any terminal may give it, and whether they agree."""

    width: int
    widest: int
    sure: bool


def clusters(text: str) -> Sequence[str]:
    """The clusters of a text, in their order."""
    return text if text.isascii() else _clusters(text)


@lru_cache(maxsize=32)  # one key asks several times for the same line
def _clusters(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for cluster in wcwidth.iter_graphemes(text):
        if len(cluster) == 1:
            found.append(cluster)
        else:
            found += _parts(cluster)
    return tuple(found)


def _parts(cluster: str) -> Iterator[str]:
    """A cluster, but before a letter that is `ALONE` it ends, and so it does when it is very long.

    The pieces of a long one fit a row whatever a terminal thinks of them.
    """
    if len(cluster) <= _SPACING and not _LETTER.search(cluster, 1):
        yield cluster
        return
    start = spacing = 0
    for at, char in enumerate(cluster):
        takes = _takes_cells(char)
        full = at - start == CODE_POINTS or (takes and spacing == _SPACING)
        if full or (at > start and _LETTER.match(char)):
            yield cluster[start:at]
            start, spacing = at, 0
        spacing += takes
    yield cluster[start:]


@lru_cache(maxsize=4096)
def measure(cluster: str) -> Measure:
    """How many cells a cluster takes."""
    width = max(0, wcwidth.wcswidth(cluster))
    beside = sum(category(char) == "Mc" for char in cluster)
    if beside:  # a letter must not be lost where a vowel sign has a cell of its own, as in xterm
        width = sum(max(0, wcwidth.wcwidth(char)) for char in cluster) + beside
    if _is_sure(cluster[0]) and all(
        category(mark) in _MARKS and _is_sure(mark) for mark in cluster[1:]
    ):
        return Measure(width, width, True)
    return Measure(width, max(width, 2 * sum(map(_takes_cells, cluster))), False)


@lru_cache(maxsize=4096)
def _width(cluster: str) -> int:
    return measure(cluster).width


def _is_sure(char: str) -> bool:
    code = ord(char)
    unsure = any(code in each for each in _UNSURE_RANGES)
    return not unsure and category(char) not in _UNSURE_CATEGORIES


def _takes_cells(char: str) -> bool:
    return category(char) not in (*_MARKS, "Cf")


def cells(text: str) -> int:
    """How many cells a text takes in one row that is long enough."""
    if text.isascii():
        return len(text)
    return sum(map(_width, clusters(text)))


def is_sure(text: str) -> bool:
    """Whether terminals agree about every cluster of a text."""
    return text.isascii() or all(measure(cluster).sure for cluster in clusters(text))


def _around(text: str, at: int) -> tuple[int, list[int]]:
    """Where clusters end near a place, counted from the first of them on; and that first place.

    A letter that is `ALONE` begins a cluster, so no more is looked at than
    what is between two of them.
    """
    found = _LETTER.search(text, at + 1)
    end = found.start() if found else len(text)
    start = at - 1
    while start > 0 and not _LETTER.match(text, start):
        start -= 1
    start = max(0, start)
    return start, list(accumulate(map(len, clusters(text[start:end])), initial=start))


def start_before(text: str, at: int) -> int:
    """Where the cluster begins that a place lies in, or that ends there; 0 at the beginning."""
    if text.isascii():
        return max(0, at - 1)
    start, ends = _around(text, at)
    return max((end for end in ends if end < at), default=start)


def end_after(text: str, at: int) -> int:
    """Where the cluster ends that begins at a place, or that it lies in."""
    if text.isascii():
        return min(len(text), at + 1)
    _start, ends = _around(text, at)
    return next((end for end in ends if end > at), len(text))


def edge(text: str, at: int) -> int:
    """The place itself when no cluster lies over it, else the end of that cluster."""
    if text.isascii() or at in (0, len(text)):
        return at
    _start, ends = _around(text, at)
    return next((end for end in ends if end >= at), len(text))
