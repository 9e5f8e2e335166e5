"""Descriptors: raises the soft limit on open files as far as allowed."""

from __future__ import annotations

import resource

from twisted.logger import Logger

_log = Logger()

#: Descriptors that are not connections: listening ports, epoll, the log, files being read.
OTHERS = 64


def raise_descriptor_limit(connections: int) -> None:
    """Allow the process this many connections, or warn that the system does not."""
    wanted = connections + OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
    if possible < wanted:
        _log.warn(
            "the system allows {allowed} open files, enough for {connections} connections; "
            "raise it with LimitNOFILE= or ulimit -n",
            allowed=possible,
            connections=possible - OTHERS,
        )
