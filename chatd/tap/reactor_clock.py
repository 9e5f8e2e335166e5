"""Reactor clock: the reactor measures durations on a clock that nobody can set."""

from __future__ import annotations

import time
from typing import Any


def use_monotonic_clock(reactor: Any) -> None:
    """Let a reactor count its seconds from an arbitrary moment, not from the epoch.

    Twisted's ``reactor.seconds`` is the time of day.  When that is set back by an hour, whatever
    was scheduled before is late by an hour, and whatever is measured with it (flood control, the
    rate of an address) stands still for as long.  Called before anything is scheduled.
    """
    reactor.seconds = time.monotonic


def since_boot() -> float:
    """Return seconds on a clock that also counts while the machine is suspended, if there is one.

    Leases need it: the other servers' time goes on while this machine sleeps.
    """
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)
