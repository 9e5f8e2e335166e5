"""Times and dates in a user's time zone; each is formatted once and cached."""

from __future__ import annotations

from datetime import datetime
from functools import cache, lru_cache
from typing import Final
from zoneinfo import ZoneInfo

#: Time formats for strftime, by their names in `chatd.chat.model.preferences.TIMES`.
FORMATS: Final = {
    "": "%H:%M",
    "HH:MM": "%H:%M",
    "HH:MM:SS": "%H:%M:%S",
    "hh:MM": "%I:%M",
    "hh:MM:SS": "%I:%M:%S",
}

_MINUTE: Final = 60
#: Seconds.  UTC offsets are multiples of it, so that no time zone's midnight lies within one.
QUARTER_HOUR: Final = 15 * _MINUTE


def time_of_day(time: float, zone: str, form: str) -> str:
    """Return the time of day in one of the `FORMATS`; ``time`` is seconds since the epoch."""
    step = 1 if form.endswith("SS") else _MINUTE
    return _clock(int(time // step) * step, zone, form)


@lru_cache(maxsize=512)
def _clock(time: int, zone: str, form: str) -> str:
    local = datetime.fromtimestamp(time, _zone(zone))
    half = (" am", " pm")[local.hour >= 12] if form.startswith("h") else ""
    return local.strftime(FORMATS[form]) + half


def date(time: float, zone: str) -> str:
    """Return the date, as 2030-12-31."""
    return _date(int(time // QUARTER_HOUR), zone)


@lru_cache(maxsize=512)
def _date(quarter: int, zone: str) -> str:
    return datetime.fromtimestamp(quarter * QUARTER_HOUR, _zone(zone)).strftime("%Y-%m-%d")


def day_line(time: float, zone: str) -> str:
    """Return the date in words, as Tuesday, 31 December 2030."""
    local = datetime.fromtimestamp(time, _zone(zone))
    return f"{local:%A}, {local.day} {local:%B %Y}"


@cache
def _zone(name: str) -> ZoneInfo:
    """Return a zone, read once: there are some 600, and a flush must not wait for files."""
    return ZoneInfo(name)
