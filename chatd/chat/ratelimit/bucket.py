"""Token bucket: a burst, then a steady rate."""

from __future__ import annotations

from chatd.chat.limits import Rate

#: The fraction that counts as a whole token.  Sums of fractions come out slightly below one, and
#: the wait for the rest would be too short for any clock.
_WHOLE = 1 - 1e-6


class TokenBucket:
    """A token bucket.  Times are seconds on any clock.

    A clock that is set back adds no wait: the bucket goes on from the new time.
    """

    __slots__ = ("_burst", "_rate", "_time", "_tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self._burst = float(rate.burst)
        self._rate = rate.per_second
        self._tokens = self._burst
        self._time = now

    def wait(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._time) * self._rate)
        self._time = now
        if self._tokens >= _WHOLE:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate
