"""Periodic check: the base of services that look at something again and again."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class PeriodicCheck(Service):
    """Calls a function every ``seconds`` while the service runs, for the first time at its start.

    A bug in it is logged, and ends the checks.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, seconds: float, check: Callable[[], object]) -> None:
        self._seconds = seconds
        self._checks = LoopingCall(check)
        self._checks.clock = clock

    def startService(self) -> None:
        """Start checking."""
        super().startService()
        checking = self._checks.start(self._seconds)
        checking.addErrback(lambda failure: self._log.failure("a check failed", failure=failure))

    def stopService(self) -> None:
        """Stop checking."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()
