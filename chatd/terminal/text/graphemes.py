"""Grapheme clusters (UAX #29), the characters that users see, and their width in cells (UAX #11).

Terminals disagree about some of them: whether an emoji family is one picture or four, whether a
heart with a variation selector is narrow or wide, how wide a new or a private character is.  Such a
cluster is not `sure`: its width here is that of current terminals, and `widest` the largest on any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple
from unicodedata import category

import wcwidth

from chatd.chat.text.erasing import last_typed

#: The most code points of one cluster, and the most of them that take cells.  With 8 of two cells
#: even a terminal that joins nothing shows it in one row of 20 columns.  Longer clusters are split.
CODE_POINTS = 12
_SPACING = 8

#: Letters of the most common scripts: each begins a cluster and has a sure width; only characters
#: after one may join it.
_SIMPLE: Final = re.compile(
    r"[ -~\u00a1-\u00ac\u00ae-\u02ff\u0391-\u03a1\u03a3-\u0482\u048a-\u052f"
    r"\u3041-\u3096\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]"
)
SIMPLE_TEXT: Final = re.compile(f"{_SIMPLE.pattern}*")

#: Combining marks: they take no cell of their own.
_MARKS: Final = ("Mn", "Me")
#: Unassigned, private and invisible characters, and spacing vowel signs.
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
    """A cluster's width in cells, the widest of any terminal, and whether terminals agree."""

    width: int
    widest: int
    sure: bool


def clusters(text: str) -> Sequence[str]:
    """Return the grapheme clusters of a text in order."""
    return text if text.isascii() else _clusters(text)


@lru_cache(maxsize=32)  # one key needs those of the same line several times
def _clusters(text: str) -> tuple[str, ...]:
    found: list[str] = []
    for cluster in wcwidth.iter_graphemes(text):
        if len(cluster) == 1:
            found.append(cluster)
        else:
            found += _parts(cluster)
    return tuple(found)


def _parts(cluster: str) -> Iterator[str]:
    """Split a cluster before each `_SIMPLE` letter, and where it exceeds the bounds above.

    The pieces of a long cluster fit in a row on every terminal.
    """
    if len(cluster) <= _SPACING and not _SIMPLE.search(cluster, 1):
        yield cluster
        return
    start = spacing = 0
    for at, char in enumerate(cluster):
        takes = _takes_cells(char)
        full = at - start == CODE_POINTS or (takes and spacing == _SPACING)
        if full or (at > start and _SIMPLE.match(char)):
            yield cluster[start:at]
            start, spacing = at, 0
        spacing += takes
    yield cluster[start:]


@lru_cache(maxsize=4096)
def measure(cluster: str) -> Measure:
    """Return the width of a cluster."""
    width = max(0, wcwidth.wcswidth(cluster))
    beside = sum(category(char) == "Mc" for char in cluster)
    if beside:  # in xterm a spacing vowel sign has its own cell: the letter must not be overwritten
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
    """Return the width of a text in cells, in a row that is long enough."""
    if text.isascii():
        return len(text)
    return sum(map(_width, clusters(text)))


def is_sure(text: str) -> bool:
    """Return whether terminals agree about the width of every cluster of a text."""
    return text.isascii() or all(measure(cluster).sure for cluster in clusters(text))


def _boundaries_near(text: str, index: int) -> tuple[int, list[int]]:
    """Return a start near an index, and the cluster boundaries from there on.

    A `_SIMPLE` letter always begins a cluster, so only the text between two of them is examined.
    """
    found = _SIMPLE.search(text, index + 1)
    end = found.start() if found else len(text)
    start = index - 1
    while start > 0 and not _SIMPLE.match(text, start):
        start -= 1
    start = max(0, start)
    return start, list(accumulate(map(len, clusters(text[start:end])), initial=start))


def boundary_before(text: str, index: int) -> int:
    """Return the last cluster boundary before an index; 0 at the beginning."""
    if text.isascii():
        return max(0, index - 1)
    start, boundaries = _boundaries_near(text, index)
    return max((each for each in boundaries if each < index), default=start)


def backspace_from(text: str, index: int) -> int:
    """Return the index from which Backspace deletes: see `chatd.chat.text.erasing.last_typed`."""
    start = boundary_before(text, index)
    return start + last_typed(text[start:index]) if index - start > 1 else start


def boundary_after(text: str, index: int) -> int:
    """Return the first cluster boundary after an index; the text's end without one."""
    if text.isascii():
        return min(len(text), index + 1)
    _start, boundaries = _boundaries_near(text, index)
    return next((each for each in boundaries if each > index), len(text))


def boundary_from(text: str, index: int) -> int:
    """Return an index when it is a cluster boundary, else the next boundary."""
    if text.isascii() or index in (0, len(text)):
        return index
    _start, boundaries = _boundaries_near(text, index)
    return next((each for each in boundaries if each >= index), len(text))
