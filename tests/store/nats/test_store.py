"""Several stores on one cluster: one order, what was not heard, who claims what."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest

from chatd.chat.event_rows import to_row
from chatd.chat.events import Deleted, Edited, Joined, Refused, Said
from chatd.chat.store import NotStoredError
from chatd.store.nats.bus import PIECE_BYTES, word_of
from chatd.store.nats.client.client import Hear
from chatd.store.nats.jetstream.layout import NODES, RECORDS
from chatd.store.nats.store import NatsStore, UnfitError
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, Nodes, making, said
from tests.support.served import PATIENCE
from tests.support.main_thread import TestTurn, waited


@pytest.fixture
def nodes(nats: Nats) -> Iterator[Nodes]:
    yield from making(nats)


def in_time(so: Callable[[], bool]) -> None:
    """Ask the cluster until something is so; every question is a round trip."""
    assert any(so() for _ in range(2000))


def has(store: NatsStore, accounts: dict[str, str]) -> bool:
    return bool(waited(store.records("account")) == accounts)


def test_all_who_listen_hear_all_in_one_order(nodes: Nodes) -> None:
    one, other, third = nodes(), nodes(), nodes()
    for node in (one, other, third):
        node.store.subscribe("lobby")
        node.settle()
    for number in range(100):
        one.store.post("lobby", f"one.{number}", said(f"one {number}"))
        other.store.post("lobby", f"other.{number}", said(f"other {number}"))
    one.until(lambda: all(len(node.heard) == 200 for node in (one, other, third)))
    assert one.heard == other.heard == third.heard
    numbers = [row[2] for row in one.heard]
    assert numbers == sorted(set(numbers))
    assert [row[1] for row in one.heard if row[1].startswith("one")] == [
        f"one.{number}" for number in range(100)
    ]


def test_what_a_server_says_by_mistake_costs_nobody_the_room(
    nodes: Nodes,
) -> None:
    one, other = nodes(), nodes()
    for node in (one, other):
        node.store.subscribe("lobby")
        node.settle()
    spot = one.store._line("lobby").spot
    joined = to_row(Joined(1.0, "eve"))
    for after in (10**9, "soon", None, [1]):
        data = json.dumps({**joined, "after": after}).encode()
        waited(one.store._read(one.store.link.tell, spot.live("e"), data))
    for data in (b"", b"nonsense", b"[]", b'{"event": "said"}', b"[" * 100_000):
        waited(one.store._read(one.store.link.tell, spot.live("e"), data))
        waited(one.store._read(one.store.streams.publish, spot.log, data))
    one.store.post("lobby", "1", said("hello"))
    other.until(lambda: "1" in [row[1] for row in other.heard])
    line = other.store._line("lobby")
    until = time.monotonic() + PATIENCE
    while line._repairing and time.monotonic() < until:
        waited(other.store._read(other.store.link.round_trip))
    one.store.post("lobby", "2", said("still here"))
    other.until(lambda: [row[1] for row in other.heard if row[1]] == ["1", "2"])
    found = waited(other.store.before("lobby", None, 9))
    assert [event for _, event in found] == [said("hello"), said("still here")]


def test_a_stream_that_was_deleted_is_made_again_at_the_next_start(
    nodes: Nodes,
) -> None:
    one = nodes()
    stream = one.store._line("lobby").spot.stream
    waited(one.store._read(one.store.streams._ask, f"STREAM.DELETE.{stream}", {}))
    other = nodes()
    other.store.post("lobby", "1", said("hello"))
    other.until(lambda: [row[1] for row in other.heard] == ["1"])


@pytest.mark.parametrize("is_known", [True, False])
def test_why_the_cluster_takes_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, nodes: Nodes, is_known: bool
) -> None:
    monkeypatch.setattr("chatd.store.nats.store.END_SECONDS", 0.1)  # it never keeps that
    node = nodes()
    if is_known:
        node.store.post("lobby", "0", said("hello"))
        node.until(lambda: len(node.heard) == 1)
    stream = node.store._line("lobby").spot.stream
    waited(node.store._read(node.store.streams._ask, f"STREAM.DELETE.{stream}", {}))
    assert node.store.declined() == ""
    node.store.post("lobby", "1", said("is anybody there?"))
    until, why = time.monotonic() + PATIENCE, ""
    while not why and time.monotonic() < until:
        waited(node.store._read(node.store.link.round_trip))
        why = node.store.declined()
    assert why == (f"nobody keeps {stream}" if is_known else "stream not found")


def test_who_does_not_listen_hears_only_what_they_post(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    one.store.post("lobby", "1", said("here"))
    one.settle()
    other.store.post("lobby", "2", said("there"))
    other.settle()
    assert [row[1] for row in one.heard] == ["1"]
    assert [row[1] for row in other.heard] == ["2"]
    other.store.subscribe("lobby")
    other.settle()
    one.store.post("lobby", "3", said("here again"))
    other.until(lambda: [row[1] for row in other.heard] == ["2", "3"])
    other.store.unsubscribe("lobby")
    other.settle()
    one.store.post("lobby", "4", said("nobody there"))
    one.settle()
    other.settle()
    assert [row[1] for row in other.heard] == ["2", "3"]


def test_what_is_not_kept_comes_after_what_was_before_it(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    other.store.subscribe("lobby")
    other.settle()
    for number in range(20):
        one.store.post("lobby", f"s{number}", said(str(number)))
        one.store.post("lobby", f"j{number}", Joined(1.0, "ada"))
    other.until(lambda: len(other.heard) == 40)
    one.settle()
    assert other.heard == one.heard


class Deaf:
    """Lets a store hear nothing of its rooms for a while."""

    def __init__(self, node: Node) -> None:
        self.deaf = True
        self._really = node.store.link.hear
        node.store.link.hear = self._hear  # type: ignore[method-assign]

    async def _hear(self, subject: str, hear: Hear) -> Callable[[], Awaitable[None]]:
        return await self._really(subject, lambda told: None if self.deaf else hear(told))


def test_a_copy_that_did_not_come_is_read_before_the_next(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    ears = Deaf(other)
    other.store.subscribe("lobby")
    other.settle()
    for number in range(5):
        one.store.post("lobby", f"{number}", said(str(number)))
    one.settle()
    other.settle()
    assert other.heard == []
    ears.deaf = False
    one.store.post("lobby", "5", said("5"))
    other.until(lambda: len(other.heard) == 6)
    one.settle()
    assert other.heard == one.heard


def test_a_copy_that_did_not_come_is_looked_for_in_time(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    Deaf(other)
    other.store.subscribe("lobby")
    other.settle()
    one.store.post("lobby", "1", said("here"))
    one.settle()
    renewed: list[bool] = []
    other.store.renew(lambda: renewed.append(True))
    other.until(lambda: other.heard == one.heard)
    assert renewed


def test_an_edit_and_a_deletion_are_seen_by_all(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    one.store.post("lobby", "1", said("helo"))
    one.store.post("lobby", "2", said("oops"))
    one.settle()
    first, second = (row[2] for row in one.heard)
    other.store.subscribe("lobby")
    other.settle()
    one.store.post("lobby", "3", Edited(2.0, "ada", first, "hello"))
    one.store.post("lobby", "4", Deleted(2.0, "ada", "ada", second))
    other.until(lambda: len(other.heard) == 2)
    assert waited(other.store.before("lobby", None, 9)) == [
        (first, Said(1.0, "ada", "hello", edited=True))
    ]
    # What is in no room of this name is not touched.
    other.store.post("attic", "5", Deleted(2.0, "ada", "ada", first))
    waited(other.store.before("attic", None, 0))
    assert len(waited(one.store.before("lobby", None, 9))) == 1


def test_a_nick_is_had_once_and_free_when_its_server_is_gone(
    nodes: Nodes,
) -> None:
    one, other = nodes(), nodes()
    assert waited(one.store.claim("ada", "x"))
    assert not waited(other.store.claim("ada", "y"))
    one.store.release("ada", "x")
    in_time(lambda: bool(waited(other.store.claim("ada", "y"))))
    assert not waited(one.store.claim("ada", "x"))
    waited(one.store._read(one.store.streams.purge, NODES, f"$KV.nodes.{other.store.lease}"))
    assert waited(one.store.claim("ada", "x"))
    # What the other believes to have, it cannot give back.
    other.store.release("ada", "y")
    other.settle()
    third = nodes()
    assert not waited(third.store.claim("ada", "z"))


def test_the_owner_of_a_nick_takes_it_from_a_server_that_lives(
    nodes: Nodes,
) -> None:
    one, other, third = nodes(), nodes(), nodes()
    assert waited(one.store.claim("ada", "x"))
    assert waited(other.store.claim("ada", "y", owner=True))
    one.store.release("ada", "x")  # it is another's by now
    one.settle()
    assert not waited(third.store.claim("ada", "z"))
    assert not waited(other.store.claim("ada", "z"))
    assert waited(other.store.claim("ada", "z", owner=True))


def test_a_record_is_told_to_the_others_and_changed_by_one_of_two(
    nodes: Nodes,
) -> None:
    one, other = nodes(), nodes()
    waited(one.store.put("account", "ada", "1"))
    other.until(lambda: other.told == [("account", "ada", "1")])
    waited(one.store.records("account"))
    assert one.told == []
    outcomes = [one.store.put("account", "ada", "2"), other.store.put("account", "ada", "3")]
    kept = []
    for value, outcome in zip(("2", "3"), outcomes, strict=True):
        with suppress(NotStoredError):
            waited(outcome)
            kept.append(value)
    [value] = kept
    for store in (one.store, other.store):
        in_time(partial(has, store, {"ada": value}))
    waited(one.store.put("account", "ada", None))
    other.until(lambda: other.told[-1] == ("account", "ada", None))
    assert waited(nodes().store.records("account")) == {}
    waited(other.store.put("account", "ada", "4"))
    assert waited(other.store.records("account")) == {"ada": "4"}


def test_the_last_word_counts_in_what_is_nobodys_agreement(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    outcomes = [one.store.put("profile", "ada", "1"), other.store.put("profile", "ada", "2")]
    for outcome in outcomes:
        waited(outcome)


def test_servers_hear_each_other_and_not_themselves(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    end = time.monotonic() + PATIENCE
    while not other.said:  # what is told goes to who listens by then
        assert time.monotonic() < end, "the other hears nothing"
        one.store.broadcast("hello")
        one.settle(), other.settle()
    one.store.send(other.store.name, "psst")
    other.until(lambda: (one.store.name, "psst") in other.said)
    *hellos, last = other.said
    assert set(hellos) == {(one.store.name, "hello")}
    assert last == (one.store.name, "psst")
    assert one.said == []


def test_servers_ask_each_other_and_are_answered_by_who_may_have_to_wait(
    nodes: Nodes,
) -> None:
    one, other = nodes(), nodes()
    other.store.post("lobby", "1", said("hello"))
    answer = waited(one.store.request(other.store.name, "how many"))
    assert answer == f"how many, {one.store.name}? 1"
    with pytest.raises(Refused) as refused:
        waited(one.store.request("nobody", "how many"))
    assert refused.value.code == "gone"


def test_a_nick_is_given_to_another_server_and_to_no_other(nodes: Nodes) -> None:
    one, other, third = nodes(), nodes(), nodes()
    assert waited(one.store.claim("ada", "x"))
    one.store.hand_over_nick("ada", other.store.name)
    one.settle()
    assert not waited(third.store.claim("ada", "z"))
    assert not waited(one.store.claim("ada", "x"))
    assert waited(other.store.claim("ada", "y"))
    one.store.release("ada", "x")
    one.settle()
    assert not waited(third.store.claim("ada", "z"))


def renews(node: Node) -> None:
    """Let a server say once more that it lives."""
    renewed: list[bool] = []
    node.store.renew(lambda: renewed.append(True))
    node.until(lambda: bool(renewed))


@pytest.mark.parametrize("size", [PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES])
def test_servers_hear_also_what_is_very_long(nodes: Nodes, size: int) -> None:
    one, other = nodes(), nodes()
    one.store.broadcast("x" * size)
    one.store.send(other.store.name, "y" * size)
    other.until(lambda: len(other.said) == 2)
    assert sorted(text for _, text in other.said) == ["x" * size, "y" * size]


def test_what_is_very_long_and_did_not_come_whole_is_not_heard(
    nodes: Nodes,
) -> None:
    one, other = nodes(), nodes()
    tell = one.store.link.tell

    async def loses(subject: str, data: bytes) -> None:
        if not data.startswith(b"\x012/"):
            await tell(subject, data)

    one.store.link.tell = loses  # type: ignore[method-assign]
    one.store.broadcast("x" * 3 * PIECE_BYTES)
    one.settle()
    one.store.link.tell = tell  # type: ignore[method-assign]
    one.store.broadcast("after")
    one.store.broadcast("y" * 3 * PIECE_BYTES)
    other.until(lambda: len(other.said) == 2)
    assert [text[:5] for _, text in other.said] == ["after", "yyyyy"]
    assert other.store._pieces == {}


@pytest.mark.parametrize("again", [False, True])
def test_rooms_of_others_are_not_forgotten_while_they_live(nodes: Nodes, again: bool) -> None:
    one, other = nodes(), nodes()
    one.store.post("lobby", "1", said("here"))
    one.settle()
    if again:
        renews(one)
    other.store.drop_rooms_but([])
    other.settle()
    assert len(waited(other.store.before("lobby", None, 9))) == 1


def test_what_a_server_says_that_starts_at_the_same_moment_is_not_forgotten(
    nodes: Nodes,
) -> None:
    one = nodes()
    one.store.post("attic", "1", said("left by the dead"))
    one.settle()
    really, later = one.store.streams.purge, []

    async def purge(stream: str, subject: str, *, below: int | None = None) -> None:
        later.append((stream, subject, below))

    one.store.streams.purge = purge  # type: ignore[method-assign]
    one.store.drop_rooms_but([])
    one.settle()
    other = nodes()
    other.store.post("attic", "2", said("new"))
    other.settle()
    assert later
    one.store.streams.purge = really  # type: ignore[method-assign]
    for stream, subject, below in later:
        waited(one.store._read(partial(really, below=below), stream, subject))
    assert [event for _, event in waited(other.store.before("attic", None, 9))] == [said("new")]


def test_a_room_that_is_gone_takes_nothing_along_that_was_said_since(
    nodes: Nodes,
) -> None:
    one, other = nodes(), nodes()
    one.store.post("lobby", "1", said("old"))
    one.settle()
    other.store.post("lobby", "2", said("new"))
    other.settle()
    one.store.drop_room("lobby")
    one.settle()
    assert [event for _, event in waited(other.store.before("lobby", None, 9))] == [said("new")]


def test_a_history_of_thousands_is_read_from_anywhere(nodes: Nodes) -> None:
    one = nodes()
    for number in range(3000):
        one.store.post("lobby", f"l{number}", said(str(number)))
        if number % 3 == 0:
            one.store.post("attic", f"a{number}", said(str(number)))
    waited(one.store.before("attic", None, 0))
    rows = waited(one.store.before("lobby", None, 20))
    assert [event.text for _, event in rows] == [str(n) for n in range(2980, 3000)]
    older = waited(one.store.before("lobby", rows[0][0], 700))
    assert [event.text for _, event in older] == [str(n) for n in range(2280, 2980)]
    later = waited(one.store.after("lobby", older[0][0], 700))
    assert [event.text for _, event in later] == [str(n) for n in range(2281, 2981)]
    assert waited(one.store.count("lobby", older[0][0], rows[0][0])) == 699
    assert waited(one.store.count("lobby", 0, rows[0][0])) == 2980


def test_what_was_dropped_long_ago_can_be_put_again(nodes: Nodes) -> None:
    one = nodes()
    for value in ("1", None):
        waited(one.store.put("account", "ada", value))
    waited(one.store._read(one.store.streams.purge, RECORDS, "$KV.records.*.*"))
    waited(one.store.put("account", "ada", "2"))
    assert waited(nodes().store.records("account")) == {"ada": "2"}


def test_who_did_not_hear_of_a_change_cannot_undo_it(nodes: Nodes) -> None:
    one, other = nodes(), nodes()
    waited(one.store.put("account", "ada", "1"))
    in_time(partial(has, other.store, {"ada": "1"}))
    other.store._records._ready.clear()  # it takes in nothing that it hears
    waited(one.store.put("account", "ada", "2"))
    waited(other.store._read(other.store.link.round_trip))
    other.store._call(other.store._records._ready.set)
    with pytest.raises(NotStoredError):
        waited(other.store.put("account", "ada", "3"))
    assert waited(other.store.records("account")) == {"ada": "2"}


def test_servers_that_start_at_once_on_a_new_cluster_all_come_up(three_nats: Nats) -> None:
    where = three_nats.account()
    with ThreadPoolExecutor() as threads:
        made = [threads.submit(Node, where, TestTurn()) for _ in range(3)]
    for each in made:
        waited(each.result().store.close())


@pytest.mark.parametrize(
    ("called", "word"),
    [
        ("chat1", "chat1"),
        ("chat1/2", "chat1"),
        ("chat.example.net", "chat-example-net"),
        ("grün *.>", "gr-n----"),
        ("x" * 65, "x" * 64),
        ("", "chatd"),
    ],
)
def test_who_a_server_is_for_nats_is_one_plain_word(called: str, word: str) -> None:
    assert word_of(called) == word


def test_who_forgets_a_room_late_takes_nothing_along_that_others_said_meanwhile(
    nodes: Nodes,
) -> None:
    one, other = nodes(), nodes()
    one.store.subscribe("lobby")
    one.store.post("lobby", "1", said("old"))
    one.settle()
    halt = asyncio.Event()
    one.store._call(lambda: one.store._line("lobby").wait_for(halt))
    one.store.post("lobby", "2", said("late"))
    one.store.unsubscribe("lobby")
    one.store.drop_room("lobby")
    other.store.post("lobby", "3", said("new"))
    other.settle()
    one.store._call(halt.set)
    one.settle()
    there = [event for _, event in waited(other.store.before("lobby", None, 9))]
    assert there == [said("new"), said("late")]


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        ({"name": "OTHER", "subjects": ["room.>"]}, "ROOM_0 cannot be made: subjects overlap"),
        ({"name": "ROOM_1", "subjects": ["room.1.*", "over.1.*.*"]}, "ROOM_1 has another"),
        ({"name": "KV_nodes", "subjects": ["$KV.nodes.*.*"], "max_age": 10**10}, "KV_nodes has"),
        ({"name": "KV_records", "subjects": ["$KV.records.*.*"]}, "has another republish"),
    ],
)
def test_a_stream_that_somebody_else_has_made_is_named(
    nats: Nats, stream: dict[str, object], why: str
) -> None:
    where = nats.account()
    made = Node(where, TestTurn()).store
    for name in ("ROOM_0", "ROOM_1", "KV_nodes", "KV_nicks", "KV_records"):
        waited(made._read(made.streams._ask, f"STREAM.DELETE.{name}", {}))
    waited(made._read(made.streams.make, {**stream, "storage": "file"}))
    with pytest.raises(UnfitError, match=why):
        Node(where, TestTurn())
    waited(made.close())
