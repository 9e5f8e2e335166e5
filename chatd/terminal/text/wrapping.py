"""Word wrap: breaks a line into rows between words, each row after the first indented.

A line may contain SGR sequences, which take no cell; rows end with CR LF.  Words are separated by
blanks; a row may also end between wide characters (Chinese, Japanese, emoji), though not before
closing nor after opening punctuation (after UAX #14's classes CL and OP).  A link is never broken
here: one that the terminal itself wraps is still one link when it is copied or clicked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from chatd.terminal.text.graphemes import cells, clusters, measure
from chatd.terminal.text.themes import RESET

_PIECE: Final = re.compile(r"\x1b\[[0-9;]*m|\n| +|[^\x1b\n ]+")
_SGR: Final = re.compile(r"\x1b\[[0-9;]*m")
#: Matches text that needs more than breaks between words.
_SPECIAL: Final = re.compile(r"[\x1b\n]|://")

#: No row begins with closing punctuation, and none ends with opening punctuation.
_CLOSING: Final = frozenset(
    "\u3001\u3002\uff0c\uff0e\uff1a\uff1b\uff1f\uff01\uff09\uff3d\uff5d\u300d\u300f\u3011"
    "\u3009\u300b\u3015\u301c\u3005\u30fb\u30fc\u2026\u2019\u201d.,:;?!)]}"
)
_OPENING: Final = frozenset("\uff08\uff3b\uff5b\u300c\u300e\u3010\u3008\u300a\u3014\u2018\u201c([{")


def painted_width(line: str) -> int:
    """Return the width of a line in cells, without its SGR sequences."""
    return cells(_SGR.sub("", line) if "\x1b" in line else line)


def wrap(head: str, hang: int, body: str, columns: int) -> str:
    """Break the line of ``head`` and ``body`` into rows; a line feed begins a new row as well.

    :param hang: the hanging indent in cells, usually the width of the head; one of more than half
        the columns becomes 4.
    :param columns: the width of a row in cells.
    """
    room = columns - hang
    if ((len(body) <= room and body.isascii()) or 2 * len(body) <= room) and "\n" not in body:
        return head + body
    indent = hang if hang * 2 <= columns else 4
    if body.isascii() and not _SPECIAL.search(body):
        wrapped = _wrap_words(body, columns - painted_width(head), columns - indent, indent)
        if wrapped is not None:
            return head + wrapped
    rows = _Rows(columns, indent)
    for piece in _PIECE.findall(head + body):
        rows.take(piece)
    return rows.finish()


def _wrap_words(text: str, room: int, columns: int, indent: int) -> str | None:
    """Break ASCII without colours, links and line feeds between words: the fast path.

    ``room`` is the rest of the first row in cells.  None when a word is longer than a row.
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
    """Rows under construction: the column and the colours at the end of the last one.

    ``_gap`` are blanks and sequences that are written once it is known which row they go into.
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
        """Add a sequence, blanks, a line feed or a word."""
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
        """Return the rows as one text, without blanks at the end."""
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
        """Add a part of a word, broken only when it is longer than a row."""
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
        """Add a link in one piece; the terminal wraps one that is longer than a row."""
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
        """Begin a new row in the current colours; the blanks before it are dropped."""
        if self._shown:
            self._out.append(RESET)
        self._out.append("\r\n" + " " * self._indent + self._colour)
        self._at = self._indent
        self._forget_gap()

    def _forget_gap(self) -> None:
        self._gap.clear()
        self._blanks = 0
        self._shown = self._colour


@lru_cache(maxsize=128)  # the same message is wrapped for every width in the room
def _parts(word: str) -> tuple[tuple[str, int], ...]:
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
    return (*parts, (part, cells_of_part))
