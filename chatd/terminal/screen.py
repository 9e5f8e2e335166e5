"""The screen: a prompt with the line being typed, and above it what happens.

It makes bytes and knows only what it drew itself: that is always the last thing on the screen.
Rows are wrapped by ourselves with CR LF, so that where the cursor stands never depends on how a
terminal treats its last column.
"""

from __future__ import annotations

import wcwidth

_ERASE_BELOW = b"\x1b[J"


class Screen:
    """Draws and erases one half-typed line.  Widths and heights are in character cells.

    A terminal that is not ``ansi`` (TERM=dumb) can only go back to the start of its last row.
    """

    __slots__ = (
        "_ansi",
        "_erase",
        "_prompt",
        "_prompt_width",
        "_redraw",
        "_rows",
        "_text",
        "columns",
        "rows",
    )

    def __init__(self, columns: int, rows: int, *, ansi: bool = True) -> None:
        self._ansi = ansi
        self.columns = columns
        self.rows = rows
        self._prompt = ""
        self._prompt_width = 0
        self._text = ""
        self._rows: list[int] = [0]
        self._erase = self._erasing(0)
        self._redraw = b""

    def show(self, data: bytes) -> bytes:
        """Whole lines that end with CR LF, above the line being typed."""
        return self._erase + data + self._redraw

    def draw(self, prompt: str, prompt_width: int, text: str) -> bytes:
        """Draw a prompt (of this width: it may hold colours) and a line in place of the last."""
        appended = text.removeprefix(self._text) if text.startswith(self._text) else None
        if prompt == self._prompt and appended is not None and appended.isascii():
            at = self._rows[-1]
            if at + len(appended) < self.columns and self._redraw:
                self._text = text
                self._rows[-1] += len(appended)
                self._redraw += appended.encode()
                if not self._ansi:
                    self._erase = self._erasing(0)
                return appended.encode()
        erase = self._erase
        self._prompt, self._prompt_width, self._text = prompt, prompt_width, text
        self._lay_out()
        return erase + self._redraw

    def resize(self, columns: int, rows: int) -> bytes:
        """The terminal has another size: draw the line anew in it.

        Terminals that reflow have broken our rows into as many as fit the new width.
        """
        above = sum(max(1, -(-width // columns)) for width in self._rows) - 1
        self.columns, self.rows = columns, rows
        erase = self._erasing(above)
        self._lay_out()
        return erase + self._redraw

    def clear(self) -> bytes:
        """A new screen with nothing but the line being typed."""
        return (b"\x1b[H\x1b[2J" if self._ansi else b"\r\n") + self._redraw

    def leave(self) -> bytes:
        """Erase the line being typed, for good."""
        return self._erase

    def _lay_out(self) -> None:
        """Break prompt and text into rows; only as many as the screen holds are drawn."""
        fits = self._prompt_width * 2 <= self.columns
        rows, widths = ([self._prompt], [self._prompt_width]) if fits else (["> "], [2])
        for cluster in wcwidth.iter_graphemes(self._text):
            width = max(0, wcwidth.wcswidth(cluster))
            if widths[-1] + width > self.columns:
                rows.append("")
                widths.append(0)
            rows[-1] += cluster
            widths[-1] += width
        if widths[-1] >= self.columns:
            rows.append("")
            widths.append(0)
        fit = max(1, self.rows - 1)
        self._rows = widths[-fit:]
        self._redraw = "\r\n".join(rows[-fit:]).encode()
        self._erase = self._erasing(len(self._rows) - 1)

    def _erasing(self, above: int) -> bytes:
        """Erase the last row and so many above it."""
        if not self._ansi:
            return b"\r" + b" " * self._rows[-1] + b"\r"
        return (b"\r\x1b[%dA" % above if above else b"\r") + _ERASE_BELOW
