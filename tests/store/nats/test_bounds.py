"""Bounds of a store on a cluster while one of its two threads is blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from chatd.chat.events import Joined, Refused
from chatd.chat.store import NotStoredError, Record
from chatd.store.nats.store import BUSY
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, said
from tests.support.main_thread import TestMainThread, TestPromise, wait_for

BOUND = 5
MakeNode = Callable[[], Node]


@pytest.fixture
def make_node(nats: Nats, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeNode]:
    """Return a function that makes servers with main threads of their own, and small bounds."""
    for bound in (
        "threads.MAX_STEPS",
        "threads.MAX_QUERIES",
        "store.MAX_PENDING",
        "store.MAX_PENDING_RECORDS",
        "bus.MAX_MESSAGES",
    ):
        monkeypatch.setattr(f"chatd.store.nats.{bound}", BOUND)
    servers, nodes_made = nats.account(), []

    def make() -> Node:
        nodes_made.append(Node(servers, TestMainThread()))
        return nodes_made[-1]

    yield make
    for node in nodes_made:
        wait_for(node.store.close())


def post_lines(node: Node, lines: int) -> None:
    """Post so many lines, no more at a time than may wait."""
    for number in range(lines):
        node.store.post("lobby", f"s{number}", said(str(number)))
        if number % 10 == 0:
            node.store.post("lobby", f"j{number}", Joined(1.0, "ada"))
        node.wait_until_stored()


def test_a_blocked_main_thread_gets_everything_later(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    other.store.subscribe("lobby")
    other.wait_until_stored()
    post_lines(one, 4 * BOUND)
    other.receive_all()
    assert other.store.bridge.pending_steps == BOUND, "it takes in as much as the bound"
    before = len(one.stored_events)
    one.store.post("lobby", "last", said("last"))
    one.run_until(lambda: len(one.stored_events) == before + 1)
    other.receive_all()
    assert other.store.bridge.pending_steps == BOUND
    other.run_until(lambda: len(other.stored_events) >= len(one.stored_events))
    other.wait_until_stored()
    assert other.stored_events == one.stored_events


def test_skipped_events_come_although_nothing_follows(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    other.store.subscribe("lobby")
    other.wait_until_stored()
    post_lines(one, BOUND)
    other.receive_all()
    one.store.post("lobby", "last", Joined(1.0, "bob"))
    one.run_until(lambda: one.stored_events[-1][1] == "last")
    other.run_until(lambda: other.stored_events == one.stored_events)


def test_record_changes_that_were_not_taken_in_are_read_at_the_next_renewal(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    for number in range(3 * BOUND):
        wait_for(one.store.put_all([Record("account", str(number), "x")]))
    other.receive_all()
    assert other.store.bridge.pending_steps == BOUND
    other.store.renew(lambda: None)
    other.run_until(lambda: len(other.record_changes) == 3 * BOUND)
    assert [key for _, key, _ in other.record_changes] == [
        str(number) for number in range(3 * BOUND)
    ]


def test_posts_beyond_the_bound_are_refused(make_node: MakeNode) -> None:
    one = make_node()
    with one.paused():
        for number in range(BOUND + 1):
            one.store.post("lobby", f"s{number}", said("x"))
        one.main_thread.run()
        assert one.failures == [BUSY]
        for number in range(BOUND + 1):  # unstored events have a bound of their own
            one.store.post("lobby", f"j{number}", Joined(1.0, "ada"))
        one.main_thread.run()
        assert one.failures == [BUSY, BUSY]
    one.run_until(lambda: len(one.stored_events) == 2 * BOUND)
    one.store.post("lobby", "more", said("x"))
    one.run_until(lambda: one.stored_events[-1][1] == "more")
    assert one.store.pending_posts == 0


def test_pending_posts_are_bounded_in_bytes(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatd.store.nats.store.MAX_PENDING_BYTES", 1000)
    one = make_node()
    with one.paused():
        for number in range(2):
            one.store.post("lobby", f"s{number}", said("x" * 1000))
        one.main_thread.run()
        assert one.failures == [BUSY]
    one.run_until(lambda: len(one.stored_events) == 1)


def test_records_beyond_the_bound_are_refused(make_node: MakeNode) -> None:
    one = make_node()
    with one.paused():
        promises = [
            one.store.put_all([Record("account", str(number), "x")]) for number in range(BOUND)
        ]
        with pytest.raises(NotStoredError, match="cannot keep up"):
            wait_for(one.store.put_all([Record("account", "more", "x")]))
    for answer in promises:
        wait_for(answer)
    wait_for(one.store.put_all([Record("account", "more", "x")]))
    assert len(wait_for(one.store.records("account"))) == BOUND + 1


class UnresolvedPromise(TestPromise):
    """A promise that is not waited for."""

    def __await__(self) -> Generator[None, None, Any]:
        yield


def test_queries_beyond_the_bound_are_refused(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = make_node()
    with monkeypatch.context() as patch:
        patch.setattr(one.main_thread, "promise", lambda: UnresolvedPromise(one.main_thread))
        queries = [one.store.before("lobby", None, 1) for _ in range(BOUND)]
        for query in queries:
            query.send(None)
        with pytest.raises(Refused):
            wait_for(one.store.before("lobby", None, 1))
    queries[0].close()
    assert wait_for(one.store.before("lobby", None, 1)) == []
    for query in queries:
        query.close()


def test_bus_messages_beyond_the_bound_are_dropped(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    with one.paused():
        for number in range(BOUND + 1):
            one.store.bus.broadcast(str(number))
    # Once these are handled there is room for one more, at both ends.
    other.run_until(lambda: len(other.bus_texts) == BOUND)
    one.store.bus.send(other.store.bus.name, "again")
    other.run_until(lambda: (one.store.bus.name, "again") in other.bus_texts)
    assert [text for _, text in other.bus_texts] == [*map(str, range(BOUND)), "again"]


def test_bus_messages_for_a_blocked_main_thread_are_bounded(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    for number in range(2 * BOUND):
        one.store.bus.broadcast(str(number))
        one.receive_all()
    other.receive_all()
    assert other.store.bridge.pending_steps == BOUND
    other.main_thread.run()
    assert [text for _, text in other.bus_texts] == [*map(str, range(BOUND))]


def test_repeated_subscriptions_while_the_cluster_is_away_leave_one_job(
    make_node: MakeNode,
) -> None:
    one = make_node()
    stream = one.store.room_stream("lobby")
    resume = asyncio.Event()

    def toggle_subscription() -> None:
        stream.wait_for(resume)
        for _ in range(100):
            stream.subscribe(), stream.subscribe(), stream.unsubscribe(), stream.unsubscribe()
            stream.subscribe(), stream.audit(), stream.audit()

    one.store.bridge.call(toggle_subscription)
    one.main_thread.run_until(lambda: True)
    one.receive_all()
    assert stream.pending_jobs <= 2
    one.store.bridge.call(resume.set)
    one.wait_until_stored()
    assert stream.is_subscribed
