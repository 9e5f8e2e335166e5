"""Watching: looks again and again at what the store keeps waiting, so that people are shown it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.chat.chat import Chat

#: Seconds between two looks, each of which takes a microsecond while nothing waits.
LOOK_SECONDS = 0.2


class UnacknowledgedCheck(Service):
    """Lets the chat look while the service runs; ``now`` is the time of day."""

    _log = Logger()

    def __init__(self, chat: Chat, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._looks = LoopingCall(lambda: chat.posting.check_pending(now()))
        self._looks.clock = clock

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        looking = self._looks.start(LOOK_SECONDS, now=False)
        looking.addErrback(lambda failure: self._log.failure("looking failed", failure=failure))

    def stopService(self) -> None:
        """Look no more."""
        super().stopService()
        if self._looks.running:
            self._looks.stop()
