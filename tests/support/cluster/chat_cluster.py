"""Cluster of chats in memory, for tests: their store, their bus, and a clock that tests advance."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Sequence
from itertools import count
from typing import Any

from chatd.chat.events import Refused, RoomEvent
from chatd.chat.store import Record, StoreObserver, Written, unavailable
from chatd.cluster.bus import OnMessage, OnRequest
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User, result_of


class ClusterStore(MemoryStore):
    """The shared store and the bus, as one server of a `ChatCluster` has them.

    Its name on the bus is ``name``: "s0" for the first server.  While ``disconnected`` is set, it
    sends and receives nothing: its own posts wait in ``unposted``, those of others in ``missed``.
    """

    def __init__(self, cluster: ChatCluster, name: str) -> None:
        super().__init__()
        self.cluster = cluster
        self.name = name
        self.display_name = f"chat{name[1:]}"
        self.replicas = (0, 0)
        self.observer: StoreObserver | None = None
        self.subscriptions: set[str] = set()
        self.on_message: OnMessage | None = None
        self.on_request: OnRequest | None = None
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
        if self.disconnected:
            self.unposted.append((room, message_id, event, author))
            return
        self.cluster.posting_store = self
        self.cluster.store.post(room, message_id, event, author)

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        for record in records:
            for store in self.cluster.stores:
                if store is not self and store.observer is not None:
                    store.observer.record_changed(*record)
        return self.cluster.store.put_all(records)

    def put_quietly(self, record: Record, written: Written) -> None:
        self.put_all([record])
        written(None)

    def __getattribute__(self, name: str) -> Any:
        if name in ("before", "after", "count", "search", "last_by", "claim", "release", "records"):
            return getattr(self.cluster.store, name)
        return super().__getattribute__(name)

    def drop_room(self, room: str) -> None:
        self.cluster.store.drop_room(room)

    # The bus

    def listen(self, on_message: OnMessage, on_request: OnRequest) -> None:
        self.on_message, self.on_request = on_message, on_request

    def receive(self, server: str, text: str) -> None:
        """Receive a message of another server."""
        if self.on_message is not None and not self.disconnected:
            self.on_message(server, text)

    def broadcast(self, text: str) -> None:
        for store in self.cluster.stores:
            if store is not self:
                self.send(store.name, text)

    def send(self, server: str, text: str) -> None:
        if not self.disconnected:
            self.cluster.messages.append((self.name, server, text))

    async def request(self, server: str, text: str) -> str:
        [store] = [each for each in self.cluster.stores if each.name == server]
        if self.disconnected or store.on_request is None:
            raise unavailable()
        if store.disconnected:
            raise Refused("gone", "That server is gone.")
        self.cluster.deliver_between(self.name, server)
        return await store.on_request(self.name, text)

    def hand_over_nick(self, nick: str, server: str) -> None:
        self.cluster.store.release(nick, self.name)
        result_of(self.cluster.store.claim(nick, server))


class SharedStore(MemoryStore):
    """The store that the servers share.

    The numbers of events in a room have gaps, as in a real cluster.  ``claimed`` has every nick
    that was claimed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.claimed: set[str] = set()

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        log = self._logs.get(room)
        if log is not None:
            log.last += 6
        super().post(room, message_id, event, author)

    async def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        self.claimed.add(nick)
        return await super().claim(nick, holder, owner=owner)


class ChatCluster:
    """A cluster of several chats, of which it observes the shared store.

    Messages between servers wait in ``messages`` (sender, receiver, text) until `deliver_all`.
    """

    def __init__(self, servers: int = 2) -> None:
        self.store = SharedStore()
        self.store.open(self)
        self.posting_store: ClusterStore | None = None
        self.messages: deque[tuple[str, str, str]] = deque()
        self._server_numbers = count()
        self._dead: list[str] = []
        self.stores = [self._new_store() for _ in range(servers)]
        self.servers = [self.start_server(store) for store in self.stores]
        self.advance()

    def _new_store(self) -> ClusterStore:
        return ClusterStore(self, f"s{next(self._server_numbers)}")

    def start_server(self, store: ClusterStore) -> Server:
        """Return a new server on a store."""
        return Server(store, incarnation=store.name, bus=store)

    def add_server(self) -> Server:
        """Start one more server."""
        store = self._new_store()
        self.stores.append(store)
        self.servers.append(self.start_server(store))
        self.advance()
        return self.servers[-1]

    def disconnect(self, server: Server) -> None:
        """Disconnect a server from the store and from all others."""
        self.stores[self.servers.index(server)].disconnected = True

    def reconnect(self, server: Server) -> None:
        """Connect a server again: it reads what it missed, and posts what was not posted."""
        store = self.stores[self.servers.index(server)]
        store.disconnected = False
        assert store.observer is not None
        missed, store.missed = store.missed, []
        for each in missed:
            store.observer.stored(*each)
        unposted, store.unposted = store.unposted, []
        for post in unposted:
            store.post(*post)
        self.advance()

    def kill(self, server: Server) -> None:
        """Kill a server: it releases nothing, and the others hear no more of it."""
        number = self.servers.index(server)
        del self.servers[number]
        self._dead.append(self.stores.pop(number).name)

    def expire_leases(self) -> None:
        """Let the leases of killed servers expire, and release the nicks that they held."""
        for _ in range(7):
            self.advance(5)
        while self._dead:
            dead = self._dead.pop()
            for nick in self.store.claimed:
                self.store.release(nick, dead)

    def join(self, room: str, *users: User) -> None:
        """Let users join a room, one after the other."""
        for user in users:
            user.types(f"/join {room}")
            self.deliver_all()

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def advance(self, seconds: float = 0.0) -> None:
        """Advance all clocks; then each server sends a heartbeat and checks the others."""
        for server, store in zip(self.servers, self.stores, strict=True):
            server.now += seconds
            server.elapsed += seconds
            if not store.disconnected:
                server.cluster.heartbeat(server.now, server.elapsed)
                server.cluster.check_liveness(server.now, server.elapsed)
        self.deliver_all()

    def deliver_all(self) -> None:
        """End the turns of all servers, and deliver messages until there are none."""
        for server in self.servers:
            server.end_turn()
        while self.messages:
            self._deliver(*self.messages.popleft())
            for each in self.servers:
                each.end_turn()

    def deliver_between(self, sender: str, receiver: str) -> None:
        """Deliver the messages from one server to another: a later request arrives after them."""
        between = [each for each in self.messages if each[:2] == (sender, receiver)]
        self.messages = deque(each for each in self.messages if each[:2] != (sender, receiver))
        for message in between:
            self._deliver(*message)

    def _deliver(self, sender: str, receiver: str, text: str) -> None:
        for store in self.stores:
            if store.name == receiver:
                store.receive(sender, text)

    # The observer of the shared store -------------------------------------------------------------

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        for store in self.stores:
            if store is not self.posting_store and room not in store.subscriptions:
                continue
            if store.disconnected:
                store.missed.append((room, message_id, number, event))
            elif store.observer is not None:
                store.observer.stored(room, message_id, number, event)

    def subscribed(self, room: str, number: int) -> None:
        """Do nothing: `stored` is called for every room."""

    def failed(self, room: str, message_id: str, reason: str) -> None:
        raise AssertionError(reason)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        raise AssertionError("a store in memory has no other servers")
