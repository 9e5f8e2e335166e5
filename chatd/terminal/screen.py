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
        "_erase",
        "_prompt",
        "_prompt_width",
        "_redraw",
        "_rows",
        "_text",
        "ansi",
        "columns",
        "rows",
    )

    def __init__(self, columns: int, rows: int, *, ansi: bool = True) -> None:
        self.ansi = ansi
        self.columns = columns
        self.rows = rows
        self._prompt = ""
        self._prompt_width = 0
        self._text = ""
        self._rows: list[int] = [0]
        self._erase = self._erasing(0)
        self._redraw = b""

    def become(self, *, ansi: bool) -> None:
        """It is known now whether the cursor can be moved."""
        self.ansi = ansi
        if self._redraw:
            self._lay_out()
        else:
            self._erase = self._erasing(0)

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
                if not self.ansi:
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
        above = sum(_reflowed(row, columns) for row in self._redraw_rows()) - 1
        self.columns, self.rows = columns, rows
        erase = self._erasing(above)
        self._lay_out()
        return erase + self._redraw

    def clear(self) -> bytes:
        """A new screen with nothing but the line being typed."""
        return (b"\x1b[H\x1b[2J" if self.ansi else b"\r\n") + self._redraw

    def leave(self) -> bytes:
        """Erase the line being typed, for good."""
        return self._erase

    def _redraw_rows(self) -> list[tuple[int, str]]:
        """The rows that are drawn: the width of each, and its text where that is not one to one."""
        drawn = self._redraw.decode().split("\r\n")
        return [
            (width, "" if row.isascii() else wcwidth.strip_sequences(row))
            for width, row in zip(self._rows, drawn, strict=False)
        ] or [(0, "")]

    def _lay_out(self) -> None:
        """Break prompt and text into rows; only as many as the screen holds are drawn."""
        if self._text.isascii():
            rows, widths = self._slices()
        else:
            rows, widths = self._clusters()
        fit = max(1, self.rows - 1) if self.ansi else 1
        self._rows = widths[-fit:]
        self._redraw = "\r\n".join(rows[-fit:]).encode()
        self._erase = self._erasing(len(self._rows) - 1)

    def _first_row(self) -> tuple[str, int]:
        """The prompt, or a short one on a screen that is too narrow for it."""
        if self._prompt_width * 2 <= self.columns:
            return self._prompt, self._prompt_width
        return "> ", 2

    def _slices(self) -> tuple[list[str], list[int]]:
        """Rows and their widths where each character has one cell."""
        prompt, width = self._first_row()
        text, columns = self._text, self.columns
        head = columns - width
        rows = [prompt + text[:head]]
        rows += [text[start : start + columns] for start in range(head, len(text), columns)]
        widths = [width + len(text[:head]), *map(len, rows[1:])]
        if widths[-1] >= columns:
            rows.append("")
            widths.append(0)
        return rows, widths

    def _clusters(self) -> tuple[list[str], list[int]]:
        """Rows and their widths, character by character."""
        prompt, width = self._first_row()
        rows, widths = [prompt], [width]
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
        return rows, widths

    def _erasing(self, above: int) -> bytes:
        """Erase the last row and so many above it."""
        if not self.ansi:
            return b"\r" + b" " * self._rows[-1] + b"\r"
        return (b"\r\x1b[%dA" % above if above else b"\r") + _ERASE_BELOW


def _reflowed(row: tuple[int, str], columns: int) -> int:
    """Into how many rows a terminal that reflows breaks one: a wide character is not broken."""
    width, text = row
    if not text:
        return max(1, -(-width // columns))
    rows, at = 1, 0
    for cluster in wcwidth.iter_graphemes(text):
        cells = max(0, wcwidth.wcswidth(cluster))
        if at + cells > columns:
            rows, at = rows + 1, 0
        at += cells
    return rows
