"""What a server remembers of its rooms is what the stream has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from chatd.chat.events import Change, Deleted, Edited, KeptEvent, Said
from chatd.store.nats.jetstream.messages import Written
from chatd.store.nats.rooms.reading import Found
from chatd.store.nats.rooms.tail_cache import Tail, Tails
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, Nodes, making, said
from tests.support.main_thread import waited


@pytest.fixture
def nodes(nats: Nats) -> Iterator[Nodes]:
    yield from making(nats)


def listening(nodes: Nodes, **options: Any) -> Node:
    node = nodes(**options)
    node.store.subscribe("lobby")
    node.settle()
    return node


def nothing_is_read(node: Node) -> None:
    """From now on nothing can be read from the stream."""

    async def page(*wanted: object, **more: object) -> None:
        raise AssertionError("it is read from the stream")

    node.store.streams.page = page  # type: ignore[assignment]


def test_what_was_read_once_is_remembered_with_what_came_and_changed_since(nodes: Nodes) -> None:
    one, other, third = nodes(), listening(nodes), nodes()
    for number in range(10):
        one.store.post("lobby", f"s{number}", said(str(number)))
    other.until(lambda: len(other.heard) == 10)
    numbers = [row[2] for row in other.heard]
    assert len(waited(other.store.before("lobby", None, 3))) == 3
    nothing_is_read(other)
    one.store.post("lobby", "edit", Edited(2.0, "ada", numbers[8], "eight"))
    one.store.post("lobby", "gone", Deleted(2.0, "ada", "ada", numbers[5]))
    one.store.post("lobby", "more", said("more"))
    other.until(lambda: other.heard[-1][1] == "more")
    rows = waited(third.store.before("lobby", None, 99))
    assert [event.text for _, event in rows] == [*"0123467", "eight", "9", "more"]
    assert waited(other.store.before("lobby", None, 99)) == rows
    assert waited(other.store.before("lobby", numbers[8], 3)) == rows[4:7]
    assert waited(other.store.after("lobby", numbers[3], 3)) == rows[4:7]
    assert waited(other.store.count("lobby", numbers[3], numbers[9])) == 4
    assert waited(other.store.last_by("lobby", "ada")) == rows[-1]
    other.store.unsubscribe("lobby")
    with pytest.raises(AssertionError):
        waited(other.store.before("lobby", None, 99))


@pytest.mark.parametrize("seed", range(3))
def test_what_is_remembered_is_what_is_there(nodes: Nodes, seed: int) -> None:
    random = Random(seed)
    one, other, third = listening(nodes, tail=4), listening(nodes, tail=7), nodes()
    numbers = [1]
    for step in range(60):
        number, most = random.choice(numbers[-9:]), random.choice((None, 3, 5))
        post = random.choice((said(str(step)), said(str(step)), *changes_of(number, step)))
        random.choice((one, other)).store.post("lobby", str(step), post)
        for node in (one, other):
            node.until(lambda node=node, step=step: heard(node, str(step)))  # type: ignore[misc]
        if isinstance(post, KeptEvent):
            numbers.append(one.heard[-1][2])
        for node in (one, other, third) if step % 20 == 10 else ():
            node.store.limit("lobby", most)
            node.settle()
        for node in (one, other):
            look_about(node, third, random, numbers)


def changes_of(number: int, step: int) -> tuple[Change, Change]:
    return Edited(2.0, "ada", number, f"new {step}"), Deleted(2.0, "ada", "ada", number)


def heard(node: Node, message_id: str) -> bool:
    return any(row[1] == message_id for row in node.heard)


def look_about(node: Node, third: Node, random: Random, numbers: list[int]) -> None:
    """Compare what a server says of a room with what one says that does not hear it."""
    below = random.choice((None, *numbers[-9:]))
    number, count = random.choice(numbers[-9:]), random.randrange(9)
    for asked in (("before", below, count), ("after", number, count)):
        read = [getattr(each.store, asked[0])("lobby", *asked[1:]) for each in (node, third)]
        assert waited(read[0]) == waited(read[1]), asked


# The tail by itself -------------------------------------------------------------------------------


def found(number: int, text: str = "x", when: float = 0.0) -> Found:
    taken = datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return Found(number, Written(Said(1.0, "ada", text)), (taken, "000000000"))


def change(number: int, event: Change) -> Found:
    return Found(number, Written(event), ("", ""))


def known(tail: Tail) -> list[int] | None:
    rows = tail.before(None, 0)
    return None if rows is None else [each.number for each in tail.newest()]


def filled(tails: Tails, *numbers: int, whole: bool = False) -> Tail:
    tail = Tail(tails)
    begun = tail.begins(9)
    tail.fill(begun, [found(number) for number in numbers], whole=whole)
    return tail


def test_so_many_events_of_a_room_are_remembered_and_the_oldest_gives_way() -> None:
    tail = filled(Tails(events=3), 7, 8, 9, whole=True)
    assert tail.before(None, 5) is not None, "there is nothing else"
    tail.take(found(10), None)
    assert known(tail) == [8, 9, 10]
    assert tail.before(None, 4) is None
    assert tail.after(6, 9) is None
    assert [each.number for each in tail.after(7, 9) or ()] == [8, 9, 10]


def test_what_a_room_keeps_less_of_is_not_remembered_longer() -> None:
    tail = filled(Tails(events=3), 8, 9, whole=True)
    tail.take(found(10), 2)
    assert known(tail) == [9, 10]
    assert len(tail.before(None, 5) or ()) == 2, "the stream has no more"


def test_so_much_of_all_rooms_is_remembered_and_who_was_not_asked_gives_way() -> None:
    tails = Tails(size=4500)
    first, second = filled(tails, 8, 9), filled(tails, 8, 9)
    assert known(first) == [8, 9]
    second.take(found(10, "x" * 1000), None)
    assert known(first) == [8, 9]
    assert known(second) is None
    third = filled(tails, 7, 8, 9)
    assert known(first) is None
    assert known(third) == [7, 8, 9]
    tails.forget()
    assert known(third) is None
    assert tails._size == 0


def test_what_the_stream_drops_with_age_is_not_remembered() -> None:
    now = time.time()
    tail = Tail(Tails(age=3600.0))
    begun = tail.begins(9)
    tail.fill(begun, [found(7, when=now - 3700), found(8, when=now - 3500)], whole=True)
    assert known(tail) == [8]


def test_what_happens_while_the_room_is_read_is_remembered_as_well() -> None:
    tail = Tail(Tails())
    begun = tail.begins(9)
    assert tail.begins(9) is None
    assert known(tail) is None
    tail.take(found(10), None)
    tail.take(found(11), None)
    tail.take(change(12, Deleted(1.0, "ada", "ada", 10)), None)
    tail.fill(begun, [found(8), found(10), found(11)], whole=False)
    assert known(tail) == [8, 11]


def test_what_was_changed_while_it_was_read_is_not_remembered() -> None:
    tail = Tail(Tails())
    begun = tail.begins(9)
    tail.take(found(10), None)
    tail.take(change(11, Edited(1.0, "ada", 8, "new")), None)
    again = tail.begins(11)
    tail.fill(begun, [found(8), found(10)], whole=False)
    assert known(tail) is None
    tail.fill(again, [found(8, "new"), found(10)], whole=False)
    assert known(tail) == [8, 10]
