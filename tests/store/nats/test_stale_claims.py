"""Stale claims are dropped by one of the living servers, and no other claim is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from chatd.chat.store import Record
from chatd.store.nats.client.locks import KeyedLocks
from chatd.store.nats.jetstream.layout import NICKS, subject_token
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import MakeNode, Node, expire_lease, make_nodes
from tests.support.main_thread import wait_for


@pytest.fixture
def make_node(nats: Nats) -> Iterator[MakeNode]:
    yield from make_nodes(nats)


def maintain(node: Node) -> None:
    """Renew the lease of a server, and do all that goes with it."""
    renewed: list[bool] = []
    wait_for(node.store.bridge.query(node.store.maintain, lambda: renewed.append(True)))
    assert renewed


def expire(node: Node) -> None:
    """Expire the lease of a server."""
    expire_lease(node.store, node.store.bus.name)


def claimed_tokens(node: Node) -> list[str]:
    """Return the tokens of every claimed nick."""
    page = wait_for(node.store.bridge.query(node.store.streams.page, NICKS, "$KV.nicks.*", 1))
    held = [each for each in page[0] if "KV-Operation" not in each.headers]
    return sorted(each.subject.rpartition(".")[2] for each in held)


def sorted_nodes(make_node: MakeNode, count: int) -> list[Node]:
    return sorted((make_node() for _ in range(count)), key=lambda node: node.store.bus.name)


def test_the_first_living_server_drops_the_claims_of_a_dead_one(make_node: MakeNode) -> None:
    first, second, dead = sorted_nodes(make_node, 3)
    for node, nicks in ((first, "ab"), (second, "cd"), (dead, "efg")):
        for nick in nicks:
            assert wait_for(node.store.claim(nick, "x"))
    for node in (first, second):
        maintain(node)
    assert claimed_tokens(first) == [subject_token(nick) for nick in "abcdefg"]
    expire(dead)
    maintain(second)
    assert claimed_tokens(first) == [subject_token(nick) for nick in "abcdefg"], (
        "it is not the first"
    )
    maintain(first)
    assert claimed_tokens(first) == [subject_token(nick) for nick in "abcd"]
    assert wait_for(second.store.claim("e", "y"))
    maintain(first)
    assert not wait_for(first.store.claim("e", "z"))


def test_a_server_that_starts_after_all_have_died_drops_their_claims(make_node: MakeNode) -> None:
    dead = make_node()
    assert wait_for(dead.store.claim("ada", "x"))
    expire(dead)
    one = make_node()
    assert claimed_tokens(one) == [subject_token("ada")]
    maintain(one)
    assert claimed_tokens(one) == []


def test_a_bounded_number_of_stale_claims_is_dropped_at_once(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.store.nats.stale_claims.DROPPED_AT_ONCE", 3)
    dead = make_node()
    for nick in "abcd":
        assert wait_for(dead.store.claim(nick, "x"))
    expire(dead)
    one = make_node()
    assert wait_for(one.store.claim("e", "x"))
    maintain(one)
    assert claimed_tokens(one) == [subject_token("d"), subject_token("e")]
    maintain(one)
    assert claimed_tokens(one) == [subject_token("e")]


def test_the_claims_of_a_server_that_has_started_meanwhile_stay(make_node: MakeNode) -> None:
    one, other = sorted_nodes(make_node, 2)
    assert wait_for(other.store.claim("ada", "x"))
    claim = wait_for(
        one.store.bridge.query(one.store.streams.last, NICKS, f"$KV.nicks.{subject_token('ada')}")
    )
    drop = one.store.claims.drop_if_dead
    assert not wait_for(one.store.bridge.query(drop, claim, frozenset({one.store.bus.name})))
    assert claimed_tokens(one) == [subject_token("ada")]
    expire(other)
    assert wait_for(one.store.claim("ada", "y"))
    assert wait_for(other.store.bridge.query(other.store.claims.drop_if_dead, claim, frozenset()))
    assert claimed_tokens(one) == [subject_token("ada")], "it was claimed again"


def test_a_keyed_lock_has_one_holder_and_leaves_nothing_behind() -> None:
    async def several() -> None:
        locks, users, order = KeyedLocks(), 0, []

        async def one(number: int) -> None:
            nonlocal users
            async with locks.of("ada"):
                users += 1
                assert users == 1
                await asyncio.sleep(0)
                order.append(number)
                users -= 1

        first = [asyncio.create_task(one(number)) for number in range(3)]
        while len(order) < 2:
            await asyncio.sleep(0)
            assert len(locks) == 1
        await asyncio.gather(*first, one(3))
        assert order == [0, 1, 2, 3]
        assert len(locks) == 0

    asyncio.run(several())


def test_no_lock_is_left_of_nicks_and_records_that_are_done(make_node: MakeNode) -> None:
    one = make_node()
    for nick in ("ada", "bob"):
        assert wait_for(one.store.claim(nick, "x"))
        wait_for(one.store.put_all([Record("account", nick, "1")]))
    assert len(one.store.claims.locks) == len(one.store.record_cache.locks) == 0
