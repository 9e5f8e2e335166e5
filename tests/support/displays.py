"""Display of a terminal, cell by cell, by pyte; and the cells that it should show."""

import unicodedata
from collections.abc import Callable

import pyte
from wcwidth import iter_graphemes, wcswidth, wcwidth

from chatd.terminal.text.graphemes import measure
from chatd.transport.conversation.greeting import TO_TRY

#: The tips that new users on a terminal are shown.
TIPS = [f"-- {TO_TRY.heading}", *(f"   {row}" for row in TO_TRY.rows)]

#: A cell of a screen: a character with its combining marks, and whether it is coloured.
#: The second half of a wide character is an empty string.
Cell = tuple[str, bool]

BLANK: Cell = (" ", False)

#: A cell of a character whose width terminals disagree about; it equals every other one.
ANYTHING: Cell = ("?", False)


def _by_cluster(text: str) -> list[tuple[str, int]]:
    """Return grapheme clusters, as modern terminals show them, and their widths."""
    return [(cluster, max(0, wcswidth(cluster))) for cluster in iter_graphemes(text)]


def _by_char(text: str) -> list[tuple[str, int]]:
    """Return code points, as a terminal without clusters shows them, and their widths."""
    return [(char, max(0, wcwidth(char))) for char in text]


def _narrow(text: str) -> list[tuple[str, int]]:
    """Return clusters and their widths on a terminal with narrow emoji and unknown characters."""
    return [
        (cluster, width if measure(cluster).sure else min(1, width))
        for cluster, width in _by_cluster(text)
    ]


#: How terminals split the same text into characters, and how wide these are.
WIDTH_RULES: dict[str, Callable[[str], list[tuple[str, int]]]] = {
    "clusters": _by_cluster,
    "chars": _by_char,
    "narrow": _narrow,
}


class _Screen(pyte.Screen):
    """Pyte's screen, but with characters as xterm and its followers treat them.

    A wide character that does not fit goes to the next row, a mark stays with the character
    it belongs to, and of a wide character that is overwritten in part nothing is left.
    """

    def __init__(self, columns: int, rows: int, width_rule: str) -> None:
        self._width_rule = WIDTH_RULES[width_rule]
        #: The rows that have scrolled off, and whether each goes on in the next one.
        self.scrollback: list[tuple[str, bool]] = []
        super().__init__(columns, rows)

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            row = "".join(self.buffer[0][x].data for x in range(self.columns))
            self.scrollback.append((row.rstrip(), False))
        super().index()

    def draw(self, data: str) -> None:
        for shown, width in self._width_rule(data):
            if width and self.cursor.x + width > self.columns:
                self.carriage_return()
                self.linefeed()
            if width:
                self._put(shown, width)
            elif self.cursor.x:
                self._mark(shown)

    def _put(self, shown: str, width: int) -> None:
        row = self.buffer[self.cursor.y]
        at, end = self.cursor.x, self.cursor.x + width
        if not row[at].data:
            row[at - 1] = row[at - 1]._replace(data=" ")
        if end < self.columns and not row[end].data:
            row[end] = row[end]._replace(data=" ")
        row[at] = self.cursor.attrs._replace(data=unicodedata.normalize("NFC", shown))
        for second in range(at + 1, end):
            row[second] = self.cursor.attrs._replace(data="")
        self.cursor.x = end

    def _mark(self, char: str) -> None:
        """Put a mark on the character before the cursor."""
        row = self.buffer[self.cursor.y]
        at = self.cursor.x - 1
        at -= not row[at].data
        row[at] = row[at]._replace(data=unicodedata.normalize("NFC", row[at].data + char))


