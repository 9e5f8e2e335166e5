"""Believed time: the time of day, as far as what ends or is deleted at a time goes by it.

A clock that is 400 days ahead for a few seconds must not delete all history, nor lift every ban and
mute.  So a time of day is believed unless it is more than a day later than it should be: than the
last time that was believed and what has passed since, by a clock that nobody can set.  After 24
hours at the same time it is believed nevertheless: perhaps it is right, and the last one was wrong.

The times of messages are not concerned: they are what the clock says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

#: Seconds by which the time of day may differ from what it should be: a time zone set wrongly, or
#: a day without anything on record.
TOLERANCE = 86400.0
#: Seconds for which another time of day has to stand until it is believed.
TRIAL_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """A time of day, and when it was seen, in seconds that nobody can set."""

    time: float
    at: float

    def expected(self, elapsed: float) -> float:
        """Return the time of day that it should be by now."""
        return self.time + elapsed - self.at

    def agrees(self, now: float, elapsed: float) -> bool:
        return abs(now - self.expected(elapsed)) <= TOLERANCE


class BelievedTime:
    """Decides whether a time of day is believed.

    ``elapsed`` returns seconds on a clock that nobody can set, and that counts while the machine is
    suspended; without it every time is believed.  `at` may be called by any thread.
    """

    def __init__(self, elapsed: Callable[[], float] | None = None) -> None:
        self._elapsed = elapsed
        self._seen: _Seen | None = None
        self._on_trial: _Seen | None = None

    def saw(self, time: float) -> None:
        """Note a time of day that was believed before this process started."""
        if self._elapsed is None:
            return
        seen, elapsed = self._seen, self._elapsed()
        if seen is None or seen.expected(elapsed) < time:
            self._seen = _Seen(time, elapsed)

    def at(self, now: float) -> float:
        """Return the time of day by which things end: ``now``, or an earlier one if in doubt."""
        seen = self._seen
        if seen is None or self._elapsed is None:
            return now
        expected = seen.expected(self._elapsed())
        return now if now <= expected + TOLERANCE else expected

    def check(self, now: float) -> bool:
        """Go on from a time of day if it is believed, and return whether it is; called often."""
        if self._elapsed is None:
            return True
        elapsed, seen, trial = self._elapsed(), self._seen, self._on_trial
        if seen is None or seen.agrees(now, elapsed):
            self._seen, self._on_trial = _Seen(now, elapsed), None
        elif trial is None or not trial.agrees(now, elapsed):
            self._on_trial = _Seen(now, elapsed)
        elif elapsed - trial.at >= TRIAL_SECONDS:
            self._seen, self._on_trial = _Seen(now, elapsed), None
        return self._on_trial is None

    def doubt(self, now: float) -> str:
        """Return why nothing ends or is deleted by this time of day; empty if it is believed."""
        believed = self.at(now)
        if believed == now:
            return ""
        return (
            f"the clock says {_day(now)}, and it should be {_day(believed)}: nothing ends or is"
            " deleted for its age before 24 hours have passed"
        )


def _day(time: float) -> str:
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")
    except (OSError, OverflowError, ValueError):
        return "a day that no calendar has"
