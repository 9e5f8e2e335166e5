"""Gaps: the runs of blanks in a line, bounded where the server does not wrap it.

With enough blanks a message would go on at the beginning of the next row of a plain terminal, where
it looks like somebody else's.
"""

from __future__ import annotations

import re
from typing import Final

#: The most cells of one gap; the indentation of code, and the gaps of a table, are narrower.
GAP: Final = 40

#: Characters that are drawn as blanks of two cells, and those without any.
_WIDE: Final = "\u115f\u3000\u3164"
_NO_CELLS: Final = (
    "\u00ad\u034f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2065\ufe00-\ufe0f\uffa0"
)
_RUN: Final = re.compile(f"(?:[^\\S\n]|[\u2800{_WIDE}{_NO_CELLS}]){{{GAP // 2 + 1},}}")
_IS_WIDE: Final = re.compile(f"[{_WIDE}]")
_HAS_NO_CELLS: Final = re.compile(f"[{_NO_CELLS}]")


def narrowed(text: str) -> str:
    """Return a text in which no run of blanks has more than ``GAP`` cells."""
    if text.isascii() and " " * (GAP + 1) not in text:
        return text
    return _RUN.sub(_narrowed_run, text)


def _narrowed_run(run: re.Match[str]) -> str:
    """Return the beginning of a run of blanks that has at most ``GAP`` cells."""
    taken = 0
    for at, blank in enumerate(run[0]):
        taken += 2 if _IS_WIDE.match(blank) else not _HAS_NO_CELLS.match(blank)
        if taken > GAP:
            return run[0][:at]
    return run[0]
