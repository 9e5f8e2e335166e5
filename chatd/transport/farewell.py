"""Farewell: when the server stops, everyone is told, their connections and the store are closed."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from chatd.chat.chat import Chat
from chatd.chat.events import Notice
from chatd.chat.store import Store

#: Seconds for last words to leave.
LAST_WORDS_SECONDS = 0.2

#: What people are told.
STOPPING = "The server is stopping. Goodbye."


class Farewell(Service):
    """Says goodbye as the service stops."""

    def __init__(self, chat: Chat, store: Store, clock: Any) -> None:
        self._chat = chat
        self._store = store
        self._clock = clock

    def stopService(self) -> Deferred[None]:
        """Tell everyone, close their connections, wait a moment, and close the store."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._chat.elsewhere.hang_up(STOPPING)
        everyone = self._chat.people.everyone()
        for person in everyone:
            for session in tuple(person.sessions):
                session.deliver(Notice(STOPPING))
                session.reader.close()
            place = self._chat.places.get(person)
            if place is not None:  # nobody comes back to it any more
                self._chat.profiles.has_read(person, place.read)
        if everyone:
            said: Deferred[None] = Deferred()
            self._clock.callLater(LAST_WORDS_SECONDS, said.callback, None)
            await said
        await self._store.close()
