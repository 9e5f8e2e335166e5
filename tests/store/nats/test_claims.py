"""Who has a nick when two servers want it at once, and when its server has died."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier

import pytest

from chatd.store.nats.client.servers import Servers
from chatd.store.nats.store import NatsStore
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, dies
from tests.support.served import PATIENCE
from tests.support.main_thread import TestTurn, waited


def race(where: Servers, nicks: int) -> list[list[bool]]:
    """Let two servers claim so many nicks, each at the same moment; return who got which."""
    nodes = [Node(where, TestTurn()), Node(where, TestTurn())]
    start = Barrier(2, timeout=PATIENCE)

    def claims(node: Node) -> list[bool]:
        got = []
        for number in range(nicks):
            start.wait()
            got.append(waited(node.store.claim(f"nick{number}", node.store.name)))
        return got

    try:
        with ThreadPoolExecutor(2) as both:
            return list(both.map(claims, nodes))
    finally:
        for node in nodes:
            waited(node.store.close())


def test_of_two_servers_that_claim_a_nick_at_once_one_has_it(nats: Nats) -> None:
    one, other = race(nats.account(), 200)
    assert [(mine, not mine) for mine in one] == list(zip(one, other, strict=True))


def test_of_two_servers_of_a_cluster_of_three_one_has_it(three_nats: Nats) -> None:
    one, other = race(three_nats.account(), 50)
    assert [(mine, not mine) for mine in one] == list(zip(one, other, strict=True))


@pytest.fixture
def brief(nats: Nats) -> Iterator[Callable[[], NatsStore]]:
    """Makes servers whose leases last a second."""
    where, turn, made = nats.account(), TestTurn(), []

    def make() -> NatsStore:
        store = NatsStore(where, turn, shards=1, lease_seconds=1)
        store.begin()
        made.append(store)
        return store

    yield make
    for store in made:
        if store._thread.is_alive():
            waited(store.close())


def test_the_nicks_of_a_dead_server_are_free_when_its_lease_has_run_out(
    brief: Callable[[], NatsStore],
) -> None:
    dead, other = brief(), brief()
    assert waited(dead.claim("ada", "x"))
    assert waited(dead.claim("bob", "x"))
    dies(dead)
    assert waited(other.claim("bob", "y", owner=True))
    end = time.monotonic() + PATIENCE
    for attempt in count():
        if waited(other.claim("ada", f"y{attempt}")):
            break
        assert time.monotonic() < end, "it is not free in time"
