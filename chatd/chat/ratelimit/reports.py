"""Reports: what tools outside the chat may act on, such as a firewall that blocks an address.

They are values; the server's log writes them (`chatd.transport.security_log`).  ``address`` is
empty on a Unix socket; ``way`` is the name of the way in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WrongSecret:
    """A wrong password of an account (its folded nick), or a wrong key of a room (its name)."""

    address: str
    way: str
    account: str = ""
    room: str = ""


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A client that may not come in, or may not try another secret now; ``why`` is a code word."""

    address: str
    way: str
    why: str


@dataclass(frozen=True, slots=True)
class Flood:
    """People of one address who write more than the address may, or a wave of new guests.

    ``people`` is how many of them there are; ``address`` of a wave is that of most of them.
    """

    address: str
    why: str
    people: int


SecurityReport = WrongSecret | TurnedAway | Flood

#: Takes a report.
Report = Callable[[SecurityReport], None]


def ignore(report: SecurityReport) -> None:
    """Do nothing with a report: nobody reads it."""
