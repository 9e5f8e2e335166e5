"""Unacknowledged check: finds lines that the store has not acknowledged, so that users see them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from chatd.chat.chat import Chat
from chatd.transport.services.periodic import PeriodicCheck

#: Seconds between two checks, each of which takes a microsecond while nothing is pending.
CHECK_SECONDS = 0.2


class UnacknowledgedCheck(PeriodicCheck):
    """Runs the chat's check periodically; ``now`` is the time of day."""

    def __init__(self, chat: Chat, clock: IReactorTime, now: Callable[[], float]) -> None:
        super().__init__(clock, CHECK_SECONDS, lambda: chat.posting.check_pending(now()))
