"""Farewell: when the server stops, everyone is told, their connections and the store are closed.

Where there are other servers, the places of those who could come back go to them: people connect
again, are where they were, and nobody has seen them leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.actions.resume import connection_lost
from chatd.chat.chat import Chat
from chatd.chat.events import Notice
from chatd.chat.model.entities import Person
from chatd.chat.store import Store
from chatd.cluster.cluster import Cluster

#: Seconds for last words to leave, and for places to go to the other servers.
LAST_WORDS_SECONDS = 0.2
MOVING_SECONDS = 20.0
#: Places that are on their way at once: fewer than are kept of one address.
AT_ONCE = 32

GOODBYE = Notice("The server is stopping. Goodbye.")
MOVED = Notice("This server is stopping. Connect again, and you are where you were.")


class Shutdown(Service):
    """Says goodbye as the service stops.

    ``now`` is the time of day; ``cluster`` has the other servers, if there are any.
    """

    _log = Logger()

    def __init__(
        self,
        chat: Chat,
        store: Store,
        clock: IReactorTime,
        now: Callable[[], float],
        cluster: Cluster | None = None,
    ) -> None:
        self._chat = chat
        self._store = store
        self._clock = clock
        self._now = now
        self._cluster = cluster

    def stopService(self) -> Deferred[None]:
        """Tell everyone, close their connections, wait a moment, and close the store."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        everyone = self._chat.people.here()
        if self._cluster is not None:
            self._cluster.stop_accepting()
            self._cluster.hang_up(MOVED.text)
            await self._move(self._cluster, everyone)
        for person in everyone:
            for session in tuple(person.sessions):
                session.deliver(GOODBYE)
                session.client.close()
            place = self._chat.detached.get(person)
            if place is not None:  # nobody comes back to it any more
                self._chat.profiles.mark_read(person, place.read)
        if everyone:
            said: Deferred[None] = Deferred()
            self._clock.callLater(LAST_WORDS_SECONDS, said.callback, None)
            await said
        if self._cluster is not None:
            self._cluster.goodbye()
        await self._store.close()

    # To the other servers -------------------------------------------------------------------------

    async def _move(self, cluster: Cluster, everyone: Sequence[Person]) -> None:
        """Let everybody who could come back do so at another server, if there is one."""
        servers = cluster.names
        if not servers:
            return
        waiting, takers = iter(everyone), Takers(servers)
        movers = [
            Deferred.fromCoroutine(self._move_some(cluster, waiting, takers))
            for _ in range(AT_ONCE)
        ]
        moving = gatherResults(movers, consumeErrors=True)
        late = self._clock.callLater(MOVING_SECONDS, moving.cancel)
        try:
            await moving
        except Exception as why:  # the others leave as they would without other servers
            self._log.error("people could not be moved: {why}", why=why)
        with suppress(AlreadyCalled, AlreadyCancelled):
            late.cancel()

    async def _move_some(self, cluster: Cluster, waiting: Iterator[Person], takers: Takers) -> None:
        for person in waiting:
            await self._move_one(cluster, person, takers)

    async def _move_one(self, cluster: Cluster, person: Person, takers: Takers) -> None:
        """Let one person do so: their place is there before they can be."""
        sessions = tuple(person.sessions)
        resumable = all(session.client.resumable for session in sessions)
        if not (resumable and self._chat.detached.is_resumable(person)):
            return
        for session in sessions:
            connection_lost(self._chat, session, self._now())
        told = GOODBYE
        while (server := takers.next()) is not None:
            if await cluster.send_away(person, server):
                told = MOVED
                break
            takers.without(server)
        for session in sessions:
            session.deliver(told)
            session.client.close()


class Takers:
    """The servers that take people, one after the other."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = list(servers)

    def next(self) -> str | None:
        """The server whose turn it is; None when there is none any more."""
        if not self._servers:
            return None
        server = self._servers.pop(0)
        self._servers.append(server)
        return server

    def without(self, server: str) -> None:
        """A server takes nobody: it ends as well, or cannot be reached."""
        if server in self._servers:
            self._servers.remove(server)
