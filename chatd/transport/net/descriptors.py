"""Descriptors: the limit on open files, and how many connections it leaves room for."""

from __future__ import annotations

import resource

from twisted.logger import Logger

_log = Logger()

#: Descriptors that are not connections: listening ports, epoll, the log, files being read.
OTHERS = 64


def allowed_connections(most: int, reserve: int) -> int:
    """Return how many connections this process may have, at most ``most``.

    The limit on open files is raised as far as the system allows.  If that does not suffice for
    these connections and a ``reserve``, the number is what fits, and a warning says so: otherwise
    connections beyond it would be closed without a word, those of operators as well.
    """
    wanted = most + reserve + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return most
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == wanted:
        return most
    possible = min(most, max(1, allowed - OTHERS))
    _log.warn(
        "--max-connections {most} needs {wanted} open files, the system allows {allowed}: "
        "{possible} people may come; raise it with LimitNOFILE= or ulimit -n",
        most=most,
        wanted=wanted,
        allowed=allowed,
        possible=possible,
    )
    return possible