class Display:
    """The screen of a terminal, which measures characters by one of `WIDTH_RULES`."""

    def __init__(self, columns: int, rows: int, width_rule: str = "clusters") -> None:
        self.screen = _Screen(columns, rows, width_rule)
        self._stream = pyte.ByteStream(self.screen)
        self._gone: list[tuple[str, bool]] = []

    def feed(self, data: bytes) -> None:
        """Display output."""
        self._stream.feed(data)

    def resize_with_scrollback(self, columns: int, rows: int) -> None:
        """Resize as tmux does: rows that have scrolled off come back in a higher window.

        All characters have to be narrow ones.
        """
        higher = max(0, rows - self.screen.lines)
        above = _rejoined(self.screen.scrollback, columns)
        starts = self.reflow(columns, rows)
        self.screen.scrollback = [*above, *self._gone]
        free = min(higher, rows - 1 - self.screen.cursor.y)
        back = self.screen.scrollback[-free:] if free else []
        if back:
            del self.screen.scrollback[-len(back) :]
            y, x = self.screen.cursor.y, self.screen.cursor.x
            self.screen.cursor.y, self.screen.cursor.x = 0, 0
            self.screen.insert_lines(len(back))
            for (text, _), at in zip(back, range(len(back)), strict=True):
                self.screen.cursor.y, self.screen.cursor.x = at, 0
                self.screen.draw(text)
            self.screen.cursor.y, self.screen.cursor.x = y + len(back), x
        assert starts

    def reflow(self, columns: int, rows: int) -> list[int]:
        """Resize, and wrap rows that do not fit; return the new index of each row's beginning.

        The cursor stays with its character; when it would be below the screen, that scrolls.
        """
        starts = []
        broken: list[list[Cell]] = []
        at = x = 0
        for y, row in enumerate(self.cells):
            while row and row[-1] == BLANK:
                row.pop()
            if y == self.screen.cursor.y:
                before = self.screen.cursor.x
                row += [BLANK] * (before - len(row))
                place = _broken(row[:before], columns)
                at, x = len(broken) + len(place) - 1, len(place[-1])
                width = 2 if before + 1 < len(row) and not row[before + 1][0] else 1
                if before < len(row) and x + width > columns:
                    at, x = at + 1, 0
                x = min(x, columns - 1)
            starts.append(len(broken))
            broken += _broken(row, columns)
        gone = max(0, at - rows + 1)
        begins = {*starts, len(broken)}
        self._gone = [
            ("".join(char for char, _ in row).rstrip(), place + 1 not in begins)
            for place, row in enumerate(broken[:gone])
        ]
        cells = {cell: self._cell(cell) for row in broken for cell in row}
        scrollback = self.screen.scrollback
        self.screen.reset()
        self.screen.resize(rows, columns)
        self.screen.scrollback = scrollback
        for y, row in enumerate(broken[gone : gone + rows]):
            for column, cell in enumerate(row):
                self.screen.buffer[y][column] = cells[cell]
        self.screen.cursor.y, self.screen.cursor.x = at - gone, x
        return [start - gone for start in starts]

    def _cell(self, cell: Cell) -> pyte.screens.Char:
        char, coloured = cell
        return pyte.screens.Char(char, fg="brown" if coloured else "default")

    @property
    def cells(self) -> list[list[Cell]]:
        """All cells, by rows."""
        return [
            [
                (cell.data, cell.fg != "default")
                for cell in (self.screen.buffer[y][x] for x in range(self.screen.columns))
            ]
            for y in range(self.screen.lines)
        ]

    @property
    def cursor(self) -> tuple[int, int]:
        """The column and row of the cursor."""
        return self.screen.cursor.x, self.screen.cursor.y

    @property
    def lines(self) -> list[str]:
        """The rows, without the blanks at their ends and the empty rows below them."""
        rows = ["".join(char for char, _ in row).rstrip() for row in self.cells]
        while rows and not rows[-1]:
            rows.pop()
        return rows


def _rejoined(rows: list[tuple[str, bool]], columns: int) -> list[tuple[str, bool]]:
    """Return rows in pieces of another width; pieces of the same row are joined before."""
    whole: list[str] = []
    goes_on = False
    for text, more in rows:
        if goes_on:
            whole[-1] += text
        else:
            whole.append(text)
        goes_on = more
    pieces: list[tuple[str, bool]] = []
    for text in whole:
        cut = [text[at : at + columns] for at in range(0, max(1, len(text)), columns)]
        pieces += [(piece, index < len(cut) - 1) for index, piece in enumerate(cut)]
    return pieces


def _broken(row: list[Cell], columns: int) -> list[list[Cell]]:
    """Return a row in pieces that fit; both halves of a wide character are in one piece."""
    pieces: list[list[Cell]] = [[]]
    for at, cell in enumerate(row):
        width = 2 if at + 1 < len(row) and not row[at + 1][0] else 1
        if cell[0] and len(pieces[-1]) + width > columns:
            pieces.append([])
        pieces[-1].append(cell)
    return pieces


def wrapped(text: str, columns: int, *, prompt: str | None = None) -> list[list[Cell]]:
    """Return the rows of a wrapped text: wide characters take two cells, combining marks none.

    With a ``prompt`` the text is a line being typed: a character of disputed width is placed where
    it fits at any width, and its cells are `ANYTHING`.
    """
    rows: list[list[Cell]] = [[]]
    line = prompt is not None
    for cluster in [*iter_graphemes(prompt or ""), *iter_graphemes(text)]:
        width = measure(cluster).width if line else max(0, wcswidth(cluster))
        unsure = line and not measure(cluster).sure
        widest = measure(cluster).widest if line else width
        if not width:
            if rows[-1] and not line:
                at = -1 if rows[-1][-1][0] else -2
                marked = unicodedata.normalize("NFC", rows[-1][at][0] + cluster)
                rows[-1][at] = (marked, rows[-1][at][1])
            continue
        if len(rows[-1]) + widest > columns:
            rows.append([])
        shown = unicodedata.normalize("NFC", cluster)
        rows[-1] += [ANYTHING] * width if unsure else [(shown, False), *[("", False)] * (width - 1)]
    return rows


def matches(cells: list[list[Cell]], expected: list[list[Cell]]) -> bool:
    """Return whether all cells are the expected ones."""
    return len(cells) == len(expected) and all(
        len(one) == len(other)
        and all(a == b or b is ANYTHING for a, b in zip(one, other, strict=True))
        for one, other in zip(cells, expected, strict=True)
    )


def padded(row: list[Cell], columns: int) -> list[Cell]:
    """Return a row, filled with blanks."""
    return row + [BLANK] * (columns - len(row))
