"""Incoming: dispatches bus messages and tracks which servers are alive.

The messages of a server are numbered; when one is missing, its full state is requested.  A server
that is silent for too long counts as gone, with everyone on it.
"""

from __future__ import annotations

import json

from chatd.chat.chat import Chat
from chatd.chat.events import Left
from chatd.chat.limits import (
    CLOCK_JUMP_SECONDS,
    DISPLAY_NAME_LENGTH,
    OUT_OF_TOUCH_SECONDS,
    RESYNC_SECONDS,
    SILENT_SECONDS,
)
from chatd.chat.model.entities import Person
from chatd.cluster.bus import State
from chatd.cluster.calls import Calls
from chatd.cluster.migration import Migration
from chatd.cluster.replication.outgoing import Outgoing
from chatd.cluster.replication.remote import RemotePeople, RemoteServer
from chatd.cluster.streams import StreamRouter


class Incoming:
    """Receives messages and requests from the other servers.

    ``lease_renewed_at`` is when the cluster last accepted a heartbeat of this server, in seconds
    that nobody can set; None before the first time.
    """

    def __init__(
        self,
        chat: Chat,
        outgoing: Outgoing,
        remote: RemotePeople,
        calls: Calls,
        migration: Migration,
        streams: StreamRouter | None,
    ) -> None:
        self._chat = chat
        self._outgoing = outgoing
        self._remote = remote
        self._calls = calls
        self._migration = migration
        self._streams = streams
        self._checked_at = 0.0
        self.lease_renewed_at: float | None = None

    # Messages and requests ------------------------------------------------------------------------

    def receive(self, name: str, text: str) -> None:
        """Receive a message from another server."""
        message: State = json.loads(text)
        if "bye" in message:
            self._server_gone(name)
            return
        if "hello" in message or "again" in message:
            self._outgoing.send_full_state(name)
        if "errand" in message:
            self._calls.receive(name, message)
            return
        if "line" in message:
            if self._streams is not None:
                self._streams.received(name, message)
            return
        server = self._remote.servers.get(name)
        if server is None:
            server = self._remote.servers[name] = RemoteServer(name, self._remote.elapsed)
            if "first" not in message:
                self._remote.request_full_state(name)
        server.last_heard = self._remote.elapsed
        if "first" in message:
            self._apply_full_state(server, message)
        elif "n" in message:
            self._apply_next(server, message)

    async def answer(self, name: str, text: str) -> str:
        """Return the reply to a request from another server; empty if the request is unknown."""
        request: State = json.loads(text)
        if "errand" in request:
            return json.dumps(await self._calls.answer(name, request))
        if self._streams is not None and ("open" in request or "roll" in request):
            return json.dumps(self._streams.answer(name, request))
        return json.dumps(await self._migration.on_request(name, request))

    # States ---------------------------------------------------------------------------------------

    def _apply_next(self, server: RemoteServer, message: State) -> None:
        """Apply a message if it is the next in sequence; request the full state after a gap."""
        if server.number is None:
            if self._remote.elapsed - server.last_asked >= RESYNC_SECONDS:
                self._remote.request_full_state(server.name)  # the last one was incomplete
        elif message["n"] == server.number + 1:
            server.number = message["n"]
            self._apply(server, message)
        elif message["n"] > server.number:
            server.number = None
            self._remote.request_full_state(server.name)

    def _apply_full_state(self, server: RemoteServer, message: State) -> None:
        """Apply a part of a server's full state; after the last part it is synchronized."""
        server.display_name = str(message.get("called", ""))[:DISPLAY_NAME_LENGTH]
        if message["first"]:
            server.number, server.parts = None, 0
            server.unconfirmed = dict.fromkeys(server.people)
        if message.get("part", server.parts) != server.parts:
            return  # an earlier part was lost: the full state will be requested again
        server.parts += 1
        for state in message["people"]:
            server.unconfirmed.pop(state["number"], None)
        if server.was_synced:  # entries missing from it may have been deleted by a lost message
            for state in message["rooms"]:
                room = self._chat.rooms.get(state["key"])
                if room is not None:
                    self._outgoing.rooms.restore_deletions(room, state)
        if message["last"]:  # the message that these people have left was lost
            for number in server.unconfirmed:
                self._remote.remove(server, number)
        self._apply(server, message)
        if message["last"]:
            server.number, server.was_synced = message["n"], True

    def _apply(self, server: RemoteServer, message: State) -> None:
        with self._remote.keeping_empty_rooms():
            for state in message["people"]:
                origin, number = state.get("from") or ("", 0)
                is_new = state["number"] not in server.people
                if origin == self._outgoing.name and is_new:
                    self._migration.lives_elsewhere(number, server.name)
            people = self._remote.apply(server, message)
        for person in people:
            self._merge_connections(person)

    def _merge_connections(self, person: Person) -> None:
        """Merge the connections of an owner who entered here and on another server simultaneously.

        They all run on the first of the two servers by name, unless the connection there is lost.
        """
        account = self._chat.accounts.get(person.account or "")
        owner = self._chat.entrance.owner_here(account) if account is not None else None
        stays = self._outgoing.name < person.server or person.lost
        if owner is not None and self._streams is not None and not stays:
            self._streams.merge_connections(owner, person.server)

    # Liveness -------------------------------------------------------------------------------------

    @property
    def is_in_touch(self) -> bool:
        """Whether the cluster answers, so that this server's view of the others is current."""
        renewed_at = self.lease_renewed_at
        return renewed_at is None or self._remote.elapsed - renewed_at <= OUT_OF_TOUCH_SECONDS

    def lease_renewed(self, elapsed: float) -> None:
        """Note that the cluster has accepted a heartbeat of this server."""
        self.lease_renewed_at = elapsed

    def check_liveness(self, now: float, elapsed: float) -> None:
        """Check which servers have been silent for too long; called every second.

        ``now`` is in seconds since the epoch, ``elapsed`` in seconds on a clock that nobody can
        set, which measures the silence.
        """
        passed, self._checked_at = elapsed - self._checked_at, elapsed
        stood_still = passed > CLOCK_JUMP_SECONDS
        self._remote.advance(now, elapsed)
        self._remote.forget_former_nicks()
        self._outgoing.rooms.expire_stamps()
        self._remote.settle_successions()
        for server in tuple(self._remote.servers.values()):
            if not self.is_in_touch:  # this server is cut off, not the others
                server.last_heard = elapsed
            elif stood_still:  # they were not silent: this process did not read
                server.last_heard += passed
            if elapsed - server.last_heard > SILENT_SECONDS:
                self._server_gone(server.name)

    def _server_gone(self, name: str) -> None:
        """Remove a server that is gone, with everyone on it."""
        if self._streams is not None:
            self._streams.server_gone(name)
        server = self._remote.servers.pop(name, None)
        if server is None:
            return
        for number, person in tuple(server.people.items()):
            rooms = tuple(person.rooms.values())
            left = Left(self._remote.now, person.nick, "", gone=True)
            for room in rooms:
                self._chat.posting.happened_elsewhere(room, left)
            self._remote.remove(server, number)
            for room in rooms if self._is_first() else ():
                self._chat.after_leaving(room, self._remote.now)

    def _is_first(self) -> bool:
        """Whether this is the first of the remaining servers by name, which acts for all."""
        return all(self._outgoing.name < name for name in self._remote.servers)

    def displaced(self, person: Person, by: Person) -> None:
        """Remove a person on another server, which may be dead, whose nick has gone to ``by``."""
        left = Left(self._remote.now, person.nick, "", gone=True)
        for room in tuple(person.rooms.values()):
            self._chat.posting.happened_elsewhere(room, left)
            self._remote.remove_from_room(person, room)
            if not by.server:
                self._chat.after_leaving(room, self._remote.now)
        self._remote.nick_lost(person)
