"""The tail cache agrees with the stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from chatd.chat.events import Change, Deleted, Edited, KeptEvent, Said
from chatd.store.nats.jetstream.messages import Envelope
from chatd.store.nats.rooms.reading import RoomMessage
from chatd.store.nats.rooms.tail_cache import Tail, TailCache
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import MakeNode, Node, make_nodes, said
from tests.support.main_thread import wait_for


@pytest.fixture
def make_node(nats: Nats) -> Iterator[MakeNode]:
    yield from make_nodes(nats)


def subscribed_node(make_node: MakeNode, **options: Any) -> Node:
    node = make_node(**options)
    node.store.subscribe("lobby")
    node.wait_until_stored()
    return node


def forbid_reading(node: Node) -> None:
    """Let nothing be read from the stream from now on."""

    async def page(*wanted: object, **more: object) -> None:
        raise AssertionError("it is read from the stream")

    node.store.streams.page = page  # type: ignore[assignment]


def test_a_tail_once_read_is_cached_and_follows_later_events_and_changes(
    make_node: MakeNode,
) -> None:
    one, other, third = make_node(), subscribed_node(make_node), make_node()
    for number in range(10):
        one.store.post("lobby", f"s{number}", said(str(number)))
    other.run_until(lambda: len(other.stored_events) == 10)
    numbers = [row[2] for row in other.stored_events]
    assert len(wait_for(other.store.before("lobby", None, 3))) == 3
    forbid_reading(other)
    one.store.post("lobby", "edit", Edited(2.0, "ada", numbers[8], "eight"))
    one.store.post("lobby", "gone", Deleted(2.0, "ada", "ada", numbers[5]))
    one.store.post("lobby", "more", said("more"))
    other.run_until(lambda: other.stored_events[-1][1] == "more")
    rows = wait_for(third.store.before("lobby", None, 99))
    assert [event.text for _, event in rows] == [*"0123467", "eight", "9", "more"]
    assert wait_for(other.store.before("lobby", None, 99)) == rows
    assert wait_for(other.store.before("lobby", numbers[8], 3)) == rows[4:7]
    assert wait_for(other.store.after("lobby", numbers[3], 3)) == rows[4:7]
    assert wait_for(other.store.count("lobby", numbers[3], numbers[9])) == 4
    assert wait_for(other.store.last_by("lobby", "ada")) == rows[-1]
    other.store.unsubscribe("lobby")
    with pytest.raises(AssertionError):
        wait_for(other.store.before("lobby", None, 99))


@pytest.mark.parametrize("seed", range(3))
def test_cached_reads_equal_reads_of_the_stream(make_node: MakeNode, seed: int) -> None:
    random = Random(seed)
    one, other, third = (
        subscribed_node(make_node, tail=4),
        subscribed_node(make_node, tail=7),
        make_node(),
    )
    numbers = [1]
    for step in range(60):
        number, most = random.choice(numbers[-9:]), random.choice((None, 3, 5))
        post = random.choice((said(str(step)), said(str(step)), *changes_to(number, step)))
        random.choice((one, other)).store.post("lobby", str(step), post)
        for node in (one, other):
            node.run_until(lambda node=node, step=step: has_stored(node, str(step)))  # type: ignore[misc]
        if isinstance(post, KeptEvent):
            numbers.append(one.stored_events[-1][2])
        for node in (one, other, third) if step % 20 == 10 else ():
            node.store.limit("lobby", most)
            node.wait_until_stored()
        for node in (one, other):
            compare_reads(node, third, random, numbers)


def changes_to(number: int, step: int) -> tuple[Change, Change]:
    return Edited(2.0, "ada", number, f"new {step}"), Deleted(2.0, "ada", "ada", number)


def has_stored(node: Node, message_id: str) -> bool:
    return any(row[1] == message_id for row in node.stored_events)


def compare_reads(node: Node, third: Node, random: Random, numbers: list[int]) -> None:
    """Compare the reads of a server with those of one that is not subscribed."""
    below = random.choice((None, *numbers[-9:]))
    number, count = random.choice(numbers[-9:]), random.randrange(9)
    for asked in (("before", below, count), ("after", number, count)):
        read = [getattr(each.store, asked[0])("lobby", *asked[1:]) for each in (node, third)]
        assert wait_for(read[0]) == wait_for(read[1]), asked


# The tail by itself -------------------------------------------------------------------------------


def message(number: int, text: str = "x", when: float = 0.0) -> RoomMessage:
    taken = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return RoomMessage(number, Envelope(Said(1.0, "ada", text)), (taken, "000000000"))


def change_message(number: int, event: Change) -> RoomMessage:
    return RoomMessage(number, Envelope(event), ("", ""))


def cached_numbers(tail: Tail) -> list[int] | None:
    rows = tail.before(None, 0)
    return None if rows is None else [each.number for each in tail.newest()]


def filled_tail(tails: TailCache, *numbers: int, whole: bool = False) -> Tail:
    tail = Tail(tails)
    token = tail.start_fill(9)
    tail.fill(token, [message(number) for number in numbers], whole=whole)
    return tail


def test_the_oldest_event_beyond_the_bound_of_a_tail_is_dropped() -> None:
    tail = filled_tail(TailCache(max_events=3), 7, 8, 9, whole=True)
    assert tail.before(None, 5) is not None, "there is nothing else"
    tail.append(message(10), None)
    assert cached_numbers(tail) == [8, 9, 10]
    assert tail.before(None, 4) is None
    assert tail.after(6, 9) is None
    assert [each.number for each in tail.after(7, 9) or ()] == [8, 9, 10]


def test_a_tail_follows_the_limit_of_its_room() -> None:
    tail = filled_tail(TailCache(max_events=3), 8, 9, whole=True)
    tail.append(message(10), 2)
    assert cached_numbers(tail) == [9, 10]
    assert len(tail.before(None, 5) or ()) == 2, "the stream has no more"


def test_the_least_recently_used_tail_is_cleared_when_the_cache_is_full() -> None:
    tails = TailCache(max_bytes=4500)
    first, second = filled_tail(tails, 8, 9), filled_tail(tails, 8, 9)
    assert cached_numbers(first) == [8, 9]
    second.append(message(10, "x" * 1000), None)
    assert cached_numbers(first) == [8, 9]
    assert cached_numbers(second) is None
    third = filled_tail(tails, 7, 8, 9)
    assert cached_numbers(first) is None
    assert cached_numbers(third) == [7, 8, 9]
    tails.clear()
    assert cached_numbers(third) is None
    assert tails.size == 0


def test_events_that_the_stream_drops_by_age_are_not_cached() -> None:
    now = time.time()
    tail = Tail(TailCache(max_age=3600.0))
    token = tail.start_fill(9)
    tail.fill(token, [message(7, when=now - 3700), message(8, when=now - 3500)], whole=True)
    assert cached_numbers(tail) == [8]


def test_events_that_come_while_a_tail_is_filled_are_cached() -> None:
    tail = Tail(TailCache())
    token = tail.start_fill(9)
    assert tail.start_fill(9) is None
    assert cached_numbers(tail) is None
    tail.append(message(10), None)
    tail.append(message(11), None)
    tail.append(change_message(12, Deleted(1.0, "ada", "ada", 10)), None)
    tail.fill(token, [message(8), message(10), message(11)], whole=False)
    assert cached_numbers(tail) == [8, 11]


def test_a_change_to_what_is_being_read_discards_the_fill() -> None:
    tail = Tail(TailCache())
    token = tail.start_fill(9)
    tail.append(message(10), None)
    tail.append(change_message(11, Edited(1.0, "ada", 8, "new")), None)
    second_token = tail.start_fill(11)
    tail.fill(token, [message(8), message(10)], whole=False)
    assert cached_numbers(tail) is None
    tail.fill(second_token, [message(8, "new"), message(10)], whole=False)
    assert cached_numbers(tail) == [8, 10]
