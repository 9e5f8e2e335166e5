"""Segments: the words of a line with their widths added up, for rows of any width.

A message is wrapped for each width in its room, of which there may be a hundred.  What does not
depend on the width is found out once here, and a row is then found by bisection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final

from chatd.terminal.text.graphemes import clusters, measure
from chatd.terminal.text.themes import RESET

_PIECE: Final = re.compile(r"\x1b\[[0-9;]*m| +|[^\x1b ]+")

#: No row begins with closing punctuation, and none ends with opening punctuation.
_CLOSING: Final = frozenset(
    "\u3001\u3002\uff0c\uff0e\uff1a\uff1b\uff1f\uff01\uff09\uff3d\uff5d\u300d\u300f\u3011"
    "\u3009\u300b\u3015\u301c\u3005\u30fb\u30fc\u2026\u2019\u201d.,:;?!)]}"
)
_OPENING: Final = frozenset("\uff08\uff3b\uff5b\u300c\u300e\u3010\u3008\u300a\u3014\u2018\u201c([{")


class Segment:
    """A text without line feeds, as parts between which a row may end.

    A part begins at ``starts[n]`` of the text and ends before ``ends[n]``; ``before[n]`` and
    ``after[n]`` are the cells of everything up to these positions.  ``links`` are the parts that
    are never broken.
    """

    __slots__ = (
        "_broken",
        "_colours",
        "after",
        "before",
        "blanks",
        "cells",
        "ends",
        "links",
        "starts",
        "text",
    )

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.before: list[int] = []
        self.after: list[int] = []
        self.links: set[int] = set()
        self.cells = 0
        self._colours: list[tuple[bool, str]] | None = [] if "\x1b" in text else None
        self._broken: dict[int, tuple[Sequence[int], Sequence[int]]] = {}
        self._parse()
        #: The blanks after the last part.
        self.blanks = self.cells - (self.after[-1] if self.after else 0)

    def _parse(self) -> None:
        at, colour = 0, (False, "")
        for piece in _PIECE.findall(self.text):
            if piece[0] == "\x1b":
                colour = (True, "") if piece == RESET else (colour[0], colour[1] + piece)
                at += len(piece)
            elif piece[0] == " ":
                at += len(piece)
                self.cells += len(piece)
            elif "://" in piece:
                self.links.add(len(self.starts))
                at = self._add(piece, sum(width for _, width in _parts(piece)), at, colour)
            else:
                for part, width in ((piece, len(piece)),) if piece.isascii() else _parts(piece):
                    at = self._add(part, width, at, colour)
        if self._colours is not None:
            self._colours.append(colour)

    def _add(self, part: str, width: int, at: int, colour: tuple[bool, str]) -> int:
        """Add a part at a position of the text; return the position after it."""
        self.starts.append(at)
        self.before.append(self.cells)
        self.cells += width
        self.after.append(self.cells)
        self.ends.append(at + len(part))
        if self._colours is not None:
            self._colours.append(colour)
        return at + len(part)

    def colour(self, number: int, earlier: str) -> str:
        """Return the sequences in force at a part; at the end for the number after the last one.

        :param earlier: those in force before this text.
        """
        if self._colours is None:
            return earlier
        was_reset, colour = self._colours[number]
        return colour if was_reset else earlier + colour

    def broken(self, number: int) -> tuple[Sequence[int], Sequence[int]]:
        """Return where the clusters of a part end in the text, and the cells up to there."""
        found = self._broken.get(number)
        if found is None:
            each = clusters(self.text[self.starts[number] : self.ends[number]])
            start, before = self.starts[number], self.before[number]
            ends = tuple(accumulate(map(len, each), initial=start))[1:]
            widths = (measure(cluster).width for cluster in each)
            after = tuple(accumulate(widths, initial=before))[1:]
            found = self._broken[number] = ends, after
        return found


@lru_cache(maxsize=8)  # the same message is wrapped for every width in the room
def segments(text: str) -> tuple[Segment, ...]:
    """Return the segments of a text, which line feeds separate."""
    return tuple(map(Segment, text.split("\n")))


def _parts(word: str) -> list[tuple[str, int]]:
    """Return the parts of a word between which a row may end, and the width of each."""
    parts: list[tuple[str, int]] = []
    part, cells_of_part, wide_before = "", 0, False
    for cluster in clusters(word):
        width = measure(cluster).width
        tied = cluster[0] in _CLOSING or part[-1:] in _OPENING
        if part and not tied and (width > 1 or wide_before):
            parts.append((part, cells_of_part))
            part, cells_of_part = "", 0
        part += cluster
        cells_of_part += width
        wide_before = width > 1
    parts.append((part, cells_of_part))
    return parts
