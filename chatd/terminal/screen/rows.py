"""How a prompt and a line are broken into the rows of a screen; rows and columns count from 0.

A row never relies on how a terminal treats its last column: the next one begins with CR LF, and a
last row that is full is followed by an empty one, where the cursor may stand.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import NamedTuple

from chatd.terminal.text.graphemes import cells, clusters, measure

_start = attrgetter("start")


class Row(NamedTuple):
    """One row: a piece of the line, in cells from ``left`` (what the prompt takes) to ``width``.

    ``start`` is where the piece begins in the line; ``drawn`` is what has to be sent for it.
    """

    start: int
    left: int
    text: str
    drawn: str
    width: int


def lay_out(left: int, text: str, columns: int) -> list[Row]:
    """Break a line into rows, the first of which has a prompt of so many cells before it."""
    rows = _slices(left, text, columns) if text.isascii() else _pieces(left, text, columns)
    if rows[-1].width >= columns:
        rows.append(Row(len(text), 0, "", "", 0))
    return rows


def _slices(left: int, text: str, columns: int) -> list[Row]:
    """Rows of a line in which each character has one cell."""
    head = text[: columns - left]
    rows = [Row(0, left, head, head, left + len(head))]
    for start in range(len(head), len(text), columns):
        piece = text[start : start + columns]
        rows.append(Row(start, 0, piece, piece, len(piece)))
    return rows


def _pieces(left: int, text: str, columns: int) -> list[Row]:
    """Rows of a line, cluster by cluster.

    Where terminals do not agree about a cluster it is kept from the right edge, so that it is in
    one row for all of them, and after it the cursor is put where it belongs.
    """
    rows: list[Row] = []
    start = at = 0
    width = left
    drawn: list[str] = []
    for cluster in clusters(text):
        cells_of, widest, sure = measure(cluster)
        if width + widest > columns and width > (0 if rows else left):
            rows.append(Row(start, left, text[start:at], "".join(drawn), width))
            start, left, width = at, 0, 0
            drawn.clear()
        if cells_of:
            drawn.append(cluster)  # a mark without a letter would stand on the prompt
        at += len(cluster)
        width += cells_of
        if cells_of and not sure and width < columns:
            drawn.append(to_column(width) + "\x1b[K")
    rows.append(Row(start, left, text[start:], "".join(drawn), width))
    return rows


def to_column(column: int) -> str:
    """Bring the cursor to a column of its row, wherever in it it is."""
    return f"\r\x1b[{column}C" if column else "\r"


def place_of(rows: list[Row], at: int) -> tuple[int, int]:
    """The row and the column of a place in the line."""
    index = bisect_right(rows, at, key=_start) - 1
    row = rows[index]
    return index, row.left + cells(row.text[: at - row.start])


def reflowed(text: str, columns: int, *, followed: bool) -> int:
    """How many rows below its first a row's end is in a terminal that has broken it to its width.

    With something after it in the row a full one is followed by the next.
    """
    row = at = 0
    if text.isascii():
        row, at = divmod(len(text), columns)
        if not at and row and not followed:
            row -= 1
        return row
    for cluster in clusters(text):
        width = measure(cluster).width
        if at + width > columns:
            row, at = row + 1, 0
        at += width
    return row + (followed and at >= columns)
