"""Several stores on one cluster: order, lost messages, claims, records and the bus."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from chatd.chat.event_rows import to_row
from chatd.chat.events import Deleted, Edited, Joined, Refused, Said
from chatd.chat.store import NotStoredError, Record
from chatd.store.nats import records as records_of_nats
from chatd.store.nats.bus import CHUNK_BYTES, server_token
from chatd.store.nats.client.client import MessageHandler
from chatd.store.nats.jetstream.layout import NODES, RECORDS, subject_token
from chatd.store.nats.store import NatsStore, UnfitError
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import MakeNode, Node, make_nodes, said
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE


@pytest.fixture
def make_node(nats: Nats) -> Iterator[MakeNode]:
    yield from make_nodes(nats)


def poll(condition: Callable[[], bool]) -> None:
    """Ask the cluster until a condition holds; each time is a round trip."""
    assert any(condition() for _ in range(2000))


def has_accounts(store: NatsStore, accounts: dict[str, str]) -> bool:
    return bool(wait_for(store.records("account")) == accounts)


def test_subscribed_servers_receive_all_events_in_one_order(make_node: MakeNode) -> None:
    one, other, third = make_node(), make_node(), make_node()
    for node in (one, other, third):
        node.store.subscribe("lobby")
        node.wait_until_stored()
    for number in range(100):
        one.store.post("lobby", f"one.{number}", said(f"one {number}"))
        other.store.post("lobby", f"other.{number}", said(f"other {number}"))
    one.run_until(lambda: all(len(node.stored_events) == 200 for node in (one, other, third)))
    assert one.stored_events == other.stored_events == third.stored_events
    numbers = [row[2] for row in one.stored_events]
    assert numbers == sorted(set(numbers))
    assert [row[1] for row in one.stored_events if row[1].startswith("one")] == [
        f"one.{number}" for number in range(100)
    ]


def test_malformed_messages_do_not_break_a_room(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    for node in (one, other):
        node.store.subscribe("lobby")
        node.wait_until_stored()
    subject = one.store.layout.room("lobby")
    joined = to_row(Joined(1.0, "eve"))
    for after in (10**9, "soon", None, [1]):
        data = json.dumps({**joined, "after": after}).encode()
        wait_for(one.store.bridge.query(one.store.connection.publish, subject.live("e"), data))
    for data in (b"", b"nonsense", b"[]", b'{"event": "said"}', b"[" * 100_000):
        wait_for(one.store.bridge.query(one.store.connection.publish, subject.live("e"), data))
        wait_for(one.store.bridge.query(one.store.streams.publish, subject.log, data))
    one.store.post("lobby", "1", said("hello"))
    other.run_until(lambda: "1" in [row[1] for row in other.stored_events])
    stream = other.store.room_stream("lobby")
    until = time.monotonic() + PATIENCE
    while stream.is_catching_up and time.monotonic() < until:
        wait_for(other.store.bridge.query(other.store.connection.flush))
    one.store.post("lobby", "2", said("still here"))
    other.run_until(lambda: [row[1] for row in other.stored_events if row[1]] == ["1", "2"])
    found = wait_for(other.store.before("lobby", None, 9))
    assert [event for _, event in found] == [said("hello"), said("still here")]


def test_a_deleted_stream_is_created_again_at_the_next_start(
    make_node: MakeNode,
) -> None:
    one = make_node()
    stream = one.store.layout.room("lobby").stream
    wait_for(one.store.bridge.query(one.store.streams.request, f"STREAM.DELETE.{stream}", {}))
    other = make_node()
    other.store.post("lobby", "1", said("hello"))
    other.run_until(lambda: [row[1] for row in other.stored_events] == ["1"])


@pytest.mark.parametrize("is_loaded", [True, False])
def test_the_reason_why_the_cluster_stores_nothing_is_reported(
    monkeypatch: pytest.MonkeyPatch, make_node: MakeNode, is_loaded: bool
) -> None:
    monkeypatch.setattr("chatd.store.nats.store.END_SECONDS", 0.1)  # the post is never stored
    node = make_node()
    if is_loaded:
        node.store.post("lobby", "0", said("hello"))
        node.run_until(lambda: len(node.stored_events) == 1)
    stream = node.store.layout.room("lobby").stream
    wait_for(node.store.bridge.query(node.store.streams.request, f"STREAM.DELETE.{stream}", {}))
    assert node.store.declined() == ""
    node.store.post("lobby", "1", said("is anybody there?"))
    until, reason = time.monotonic() + PATIENCE, ""
    while not reason and time.monotonic() < until:
        wait_for(node.store.bridge.query(node.store.connection.flush))
        reason = node.store.declined()
    assert reason == (f"nobody keeps {stream}" if is_loaded else "stream not found")


def test_a_server_that_is_not_subscribed_receives_only_its_own_posts(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    one.store.post("lobby", "1", said("here"))
    one.wait_until_stored()
    other.store.post("lobby", "2", said("there"))
    other.wait_until_stored()
    assert [row[1] for row in one.stored_events] == ["1"]
    assert [row[1] for row in other.stored_events] == ["2"]
    other.store.subscribe("lobby")
    other.wait_until_stored()
    one.store.post("lobby", "3", said("here again"))
    other.run_until(lambda: [row[1] for row in other.stored_events] == ["2", "3"])
    other.store.unsubscribe("lobby")
    other.wait_until_stored()
    one.store.post("lobby", "4", said("nobody there"))
    one.wait_until_stored()
    other.wait_until_stored()
    assert [row[1] for row in other.stored_events] == ["2", "3"]


def test_unstored_events_keep_their_place_among_stored_ones(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    other.store.subscribe("lobby")
    other.wait_until_stored()
    for number in range(20):
        one.store.post("lobby", f"s{number}", said(str(number)))
        one.store.post("lobby", f"j{number}", Joined(1.0, "ada"))
    other.run_until(lambda: len(other.stored_events) == 40)
    one.wait_until_stored()
    assert other.stored_events == one.stored_events


class Deafness:
    """Drops what a store receives of its rooms, for a while."""

    def __init__(self, node: Node) -> None:
        self.is_deaf = True
        self._subscribe_directly = node.store.connection.subscribe
        node.store.connection.subscribe = self._subscribe  # type: ignore[method-assign]

    async def _subscribe(
        self, subject: str, handler: MessageHandler
    ) -> Callable[[], Awaitable[None]]:
        return await self._subscribe_directly(
            subject, lambda message: None if self.is_deaf else handler(message)
        )


def test_a_lost_live_copy_is_read_before_the_next_one(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    deafness = Deafness(other)
    other.store.subscribe("lobby")
    other.wait_until_stored()
    for number in range(5):
        one.store.post("lobby", f"{number}", said(str(number)))
    one.wait_until_stored()
    other.wait_until_stored()
    assert other.stored_events == []
    deafness.is_deaf = False
    one.store.post("lobby", "5", said("5"))
    other.run_until(lambda: len(other.stored_events) == 6)
    one.wait_until_stored()
    assert other.stored_events == one.stored_events


def test_a_lost_live_copy_is_found_when_the_lease_is_renewed(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    Deafness(other)
    other.store.subscribe("lobby")
    other.wait_until_stored()
    one.store.post("lobby", "1", said("here"))
    one.wait_until_stored()
    renewed: list[bool] = []
    other.store.renew(lambda: renewed.append(True))
    other.run_until(lambda: other.stored_events == one.stored_events)
    assert renewed


def test_edits_and_deletions_reach_all_servers(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    one.store.post("lobby", "1", said("helo"))
    one.store.post("lobby", "2", said("oops"))
    one.wait_until_stored()
    first, second = (row[2] for row in one.stored_events)
    other.store.subscribe("lobby")
    other.wait_until_stored()
    one.store.post("lobby", "3", Edited(2.0, "ada", first, "hello"))
    one.store.post("lobby", "4", Deleted(2.0, "ada", "ada", second))
    other.run_until(lambda: len(other.stored_events) == 2)
    assert wait_for(other.store.before("lobby", None, 9)) == [
        (first, Said(1.0, "ada", "hello", edited=True))
    ]
    # The number of another room's event changes nothing.
    other.store.post("attic", "5", Deleted(2.0, "ada", "ada", first))
    wait_for(other.store.before("attic", None, 0))
    assert len(wait_for(one.store.before("lobby", None, 9))) == 1


def test_a_nick_has_one_holder_and_is_free_when_its_server_is_gone(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    assert wait_for(one.store.claim("ada", "x"))
    assert not wait_for(other.store.claim("ada", "y"))
    one.store.release("ada", "x")
    poll(lambda: bool(wait_for(other.store.claim("ada", "y"))))
    assert not wait_for(one.store.claim("ada", "x"))
    wait_for(
        one.store.bridge.query(one.store.streams.purge, NODES, f"$KV.nodes.{other.store.bus.name}")
    )
    assert wait_for(one.store.claim("ada", "x"))
    # The other cannot release a nick that it only believes to hold.
    other.store.release("ada", "y")
    other.wait_until_stored()
    third = make_node()
    assert not wait_for(third.store.claim("ada", "z"))


def test_the_owner_of_a_nick_takes_it_from_a_living_server(
    make_node: MakeNode,
) -> None:
    one, other, third = make_node(), make_node(), make_node()
    assert wait_for(one.store.claim("ada", "x"))
    assert wait_for(other.store.claim("ada", "y", owner=True))
    one.store.release("ada", "x")  # it is the other's by now
    one.wait_until_stored()
    assert not wait_for(third.store.claim("ada", "z"))
    assert not wait_for(other.store.claim("ada", "z"))
    assert wait_for(other.store.claim("ada", "z", owner=True))


def test_one_of_two_simultaneous_changes_of_a_record_is_stored(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    wait_for(one.store.put_all([Record("account", "ada", "1")]))
    other.run_until(lambda: other.record_changes == [("account", "ada", "1")])
    wait_for(one.store.records("account"))
    assert one.record_changes == []
    with one.paused(), other.paused():  # so that neither receives the other's change before its own
        outcomes = [
            one.store.put_all([Record("account", "ada", "2")]),
            other.store.put_all([Record("account", "ada", "3")]),
        ]
    stored = []
    for value, outcome in zip(("2", "3"), outcomes, strict=True):
        with suppress(NotStoredError):
            wait_for(outcome)
            stored.append(value)
    [value] = stored
    for store in (one.store, other.store):
        poll(partial(has_accounts, store, {"ada": value}))
    wait_for(one.store.put_all([Record("account", "ada", None)]))
    other.run_until(lambda: other.record_changes[-1] == ("account", "ada", None))
    assert wait_for(make_node().store.records("account")) == {}
    wait_for(other.store.put_all([Record("account", "ada", "4")]))
    assert wait_for(other.store.records("account")) == {"ada": "4"}


def test_several_records_are_replaced_together_or_put_back(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    wait_for(one.store.put_all([Record("account", "ada", "1"), Record("account", "bob", "1")]))
    other.run_until(lambda: len(other.record_changes) == 2)
    with other.paused():  # so that it does not receive the change before its own
        outcome = other.store.put_all(
            [
                Record("account", "ada", "2"),
                Record("account", "cy", "2"),
                Record("account", "bob", "2"),
            ]
        )
        wait_for(one.store.put_all([Record("account", "bob", "3")]))
    with pytest.raises(NotStoredError, match="somebody else changed it"):
        wait_for(outcome)
    for store in (one.store, other.store):
        poll(partial(has_accounts, store, {"ada": "1", "bob": "3"}))
    wait_for(other.store.put_all([Record("account", "ada", "4"), Record("account", "bob", "4")]))


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_stored_although_the_cluster_did_not_answer_in_time_is_undone(
    make_node: MakeNode, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Nobody was told that it is done; it is stored before or after the server has given up."""
    one, other = make_node(), make_node()
    wait_for(one.store.put_all([Record("account", "ada", "1"), Record("account", "bob", "1")]))
    streams = one.store.streams
    publish = streams.publish

    async def answers_nothing(subject: str, data: bytes, **options: Any) -> Any:
        if data != b"2":
            return await publish(subject, data, **options)
        if when == "before":
            await publish(subject, data, **options)
        return await asyncio.sleep(PATIENCE)

    monkeypatch.setattr(streams, "publish", answers_nothing)
    monkeypatch.setattr(records_of_nats, "GIVE_UP_SECONDS", 0.5)
    with pytest.raises(NotStoredError, match="the cluster does not answer"):
        wait_for(one.store.put_all([Record("account", "ada", "2"), Record("account", "bob", "2")]))
    monkeypatch.setattr(records_of_nats, "GIVE_UP_SECONDS", float(PATIENCE))
    if when == "after":
        [message_id] = one.store.record_cache._abandoned
        subject = f"$KV.records.{subject_token('account')}.{subject_token('ada')}"
        one.store.bridge.submit(publish(subject, b"2", message_id=message_id)).result(PATIENCE)
        one.run_until(lambda: ("account", "ada", "2") in one.record_changes)
        poll(partial(has_accounts, other.store, {"ada": "2", "bob": "1"}))
        return
    for node in (one, other):
        poll(partial(has_accounts, node.store, {"ada": "1", "bob": "1"}))
    one.run_until(lambda: ("account", "ada", "1") in one.record_changes)
    assert other.record_changes[-1] == ("account", "ada", "1")
    wait_for(one.store.put_all([Record("account", "ada", "3")]))
    poll(partial(has_accounts, other.store, {"ada": "3", "bob": "1"}))


