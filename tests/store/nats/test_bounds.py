"""What a store on a cluster does when one of its two threads does nothing for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest

from chatd.chat.events import Joined, Refused
from chatd.chat.store import NotStoredError
from chatd.store.nats.store import BUSY
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, said
from tests.support.served import PATIENCE
from tests.support.main_thread import TestAnswer, TestTurn, waited

BOUND = 5
Nodes = Callable[[], Node]


@pytest.fixture
def nodes(nats: Nats, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    """Return what makes servers, each with a thread of its own for the chat, and small bounds."""
    for bound in ("threads.STEPS", "threads.READS", "store.WAITING", "store.PUTS", "bus.TOLD"):
        monkeypatch.setattr(f"chatd.store.nats.{bound}", BOUND)
    where, made = nats.account(), []

    def make() -> Node:
        made.append(Node(where, TestTurn()))
        return made[-1]

    yield make
    for node in made:
        waited(node.store.close())


@contextmanager
def standing_still(node: Node) -> Iterator[None]:
    """Let the thread of the connection do nothing for a while."""
    goes_on = Event()
    node.store._call(goes_on.wait, PATIENCE)
    try:
        yield
    finally:
        goes_on.set()


def take_in(node: Node) -> None:
    """Let a server take in what the cluster has for it, while its chat does nothing."""
    there = asyncio.run_coroutine_threadsafe(node.store.link.round_trip(), node.store._loop.loop)
    there.result(PATIENCE)


def talks(node: Node, lines: int) -> None:
    """Let somebody say so much that others hear, no more at a time than may wait."""
    for number in range(lines):
        node.store.post("lobby", f"s{number}", said(str(number)))
        if number % 10 == 0:
            node.store.post("lobby", f"j{number}", Joined(1.0, "ada"))
        node.settle()


def test_a_chat_that_stands_still_hears_everything_later(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    other.store.subscribe("lobby")
    other.settle()
    talks(one, 4 * BOUND)
    take_in(other)
    assert other.store._out.count == BOUND, "it takes in what it is bound to and no more"
    talks_again = len(one.heard)
    one.store.post("lobby", "last", said("last"))
    one.until(lambda: len(one.heard) == talks_again + 1)
    take_in(other)
    assert other.store._out.count == BOUND
    other.until(lambda: len(other.heard) >= len(one.heard))
    other.settle()
    assert other.heard == one.heard


def test_what_a_chat_did_not_take_in_comes_although_nothing_follows(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    other.store.subscribe("lobby")
    other.settle()
    talks(one, BOUND)
    take_in(other)
    one.store.post("lobby", "last", Joined(1.0, "bob"))
    one.until(lambda: one.heard[-1][1] == "last")
    other.until(lambda: other.heard == one.heard)


def test_records_that_a_chat_did_not_take_in_are_read_in_time(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    for number in range(3 * BOUND):
        waited(one.store.put("account", str(number), "x"))
    take_in(other)
    assert other.store._out.count == BOUND
    other.store.renew(lambda: None)
    other.until(lambda: len(other.told) == 3 * BOUND)
    assert [key for _, key, _ in other.told] == [str(number) for number in range(3 * BOUND)]


def test_so_much_may_wait_for_the_cluster_and_more_is_refused(nodes: Nodes) -> None:
    one = nodes()
    with standing_still(one):
        for number in range(BOUND + 1):
            one.store.post("lobby", f"s{number}", said("x"))
        one.turn.run()
        assert one.refused == [BUSY]
        for number in range(BOUND + 1):  # what is not kept has a bound of its own
            one.store.post("lobby", f"j{number}", Joined(1.0, "ada"))
        one.turn.run()
        assert one.refused == [BUSY, BUSY]
    one.until(lambda: len(one.heard) == 2 * BOUND)
    one.store.post("lobby", "more", said("x"))
    one.until(lambda: one.heard[-1][1] == "more")
    assert one.store._waiting.count == one.store._passing.count == 0


def test_text_that_waits_for_the_cluster_is_bounded_by_its_bytes(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.store.nats.store.WAITING_BYTES", 1000)
    one = nodes()
    with standing_still(one):
        for number in range(2):
            one.store.post("lobby", f"s{number}", said("x" * 1000))
        one.turn.run()
        assert one.refused == [BUSY]
    one.until(lambda: len(one.heard) == 1)


def test_so_many_records_may_wait_and_more_are_refused(nodes: Nodes) -> None:
    one = nodes()
    with standing_still(one):
        answers = [one.store.put("account", str(number), "x") for number in range(BOUND)]
        with pytest.raises(NotStoredError, match="cannot keep up"):
            waited(one.store.put("account", "more", "x"))
    for answer in answers:
        waited(answer)
    waited(one.store.put("account", "more", "x"))
    assert len(waited(one.store.records("account"))) == BOUND + 1


class Later(TestAnswer):
    """An answer that nobody waits for to the end."""

    def __await__(self) -> Generator[None, None, Any]:
        yield


def test_so_much_is_looked_up_at_once_and_more_is_refused(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = nodes()
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(one.turn, "answer", lambda: Later(one.turn))
        looks = [one.store.before("lobby", None, 1) for _ in range(BOUND)]
        for look in looks:
            look.send(None)
        with pytest.raises(Refused):
            waited(one.store.before("lobby", None, 1))
    looks[0].close()
    assert waited(one.store.before("lobby", None, 1)) == []
    for look in looks:
        look.close()


def test_so_much_is_told_at_once_and_the_rest_is_not(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    with standing_still(one):
        for number in range(BOUND + 1):
            one.store.broadcast(str(number))
    one.settle(), take_in(other), other.turn.run()
    one.store.send(other.store.name, "again")
    other.until(lambda: (one.store.name, "again") in other.said)
    assert [text for _, text in other.said] == [*map(str, range(BOUND)), "again"]


def test_what_is_told_to_a_chat_that_stands_still_is_bounded(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    for number in range(2 * BOUND):
        one.store.broadcast(str(number))
        one.settle()
    take_in(other)
    assert other.store._out.count == BOUND
    other.turn.run()
    assert [text for _, text in other.said] == [*map(str, range(BOUND))]


def test_who_comes_and_goes_while_nothing_answers_leaves_one_thing_to_do(nodes: Nodes) -> None:
    one = nodes()
    line = one.store._line("lobby")
    goes_on = asyncio.Event()

    def meanwhile() -> None:
        line.wait_for(goes_on)
        for _ in range(100):
            line.subscribe(), line.subscribe(), line.unsubscribe(), line.unsubscribe()
            line.subscribe(), line.audit(), line.audit()

    one.store._call(meanwhile)
    one.turn.run_until(lambda: True)
    take_in(one)
    assert len(line._jobs) <= 2
    one.store._call(goes_on.set)
    one.settle()
    assert line.listens
