"""Line budgets: how many lines a person, and all people of one address, may send.

A line needs a token of both budgets.  Whatever is sent by a person counts, over any number of
connections, channels, commands and protocols.  Times are seconds on any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from chatd.chat.limits import LINE_BUDGETS, LINES_PER_ADDRESS, Rate
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.bucket import BucketTable, TokenBucket


class Standing(IntEnum):
    """Who goes first when capacity is tight; an account counts once it is established."""

    GUEST = 0
    ACCOUNT = 1
    OPERATOR = 2


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a line: the owner of an account (its folded nick), or a guest; and from where.

    ``account`` is empty for a guest, ``address`` on a Unix socket.
    """

    account: str = ""
    address: str = ""
    standing: Standing = Standing.GUEST


@dataclass(frozen=True, slots=True)
class Reservation:
    """The place of one line in its budgets: it goes out after ``wait`` seconds.

    ``of_address`` says that it waits for the budget of the address, which others use up.
    """

    wait: float
    of_address: bool
    buckets: tuple[TokenBucket, ...]

    def give_back(self) -> None:
        """Give the tokens back: the line is not sent."""
        for bucket in self.buckets:
            bucket.give_back()


AT_ONCE = Reservation(0.0, False, ())


def rate_of_address(person: Rate | None) -> Rate | None:
    """Return the rate of an address, from that of one person."""
    if person is None:
        return None
    return Rate(person.burst * LINES_PER_ADDRESS, person.per_second * LINES_PER_ADDRESS)


class LineBudgets:
    """The budgets of everybody on the server.

    Established accounts have a budget of their own at each address, which guests there cannot use
    up; operators need only their personal one.

    :param person: the rate of one person; None: without a limit.
    :param address: the rate of all guests of one address, and of all accounts there.
    """

    def __init__(self, person: Rate | None, address: Rate | None) -> None:
        self.person = person
        self.address = address
        self._accounts = BucketTable(person or Rate(), LINE_BUDGETS)
        self._addresses = {
            standing: BucketTable(address or Rate(), LINE_BUDGETS)
            for standing in (Standing.GUEST, Standing.ACCOUNT)
        }

    def reserve(
        self, sender: Sender, of_guest: Callable[[Rate, float], TokenBucket], now: float
    ) -> Reservation:
        """Return the place of a sender's next line.

        :param of_guest: returns the personal bucket of a guest.
        """
        own = shared = 0.0
        buckets: tuple[TokenBucket, ...] = ()
        if self.person is not None:
            bucket = (
                self._accounts.get(sender.account, now)
                if sender.account
                else of_guest(self.person, now)
            )
            own = bucket.reserve(now)
            buckets += (bucket,)
        if self.address is not None and sender.address and sender.standing in self._addresses:
            bucket = self._addresses[sender.standing].get(prefix(sender.address), now)
            shared = bucket.reserve(now)
            buckets += (bucket,)
        return Reservation(max(own, shared), shared > own, buckets) if buckets else AT_ONCE


class LineBudget:
    """The line budget of one connection, whose channels share it.

    A guest has a personal bucket for each connection, the owner of an account one for all of them.
    ``entered`` says whether somebody has come in by the connection: everybody after them costs a
    line, as what connects counts already.
    """

    __slots__ = ("_budgets", "_guest", "entered")

    def __init__(self, budgets: LineBudgets) -> None:
        self._budgets = budgets
        self._guest: TokenBucket | None = None  # most people only listen
        self.entered = False

    def _bucket(self, rate: Rate, now: float) -> TokenBucket:
        if self._guest is None:
            self._guest = TokenBucket(rate, now)
        return self._guest

    def reserve(self, sender: Sender, now: float) -> Reservation:
        """Return the place of the connection's next line."""
        return self._budgets.reserve(sender, self._bucket, now)
