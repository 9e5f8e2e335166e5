"""Claims on a nick by two servers at once, and those of a dead server."""

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
from tests.support.cluster.stores import Node, kill_store
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE


def claim_in_two_servers(servers: Servers, nicks: int) -> list[list[bool]]:
    """Let two servers claim so many nicks at the same moment; return the results of both."""
    nodes = [Node(servers, TestMainThread()), Node(servers, TestMainThread())]
    start = Barrier(2, timeout=PATIENCE)

    def claim_all(node: Node) -> list[bool]:
        results = []
        for number in range(nicks):
            start.wait()
            results.append(wait_for(node.store.claim(f"nick{number}", node.store.bus.name)))
        return results

    try:
        with ThreadPoolExecutor(2) as threads:
            return list(threads.map(claim_all, nodes))
    finally:
        for node in nodes:
            wait_for(node.store.close())


def test_one_of_two_servers_that_claim_a_nick_at_once_gets_it(nats: Nats) -> None:
    one, other = claim_in_two_servers(nats.account(), 200)
    assert [(mine, not mine) for mine in one] == list(zip(one, other, strict=True))


def test_one_of_two_servers_gets_a_nick_with_three_nats_servers(three_nats: Nats) -> None:
    one, other = claim_in_two_servers(three_nats.account(), 50)
    assert [(mine, not mine) for mine in one] == list(zip(one, other, strict=True))


@pytest.fixture
def make_short_lived(nats: Nats) -> Iterator[Callable[[], NatsStore]]:
    """Return a function that makes servers whose leases last a second."""
    servers, turn, stores = nats.account(), TestMainThread(), []

    def make() -> NatsStore:
        store = NatsStore(servers, turn, shards=1, lease_seconds=1)
        store.begin()
        stores.append(store)
        return store

    yield make
    for store in stores:
        if store.bridge.is_running:
            wait_for(store.close())


def test_the_nicks_of_a_dead_server_are_free_when_its_lease_has_expired(
    make_short_lived: Callable[[], NatsStore],
) -> None:
    dead, other = make_short_lived(), make_short_lived()
    assert wait_for(dead.claim("ada", "x"))
    assert wait_for(dead.claim("bob", "x"))
    kill_store(dead)
    assert wait_for(other.claim("bob", "y", owner=True))
    end = time.monotonic() + PATIENCE
    for attempt in count():
        if wait_for(other.claim("ada", f"y{attempt}")):
            break
        assert time.monotonic() < end, "it is not free in time"
