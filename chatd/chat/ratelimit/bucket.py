"""How fast somebody may go on: a burst, then so much a second."""

from __future__ import annotations

from chatd.chat.limits import Rate

#: What counts as a whole token: sums of fractions come out a little short of one, and who waited
#: for the rest of it would wait for a time too short for any clock.
_WHOLE = 1 - 1e-6


class TokenBucket:
    """A token bucket.  Times are seconds on any clock that does not go back."""

    __slots__ = ("_burst", "_rate", "_time", "_tokens")

    def __init__(self, flood: Rate, now: float) -> None:
        self._burst = float(flood.burst)
        self._rate = flood.a_second
        self._tokens = self._burst
        self._time = now

    def wait(self, now: float) -> float:
        """Return the seconds until the next step is allowed; 0 takes that step now."""
        self._tokens = min(self._burst, self._tokens + (now - self._time) * self._rate)
        self._time = now
        if self._tokens >= _WHOLE:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate
