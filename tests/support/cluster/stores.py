"""NATS stores on one cluster, for tests, with the calls to their observers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from chatd.chat.events import RoomEvent, Said
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.jetstream.layout import NODES
from chatd.store.nats.store import NatsStore
from tests.support.cluster.nats import Nats
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE

Row = tuple[str, str, int, RoomEvent]


class Node:
    """A store, its observer, and what that was called with."""

    def __init__(self, servers: Servers, main_thread: TestMainThread, **options: Any) -> None:
        self.main_thread = main_thread
        self.stored_events: list[Row] = []
        self.failures: list[str] = []
        self.record_changes: list[tuple[str, str, str | None]] = []
        self.bus_texts: list[tuple[str, str]] = []
        self.store = NatsStore(servers, main_thread, **{"shards": 2, **options})
        self.store.open(self)
        self.store.bus.listen(
            lambda server, text: self.bus_texts.append((server, text)), self.answer
        )
        self.store.begin()

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        self.stored_events.append((room, message_id, number, event))

    def subscribed(self, room: str, number: int) -> None:
        """Do nothing."""

    def failed(self, room: str, message_id: str, reason: str) -> None:
        self.failures.append(reason)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        self.record_changes.append((kind, key, value))

    async def answer(self, server: str, text: str) -> str:
        """Answer a request on the bus, after reading from the store."""
        return f"{text}, {server}? {len(await self.store.before('lobby', None, 9))}"

    def run_until(self, done: Callable[[], bool]) -> None:
        """Run the main thread until a condition holds."""
        self.main_thread.run_until(done)

    def wait_until_stored(self) -> None:
        """Wait until all posts to the lobby are stored, and run the steps that they caused."""
        wait_for(self.store.before("lobby", None, 0))
        self.main_thread.run()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Block the connection's thread, within a ``with``."""
        resume = Event()
        self.store.bridge.call(resume.wait, PATIENCE)
        try:
            yield
        finally:
            resume.set()

    def receive_all(self) -> None:
        """Wait until the cluster has all that was sent, and the thread all that came from it."""
        self.store.bridge.submit(self.store.connection.flush()).result(PATIENCE)


MakeNode = Callable[..., Node]


def make_nodes(nats: Nats) -> Iterator[MakeNode]:
    """Yield a function that makes stores of one cluster and one main thread; a fixture's steps."""
    servers, main_thread, made = nats.account(), TestMainThread(), []

    def make(**options: Any) -> Node:
        made.append(Node(servers, main_thread, **options))
        return made[-1]

    yield make
    for node in made:
        wait_for(node.store.close())


def kill_store(store: NatsStore) -> None:
    """End a store as SIGKILL does: it releases no claim."""
    wait_for(store.bridge.query(store.connection.close))
    store.bridge.stop()


def expire_lease(store: NatsStore, lease: str) -> None:
    """Expire the lease of a server; any store of the cluster can do it."""
    wait_for(store.bridge.query(store.streams.purge, NODES, f"$KV.nodes.{lease}"))


def said(text: str) -> Said:
    """Return a message of ada's."""
    return Said(1.0, "ada", text)
