"""Descriptors: the limit on open files, and how many connections it leaves room for."""

from __future__ import annotations

import resource
from typing import Protocol

from twisted.logger import Logger

_log = Logger()

#: Descriptors that are not connections: listening ports, epoll, the log, files being read.
OTHERS = 64


class Capacity(Protocol):
    """The connections that a server would have."""

    @property
    def capacity(self) -> int:
        """How many there may be."""

    @property
    def people(self) -> int:
        """How many there may be, without those of operators."""


def allowed_connections(option: int, wished: Capacity) -> int:
    """Return how many people may be connected, at most those that are wished for.

    The limit on open files is raised as far as the system allows.  If that does not suffice, the
    number is what fits, and a warning says so: otherwise connections beyond it would be closed
    without a word, those of operators as well.  ``option`` is what --max-connections says.
    """
    wanted = wished.capacity + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wished.people
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == wanted:
        return wished.people
    possible = min(wished.people, max(1, allowed - OTHERS))
    _log.warn(
        "--max-connections {option} needs {wanted} open files, the system allows {allowed}: "
        "{possible} people may come; raise it with LimitNOFILE= or ulimit -n",
        option=option,
        wanted=wanted,
        allowed=allowed,
        possible=possible,
    )
    return possible
