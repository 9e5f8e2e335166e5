"""What was said and is not kept yet, as rows above the line that is typed.

A row never reaches the last column, whatever a terminal thinks of the characters in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatd.chat.events import RoomEvent
from chatd.terminal.style import announcement
from chatd.terminal.text.graphemes import clusters, measure
from chatd.terminal.text.themes import Theme

#: What stands before it, and in place of what does not fit.  Some terminals have it two cells wide.
MARK = "…"
_WIDEST = 2
#: Rows of them at most, of which a screen gives away one in four.
ROWS = 4
_SHARE = 4


def pending(
    count: int,
    lines: Sequence[tuple[str, RoomEvent]],
    look: Theme,
    columns: int,
    rows: int,
) -> tuple[str, ...]:
    """The newest of so many lines, a row each, for a screen of so many columns and rows.

    Of the lines the newest ``ROWS`` are given at least, each an event and the room that is named,
    if one is.  Of those for which there is no row the first one says how many they are.
    """
    most = min(ROWS, rows // _SHARE)
    if not count or not most:
        return ()
    shown = lines[-most:] if count <= most else lines[len(lines) - most + 1 :]
    told = [_told(room, event) for room, event in shown]
    more = count - len(shown)
    if more:
        which = "more wait" if shown else "lines wait"
        told.insert(0, f"{MARK} {more} {which}")
    return tuple(look.paint(_fitting(row, columns - 1), look.server) for row in told)


def _told(room: str, event: RoomEvent) -> str:
    """A line with its mark; of several lines the first."""
    first, more, _ = announcement(room, event).partition("\n")
    where = f"[{room}] " if room else ""
    return f"{MARK} {where}{first}{f' {MARK}' * bool(more)}"


def _fitting(text: str, columns: int) -> str:
    """As much of a text as there is room for, whatever a terminal makes of its characters."""
    taken, fitting = 0, ""
    for cluster in clusters(text):
        taken += _WIDEST if cluster == MARK else measure(cluster).widest
        if taken > columns:
            return fitting + MARK if columns >= _WIDEST else ""
        if taken <= columns - _WIDEST:
            fitting += cluster
    return text
