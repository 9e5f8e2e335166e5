"""Cluster: joins several servers into one chat; it implements `chatd.chat.peers.Peers`.

It is created before the chat, which needs its peers from the beginning, and started after it:
``cluster = Cluster(bus, schedule)``, ``chat = Chat(…, peers=cluster)``, ``cluster.start(chat)``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chatd.chat.actions.status import counted, named
from chatd.chat.chat import Chat
from chatd.chat.limits import LISTED
from chatd.chat.model.entities import Person, Room
from chatd.chat.peers import Proof, RemoteCall
from chatd.chat.text.durations import duration
from chatd.cluster import records
from chatd.cluster.bus import Bus, State
from chatd.cluster.calls import Calls
from chatd.cluster.incoming import Incoming
from chatd.cluster.migration import Migration
from chatd.cluster.replication.local import LocalPeople
from chatd.cluster.replication.outgoing import Outgoing
from chatd.cluster.replication.remote import RemotePeople
from chatd.cluster.replication.rooms import RoomReplicas
from chatd.cluster.streams import StreamRouter

#: /status shows a server as out of reach after this many seconds without a heartbeat; servers send
#: one every 5 s.
QUIET_SECONDS = 11.0


class Cluster:
    """The other servers of a cluster, as this one knows them.

    ``schedule`` calls a function at the end of the reactor's turn.  ``local`` and ``remote`` exist
    once it has been started.
    """

    is_clustered = True
    local: LocalPeople
    remote: RemotePeople
    _chat: Chat
    _outgoing: Outgoing
    _calls: Calls
    _migration: Migration
    _incoming: Incoming

    def __init__(self, bus: Bus, schedule: Callable[[Callable[[], None]], object]) -> None:
        self._bus = bus
        self._schedule = schedule
        self._streams: StreamRouter | None = None

    def start(self, chat: Chat, streams: StreamRouter | None = None) -> None:
        """Start listening on the bus, for a chat.

        Without ``streams`` every connection runs on the server that accepted it.
        """
        self._chat = chat
        self._streams = streams
        self.local = LocalPeople(chat, lambda person: self.remote.release_nick(person))
        rooms = RoomReplicas(chat, self._bus.name)
        self._outgoing = Outgoing(self._bus, self._schedule, self.local, rooms)
        self.remote = RemotePeople(chat, self._outgoing)
        self._calls = Calls(chat, self._outgoing, self.local, self.remote)
        self._migration = Migration(chat, self._outgoing, self.local, self.remote)
        self._incoming = Incoming(
            chat, self._outgoing, self.remote, self._calls, self._migration, streams
        )
        self._bus.listen(self._incoming.receive, self._incoming.answer)

    # For the chat: see `chatd.chat.peers.Peers` ---------------------------------------------------

    @property
    def display_name(self) -> str:
        """The display name of this server, which its operator chose."""
        return self._bus.display_name

    def is_remote(self, person: Person) -> bool:
        """Whether a person is on another server."""
        return bool(person.server)

    def owner(self, account: str) -> Person | None:
        """Return the owner of an account, if they are on another server."""
        return self.remote.owner(account)

    def person_changed(self, *people: Person) -> None:
        """Schedule people on this server for replication at the end of the turn."""
        self._outgoing.person_changed(*people)

    def room_changed(self, room: Room, *, closed: bool = False) -> None:
        """Schedule a room for replication at the end of the turn; send it now if ``closed``."""
        self._outgoing.room_changed(room, closed=closed)

    def displaced(self, person: Person, by: Person) -> None:
        """Remove a person on another server whose nick has gone to ``by``."""
        self._incoming.displaced(person, by)

    def forward(self, to: Person, by: Person | None, call: RemoteCall) -> bool:
        """Forward a call to a person's server; return False when they are here."""
        if to.server:
            self._calls.send(to, by, call)
        return bool(to.server)

    def request(
        self, to: Person, by: Person, call: RemoteCall
    ) -> Awaitable[Mapping[str, Any]] | None:
        """Send a call to a person's server and await its answer; None when they are here."""
        return self._calls.request(to, by, call) if to.server else None

    def broadcast(self, by: Person, call: RemoteCall) -> None:
        """Send a call to every other server."""
        self._calls.broadcast(by, call)

    async def fetch(self, proof: Proof) -> str:
        """Fetch a detached session from another server, unless its person stays there."""
        return await self._migration.fetch(proof)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Apply a record that another server has written."""
        records.apply_change(self._chat, self.remote, kind, key, value, self.remote.now)

    def may_drop(self, room: Room) -> bool:
        """Whether a room that is empty here is empty everywhere: only while the cluster answers.

        Otherwise it may have members on another server, and new messages.
        """
        return self._incoming.is_in_touch

    def status(self, now: float) -> list[str]:
        """Return what /status says about the other servers, and the cluster as a whole."""
        elapsed = self.remote.elapsed + max(0.0, now - self.remote.now)
        return [*self._servers(elapsed), *self._storage(elapsed)]

    def _servers(self, elapsed: float) -> list[str]:
        others = sorted(
            (server.display_name, len(server.people), server.last_heard)
            for server in self.remote.servers.values()
        )
        rows = [counted(len(others), "other server")]
        for name, people, last_heard in others[:LISTED]:
            silent = elapsed - last_heard
            is_heard = "heard" if silent < QUIET_SECONDS else "out of reach, heard"
            here = counted(people, "person")
            rows.append(f"{named(name)}: {here}, {is_heard} {duration(silent)} ago")
        if len(others) > LISTED:
            rows.append(f"… and {len(others) - LISTED} more")
        return rows

    def _storage(self, elapsed: float) -> list[str]:
        ago = duration(elapsed - (self._incoming.lease_renewed_at or 0.0))
        rows = [f"the cluster answered {ago} ago"]
        if self._chat.unacknowledged.is_unreachable:
            rows = [f"the cluster does not answer; it did {ago} ago"]
        replicas, away = self._bus.replicas
        if replicas:
            out = f", {away} of them out of reach" * bool(away)
            rows.append(f"what is said is kept on {counted(replicas, 'machine')}{out}")
        return rows

    # For the services -----------------------------------------------------------------------------

    @property
    def rank(self) -> int:
        """How many other servers sort before this one, by their names on the bus."""
        return sum(name < self._bus.name for name in self.remote.servers)

    @property
    def names(self) -> list[str]:
        """The names of the other servers on the bus."""
        return list(self.remote.servers)

    def heartbeat(self, now: float, elapsed: float) -> None:
        """Send a heartbeat, with changes not sent yet; called every few seconds.

        ``now`` is in seconds since the epoch, ``elapsed`` on a clock that nobody can set.
        """
        self.remote.advance(now, elapsed)
        self._outgoing.heartbeat()

    def check_liveness(self, now: float, elapsed: float) -> None:
        """Check which servers have been silent for too long; called every second."""
        self._incoming.check_liveness(now, elapsed)

    def lease_renewed(self, elapsed: float) -> None:
        """Note that the cluster has accepted a heartbeat of this server."""
        self._incoming.lease_renewed(elapsed)

    def stop_accepting(self) -> None:
        """Stop accepting handovers from other servers."""
        self._migration.stop_accepting()

    async def send_away(self, person: Person, server: str) -> bool:
        """Send a person to another server: see `chatd.cluster.migration.Migration.send_away`."""
        return await self._migration.send_away(person, server)

    def hang_up(self, sentence: str) -> None:
        """End every stream to another server, with a sentence for the users at the other end."""
        if self._streams is not None:
            self._streams.hang_up(sentence)

    def goodbye(self) -> None:
        """Tell the other servers that this one stops."""
        self._outgoing.goodbye()

    # For the streams ------------------------------------------------------------------------------

    def tell_server(self, server: str, content: State) -> None:
        """Send a message to another server."""
        self._outgoing.send(server, content)

    async def ask_server(self, server: str, content: State) -> State:
        """Send a request to another server, and return its reply.

        :raises Refused: ``away``, ``gone``.
        """
        return await self._outgoing.request(server, content)
