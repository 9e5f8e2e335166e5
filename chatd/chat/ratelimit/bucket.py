"""Token bucket: a burst, then a steady rate; and a bounded table of them."""

from __future__ import annotations

from collections import OrderedDict

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

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._time) * self._rate)
        self._time = now

    def wait(self, now: float) -> float:
        """Take a token and return 0, or return the seconds until there is one."""
        self._refill(now)
        if self._tokens >= _WHOLE:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._rate

    def reserve(self, now: float) -> float:
        """Take a token, which may be one that is still to come; return the seconds until then.

        Those who share a bucket get its tokens in the order in which they reserve them.
        """
        self._refill(now)
        self._tokens -= 1
        return 0.0 if self._tokens >= _WHOLE - 1 else -self._tokens / self._rate

    def give_back(self) -> None:
        """Give back a reserved token that is not used after all."""
        self._tokens = min(self._burst, self._tokens + 1)


class BucketTable:
    """Token buckets of one rate, by name; beyond ``most`` the least recently used one is dropped.

    A bucket that is dropped begins anew, with its whole burst.
    """

    __slots__ = ("_buckets", "_most", "rate")

    def __init__(self, rate: Rate, most: int) -> None:
        self.rate = rate
        self._most = most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def get(self, name: str, now: float) -> TokenBucket:
        """Return the bucket with this name; a new one is full."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = TokenBucket(self.rate, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(name)
        return bucket
