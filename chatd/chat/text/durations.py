"""Durations: parsed as users type them (``2h``), and formatted for sentences (``2 hours``)."""

from __future__ import annotations

import re
from math import ceil

from chatd.chat.events import Refused
from chatd.chat.limits import BAN_SECONDS
from chatd.chat.text.sanitizing import cut

_TYPED = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_SIZES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def split_duration(words: str) -> tuple[float | None, str]:
    """Split a duration from the words after it; None (for good) when there is none.

    The duration is in seconds.  A first word that begins with a digit has to be a duration: a user
    who types ``30min`` does not want a ban for good.

    :raises Refused: ``bad-duration``.
    """
    first, _, rest = words.partition(" ")
    if not (first[:1].isascii() and first[:1].isdigit()):
        return None, words
    typed = _TYPED.fullmatch(first)
    if typed is None:
        raise Refused("bad-duration", f"A time is written 30m, 2h, 7d or 1w, not {cut(first, 40)}.")
    seconds = int(typed[1]) * _SIZES[typed[2]]
    if not 0 < seconds <= BAN_SECONDS:
        most = BAN_SECONDS // 86400
        raise Refused("bad-duration", f"A time is at most {most}d; without one it is for good.")
    return float(seconds), rest.strip()


def duration(seconds: float) -> str:
    """Return a time span in words, in its largest whole unit: ``2 hours``."""
    for unit, size in _UNITS:
        if seconds >= size:
            return _counted(int(seconds // size), unit)
    return f"{max(0, int(seconds))} s"


def remaining(seconds: float) -> str:
    """Return a remaining time span, rounded up, in its largest unit and the next one."""
    whole = max(1, ceil(seconds))
    if whole < 60:
        return f"{whole} s"
    whole = -(-whole // 60) * 60
    for (unit, size), (smaller, part) in zip(_UNITS, (*_UNITS[1:], ("", 1)), strict=True):
        if whole >= size:
            count, rest = divmod(whole, size)
            largest = _counted(count, unit)
            return f"{largest} {_counted(rest // part, smaller)}" if rest >= part > 1 else largest
    raise AssertionError("a minute is the smallest unit")


def term(since: float, until: float | None) -> str:
    """Return how long something set at ``since`` holds: ``for 2 hours``, ``for good``."""
    return "for good" if until is None else f"for {remaining(until - since)}"


def rest(until: float | None, now: float) -> str:
    """Return how long something set earlier still holds: ``for another 2 hours``, ``for good``."""
    return "for good" if until is None else f"for another {remaining(until - now)}"


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'s' * (count != 1)}"
