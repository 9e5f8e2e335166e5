"""Word wrap: breaks a line into rows between words, each row after the first indented.

A line may contain SGR sequences, which take no cell; rows end with CR LF.  Words are separated by
blanks; a row may also end between wide characters (Chinese, Japanese, emoji), though not before
closing nor after opening punctuation (after UAX #14's classes CL and OP).  A link is never broken
here: one that the terminal itself wraps is still one link when it is copied or clicked.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from chatd.terminal.text.graphemes import cells
from chatd.terminal.text.segments import Segment, segments
from chatd.terminal.text.themes import RESET

_SGR: Final = re.compile(r"\x1b\[[0-9;]*m")
#: Matches text that needs more than breaks between words.
_SPECIAL: Final = re.compile(r"[\x1b\n]|://")


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
    if head[-1:] in ("", " ", "m"):  # else the last word of the head goes on in the body
        rows.take(Segment(head))
        rows.take_lines(segments(body))
    else:
        rows.take_lines(segments(head + body))
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

    ``_gap`` is what follows the last part, blanks and sequences; it is written once it is known
    which row it goes into.
    """

    __slots__ = ("_at", "_blanks", "_colour", "_columns", "_gap", "_indent", "_out", "_shown")

    def __init__(self, columns: int, indent: int) -> None:
        self._columns = columns
        self._indent = indent
        self._out: list[str] = []
        self._at = 0
        self._gap = ""
        self._blanks = 0
        self._colour = self._shown = ""

    def take_lines(self, lines: tuple[Segment, ...]) -> None:
        """Add segments, each of which begins a row, but for the first."""
        for number, line in enumerate(lines):
            if number:
                self._begin_row(self._colour)
            self.take(line)

    def take(self, line: Segment) -> None:
        """Add a segment, as many of its parts to each row as fit."""
        earlier, count, number = self._colour, len(line.starts), 0
        start = 0  # what is before it in the text is in a row
        shift = -self._at - self._blanks  # from the cells of the text to those of the row
        while number < count:
            fit = bisect_right(line.after, self._columns + shift, number)
            width = line.after[number] - line.before[number]
            if fit > number:
                start = self._put(line.text, start, line.ends[fit - 1], line.after[fit - 1] - shift)
                self._shown = line.colour(fit - 1, earlier)
                number = fit
            elif number in line.links:
                if self._at > self._indent:
                    self._begin_row(line.colour(number, earlier))
                    start, shift = line.starts[number], line.before[number] - self._indent
                # The terminal wraps a link that is longer than a row.
                shift = max(shift, line.after[number] - self._columns)
                start = self._put(line.text, start, line.ends[number], line.after[number] - shift)
                self._shown = line.colour(number, earlier)
                number += 1
            elif self._indent + width <= self._columns:
                self._begin_row(line.colour(number, earlier))
                start, shift = line.starts[number], line.before[number] - self._indent
            else:
                start, shift = self._break(line, number, start, shift, line.colour(number, earlier))
                number += 1
        self._gap += line.text[start:]
        self._blanks += line.blanks
        self._colour = line.colour(count, earlier)

    def _break(
        self, line: Segment, number: int, start: int, shift: int, colour: str
    ) -> tuple[int, int]:
        """Add a part that is longer than a row; return ``start`` and ``shift`` after it."""
        ends, after = line.broken(number)
        done = 0
        while done < len(ends):
            fit = bisect_right(after, self._columns + shift, done)
            if fit == done:
                self._begin_row(colour)
                start = ends[done - 1] if done else line.starts[number]
                shift = (after[done - 1] if done else line.before[number]) - self._indent
                fit = max(done + 1, bisect_right(after, self._columns + shift, done))
            start = self._put(line.text, start, ends[fit - 1], after[fit - 1] - shift)
            self._shown = colour
            done = fit
        return start, shift

    def _put(self, text: str, start: int, end: int, at: int) -> int:
        """Add a piece of a text to the row, which is then so long; return where the piece ends."""
        self._out += (self._gap, text[start:end])
        self._at, self._gap, self._blanks = at, "", 0
        return end

    def _begin_row(self, colour: str) -> None:
        """Begin a new row in these colours; the blanks before it are dropped."""
        if self._shown:
            self._out.append(RESET)
        self._out.append("\r\n" + " " * self._indent + colour)
        self._at, self._gap, self._blanks = self._indent, "", 0
        self._shown = colour

    def finish(self) -> str:
        """Return the rows as one text, without blanks at the end."""
        return "".join([*self._out, *_SGR.findall(self._gap)])
