"""The screen: a prompt with the line being typed, and above it what happens.

It makes bytes and knows only what it drew itself: that is always the last thing on the screen.
Rows are wrapped by ourselves with CR LF, so that where the cursor stands never depends on how a
terminal treats its last column.

What erases the line and what draws it again are kept ready: a message that comes costs no more
than to be put between them.
"""

from __future__ import annotations

import wcwidth

from chatd.terminal.screen.rows import Row, lay_out, place_of, reflowed, to_column
from chatd.terminal.text.graphemes import ALONE, cells

_ERASE_ROW, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class Screen:
    """Draws and erases one half-typed line.  Widths and heights are in character cells.

    ``_rows`` are those that are shown; of a line higher than the screen, the ones around the
    cursor.  The cursor stands in column ``_x`` of row ``_y`` of them.  ``_above`` are the rows
    between what happens and the prompt, each of less than a row's width.
    """

    __slots__ = (
        "_above",
        "_at",
        "_erase",
        "_left",
        "_prompt",
        "_redraw",
        "_rows",
        "_shown_prompt",
        "_text",
        "_top",
        "_x",
        "_y",
        "columns",
        "rows",
    )

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self._above: tuple[str, ...] = ()
        self._prompt = ""
        self._left = 0
        self._shown_prompt = ""
        self._text = ""
        self._at = 0
        self._top = 0
        self._rows: list[Row] = []
        self._y = self._x = 0
        self._erase = _erasing(0, alone=True)
        self._redraw = b""

    def show(self, data: bytes) -> bytes:
        """Whole lines that end with CR LF, above the line being typed."""
        return self._erase + data + self._redraw

    def draw(
        self, prompt: str, left: int, text: str, at: int, above: tuple[str, ...] = ()
    ) -> bytes:
        """Draw a prompt of ``left`` cells (it may hold colours) and a line in place of the last.

        The cursor stands before the character ``at`` of the line.  The rows ``above`` the prompt
        may hold colours too.
        """
        same_prompt = prompt == self._prompt and above == self._above and bool(self._rows)
        if same_prompt:
            if at == self._at and text == self._text:
                return b""
            typed = self._typed_at_the_end(text, at)
            if typed:
                return typed
        erase, before, top, y, x = self._erase, self._rows, self._top, self._y, self._x
        self._prompt, self._left, self._text, self._at = prompt, left, text, at
        self._above = above
        self._lay_out()
        if not same_prompt or top != self._top:
            return erase + self._redraw
        return self._change(before, y, x).encode()

    def entered(self, text: str) -> bytes:
        """The line is complete; what becomes of it is shown by whoever it is for."""
        return b""

    def resize(self, columns: int, rows: int) -> bytes:
        """The terminal has another size: draw the line anew in it.

        Terminals that reflow have broken our rows into as many as fit the new width, and have taken
        the cursor along.  What was above the prompt is not, as it is cut to the width it had.
        """
        above = self._rows_above(columns)
        self.columns, self.rows, self._above = columns, rows, ()
        if not self._rows:
            return b""
        self._lay_out()
        return _erasing(above) + self._redraw

    def _rows_above(self, columns: int) -> int:
        """How many rows of ours are above the cursor's now, in a terminal of another width."""
        stripped = map(wcwidth.strip_sequences, self._above)
        above = sum(1 + reflowed(row, columns, followed=False) for row in stripped)
        for index, row in enumerate(self._rows[: self._y + 1]):
            text = (wcwidth.strip_sequences(self._shown_prompt) if row.left else "") + row.text
            if index < self._y:
                above += 1 + reflowed(text, columns, followed=False)
                continue
            end = len(text) - len(row.text) + self._at - row.start
            above += reflowed(text[:end], columns, followed=end < len(text))
        return above

    def clear(self) -> bytes:
        """A new screen with nothing but the line being typed."""
        return b"\x1b[H\x1b[2J" + self._redraw

    def leave(self) -> bytes:
        """Erase the line being typed, for good."""
        erase = self._erase if self._rows else b""
        self._rows, self._y, self._x, self._redraw = [], 0, 0, b""
        self._above = ()
        self._erase = _erasing(0, alone=True)
        return erase

    # Drawing --------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Break prompt and line into rows; only as many as the screen holds are drawn."""
        self._shown_prompt, left = self._prompt, self._left
        if left * 2 > self.columns:
            self._shown_prompt, left = "> ", 2
        rows = lay_out(left, self._text, self.columns)
        y, self._x = place_of(rows, self._at)
        more = len(self._above)
        fit = max(1, self.rows - 1 - more)
        top = min(self._top, y, max(0, len(rows) - fit))
        self._top = max(top, y - fit + 1)
        self._y = y - self._top
        self._rows = rows[self._top : self._top + fit]
        drawn = "\r\n".join([row.drawn for row in self._rows])
        prompt = "" if self._top else self._shown_prompt
        if more:
            prompt = "\r\n".join([*self._above, prompt])
        self._redraw = (prompt + drawn + self._to_cursor(len(self._rows) - 1)).encode()
        self._erase = _erasing(more + self._y, alone=more + len(self._rows) == 1)

    def _to_cursor(self, y: int) -> str:
        """From the end of a row to the cursor's place, which may be that."""
        if y == self._y and self._x == self._rows[y].width:
            return ""
        return _vertically(self._y - y) + to_column(self._x)

    def _typed_at_the_end(self, text: str, at: int) -> bytes:
        """What was typed at the end of the last row and fits there, if that is what happened."""
        before, row = self._text, self._rows[-1]
        if at != len(text) or self._at != len(before) or not text.startswith(before):
            return b""
        typed = text[len(before) :]
        if not (ALONE.fullmatch(typed) and ALONE.fullmatch(before[-1:])):
            return b""  # a character may have become another one
        width = row.width + cells(typed)
        if width >= self.columns:
            return b""
        self._text, self._at = text, at
        self._x = width
        self._rows[-1] = Row(row.start, row.left, row.text + typed, row.drawn + typed, self._x)
        data = typed.encode()
        self._redraw += data
        return data

    def _change(self, before: list[Row], y: int, x: int) -> str:
        """Turn the rows that were drawn into those that are to be there.

        The cursor was in column ``x`` of row ``y``.  What is before the first difference stays.
        """
        rows = self._rows
        last = min(len(rows), len(before)) - 1
        first = 0
        while first < last and rows[first].drawn == before[first].drawn:
            first += 1
        if len(rows) == len(before) and rows[first:] == before[first:]:
            return self._move(y, x)
        fewer = len(rows) < len(before)
        kept = _kept(before[first], rows[first])
        out = [_vertically(first - y), to_column(rows[first].left + kept)]
        if fewer:
            out.append(_ERASE_BELOW)
        for index, row in enumerate(rows[first:], first):
            if index > first:
                out.append("\r\n")
                kept = 0
            old = before[index] if index < len(before) else None
            if old is None or fewer:
                out.append(row.drawn[kept:])
            elif old.drawn != row.drawn:
                out.append(_in_place(old, row, kept))
        return "".join(out) + self._to_cursor(len(rows) - 1)

    def _move(self, y: int, x: int) -> str:
        """Bring the cursor from its old place to its new one."""
        if y == self._y and x == self._x:
            return ""
        if y == self._y and x == self._x + 1:
            return "\b"
        return _vertically(self._y - y) + to_column(self._x)


