"""Row layout: breaks a prompt and a line into the rows of a screen; rows and columns count from 0.

A row never relies on how a terminal treats its last column (xterm's pending wrap): the next one
begins with CR LF, and a last row that is full is followed by an empty one for the cursor.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter
from typing import NamedTuple

from chatd.terminal.text.graphemes import cells, clusters, measure

_start = attrgetter("start")


class Row(NamedTuple):
    """One row: a piece of the line, in the cells from ``left`` (the prompt's width) to ``width``.

    ``start`` is the piece's index in the line; ``drawn`` is the text to send for it.
    """

    start: int
    left: int
    text: str
    drawn: str
    width: int


def lay_out(left: int, text: str, columns: int) -> list[Row]:
    """Break a line into rows, the first of which begins after a prompt of ``left`` cells."""
    rows_of = _ascii_rows if text.isascii() else _cluster_rows
    rows = rows_of(left, text, columns)
    if rows[-1].width >= columns:
        rows.append(Row(len(text), 0, "", "", 0))
    return rows


def _ascii_rows(left: int, text: str, columns: int) -> list[Row]:
    """Return the rows of a line in which each character has one cell."""
    head = text[: columns - left]
    rows = [Row(0, left, head, head, left + len(head))]
    for start in range(len(head), len(text), columns):
        piece = text[start : start + columns]
        rows.append(Row(start, 0, piece, piece, len(piece)))
    return rows


def _cluster_rows(left: int, text: str, columns: int) -> list[Row]:
    """Return the rows of a line, cluster by cluster.

    A cluster whose width differs between terminals is kept away from the right edge, so that no
    terminal wraps it, and the cursor is moved to its computed column after it.
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
            drawn.append(cluster)  # a mark without a letter would combine with the prompt
        at += len(cluster)
        width += cells_of
        if cells_of and not sure and width < columns:
            drawn.append(to_column(width) + "\x1b[K")
    rows.append(Row(start, left, text[start:], "".join(drawn), width))
    return rows


def to_column(column: int) -> str:
    """Return the sequence that moves the cursor to a column of its row, from any other."""
    return f"\r\x1b[{column}C" if column else "\r"


def position_of(rows: list[Row], at: int) -> tuple[int, int]:
    """Return the row and the column of an index in the line."""
    index = bisect_right(rows, at, key=_start) - 1
    row = rows[index]
    return index, row.left + cells(row.text[: at - row.start])


def height(texts: Iterable[str], columns: int) -> int:
    """Return how many rows some whole rows take in a terminal that reflows to another width."""
    return sum(1 + rows_after_reflow(text, columns, followed=False) for text in texts)


def first_rows(texts: Iterable[str], columns: int, count: int) -> list[str]:
    """Return the part of some whole rows that is in the first ``count`` rows after a reflow."""
    found: list[str] = []
    for text in texts:
        if count <= 0:
            break
        taken = height((text,), columns)
        found.append(text if taken <= count else _beginning(text, columns, count))
        count -= taken
    return found


def _beginning(text: str, columns: int, count: int) -> str:
    """Return the part of a row that is in its first ``count`` rows after a reflow."""
    row = column = taken = 0
    for cluster in clusters(text):
        width = measure(cluster).width
        if column + width > columns:
            row, column = row + 1, 0
        if row == count:
            break
        column += width
        taken += len(cluster)
    return text[:taken]


def rows_after_reflow(text: str, columns: int, *, followed: bool) -> int:
    """Return how many rows a row's end moves down in a terminal that reflows to another width.

    ``followed`` means that more text follows in the same row: then a full row ends in the next one.
    """
    row = column = 0
    if text.isascii():
        row, column = divmod(len(text), columns)
        if not column and row and not followed:
            row -= 1
        return row
    for cluster in clusters(text):
        width = measure(cluster).width
        if column + width > columns:
            row, column = row + 1, 0
        column += width
    return row + (followed and column >= columns)
