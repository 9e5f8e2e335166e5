"""A terminal that shows what was sent to it, cell by cell, and what it should show."""

import unicodedata

import pyte
from wcwidth import wcwidth

#: What stands in one place of a screen: a character with its marks, and whether it is coloured.
#: The second half of a wide character is an empty string.
Cell = tuple[str, bool]

BLANK: Cell = (" ", False)


class _AtTheEdge(pyte.Screen):
    """Pyte, but at its right edge as xterm and all that follow it.

    A wide character that does not fit goes to the next row, and a mark stays with the character
    it belongs to.
    """

    def draw(self, data: str) -> None:
        for char in data:
            width = wcwidth(char)
            if width == 2 and self.cursor.x == self.columns - 1:
                self.carriage_return()
                self.linefeed()
            if width:
                super().draw(char)
            elif self.cursor.x:
                self._mark(char)

    def _mark(self, char: str) -> None:
        """Put a mark on the character before the cursor."""
        row = self.buffer[self.cursor.y]
        at = self.cursor.x - 1
        at -= not row[at].data
        row[at] = row[at]._replace(data=unicodedata.normalize("NFC", row[at].data + char))


class Display:
    """What somebody has before their eyes."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = _AtTheEdge(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    def takes(self, data: bytes) -> None:
        """Show what was sent."""
        self._stream.feed(data)

    @property
    def cells(self) -> list[list[Cell]]:
        """Every cell of every row."""
        return [
            [
                (cell.data, cell.fg != "default")
                for cell in (self.screen.buffer[y][x] for x in range(self.screen.columns))
            ]
            for y in range(self.screen.lines)
        ]

    @property
    def cursor(self) -> tuple[int, int]:
        """Column and row of the cursor."""
        return self.screen.cursor.x, self.screen.cursor.y

    @property
    def lines(self) -> list[str]:
        """The rows, without the blanks at their ends and the empty rows below them."""
        rows = ["".join(char for char, _ in row).rstrip() for row in self.cells]
        while rows and not rows[-1]:
            rows.pop()
        return rows


def wrapped(text: str, columns: int, *, coloured: bool = False) -> list[list[Cell]]:
    """The rows that a text takes: wide characters take two cells, marks none."""
    rows: list[list[Cell]] = [[]]
    for char in text:
        width = wcwidth(char)
        if not width:
            if not rows[-1]:
                continue  # nothing is there that it could stand on
            at = -1 if rows[-1][-1][0] else -2
            marked = unicodedata.normalize("NFC", rows[-1][at][0] + char)
            rows[-1][at] = (marked, rows[-1][at][1])
            continue
        if len(rows[-1]) + width > columns:
            rows.append([])
        rows[-1] += [(char, coloured), ("", coloured)][:width]
    return rows


def padded(row: list[Cell], columns: int) -> list[Cell]:
    """A row with the blanks behind what stands in it."""
    return row + [BLANK] * (columns - len(row))
