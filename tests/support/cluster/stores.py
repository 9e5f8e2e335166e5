"""A store on a cluster, for tests: what its keeper was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from chatd.chat.events import RoomEvent, Said
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.jetstream.layout import NODES
from chatd.store.nats.store import NatsStore
from tests.support.cluster.nats import Nats
from tests.support.main_thread import TestTurn, waited

Row = tuple[str, str, int, RoomEvent]


class Node:
    """A store and what its keeper was told."""

    def __init__(self, where: Servers, turn: TestTurn, **options: Any) -> None:
        self.turn = turn
        self.heard: list[Row] = []
        self.refused: list[str] = []
        self.told: list[tuple[str, str, str | None]] = []
        self.said: list[tuple[str, str]] = []
        self.store = NatsStore(where, turn, **{"shards": 2, **options})
        self.store.open(self)
        self.store.hear(lambda server, text: self.said.append((server, text)), self.answer)
        self.store.begin()

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        self.heard.append((room, message_id, number, event))

    def subscribed(self, room: str, number: int) -> None:
        """From here on everything is told."""

    def failed(self, room: str, message_id: str, why: str) -> None:
        self.refused.append(why)

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        self.told.append((kind, key, value))

    async def answer(self, server: str, text: str) -> str:
        return f"{text}, {server}? {len(await self.store.before('lobby', None, 9))}"

    def until(self, done: Callable[[], bool]) -> None:
        self.turn.run_until(done)

    def settle(self) -> None:
        waited(self.store.before("lobby", None, 0))
        self.turn.run()


Nodes = Callable[..., Node]


def making(nats: Nats) -> Iterator[Nodes]:
    """What makes stores of one cluster, all for one thread of the chat; a fixture's steps."""
    where, turn, made = nats.account(), TestTurn(), []

    def make(**options: Any) -> Node:
        made.append(Node(where, turn, **options))
        return made[-1]

    yield make
    for node in made:
        waited(node.store.close())


def dies(store: NatsStore) -> None:
    """End a store as a kill does: it gives nothing back."""
    waited(store._read(store.link.close))
    store._stop()


def lease_ends(store: NatsStore, lease: str) -> None:
    """Let a lease have run out, as one store of the cluster can bring about."""
    waited(store._read(store.streams.purge, NODES, f"$KV.nodes.{lease}"))


def said(text: str) -> Said:
    return Said(1.0, "ada", text)
