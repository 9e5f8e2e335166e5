"""Slowing: how guessing passwords is made slow, and nobody else.

A wrong password costs its address a wait, and a wait for the account as well, but only for those
who come from addresses at which its owner is not known.  From an address from which the owner has
come before, wrong passwords count for that account and address alone: strangers cannot make the
owner wait there, wherever they guess from.  Each wait doubles the last one, up to a bound.

An attempt counts as wrong from its beginning until it turns out to be right, so that many at once
are no more than many in a row.  Times are seconds since the epoch; all of it is forgotten when the
server ends.
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
    LOGINS_REMEMBERED,
    Rate,
)
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.bucket import TokenBucket


@dataclass(slots=True)
class _Wrong:
    """So many wrong passwords, the last of them then; before ``until`` none is tried."""

    count: int
    last: float
    until: float


class Backoff:
    """Wrong passwords of some kind of source, each of which waits for at most ``longest`` seconds.

    With too many sources the one that was quiet for longest is forgotten.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()

    def __len__(self) -> int:
        return len(self._wrong)

    def _of(self, source: str, now: float) -> _Wrong | None:
        wrong = self._wrong.get(source)
        if wrong is not None and now - wrong.last > LOGIN_FORGOTTEN:
            del self._wrong[source]
            return None
        return wrong

    def _delay(self, count: int) -> float:
        # 2.0**1024 is no float.
        return (
            0.0 if count < LOGIN_TRIES else min(2.0 ** min(count - LOGIN_TRIES, 64), self._longest)
        )

    def wait(self, source: str, now: float) -> float:
        """How long a source has to wait now; never longer than it would if it began now."""
        wrong = self._of(source, now)
        return max(0.0, min(wrong.until - now, self._delay(wrong.count))) if wrong else 0.0

    def count(self, source: str, now: float) -> None:
        """One more wrong password."""
        wrong = self._of(source, now) or _Wrong(0, now, now)
        wrong.count += 1
        wrong.last = now
        wrong.until = now + self._delay(wrong.count)
        self._wrong[source] = wrong
        self._wrong.move_to_end(source)
        if len(self._wrong) > LOGINS_REMEMBERED:
            self._wrong.popitem(last=False)

    def take_back(self, source: str, now: float) -> None:
        """The last one was right after all; those before it count on."""
        wrong = self._wrong.get(source)
        if wrong is None:
            return
        wrong.count -= 1
        wrong.until = now
        if wrong.count <= 0:
            del self._wrong[source]


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody's password for an account, and what it has been counted for."""

    account: str
    address: str
    counted: tuple[tuple[Backoff, str], ...]


class LoginThrottle:
    """Every wrong password of the server, by where it came from and whose it was to be."""

    def __init__(self) -> None:
        self._addresses = Backoff(LOGIN_WAIT_OF_ADDRESS)
        self._accounts = Backoff(LOGIN_WAIT_OF_ACCOUNT)
        self._owners = Backoff(LOGIN_WAIT_OF_ACCOUNT)
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def is_known(self, account: str, address: str) -> bool:
        """Whether the owner of an account has come from an address before."""
        return prefix(address) in self._known.get(account, ())

    def _sources(self, account: str, address: str) -> list[tuple[Backoff, str]]:
        """What an attempt counts for; an empty address, that of a Unix socket, has no count."""
        place = prefix(address)
        if self.is_known(account, address):
            return [(self._owners, f"{account} {place}")]
        own = [(self._addresses, place)] if place else []
        return [*own, (self._accounts, account)]

    def wait(self, account: str, address: str, now: float) -> float:
        """How long one has to wait at an address for an attempt at an account."""
        sources = self._sources(account, address)
        return max(waits.wait(source, now) for waits, source in sources)

    def begin(self, account: str, address: str, now: float) -> Attempt:
        """An attempt is made, which counts as wrong from now on."""
        sources = self._sources(account, address)
        for waits, source in sources:
            waits.count(source, now)
        return Attempt(account, address, tuple(sources))

    def right(self, attempt: Attempt, now: float) -> None:
        """An attempt was right."""
        self.take_back(attempt, now)
        self.came(attempt.account, attempt.address)

    def take_back(self, attempt: Attempt, now: float) -> None:
        """An attempt was not wrong, although its account is not to be had."""
        for waits, source in attempt.counted:
            waits.take_back(source, now)

    def came(self, account: str, address: str) -> None:
        """The owner of an account has come from an address; the last few are known."""
        place = prefix(address)
        if not place:
            return
        others = tuple(each for each in self._known.get(account, ()) if each != place)
        self._known[account] = (*others, place)[-KNOWN_ADDRESSES:]
        self._known.move_to_end(account)
        if len(self._known) > LOGINS_REMEMBERED:
            self._known.popitem(last=False)


class PerAddressRate:
    """How often something may be done from each address; the oldest of many is forgotten."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._paces: OrderedDict[str, TokenBucket] = OrderedDict()
        self._now = 0.0

    def wait(self, address: str, now: float) -> float:
        """Do it now, or say in how many seconds it may be done."""
        place = prefix(address)
        now = self._now = max(now, self._now)  # the time of day may go back
        pace = self._paces.setdefault(place, TokenBucket(self._rate, now))
        self._paces.move_to_end(place)
        if len(self._paces) > LOGINS_REMEMBERED:
            self._paces.popitem(last=False)
        return pace.wait(now)
