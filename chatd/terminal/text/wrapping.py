"""Wrapping: a line broken into rows of a width, between words, each further row indented.

A line may hold SGR sequences, which take no cell; rows end with CR LF.  Words are what stands
between blanks; between wide characters (Chinese, Japanese, emoji) a row may end too, though not
before a mark that closes nor after one that opens.  A link is never broken by us: what a terminal
breaks itself is still one link when it is copied or clicked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from chatd.terminal.text.graphemes import cells, clusters, measure
from chatd.terminal.text.themes import RESET

_PIECE: Final = re.compile(r"\x1b\[[0-9;]*m|\n| +|[^\x1b\n ]+")
_SGR: Final = re.compile(r"\x1b\[[0-9;]*m")
#: What is more than words.
_SPECIAL: Final = re.compile(r"[\x1b\n]|://")

#: No row begins with one of the first, and none ends with one of the second.
_CLOSING: Final = frozenset(
    "\u3001\u3002\uff0c\uff0e\uff1a\uff1b\uff1f\uff01\uff09\uff3d\uff5d\u300d\u300f\u3011"
    "\u3009\u300b\u3015\u301c\u3005\u30fb\u30fc\u2026\u2019\u201d.,:;?!)]}"
)
_OPENING: Final = frozenset("\uff08\uff3b\uff5b\u300c\u300e\u3010\u3008\u300a\u3014\u2018\u201c([{")


def width_of(line: str) -> int:
    """The cells that a line takes, which may be painted."""
    return cells(_SGR.sub("", line) if "\x1b" in line else line)


def wrap(head: str, hang: int, body: str, columns: int) -> str:
    """Break a line into rows of at most so many cells; a line feed begins a new row as well.

    ``hang`` is how far further rows are indented, usually the cells of what the line begins with;
    an indent that would leave little is a small one instead.
    """
    room = columns - hang
    if ((len(body) <= room and body.isascii()) or 2 * len(body) <= room) and "\n" not in body:
        return head + body
    indent = hang if hang * 2 <= columns else 4
    if body.isascii() and not _SPECIAL.search(body):
        wrapped = _of_words(body, columns - width_of(head), columns - indent, indent)
        if wrapped is not None:
            return head + wrapped
    rows = _Rows(columns, indent)
    for piece in _PIECE.findall(head + body):
        rows.take(piece)
    return rows.finish()


def _of_words(text: str, room: int, columns: int, indent: int) -> str | None:
    """Break ASCII without colours, links and line feeds, most of what is said, between words.

    Of the first row there is only so much ``room``.  None when a word is longer than a row.
    """
    rows, at, end = [], 0, len(text)
    while end - at > room:
        space = text.rfind(" ", at, at + room + 1)
        if space <= at:
            return None
        rows.append(text[at:space].rstrip(" "))
        at = space
        while at < end and text[at] == " ":
            at += 1
        room = columns
    if at < end:
        rows.append(text[at:].rstrip(" "))
    return ("\r\n" + " " * indent).join(rows)


class _Rows:
    """Rows under construction: where the last one ends, and in which colours.

    ``_gap`` are blanks and sequences that have their place once it is known which row that is in.
    """

    __slots__ = ("_at", "_blanks", "_colour", "_columns", "_gap", "_indent", "_out", "_shown")

    def __init__(self, columns: int, indent: int) -> None:
        self._columns = columns
        self._indent = indent
        self._out: list[str] = []
        self._at = 0
        self._gap: list[str] = []
        self._blanks = 0
        self._colour = self._shown = ""

    def take(self, piece: str) -> None:
        """Add a sequence, some blanks, a line's end or a word."""
        if piece[0] == "\x1b":
            self._colour = "" if piece == RESET else self._colour + piece
            self._gap.append(piece)
        elif piece[0] == " ":
            self._blanks += len(piece)
            self._gap.append(piece)
        elif piece == "\n":
            self._begin_row()
        else:
            self._take_word(piece)

    def finish(self) -> str:
        """All of it; blanks at the end are left out."""
        self._out += [piece for piece in self._gap if piece[0] == "\x1b"]
        return "".join(self._out)

    def _take_word(self, word: str) -> None:
        parts = ((word, len(word)),) if word.isascii() else _parts(word)
        width = sum(width for _, width in parts)
        if self._at + self._blanks + width <= self._columns:
            self._put(word, width)
        elif "://" in word:
            self._put_link(word, width)
        else:
            for part, width in parts:
                self._take_part(part, width)

    def _take_part(self, part: str, width: int) -> None:
        """A part of a word that is broken only when it is longer than a row."""
        if self._at + self._blanks + width <= self._columns:
            self._put(part, width)
        elif self._indent + width <= self._columns:
            self._begin_row()
            self._put(part, width)
        else:
            for cluster in clusters(part):
                width = measure(cluster).width
                if self._at + self._blanks + width > self._columns:
                    self._begin_row()
                self._put(cluster, width)

    def _put_link(self, link: str, width: int) -> None:
        """A link in one piece: what is too long for a row goes on over as many as it takes."""
        if self._at > self._indent:
            self._begin_row()
        self._put(link, width)
        self._at = self._columns if self._at > self._columns else self._at

    def _put(self, text: str, width: int) -> None:
        self._out += self._gap
        self._out.append(text)
        self._at += self._blanks + width
        self._forget_gap()

    def _begin_row(self) -> None:
        """Begin a new row, in the colours that are to be there; the blanks before it are gone."""
        if self._shown:
            self._out.append(RESET)
        self._out.append("\r\n" + " " * self._indent + self._colour)
        self._at = self._indent
        self._forget_gap()

    def _forget_gap(self) -> None:
        self._gap.clear()
        self._blanks = 0
        self._shown = self._colour


@lru_cache(maxsize=128)  # the same message is wrapped for every width there is
def _parts(word: str) -> tuple[tuple[str, int], ...]:
    """A word in the parts between which a row may end, and the cells of each."""
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
    return (*parts, (part, cells_of_part))
