"""Shutdown: tells the users when the server stops, and closes connections and the store.

In a cluster, the sessions of users who could resume them are detached and migrate to other servers:
these users reconnect, continue where they were, and no leave is shown.
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
from chatd.chat.model.client import Client
from chatd.chat.model.entities import Person
from chatd.chat.store import NotClosedError, Store
from chatd.cluster.cluster import Cluster

#: Seconds between two looks whether all connections are closed, the first one included: streams to
#: other servers need as long for their goodbyes.
CHECK_SECONDS = 0.2
#: Seconds that clients have to take their goodbyes: a slow line may need them, and an ssh client
#: answers before its connection is closed.
GOODBYE_SECONDS = 2.0
#: Seconds for sessions to migrate to the other servers.
MIGRATION_SECONDS = 20.0
#: Sessions that migrate simultaneously: fewer than the detached sessions kept per address.
AT_ONCE = 32

GOODBYE = Notice("The server is stopping. Goodbye.")
MOVED = Notice("This server is stopping. Connect again, and you are where you were.")


def _nothing() -> None:
    """Do nothing."""


class Shutdown(Service):
    """Shuts the server down as the service stops.

    ``now`` is the time of day, in seconds since the epoch; ``cluster`` has the other servers, if
    any.  ``abandon`` ends the process when the store hangs.
    """

    _log = Logger()

    def __init__(
        self,
        chat: Chat,
        store: Store,
        clock: IReactorTime,
        now: Callable[[], float],
        cluster: Cluster | None = None,
        abandon: Callable[[], object] = _nothing,
    ) -> None:
        self._chat = chat
        self._store = store
        self._clock = clock
        self._now = now
        self._cluster = cluster
        self._abandon = abandon

    def stopService(self) -> Deferred[None]:
        """Tell all users, close their connections, wait for that, and close the store."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        everyone = self._chat.people.here()
        clients = [session.client for person in everyone for session in person.sessions]
        if self._cluster is not None:
            self._cluster.stop_accepting()
            self._cluster.hang_up(MOVED.text)
            await self._move(self._cluster, everyone)
        for person in everyone:
            for session in tuple(person.sessions):
                session.deliver(GOODBYE)
                session.client.close()
            detached = self._chat.detached.get(person)
            if detached is not None:  # it is no longer resumed
                self._chat.profiles.mark_read(person, detached.read)
        if everyone:
            await self._until_gone(clients)
        if self._cluster is not None:
            self._cluster.goodbye()
        try:
            await self._store.close()
        except NotClosedError as why:
            self._log.critical("disk: {why}", why=why)
            self._abandon()

    async def _until_gone(self, clients: Sequence[Client]) -> None:
        """Wait until these connections are closed, at most `GOODBYE_SECONDS`."""
        end = self._clock.seconds() + GOODBYE_SECONDS
        while self._clock.seconds() < end:
            checked: Deferred[None] = Deferred()
            self._clock.callLater(CHECK_SECONDS, checked.callback, None)
            await checked
            if all(client.is_gone for client in clients):
                return

    # Migration -------------------------------------------------------------------------

    async def _move(self, cluster: Cluster, everyone: Sequence[Person]) -> None:
        """Migrate the sessions that could be resumed to another server, if there is one."""
        servers = cluster.names
        if not servers:
            return
        queue, targets = iter(everyone), Targets(servers)
        workers = [
            Deferred.fromCoroutine(self._move_some(cluster, queue, targets)) for _ in range(AT_ONCE)
        ]
        migrating = gatherResults(workers, consumeErrors=True)
        timeout = self._clock.callLater(MIGRATION_SECONDS, migrating.cancel)
        try:
            await migrating
        except Exception as why:  # the others leave as they would without a cluster
            self._log.error("people could not be moved: {why}", why=why)
        with suppress(AlreadyCalled, AlreadyCancelled):
            timeout.cancel()

    async def _move_some(self, cluster: Cluster, queue: Iterator[Person], targets: Targets) -> None:
        for person in queue:
            await self._move_one(cluster, person, targets)

    async def _move_one(self, cluster: Cluster, person: Person, targets: Targets) -> None:
        """Migrate one user's session, completely before the user is told to reconnect."""
        sessions = tuple(person.sessions)
        resumable = all(session.client.resumable for session in sessions)
        if not (resumable and self._chat.detached.is_resumable(person)):
            return
        for session in sessions:
            connection_lost(self._chat, session, self._now())
        notice = GOODBYE
        while (server := targets.next()) is not None:
            if await cluster.send_away(person, server):
                notice = MOVED
                break
            targets.remove(server)
        for session in sessions:
            session.deliver(notice)
            session.client.close()


class Targets:
    """The servers that take sessions, in rotation."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = list(servers)

    def next(self) -> str | None:
        """Return the next server; None when none is left."""
        if not self._servers:
            return None
        server = self._servers.pop(0)
        self._servers.append(server)
        return server

    def remove(self, server: str) -> None:
        """Remove a server that takes no session: it is stopping as well, or is unreachable."""
        if server in self._servers:
            self._servers.remove(server)
