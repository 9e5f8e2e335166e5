"""Login throttle: makes guessing passwords slow without locking out the owners of accounts.

A wrong password delays further attempts from its address, and further attempts at its account from
any address where the owner is unknown.  From an address where the owner has logged in before, wrong
passwords count for that account at that address only: strangers cannot delay the owner there,
wherever they guess from.  Each delay is twice the last one, up to a bound.

An attempt counts as wrong from its beginning until it turns out to be right, so that concurrent
attempts gain nothing over consecutive ones.  Times are seconds since the epoch; nothing is kept
when the server stops.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from chatd.chat.limits import (
    KNOWN_ADDRESSES,
    LOGIN_FORGOTTEN,
    LOGIN_TRIES,
    LOGIN_WAIT_OF_ACCOUNT,
    LOGIN_WAIT_OF_ADDRESS,
    THROTTLE_ENTRIES,
    Rate,
)
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.bucket import TokenBucket


@dataclass(slots=True)
class _Wrong:
    """The wrong passwords of one source; ``last`` is when, and none is tried before ``until``."""

    count: int
    last: float
    until: float


class Backoff:
    """Exponential backoff for one kind of source; no source waits longer than ``longest`` seconds.

    With too many sources, the one whose last wrong password is oldest is forgotten.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wrong)

    def _find(self, source: str, now: float) -> _Wrong | None:
        wrong = self._wrong.get(source)
        if wrong is None:
            return None
        if wrong.last > now:  # the clock was set back: the rest of the wait begins at the new time
            wrong.until -= wrong.last - now
            wrong.last = now
        if now - wrong.last > LOGIN_FORGOTTEN:
            del self._wrong[source]
            return None
        return wrong

    def _delay(self, count: int) -> float:
        # Beyond 2.0**1023 a float overflows.
        return (
            0.0 if count < LOGIN_TRIES else min(2.0 ** min(count - LOGIN_TRIES, 64), self._longest)
        )

    def wait(self, source: str, now: float) -> float:
        """Return how many seconds a source has to wait."""
        wrong = self._find(source, now)
        return max(0.0, wrong.until - now) if wrong else 0.0

    def count(self, source: str, now: float) -> None:
        """Count a wrong password."""
        wrong = self._find(source, now) or _Wrong(0, now, now)
        wrong.count += 1
        wrong.last = now
        wrong.until = now + self._delay(wrong.count)
        self._wrong[source] = wrong
        self._wrong.move_to_end(source)
        if len(self._wrong) > THROTTLE_ENTRIES:
            self._wrong.popitem(last=False)

    def withdraw(self, source: str, now: float) -> None:
        """Withdraw the last wrong password, which was right after all; earlier ones remain."""
        wrong = self._wrong.get(source)
        if wrong is None:
            return
        wrong.count -= 1
        wrong.until = now
        if wrong.count <= 0:
            del self._wrong[source]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to log in to an account, and the sources for which it has been counted."""

    account: str
    address: str
    counted: tuple[tuple[Backoff, str], ...]


class LoginThrottle:
    """The wrong passwords of the server, by address and by account."""

    def __init__(self) -> None:
        self._addresses = Backoff(LOGIN_WAIT_OF_ADDRESS)
        self._accounts = Backoff(LOGIN_WAIT_OF_ACCOUNT)
        self._owners = Backoff(LOGIN_WAIT_OF_ACCOUNT)
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def is_known(self, account: str, address: str) -> bool:
        """Whether the owner of an account has logged in from an address before."""
        return prefix(address) in self._known.get(account, ())

    def _sources(self, account: str, address: str) -> list[tuple[Backoff, str]]:
        """Return the sources that an attempt counts for.

        The empty address of a Unix socket is not a source.
        """
        network = prefix(address)
        if self.is_known(account, address):
            return [(self._owners, f"{account} {network}")]
        by_address = [(self._addresses, network)] if network else []
        return [*by_address, (self._accounts, account)]

    def wait(self, account: str, address: str, now: float) -> float:
        """Return how many seconds an attempt at an account from an address has to wait."""
        sources = self._sources(account, address)
        return max(backoff.wait(source, now) for backoff, source in sources)

    def begin(self, account: str, address: str, now: float) -> Attempt:
        """Begin an attempt, which counts as wrong from now on."""
        sources = self._sources(account, address)
        for backoff, source in sources:
            backoff.count(source, now)
        return Attempt(account, address, tuple(sources))

    def succeeded(self, attempt: Attempt, now: float) -> None:
        """Note that an attempt was right: the owner is known at its address from now on."""
        self.withdraw(attempt, now)
        self.owner_logged_in(attempt.account, attempt.address)

    def withdraw(self, attempt: Attempt, now: float) -> None:
        """Withdraw an attempt whose password was not wrong, although it gave no access."""
        for backoff, source in attempt.counted:
            backoff.withdraw(source, now)

    def owner_logged_in(self, account: str, address: str) -> None:
        """Remember an address from which an owner has logged in; only the last few are kept."""
        network = prefix(address)
        if not network:
            return
        others = tuple(each for each in self._known.get(account, ()) if each != network)
        self._known[account] = (*others, network)[-KNOWN_ADDRESSES:]
        self._known.move_to_end(account)
        if len(self._known) > THROTTLE_ENTRIES:
            self._known.popitem(last=False)


class PerAddressRate:
    """A token bucket for each address; with too many of them the least recently used is dropped."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Take a token and return 0, or return the seconds until the address has one."""
        network = prefix(address)
        bucket = self._buckets.setdefault(network, TokenBucket(self._rate, now))
        self._buckets.move_to_end(network)
        if len(self._buckets) > THROTTLE_ENTRIES:
            self._buckets.popitem(last=False)
        return bucket.wait(now)
