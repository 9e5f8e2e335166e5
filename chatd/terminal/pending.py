"""Pending lines: messages that are not stored yet, as rows above the line being typed.

A row never reaches the last column, whatever width a terminal gives to its characters.
"""

from __future__ import annotations

from collections.abc import Sequence

from chatd.chat.events import RoomEvent
from chatd.terminal.style import announcement
from chatd.terminal.text.graphemes import clusters, measure
from chatd.terminal.text.themes import Theme

#: Begins each row, and ends one that was truncated.  Some terminals draw it two cells wide.
ELLIPSIS = "…"
_WIDEST = 2
#: The most rows; pending lines take at most a quarter of the screen.
ROWS = 4
_SHARE = 4


def pending(
    count: int,
    lines: Sequence[tuple[str, RoomEvent]],
    theme: Theme,
    columns: int,
    rows: int,
) -> tuple[str, ...]:
    """Return a row for each of the newest of ``count`` pending lines.

    :param lines: at least the newest ``ROWS`` of them, each an event and the name of its room,
        empty when it needs no name.
    :param columns: the width of the screen in cells, ``rows`` its height.

    When there are more lines than rows, the first row says how many lines are not shown.
    """
    most = min(ROWS, rows // _SHARE)
    if not count or not most:
        return ()
    shown = lines[-most:] if count <= most else lines[len(lines) - most + 1 :]
    texts = [_row_text(room, event) for room, event in shown]
    more = count - len(shown)
    if more:
        which = "more wait" if shown else "lines wait"
        texts.insert(0, f"{ELLIPSIS} {more} {which}")
    return tuple(theme.paint(_truncated(text, columns - 1), theme.server) for text in texts)


def _row_text(room: str, event: RoomEvent) -> str:
    """Return a line after an ellipsis; for a block, its first line and another ellipsis."""
    first, more, _ = announcement(room, event).partition("\n")
    where = f"[{room}] " if room else ""
    return f"{ELLIPSIS} {where}{first}{f' {ELLIPSIS}' * bool(more)}"


def _truncated(text: str, columns: int) -> str:
    """Return a text, or its beginning and an ellipsis, that exceeds its cells on no terminal."""
    taken, fitting = 0, ""
    for cluster in clusters(text):
        taken += _WIDEST if cluster == ELLIPSIS else measure(cluster).widest
        if taken > columns:
            return fitting + ELLIPSIS if columns >= _WIDEST else ""
        if taken <= columns - _WIDEST:
            fitting += cluster
    return text
