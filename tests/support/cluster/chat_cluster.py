"""Several chats that are one, for tests: what a cluster does, in memory, a turn at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable
from itertools import count
from typing import Any

from chatd.chat.events import Refused, RoomEvent
from chatd.chat.store import StoreObserver, unavailable
from chatd.cluster.bus import Asked, Hear
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User, result_of


class ClusterStore(MemoryStore):
    """The store of one server of a town: the town's own, by which the others hear of things."""

    def __init__(self, cluster: ChatCluster, name: str) -> None:
        super().__init__()
        self.cluster = cluster
        self.name = name
        self.display_name = f"chat{name[1:]}"
        self.replicas = (0, 0)
        self.observer: StoreObserver | None = None
        self.subscriptions: set[str] = set()
        self.on_message: Hear | None = None
        self.on_request: Asked | None = None
        self.disconnected = False
        self.missed: list[tuple[str, str, int, RoomEvent]] = []
        self.unposted: list[tuple[str, str, RoomEvent, str]] = []

    def open(self, observer: StoreObserver) -> None:
        self.observer = observer

    def subscribe(self, room: str) -> None:
        self.subscriptions.add(room)
        if self.observer is not None:
            newest = result_of(self.cluster.store.before(room, None, 1))
            assert isinstance(newest, list)
            self.observer.subscribed(room, newest[0][0] if newest else 0)

    def unsubscribe(self, room: str) -> None:
        self.subscriptions.discard(room)

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        if self.disconnected:  # until it is in touch again
            self.unposted.append((room, message_id, event, author))
            return
        self.cluster.posting_store = self
        self.cluster.store.post(room, message_id, event, author)

    def put(self, kind: str, key: str, value: str | None) -> Awaitable[None]:
        for branch in self.cluster.stores:
            if branch is not self and branch.observer is not None:
                branch.observer.record_changed(kind, key, value)
        return self.cluster.store.put(kind, key, value)

    def __getattribute__(self, name: str) -> Any:
        if name in ("before", "after", "count", "search", "last_by", "claim", "release", "records"):
            return getattr(self.cluster.store, name)
        return super().__getattribute__(name)

    def drop_room(self, room: str) -> None:
        self.cluster.store.drop_room(room)

    # The way to the others

    def hear(self, hear: Hear, asked: Asked) -> None:
        self.on_message, self.on_request = hear, asked

    def broadcast(self, text: str) -> None:
        for branch in self.cluster.stores:
            if branch is not self:
                self.send(branch.name, text)

    def send(self, server: str, text: str) -> None:
        if not self.disconnected:
            self.cluster.messages.append((self.name, server, text))

    async def request(self, server: str, text: str) -> str:
        [branch] = [each for each in self.cluster.stores if each.name == server]
        if self.disconnected or branch.on_request is None:
            raise unavailable()
        if branch.disconnected:
            raise Refused("gone", "That server is gone.")
        self.cluster.deliver_between(self.name, server)
        return await branch.on_request(self.name, text)

    def hand_over_nick(self, nick: str, server: str) -> None:
        self.cluster.store.release(nick, self.name)
        result_of(self.cluster.store.claim(nick, server))


class SparseStore(MemoryStore):
    """A store whose numbers rise by more than one in a room, as those of a cluster do."""

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        log = self._logs.get(room)
        if log is not None:
            log.last += 6
        super().post(room, message_id, event, author)


class ChatCluster:
    """A cluster of so many servers; `settle` lets what they tell each other arrive."""

    def __init__(self, servers: int = 2) -> None:
        self.store = SparseStore()
        self.store.open(self)
        self.posting_store: ClusterStore | None = None
        self.messages: deque[tuple[str, str, str]] = deque()
        self._names = count()
        self._dead: list[str] = []
        self.stores = [ClusterStore(self, f"s{next(self._names)}") for _ in range(servers)]
        self.servers = [self.start_server(branch) for branch in self.stores]
        self.advance()

    def start_server(self, branch: ClusterStore) -> Server:
        """Start the server of a branch."""
        return Server(branch, incarnation=branch.name, bus=branch)

    def add_server(self) -> Server:
        """Start one more server."""
        branch = ClusterStore(self, f"s{next(self._names)}")
        self.stores.append(branch)
        self.servers.append(self.start_server(branch))
        self.advance()
        return self.servers[-1]

    def disconnect(self, server: Server) -> None:
        """Let a server be out of touch with everything."""
        self.stores[self.servers.index(server)].disconnected = True

    def reconnect(self, server: Server) -> None:
        """Let a server be in touch again: it reads what it missed, and posts what has waited."""
        branch = self.stores[self.servers.index(server)]
        branch.disconnected = False
        assert branch.observer is not None
        missed, branch.missed = branch.missed, []
        for each in missed:
            branch.observer.stored(*each)
        waiting, branch.unposted = branch.unposted, []
        for post in waiting:
            branch.post(*post)
        self.advance()

    def kill(self, server: Server) -> None:
        """Let a server be dead: the others hear nothing of it any more."""
        number = self.servers.index(server)
        del self.servers[number]
        self._dead.append(self.stores.pop(number).name)

    def expire_leases(self) -> None:
        """Let so much time pass that the dead count as gone, and their nicks are anybody's."""
        for _ in range(7):
            self.advance(5)
        while self._dead:
            dead = self._dead.pop()
            for nick in tuple(self.store._claims._holders):
                self.store.release(nick, dead)

    def join(self, room: str, *people: User) -> None:
        """Let people come into a room, one after the other."""
        for one in people:
            one.types(f"/join {room}")
            self.deliver_all()

    def close(self) -> None:
        """Nothing is left to do."""

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass; each server says that it is there."""
        for server, branch in zip(self.servers, self.stores, strict=True):
            server.now += seconds
            if not branch.disconnected:
                server.cluster.heartbeat(server.now)
                server.cluster.check_liveness(server.now)
        self.deliver_all()

    def deliver_all(self) -> None:
        """Let everything arrive that is told."""
        for server in self.servers:
            server.end_turn()
        while self.messages:
            self._deliver(*self.messages.popleft())
            for each in self.servers:
                each.end_turn()

    def deliver_between(self, sender: str, addressee: str) -> None:
        """Let arrive what one server has told another: what it asks comes after that."""
        between = [each for each in self.messages if each[:2] == (sender, addressee)]
        self.messages = deque(each for each in self.messages if each[:2] != (sender, addressee))
        for letter in between:
            self._deliver(*letter)

    def _deliver(self, sender: str, addressee: str, text: str) -> None:
        branch = next((each for each in self.stores if each.name == addressee), None)
        if branch is not None and branch.on_message is not None and not branch.disconnected:
            branch.on_message(sender, text)

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        for branch in self.stores:
            heard = branch is self.posting_store or room in branch.subscriptions
            if heard and branch.disconnected:
                branch.missed.append((room, message_id, number, event))
            elif heard and branch.observer is not None:
                branch.observer.stored(room, message_id, number, event)

    def subscribed(self, room: str, number: int) -> None:
        """From here on everything is told."""

    def failed(self, room: str, message_id: str, reason: str) -> None:
        raise AssertionError(reason)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        raise AssertionError("a store in memory has no other servers")
