"""Preferred style: a user's preferences and terminal to a `TextStyle`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from chatd.chat.model.preferences import Preferences
from chatd.terminal.style import TextStyle
from chatd.terminal.text.colours import NONE
from chatd.terminal.text.themes import theme

#: Columns up to which every width has its own style; beyond, widths are rounded down to a multiple
#: of 8 from here.  A room with terminals of all possible widths has some 110 styles to render.
_EXACT_COLUMNS: Final = 80


@lru_cache(maxsize=2048)
def style_for(preferences: Preferences, depth: int, columns: int, rows: int) -> TextStyle:
    """Return the style for a terminal; ``depth`` is the number of its colours."""
    chosen = theme("plain" if preferences.plain else preferences.theme, depth)
    if columns > _EXACT_COLUMNS:
        columns -= (columns - _EXACT_COLUMNS) % 8
    return TextStyle(
        theme=chosen.name,
        depth=depth if chosen.nicks and chosen.name != "mono" else NONE,
        width=columns - 1,  # some terminals follow a full row with an empty one
        bell=preferences.bell,
        timestamps=time_format(preferences),
        timezone=preferences.timezone,
        joins="off" if preferences.plain and preferences.joins == "fold" else preferences.joins,
        screen_reader=preferences.plain,
        recalled_timezone=preferences.timezone,
        rows=rows,
    )


def plain_style(preferences: Preferences) -> TextStyle:
    """Return the style for a plain connection: lines without colours, wrapping or bells."""
    timestamps = time_format(preferences)
    return TextStyle(
        timestamps=timestamps,
        timezone=preferences.timezone if timestamps else "UTC",
        recalled_timezone=preferences.timezone,
        joins=preferences.joins,
    )


def time_format(preferences: Preferences) -> str:
    """Return the format of the times before messages; empty when there are none."""
    chosen = preferences.timestamps
    return {"off": "", "on": "HH:MM"}.get(chosen, chosen)
