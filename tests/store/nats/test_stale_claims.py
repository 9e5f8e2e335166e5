"""What dead servers have claimed is dropped by one of those that live, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from chatd.store.nats.client.locks import KeyedLocks
from chatd.store.nats.jetstream.layout import NICKS, subject_token
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, Nodes, lease_ends, making
from tests.support.main_thread import waited


@pytest.fixture
def nodes(nats: Nats) -> Iterator[Nodes]:
    yield from making(nats)


def renews(node: Node) -> None:
    """Renew the lease of a server, and all that goes with it."""
    renewed: list[bool] = []
    waited(node.store._read(node.store._renew, lambda: renewed.append(True)))
    assert renewed


def dies(node: Node) -> None:
    """Let the lease of a server end."""
    lease_ends(node.store, node.store.lease)


def claimed(node: Node) -> list[str]:
    """Every nick that is claimed, by whoever."""
    page = waited(node.store._read(node.store.streams.page, NICKS, "$KV.nicks.*", 1))
    held = [each for each in page[0] if "KV-Operation" not in each.headers]
    return sorted(each.subject.rpartition(".")[2] for each in held)


def first_and_last(nodes: Nodes, count: int) -> list[Node]:
    return sorted((nodes() for _ in range(count)), key=lambda node: node.store.lease)


def test_the_first_that_lives_drops_what_a_dead_server_claims(nodes: Nodes) -> None:
    first, second, dead = first_and_last(nodes, 3)
    for node, nicks in ((first, "ab"), (second, "cd"), (dead, "efg")):
        for nick in nicks:
            assert waited(node.store.claim(nick, "x"))
    for node in (first, second):
        renews(node)
    assert claimed(first) == [subject_token(nick) for nick in "abcdefg"]
    dies(dead)
    renews(second)
    assert claimed(first) == [subject_token(nick) for nick in "abcdefg"], "it is not the first"
    renews(first)
    assert claimed(first) == [subject_token(nick) for nick in "abcd"]
    assert waited(second.store.claim("e", "y"))
    renews(first)
    assert not waited(first.store.claim("e", "z"))


def test_who_comes_after_all_have_died_sweeps_at_the_start(nodes: Nodes) -> None:
    dead = nodes()
    assert waited(dead.store.claim("ada", "x"))
    dies(dead)
    one = nodes()
    assert claimed(one) == [subject_token("ada")]
    renews(one)
    assert claimed(one) == []


def test_so_many_are_dropped_at_once_and_the_others_next(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.store.nats.stale_claims.SWEPT", 3)
    dead = nodes()
    for nick in "abcd":
        assert waited(dead.store.claim(nick, "x"))
    dies(dead)
    one = nodes()
    assert waited(one.store.claim("e", "x"))
    renews(one)
    assert claimed(one) == [subject_token("d"), subject_token("e")]
    renews(one)
    assert claimed(one) == [subject_token("e")]


def test_a_server_that_has_come_since_keeps_what_it_claims(nodes: Nodes) -> None:
    one, other = first_and_last(nodes, 2)
    assert waited(other.store.claim("ada", "x"))
    there = waited(
        one.store._read(one.store.streams.last, NICKS, f"$KV.nicks.{subject_token('ada')}")
    )
    drop = one.store._claims.drop_if_dead
    assert not waited(one.store._read(drop, there, frozenset({one.store.lease})))
    assert claimed(one) == [subject_token("ada")]
    dies(other)
    assert waited(one.store.claim("ada", "y"))
    assert waited(other.store._read(other.store._claims.drop_if_dead, there, frozenset()))
    assert claimed(one) == [subject_token("ada")], "it has been taken by then"


def test_one_is_about_a_thing_at_a_time_and_nothing_is_kept_of_it() -> None:
    async def several() -> None:
        turns, about, order = KeyedLocks(), 0, []

        async def one(number: int) -> None:
            nonlocal about
            async with turns.of("ada"):
                about += 1
                assert about == 1
                await asyncio.sleep(0)
                order.append(number)
                about -= 1

        first = [asyncio.create_task(one(number)) for number in range(3)]
        while len(order) < 2:
            await asyncio.sleep(0)
            assert len(turns) == 1
        await asyncio.gather(*first, one(3))
        assert order == [0, 1, 2, 3]
        assert len(turns) == 0

    asyncio.run(several())


def test_nothing_is_kept_of_nicks_and_records_that_are_done_with(nodes: Nodes) -> None:
    one = nodes()
    for nick in ("ada", "bob"):
        assert waited(one.store.claim(nick, "x"))
        waited(one.store.put("account", nick, "1"))
    assert len(one.store._claims._turns) == len(one.store._records._turns) == 0