def test_the_last_write_of_a_profile_wins(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    outcomes = [
        one.store.put_all([Record("profile", "ada", "1")]),
        other.store.put_all([Record("profile", "ada", "2")]),
    ]
    for outcome in outcomes:
        wait_for(outcome)


def test_a_message_for_somebody_who_is_away_is_not_overwritten(make_node: MakeNode) -> None:
    """Two servers add one each at the same moment: of these one is refused, and can be repeated."""
    one, other = make_node(), make_node()
    wait_for(one.store.put_all([Record("mail", "ada", "[0]")]))
    other.run_until(lambda: other.record_changes == [("mail", "ada", "[0]")])
    with one.paused(), other.paused():
        outcomes = [
            one.store.put_all([Record("mail", "ada", "[0, 1]")]),
            other.store.put_all([Record("mail", "ada", "[0, 2]")]),
        ]
    stored = 0
    for outcome in outcomes:
        with suppress(NotStoredError):
            wait_for(outcome)
            stored += 1
    assert stored == 1


def test_servers_receive_each_others_messages_and_not_their_own(make_node: MakeNode) -> None:
    one, other = make_node(), make_node()
    end = time.monotonic() + PATIENCE
    while not other.bus_texts:  # the first messages may come before the subscription
        assert time.monotonic() < end, "the other receives nothing"
        one.store.bus.broadcast("hello")
        one.wait_until_stored(), other.wait_until_stored()
    one.store.bus.send(other.store.bus.name, "psst")
    other.run_until(lambda: (one.store.bus.name, "psst") in other.bus_texts)
    *hellos, last = other.bus_texts
    assert set(hellos) == {(one.store.bus.name, "hello")}
    assert last == (one.store.bus.name, "psst")
    assert one.bus_texts == []


def test_a_request_is_answered_also_by_a_server_that_has_to_read_first(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    other.store.post("lobby", "1", said("hello"))
    answer = wait_for(one.store.bus.request(other.store.bus.name, "how many"))
    assert answer == f"how many, {one.store.bus.name}? 1"
    with pytest.raises(Refused) as refused:
        wait_for(one.store.bus.request("nobody", "how many"))
    assert refused.value.code == "gone"


def test_a_nick_is_handed_over_to_one_server(make_node: MakeNode) -> None:
    one, other, third = make_node(), make_node(), make_node()
    assert wait_for(one.store.claim("ada", "x"))
    one.store.bus.hand_over_nick("ada", other.store.bus.name)
    one.wait_until_stored()
    assert not wait_for(third.store.claim("ada", "z"))
    assert not wait_for(one.store.claim("ada", "x"))
    assert wait_for(other.store.claim("ada", "y"))
    one.store.release("ada", "x")
    one.wait_until_stored()
    assert not wait_for(third.store.claim("ada", "z"))


def renew_lease(node: Node) -> None:
    """Renew the lease of a server."""
    renewed: list[bool] = []
    node.store.renew(lambda: renewed.append(True))
    node.run_until(lambda: bool(renewed))


@pytest.mark.parametrize("size", [CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES])
def test_long_texts_are_sent_in_chunks(make_node: MakeNode, size: int) -> None:
    one, other = make_node(), make_node()
    one.store.bus.broadcast("x" * size)
    one.store.bus.send(other.store.bus.name, "y" * size)
    other.run_until(lambda: len(other.bus_texts) == 2)
    assert sorted(text for _, text in other.bus_texts) == ["x" * size, "y" * size]


def test_a_text_of_which_a_chunk_was_lost_is_dropped(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    publish = one.store.connection.publish

    async def lose_second_chunk(subject: str, data: bytes) -> None:
        if not data.startswith(b"\x012/"):
            await publish(subject, data)

    one.store.connection.publish = lose_second_chunk  # type: ignore[method-assign]
    one.store.bus.broadcast("x" * 3 * CHUNK_BYTES)
    one.wait_until_stored()
    one.store.connection.publish = publish  # type: ignore[method-assign]
    one.store.bus.broadcast("after")
    one.store.bus.broadcast("y" * 3 * CHUNK_BYTES)
    other.run_until(lambda: len(other.bus_texts) == 2)
    assert [text[:5] for _, text in other.bus_texts] == ["after", "yyyyy"]
    assert other.store.bus.incomplete_texts == 0


@pytest.mark.parametrize("again", [False, True])
def test_rooms_of_other_servers_are_not_dropped_while_they_live(
    make_node: MakeNode, again: bool
) -> None:
    one, other = make_node(), make_node()
    one.store.post("lobby", "1", said("here"))
    one.wait_until_stored()
    if again:
        renew_lease(one)
    other.store.drop_rooms_but([])
    other.wait_until_stored()
    assert len(wait_for(other.store.before("lobby", None, 9))) == 1


def test_posts_of_a_server_that_starts_during_a_purge_are_not_dropped(
    make_node: MakeNode,
) -> None:
    one = make_node()
    one.store.post("attic", "1", said("left by the dead"))
    one.wait_until_stored()
    purge_directly, purges = one.store.streams.purge, []

    async def purge(stream: str, subject: str, *, below: int | None = None) -> None:
        purges.append((stream, subject, below))

    one.store.streams.purge = purge  # type: ignore[method-assign]
    one.store.drop_rooms_but([])
    one.wait_until_stored()
    other = make_node()
    other.store.post("attic", "2", said("new"))
    other.wait_until_stored()
    assert purges
    one.store.streams.purge = purge_directly  # type: ignore[method-assign]
    for stream, subject, below in purges:
        wait_for(one.store.bridge.query(partial(purge_directly, below=below), stream, subject))
    assert [event for _, event in wait_for(other.store.before("attic", None, 9))] == [said("new")]


def test_dropping_a_room_leaves_what_others_posted_since(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    one.store.post("lobby", "1", said("old"))
    one.wait_until_stored()
    other.store.post("lobby", "2", said("new"))
    other.wait_until_stored()
    one.store.drop_room("lobby")
    one.wait_until_stored()
    assert [event for _, event in wait_for(other.store.before("lobby", None, 9))] == [said("new")]


def test_a_long_history_is_read_from_any_number(make_node: MakeNode) -> None:
    one = make_node()
    for number in range(3000):
        one.store.post("lobby", f"l{number}", said(str(number)))
        if number % 3 == 0:
            one.store.post("attic", f"a{number}", said(str(number)))
    wait_for(one.store.before("attic", None, 0))
    rows = wait_for(one.store.before("lobby", None, 20))
    assert [event.text for _, event in rows] == [str(n) for n in range(2980, 3000)]
    older = wait_for(one.store.before("lobby", rows[0][0], 700))
    assert [event.text for _, event in older] == [str(n) for n in range(2280, 2980)]
    purges = wait_for(one.store.after("lobby", older[0][0], 700))
    assert [event.text for _, event in purges] == [str(n) for n in range(2281, 2981)]
    assert wait_for(one.store.count("lobby", older[0][0], rows[0][0])) == 699
    assert wait_for(one.store.count("lobby", 0, rows[0][0])) == 2980


def test_a_record_can_be_put_again_after_its_deletion_has_expired(make_node: MakeNode) -> None:
    one = make_node()
    for value in ("1", None):
        wait_for(one.store.put_all([Record("account", "ada", value)]))
    wait_for(one.store.bridge.query(one.store.streams.purge, RECORDS, "$KV.records.*.*"))
    wait_for(one.store.put_all([Record("account", "ada", "2")]))
    assert wait_for(make_node().store.records("account")) == {"ada": "2"}


def test_a_server_that_missed_a_change_cannot_overwrite_it(
    nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = nats.account()
    one = Node(servers, TestMainThread())
    wait_for(one.store.put_all([Record("account", "ada", "1")]))
    with monkeypatch.context() as bounds:
        bounds.setattr("chatd.store.nats.threads.MAX_STEPS", 1)
        other = Node(servers, TestMainThread())  # which reads the record when it starts

    async def fill_bridge() -> None:
        other.store.bridge.call_main(lambda: None)

    other.store.bridge.submit(fill_bridge()).result(PATIENCE)  # so that it takes nothing in
    wait_for(one.store.put_all([Record("account", "ada", "2")]))
    other.receive_all()
    with pytest.raises(NotStoredError):
        wait_for(other.store.put_all([Record("account", "ada", "3")]))
    assert wait_for(other.store.records("account")) == {"ada": "2"}
    for node in (one, other):
        wait_for(node.store.close())


def test_servers_that_start_at_once_on_a_new_cluster_all_start(three_nats: Nats) -> None:
    servers = three_nats.account()
    with ThreadPoolExecutor() as threads:
        existing = [threads.submit(Node, servers, TestMainThread()) for _ in range(3)]
    for each in existing:
        wait_for(each.result().store.close())


@pytest.mark.parametrize(
    ("display_name", "token"),
    [
        ("chat1", "chat1"),
        ("chat1/2", "chat1"),
        ("chat.example.net", "chat-example-net"),
        ("grün *.>", "gr-n----"),
        ("x" * 65, "x" * 64),
        ("", "chatd"),
    ],
)
def test_the_name_of_a_server_becomes_one_token(display_name: str, token: str) -> None:
    assert server_token(display_name) == token


def test_a_late_drop_of_a_room_leaves_what_others_posted_meanwhile(
    make_node: MakeNode,
) -> None:
    one, other = make_node(), make_node()
    one.store.subscribe("lobby")
    one.store.post("lobby", "1", said("old"))
    one.wait_until_stored()
    halt = asyncio.Event()
    one.store.bridge.call(lambda: one.store.room_stream("lobby").wait_for(halt))
    one.store.post("lobby", "2", said("late"))
    one.store.unsubscribe("lobby")
    one.store.drop_room("lobby")
    other.store.post("lobby", "3", said("new"))
    other.wait_until_stored()
    one.store.bridge.call(halt.set)
    one.wait_until_stored()
    found = [event for _, event in wait_for(other.store.before("lobby", None, 9))]
    assert found == [said("new"), said("late")]


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ({"name": "OTHER", "subjects": ["room.>"]}, "ROOM_0 cannot be made: subjects overlap"),
        ({"name": "ROOM_1", "subjects": ["room.1.*", "over.1.*.*"]}, "ROOM_1 has another"),
        ({"name": "KV_nodes", "subjects": ["$KV.nodes.*.*"], "max_age": 10**10}, "KV_nodes has"),
        ({"name": "KV_records", "subjects": ["$KV.records.*.*"]}, "has another republish"),
    ],
)
def test_a_foreign_stream_is_named_in_the_error(
    nats: Nats, stream: dict[str, object], reason: str
) -> None:
    servers = nats.account()
    existing = Node(servers, TestMainThread()).store
    for name in ("ROOM_0", "ROOM_1", "KV_nodes", "KV_nicks", "KV_records"):
        wait_for(existing.bridge.query(existing.streams.request, f"STREAM.DELETE.{name}", {}))
    wait_for(existing.bridge.query(existing.streams.create, {**stream, "storage": "file"}))
    with pytest.raises(UnfitError, match=reason):
        Node(servers, TestMainThread())
    wait_for(existing.close())
