"""Screen: draws a prompt and the line being typed, with messages scrolling above them.

It returns bytes and knows only its own output, which is always the last on the screen.
Rows are wrapped here with CR LF, so that the cursor's position never depends on how a terminal
treats its last column.

The bytes that erase the line and those that redraw it are kept ready: a message only has to be put
between them.  Sequences are those of ECMA-48: CUU, CUD, CUF, CUP, EL and ED.
"""

from __future__ import annotations

import wcwidth

from chatd.terminal.screen.rows import (
    Row,
    first_rows,
    height,
    lay_out,
    position_of,
    rows_after_reflow,
    to_column,
)
from chatd.terminal.text.graphemes import SIMPLE_TEXT, cells

#: The most rows that are remembered above the screen: those of the longest line at 20 columns.
_SCROLLED_OFF = 250

_ERASE_ROW, _ERASE_BELOW = "\x1b[K", "\x1b[J"


class Screen:
    """Draws and erases one unfinished line.  Widths and heights are in character cells.

    ``_rows`` are the visible rows; if the line is higher than the screen, the ones around the
    cursor.  The cursor is in column ``_x`` of row ``_y`` of them.  ``_above`` are the rows between
    the messages and the prompt, each shorter than the screen is wide.

    ``_scrolled_off`` are rows of the line that a smaller window has pushed into the terminal's
    scrollback, directly above the visible ones.  Terminals bring them back in a higher window.
    """

    __slots__ = (
        "_above",
        "_cursor",
        "_erase",
        "_prompt",
        "_prompt_width",
        "_redraw",
        "_rows",
        "_scrolled_off",
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
        self._prompt_width = 0
        self._shown_prompt = ""
        self._text = ""
        self._cursor = 0
        self._top = 0
        self._rows: list[Row] = []
        self._scrolled_off: tuple[str, ...] = ()
        self._y = self._x = 0
        self._erase = _erase_sequence(0, alone=True)
        self._redraw = b""

    def show(self, data: bytes) -> bytes:
        """Return the bytes that show whole lines, each ended by CR LF, above the unfinished one."""
        self._scrolled_off = ()  # messages will separate them from the line
        return self._erase + data + self._redraw

    def draw(
        self, prompt: str, prompt_width: int, text: str, cursor: int, above: tuple[str, ...] = ()
    ) -> bytes:
        """Draw a prompt of ``prompt_width`` cells and a line in place of the last ones.

        The cursor goes before the character at index ``cursor`` of the line.  The prompt and the
        rows ``above`` it may contain SGR sequences.
        """
        same_prompt = prompt == self._prompt and above == self._above and bool(self._rows)
        if same_prompt:
            if cursor == self._cursor and text == self._text:
                return b""
            appended = self._append(text, cursor)
            if appended:
                return appended
        erase, before, top, y, x = self._erase, self._rows, self._top, self._y, self._x
        self._prompt, self._prompt_width = prompt, prompt_width
        self._text, self._cursor = text, cursor
        self._above = above
        self._lay_out()
        if not same_prompt or top != self._top:
            return erase + self._redraw
        return self._update(before, y, x).encode()

    def entered(self, text: str) -> bytes:
        """Return nothing: a complete line is shown again as a message."""
        return b""

    def resize(self, columns: int, rows: int) -> bytes:
        """Draw the line again in a terminal that has another size.

        Terminals that reflow have broken our rows into as many as fit the new width, and have taken
        the cursor along.  The rows above the prompt are not drawn again: they were cut to the old
        width.
        """
        above = self._scroll_off(columns, rows) if self._rows else 0
        self.columns, self.rows, self._above = columns, rows, ()
        if not self._rows:
            return b""
        self._lay_out()
        return _erase_sequence(above) + self._redraw

    def _scroll_off(self, columns: int, rows: int) -> int:
        """Note which rows a window of another size pushes off the screen, and which it brings back.

        Return how many of our rows are above the cursor's then.
        """
        texts = self._drawn_texts()
        upper, lower = texts[: len(self._above) + self._y], texts[len(self._above) + self._y :]
        row = self._rows[self._y]
        end = len(lower[0]) - len(row.text) + self._cursor - row.start
        within = rows_after_reflow(lower[0][:end], columns, followed=end < len(lower[0]))
        above = height(upper, columns) + within
        fit = rows - (height(lower, columns) - within)
        before = height(self._scrolled_off, columns)
        back = max(0, min(rows - self.rows, fit - above, before))
        if above > fit:
            pushed = first_rows(texts, columns, above - fit)
            self._scrolled_off = (*self._scrolled_off, *pushed)[-_SCROLLED_OFF:]
        elif back:
            self._scrolled_off = tuple(first_rows(self._scrolled_off, columns, before - back))
        return above + back

    def _drawn_texts(self) -> list[str]:
        """Return the rows above the prompt, and those of the line, without SGR sequences."""
        texts = [wcwidth.strip_sequences(row) for row in self._above]
        prompt = wcwidth.strip_sequences(self._shown_prompt)
        return texts + [(prompt if row.left else "") + row.text for row in self._rows]

    def clear(self) -> bytes:
        """Clear the screen and draw only the line being typed."""
        self._scrolled_off = ()
        return b"\x1b[H\x1b[2J" + self._redraw

    def leave(self) -> bytes:
        """Erase the line being typed for good."""
        erase = self._erase if self._rows else b""
        self._rows, self._y, self._x, self._redraw = [], 0, 0, b""
        self._above = self._scrolled_off = ()
        self._erase = _erase_sequence(0, alone=True)
        return erase

    # Drawing --------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Break prompt and line into rows; draw only as many as fit the screen."""
        self._shown_prompt, left = self._prompt, self._prompt_width
        if left * 2 > self.columns:
            self._shown_prompt, left = "> ", 2
        rows = lay_out(left, self._text, self.columns)
        y, self._x = position_of(rows, self._cursor)
        above = len(self._above)
        fit = max(1, self.rows - 1 - above)
        top = min(self._top, y, max(0, len(rows) - fit))
        self._top = max(top, y - fit + 1)
        self._y = y - self._top
        self._rows = rows[self._top : self._top + fit]
        drawn = "\r\n".join([row.drawn for row in self._rows])
        prompt = "" if self._top else self._shown_prompt
        if above:
            prompt = "\r\n".join([*self._above, prompt])
        self._redraw = (prompt + drawn + self._to_cursor(len(self._rows) - 1)).encode()
        self._erase = _erase_sequence(above + self._y, alone=above + len(self._rows) == 1)

    def _to_cursor(self, y: int) -> str:
        """Return the sequence that moves from the end of a row to the cursor's position."""
        if y == self._y and self._x == self._rows[y].width:
            return ""
        return _move_rows(self._y - y) + to_column(self._x)

    def _append(self, text: str, cursor: int) -> bytes:
        """Return the text appended to the last row, if that is the only change and it fits."""
        before, row = self._text, self._rows[-1]
        if cursor != len(text) or self._cursor != len(before) or not text.startswith(before):
            return b""
        typed = text[len(before) :]
        if not (SIMPLE_TEXT.fullmatch(typed) and SIMPLE_TEXT.fullmatch(before[-1:])):
            return b""  # the last character may have been joined by a mark
        width = row.width + cells(typed)
        if width >= self.columns:
            return b""
        self._text, self._cursor = text, cursor
        self._x = width
        self._rows[-1] = Row(row.start, row.left, row.text + typed, row.drawn + typed, self._x)
        data = typed.encode()
        self._redraw += data
        return data

    def _update(self, before: list[Row], y: int, x: int) -> str:
        """Return the sequence that turns the drawn rows into the new ones.

        The cursor was in column ``x`` of row ``y``.  Everything before the first difference stays.
        """
        rows = self._rows
        last = min(len(rows), len(before)) - 1
        first = 0
        while first < last and rows[first].drawn == before[first].drawn:
            first += 1
        if len(rows) == len(before) and rows[first:] == before[first:]:
            return self._move_cursor(y, x)
        fewer = len(rows) < len(before)
        unchanged = _common_prefix(before[first], rows[first])
        out = [_move_rows(first - y), to_column(rows[first].left + unchanged)]
        if fewer:
            out.append(_ERASE_BELOW)
        for index, row in enumerate(rows[first:], first):
            if index > first:
                out.append("\r\n")
                unchanged = 0
            old = before[index] if index < len(before) else None
            if old is None or fewer:
                out.append(row.drawn[unchanged:])
            elif old.drawn != row.drawn:
                out.append(_redrawn_row(old, row, unchanged))
        return "".join(out) + self._to_cursor(len(rows) - 1)

    def _move_cursor(self, y: int, x: int) -> str:
        """Return the sequence that moves the cursor from its old position to its new one."""
        if y == self._y and x == self._x:
            return ""
        if y == self._y and x == self._x + 1:
            return "\b"
        return _move_rows(self._y - y) + to_column(self._x)


def _common_prefix(before: Row, row: Row) -> int:
    """Return how many characters at a row's start need no redraw: 0 unless all are ASCII."""
    if not (before.text.isascii() and row.text.isascii()):
        return 0
    count = 0
    for old, new in zip(before.text, row.text, strict=False):
        if old != new:
            break
        count += 1
    return count


def _redrawn_row(old: Row, row: Row, unchanged: int) -> str:
    """Return a row drawn over another one, from the first character that differs.

    A row with wide characters is erased first: terminals differ in how they clear the half of one.
    """
    if not (old.text.isascii() and row.text.isascii()):
        return _ERASE_ROW + row.drawn
    return row.drawn[unchanged:] + (_ERASE_ROW if old.width > row.width else "")


def _move_rows(rows: int) -> str:
    """Return the sequence that moves the cursor down, or up by a negative number of rows."""
    if not rows:
        return ""
    return f"\x1b[{rows}B" if rows > 0 else f"\x1b[{-rows}A"


def _erase_sequence(above: int, *, alone: bool = False) -> bytes:
    """Erase the cursor's row, ``above`` rows above it, and, unless it is ``alone``, all below.

    tmux saves a screen that is erased from its first cell to its scrollback: hence the step right
    before ED.
    """
    up = f"\x1b[{above}A" if above else ""
    below = "" if alone else f"\x1b[C{_ERASE_BELOW}\r"
    return f"\r{up}{_ERASE_ROW}{below}".encode()
