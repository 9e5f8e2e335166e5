"""Unacknowledged check: finds lines that the store has not acknowledged, so that users see them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.chat.chat import Chat

#: Seconds between two checks, each of which takes a microsecond while nothing is pending.
CHECK_SECONDS = 0.2


class UnacknowledgedCheck(Service):
    """Runs the chat's check periodically; ``now`` is the time of day."""

    _log = Logger()

    def __init__(self, chat: Chat, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._checks = LoopingCall(lambda: chat.posting.check_pending(now()))
        self._checks.clock = clock

    def startService(self) -> None:
        """Start checking."""
        super().startService()
        checking = self._checks.start(CHECK_SECONDS, now=False)
        checking.addErrback(lambda failure: self._log.failure("a check failed", failure=failure))

    def stopService(self) -> None:
        """Stop checking."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()
