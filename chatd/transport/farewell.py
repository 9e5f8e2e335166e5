"""Farewell: when the server stops, everyone is told and their connections are closed."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from chatd.chat.chat import Chat
from chatd.chat.events import Notice

#: Seconds for last words to leave.
LAST_WORDS_SECONDS = 0.2


class Farewell(Service):
    """Says goodbye as the service stops."""

    def __init__(self, chat: Chat, clock: Any) -> None:
        self._chat = chat
        self._clock = clock

    def stopService(self) -> Deferred[None] | None:
        """Tell everyone, close their connections, and wait a moment."""
        super().stopService()
        everyone = self._chat.people.everyone()
        for person in everyone:
            for session in tuple(person.sessions):
                session.deliver(Notice("The server is stopping. Goodbye."))
                session.reader.close()
        if not everyone:
            return None
        done: Deferred[None] = Deferred()
        self._clock.callLater(LAST_WORDS_SECONDS, done.callback, None)
        return done
