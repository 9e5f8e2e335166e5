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


class Branch(MemoryStore):
    """The store of one server of a town: the town's own, by which the others hear of things."""

    def __init__(self, town: Town, name: str) -> None:
        super().__init__()
        self.town = town
        self.name = name
        self.display_name = f"chat{name[1:]}"
        self.replicas = (0, 0)
        self.observer: StoreObserver | None = None
        self.listening: set[str] = set()
        self.hears: Hear | None = None
        self.asked: Asked | None = None
        self.cut_off = False
        self.missed: list[tuple[str, str, int, RoomEvent]] = []
        self.waiting: list[tuple[str, str, RoomEvent, str]] = []

    def open(self, observer: StoreObserver) -> None:
        self.observer = observer

    def subscribe(self, room: str) -> None:
        self.listening.add(room)
        if self.observer is not None:
            newest = result_of(self.town.store.before(room, None, 1))
            assert isinstance(newest, list)
            self.observer.subscribed(room, newest[0][0] if newest else 0)

    def unsubscribe(self, room: str) -> None:
        self.listening.discard(room)

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        if self.cut_off:  # until it is in touch again
            self.waiting.append((room, message_id, event, author))
            return
        self.town.poster = self
        self.town.store.post(room, message_id, event, author)

    def put(self, kind: str, key: str, value: str | None) -> Awaitable[None]:
        for branch in self.town.branches:
            if branch is not self and branch.observer is not None:
                branch.observer.record_changed(kind, key, value)
        return self.town.store.put(kind, key, value)

    def __getattribute__(self, name: str) -> Any:
        if name in ("before", "after", "count", "search", "last_by", "claim", "release", "records"):
            return getattr(self.town.store, name)
        return super().__getattribute__(name)

    def drop_room(self, room: str) -> None:
        self.town.store.drop_room(room)

    # The way to the others

    def hear(self, hear: Hear, asked: Asked) -> None:
        self.hears, self.asked = hear, asked

    def broadcast(self, text: str) -> None:
        for branch in self.town.branches:
            if branch is not self:
                self.send(branch.name, text)

    def send(self, server: str, text: str) -> None:
        if not self.cut_off:
            self.town.letters.append((self.name, server, text))

    async def request(self, server: str, text: str) -> str:
        [branch] = [each for each in self.town.branches if each.name == server]
        if self.cut_off or branch.asked is None:
            raise unavailable()
        if branch.cut_off:
            raise Refused("gone", "That server is gone.")
        self.town.deliver(self.name, server)
        return await branch.asked(self.name, text)

    def hand_over_nick(self, nick: str, server: str) -> None:
        self.town.store.release(nick, self.name)
        result_of(self.town.store.claim(nick, server))


class Sparse(MemoryStore):
    """A store whose numbers rise by more than one in a room, as those of a cluster do."""

    def post(self, room: str, message_id: str, event: RoomEvent, author: str = "") -> None:
        log = self._logs.get(room)
        if log is not None:
            log.last += 6
        super().post(room, message_id, event, author)


class Town:
    """A cluster of so many servers; `settle` lets what they tell each other arrive."""

    def __init__(self, servers: int = 2) -> None:
        self.store = Sparse()
        self.store.open(self)
        self.poster: Branch | None = None
        self.letters: deque[tuple[str, str, str]] = deque()
        self._names = count()
        self._dead: list[str] = []
        self.branches = [Branch(self, f"s{next(self._names)}") for _ in range(servers)]
        self.servers = [self.start(branch) for branch in self.branches]
        self.beat()

    def start(self, branch: Branch) -> Server:
        """Start the server of a branch."""
        return Server(branch, incarnation=branch.name, bus=branch)

    def add(self) -> Server:
        """Start one more server."""
        branch = Branch(self, f"s{next(self._names)}")
        self.branches.append(branch)
        self.servers.append(self.start(branch))
        self.beat()
        return self.servers[-1]

    def cut(self, server: Server) -> None:
        """Let a server be out of touch with everything."""
        self.branches[self.servers.index(server)].cut_off = True

    def mend(self, server: Server) -> None:
        """Let a server be in touch again: it reads what it missed, and posts what has waited."""
        branch = self.branches[self.servers.index(server)]
        branch.cut_off = False
        assert branch.observer is not None
        missed, branch.missed = branch.missed, []
        for each in missed:
            branch.observer.stored(*each)
        waiting, branch.waiting = branch.waiting, []
        for post in waiting:
            branch.post(*post)
        self.beat()

    def kill(self, server: Server) -> None:
        """Let a server be dead: the others hear nothing of it any more."""
        number = self.servers.index(server)
        del self.servers[number]
        self._dead.append(self.branches.pop(number).name)

    def leases_end(self) -> None:
        """Let so much time pass that the dead count as gone, and their nicks are anybody's."""
        for _ in range(7):
            self.beat(5)
        while self._dead:
            dead = self._dead.pop()
            for nick in tuple(self.store._claims._holders):
                self.store.release(nick, dead)

    def join(self, room: str, *people: User) -> None:
        """Let people come into a room, one after the other."""
        for one in people:
            one.types(f"/join {room}")
            self.settle()

    def close(self) -> None:
        """Nothing is left to do."""

    def beat(self, seconds: float = 0.0) -> None:
        """Let time pass; each server says that it is there."""
        for server, branch in zip(self.servers, self.branches, strict=True):
            server.now += seconds
            if not branch.cut_off:
                server.cluster.heartbeat(server.now)
                server.cluster.check_liveness(server.now)
        self.settle()

    def settle(self) -> None:
        """Let everything arrive that is told."""
        for server in self.servers:
            server.end_turn()
        while self.letters:
            self._deliver(*self.letters.popleft())
            for each in self.servers:
                each.end_turn()

    def deliver(self, sender: str, addressee: str) -> None:
        """Let arrive what one server has told another: what it asks comes after that."""
        between = [each for each in self.letters if each[:2] == (sender, addressee)]
        self.letters = deque(each for each in self.letters if each[:2] != (sender, addressee))
        for letter in between:
            self._deliver(*letter)

    def _deliver(self, sender: str, addressee: str, text: str) -> None:
        branch = next((each for each in self.branches if each.name == addressee), None)
        if branch is not None and branch.hears is not None and not branch.cut_off:
            branch.hears(sender, text)

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        for branch in self.branches:
            heard = branch is self.poster or room in branch.listening
            if heard and branch.cut_off:
                branch.missed.append((room, message_id, number, event))
            elif heard and branch.observer is not None:
                branch.observer.stored(room, message_id, number, event)

    def subscribed(self, room: str, number: int) -> None:
        """From here on everything is told."""

    def failed(self, room: str, message_id: str, reason: str) -> None:
        raise AssertionError(reason)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        raise AssertionError("a store in memory has no other servers")
