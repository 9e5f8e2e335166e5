"""Garbage collection: keeps Python's collector from stopping the server.

CPython frees most objects when the last reference goes; the garbage collector only finds those that
refer to each other in cycles.  Its oldest generation is everything that has lived for a while: with
20,000 people its collection stops the server for 0.2 s, with 100,000 for 0.8 s, to find next to
nothing, as no connection of this server leaves a cycle.  Cycles may still come from libraries, and
from exceptions, so it is not simply switched off.  Instead:

- Once the server has started, everything is collected and *frozen* (`gc.freeze`): the modules, and
  what was loaded, are not looked at again.
- After that the oldest generation is collected here, when it has grown by `GROWTH` objects, and
  what remains is frozen as well.  Such a collection looks at what is new, however many people are
  here, and takes a few ms.
- What becomes garbage after it was frozen needs a *full* collection, of everything.  That happens
  in a quiet hour: `FULL_SECONDS` after the last one at the earliest, when the server has done next
  to nothing for `QUIET_SECONDS`, and at least `WORTHWHILE` objects have been added since.  A server
  that is never quiet makes one after `MOST_GROWTH` objects, some 300 MB if all of them were
  garbage: that bounds its memory.

The two younger generations are left to Python, as they take less than a ms.  So is everything
where the collector is incremental (Python 3.14): there it has no oldest generation that it collects
at once, which shows in a third threshold of 0, and bounds its pauses itself.  Of the points above
only the first applies then.

A service that stops restores the collector as it found it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

#: Seconds between two checks, each of which takes a microsecond while nothing has grown.
CHECK_SECONDS = 0.25
#: Objects by which the oldest generation may grow until it is collected and frozen: a few ms.
GROWTH = 15_000
#: The bounds of full collections; see above.
FULL_SECONDS = 3600.0
QUIET_SECONDS = 60.0
WORTHWHILE = 100_000
MOST_GROWTH = 2_000_000
#: The share of one processor that a quiet server uses at most.
QUIET_SHARE = 0.02

#: A threshold that is never reached: the largest number that `gc.set_threshold` takes.
_NEVER = 2**31 - 1


class GarbageCollection(Service):
    """Collects garbage when that disturbs least; see the module.

    ``cpu`` returns the CPU time of this process, in seconds.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, cpu: Callable[[], float] = time.process_time) -> None:
        self._clock = clock
        self._cpu = cpu
        self._checks = LoopingCall(self.check)
        self._checks.clock = clock
        self._starting: IDelayedCall | None = None
        self._thresholds = gc.get_threshold()
        self._growth = 0
        self._full_at = 0.0
        self._busy_at = 0.0
        self._checked_at = self._cpu_at_check = 0.0

    @property
    def is_incremental(self) -> bool:
        """Whether Python collects its oldest generation in small steps."""
        return self._thresholds[2] == 0

    def startService(self) -> None:
        """Begin at the end of the turn, when all of the server has started."""
        super().startService()
        self._thresholds = gc.get_threshold()
        self._starting = self._clock.callLater(0, self._begin)

    def _begin(self) -> None:
        self._starting = None
        self._collect_all()
        if self.is_incremental:
            return
        young, middle, _ = self._thresholds
        gc.set_threshold(young, middle, _NEVER)
        self._busy_at = self._checked_at = self._clock.seconds()
        self._cpu_at_check = self._cpu()
        checking = self._checks.start(CHECK_SECONDS, now=False)
        checking.addErrback(lambda failure: self._log.failure("a check failed", failure=failure))

    def stopService(self) -> None:
        """Restore Python's own collection."""
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        if self._checks.running:
            self._checks.stop()
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()

    def check(self) -> None:
        """Collect what is due."""
        now = self._clock.seconds()
        quiet = self._note_activity(now)
        grown = self._grown()
        if self._growth + grown >= MOST_GROWTH or (
            quiet and now - self._full_at >= FULL_SECONDS and self._growth + grown >= WORTHWHILE
        ):
            self._collect_all()
        elif grown >= GROWTH:
            self._growth += grown
            gc.collect()
            gc.freeze()

    def _grown(self) -> int:
        """Return by how many objects the oldest generation has grown since it was collected.

        Each collection of the middle generation adds what survived of the objects since the last.
        """
        young, middle, _ = self._thresholds
        return gc.get_count()[2] * (young + 1) * (middle + 1)

    def _note_activity(self, now: float) -> bool:
        """Note whether the server did anything since the last check; return whether it is quiet."""
        cpu = self._cpu()
        if cpu - self._cpu_at_check > QUIET_SHARE * (now - self._checked_at):
            self._busy_at = now
        self._checked_at, self._cpu_at_check = now, cpu
        return now - self._busy_at >= QUIET_SECONDS

    def _collect_all(self) -> None:
        """Make a full collection, and freeze what remains."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._growth = 0
        self._full_at = self._clock.seconds()
