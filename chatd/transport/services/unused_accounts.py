"""Unused accounts: deletes, a few at a time, accounts whose owners never came back."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.chat.actions.moderation.accounts import forget_unused
from chatd.chat.chat import Chat

#: Seconds between two looks at some of the accounts that were never used.
LOOK_SECONDS = 60.0


class UnusedAccounts(Service):
    """Looks at accounts while the service runs; ``now`` returns the time of day."""

    _log = Logger()

    def __init__(self, chat: Chat, clock: IReactorTime, now: Callable[[], float]) -> None:
        self._chat = chat
        self._now = now
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock

    def startService(self) -> None:
        """Start looking."""
        super().startService()
        looking = self._looks.start(LOOK_SECONDS, now=False)
        looking.addErrback(lambda failure: self._log.failure("a look failed", failure=failure))

    def stopService(self) -> None:
        """Stop looking."""
        super().stopService()
        if self._looks.running:
            self._looks.stop()

    def _look(self) -> None:
        forgetting = Deferred.fromCoroutine(self._forget())
        forgetting.addErrback(lambda why: self._log.failure("deleting failed", failure=why))

    async def _forget(self) -> None:
        count = await forget_unused(self._chat, self._now())
        if count:
            self._log.info("deleted {count} accounts that were never used", count=count)
