"""Clock watch: compares the time of day with the one that it should be, and logs a doubt."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.chat.chat import Chat

#: Seconds between two looks at the clock, each of which takes some microseconds.
CHECK_SECONDS = 1.0


class ClockWatch(Service):
    """Checks the time of day while the service runs; ``now`` returns it."""

    _log = Logger()

    def __init__(self, chat: Chat, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._chat = chat
        self._now = now
        self._is_reported = False
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    def startService(self) -> None:
        """Start checking."""
        super().startService()
        checking = self._checks.start(CHECK_SECONDS)
        checking.addErrback(lambda failure: self._log.failure("a check failed", failure=failure))

    def stopService(self) -> None:
        """Stop checking."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()

    def _check(self) -> None:
        now, believed = self._now(), self._chat.believed
        if self._chat.opened is None:  # what it is compared with is not read yet
            return
        if believed.check(now):
            if self._is_reported:
                self._log.info("clock: the time is believed again")
            self._is_reported = False
            self._chat.last_time.keep(now)
        elif not self._is_reported and (doubt := believed.doubt(now)):
            self._is_reported = True
            self._log.warn("clock: {doubt}", doubt=doubt)
