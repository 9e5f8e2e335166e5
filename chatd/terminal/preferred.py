"""How somebody has it shown: from their preferences and their terminal to a style."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from chatd.chat.model.preferences import Preferences
from chatd.terminal.style import TextStyle
from chatd.terminal.text.colours import NONE
from chatd.terminal.text.themes import theme

#: Columns up to which every width is a style of its own; beyond, every eighth is.  A room full of
#: terminals of all widths there are is one of some 110 styles.
_EXACT_COLUMNS: Final = 80


@lru_cache(maxsize=2048)
def style_for(preferences: Preferences, depth: int, columns: int, rows: int) -> TextStyle:
    """How somebody is shown things on a terminal with so many colours, columns and rows."""
    look = theme("plain" if preferences.plain else preferences.theme, depth)
    if columns > _EXACT_COLUMNS:
        columns -= (columns - _EXACT_COLUMNS) % 8
    return TextStyle(
        theme=look.name,
        depth=depth if look.nicks and look.name != "mono" else NONE,
        width=columns - 1,  # so that no terminal makes an empty row of a full one
        bell=preferences.bell,
        timestamps=time_format(preferences),
        timezone=preferences.timezone,
        joins="off" if preferences.plain and preferences.joins == "fold" else preferences.joins,
        spoken=preferences.plain,
        recalled_timezone=preferences.timezone,
        rows=rows,
    )


def plain_style(preferences: Preferences) -> TextStyle:
    """How somebody is shown things over a plain connection: lines without colours or bells."""
    timestamps = time_format(preferences)
    return TextStyle(
        timestamps=timestamps,
        timezone=preferences.timezone if timestamps else "UTC",
        recalled_timezone=preferences.timezone,
        joins=preferences.joins,
    )


def time_format(preferences: Preferences) -> str:
    """The format of the times before messages; empty when there are none."""
    chosen = preferences.timestamps
    return {"off": "", "on": "HH:MM"}.get(chosen, chosen)