def _kept(before: Row, row: Row) -> int:
    """How many characters at the start of a row may stay as they are: none unless all are ASCII."""
    if not (before.text.isascii() and row.text.isascii()):
        return 0
    kept = 0
    for one, other in zip(before.text, row.text, strict=False):
        if one != other:
            break
        kept += 1
    return kept


def _in_place(old: Row, row: Row, kept: int) -> str:
    """Draw a row over another one, from its first character that has changed.

    Half of a wide character is not left to the terminal to clear away.
    """
    if not (old.text.isascii() and row.text.isascii()):
        return _ERASE_ROW + row.drawn
    return row.drawn[kept:] + (_ERASE_ROW if old.width > row.width else "")


def _vertically(rows: int) -> str:
    """Move so many rows down, or up."""
    if not rows:
        return ""
    return f"\x1b[{rows}B" if rows > 0 else f"\x1b[{-rows}A"


def _erasing(above: int, *, alone: bool = False) -> bytes:
    """Erase the cursor's row, so many above it, and, unless it stands ``alone``, all below.

    What erases a screen from its very first cell has tmux keep a copy of it: hence the step aside.
    """
    up = f"\x1b[{above}A" if above else ""
    below = "" if alone else f"\x1b[C{_ERASE_BELOW}\r"
    return f"\r{up}{_ERASE_ROW}{below}".encode()
