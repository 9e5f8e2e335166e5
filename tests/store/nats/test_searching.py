"""Bounds of a search in a cluster's rooms, and the order of its matches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from random import Random

import pytest

from chatd.chat.events import Edited, KeptEvent, Refused, Said
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.rooms.searching import CONCURRENT_SEARCHES, Search
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, said
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.served import PATIENCE

ROOMS = ("attic", "cellar", "lobby")


@pytest.fixture
def node(nats: Nats) -> Iterator[Node]:
    made = Node(nats.account(), TestMainThread())
    yield made
    wait_for(made.store.close())


def post_all(node: Node, *texts: str, room: str = "lobby") -> None:
    for text in texts:
        node.store.post(room, f"{room} {text}", said(text))
    wait_for(node.store.before(room, None, 0))


def found_texts(node: Node, search: SearchQuery, count: int = 9, skip: int = 0) -> list[str]:
    found = wait_for(node.store.search(["lobby"], search, skip, count))
    return [event.text for _, _, event in found]


def test_old_messages_are_found(node: Node) -> None:
    post_all(node, "a needle", "wörds and a NEEDLE")
    node.store.post("lobby", "cy", Said(1.0, "cy", "only once"))
    post_all(node, *map(str, range(3000)))
    assert found_texts(node, SearchQuery(("needle",))) == ["wörds and a NEEDLE", "a needle"]
    assert found_texts(node, SearchQuery(("needle",)), skip=1) == ["a needle"]
    assert found_texts(node, SearchQuery((), "cy")) == ["only once"]
    found = wait_for(node.store.last_by("lobby", "cy"))
    assert found is not None
    assert found[1] == Said(1.0, "cy", "only once")
    assert wait_for(node.store.last_by("lobby", "dee")) is None


@pytest.mark.parametrize(("later", "found"), [(299, ["needle"]), (300, [])])
def test_a_search_scans_a_bounded_number_of_messages(
    node: Node, monkeypatch: pytest.MonkeyPatch, later: int, found: list[str]
) -> None:
    monkeypatch.setattr("chatd.store.nats.rooms.searching.MAX_MESSAGES", 300)
    post_all(node, *map(str, range(1000, 1100)), "needle", *map(str, range(later)))
    assert found_texts(node, SearchQuery(("needle",))) == found


def test_a_search_ends_after_its_time_limit(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    post_all(node, "needle")
    assert found_texts(node, SearchQuery(("needle",))) == ["needle"]
    monkeypatch.setattr("chatd.store.nats.rooms.searching.SEARCH_SECONDS", 0.0)
    with pytest.raises(Refused, match="took too long"):
        found_texts(node, SearchQuery(("needle",)))


def test_a_search_that_waited_too_long_for_others_is_refused(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_all(node, "needle")

    async def never_ends(search: Search, count: int) -> object:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr("chatd.store.nats.rooms.history.SEARCH_WAIT_SECONDS", 0.0)
    history = node.store.history
    with monkeypatch.context() as patch:
        patch.setattr(Search, "newest", never_ends)
        stuck = [
            node.store.bridge.submit(history.search(["lobby"], SearchQuery(("needle",)), 0, 9))
            for _ in range(CONCURRENT_SEARCHES)
        ]
        with pytest.raises(Refused, match="Many people are searching"):
            found_texts(node, SearchQuery(("needle",)))
    found = wait_for(node.store.last_by("lobby", "ada"))
    assert found is not None
    assert text_of(found[1]) == "needle"
    for each in stuck:
        each.cancel()


def test_messages_outside_the_time_range_are_not_read(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_all(node, *map(str, range(1000)))
    pages = []
    page = node.store.streams.page

    async def counting(stream: str, subject: str, seq: int, count: int = 500) -> object:
        messages, more = await page(stream, subject, seq, count)
        pages.append(len(messages))
        return messages, more

    monkeypatch.setattr(node.store.streams, "page", counting)
    assert found_texts(node, SearchQuery(until=time.time() - 3600.0)) == []
    assert pages == []
    assert found_texts(node, SearchQuery(since=time.time() + 3600.0)) == []
    assert sum(pages) < 500


def test_a_bounded_number_of_searches_runs_at_once(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    post_all(node, "needle")
    running, most = 0, 0
    newest = Search.newest

    async def counting(search: Search, count: int) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return await newest(search, count)
        finally:
            running -= 1

    monkeypatch.setattr(Search, "newest", counting)
    history = node.store.history
    queries = [
        history.search(["lobby"], SearchQuery(("needle",)), 0, 9)
        for _ in range(CONCURRENT_SEARCHES + 3)
    ]
    found = [node.store.bridge.submit(query) for query in queries]
    assert {len(each.result(PATIENCE)) for each in found} == {1}
    assert most == CONCURRENT_SEARCHES


@pytest.mark.parametrize("seed", range(3))
def test_matches_of_several_rooms_come_newest_first(
    node: Node, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("chatd.store.nats.rooms.searching._FIRST_BATCH", 3)
    monkeypatch.setattr("chatd.store.nats.rooms.searching._MAX_BATCH", 6)
    random = Random(seed)
    texts: dict[tuple[str, int], str] = {}
    for step in range(150):
        text = f"{random.choice(('apple', 'pear'))} {step}"
        room = random.choice(ROOMS)
        numbers = [number for where, number in texts if where == room]
        number = random.choice(numbers) if numbers and random.random() < 0.3 else 0
        event = Edited(1.0, "ada", number, text) if number else said(text)
        node.store.post(room, str(step), event)
        wait_for(node.store.before(room, None, 0))
        node.run_until(partial(is_last_stored, node, str(step)))
        texts[room, number or node.stored_events[-1][2]] = text
    for _ in range(12):
        rooms = random.sample(ROOMS, random.randrange(1, 4))
        skip, count = random.randrange(20), random.randrange(20)
        expected = [
            (room, number, text)
            for (room, number), text in reversed(texts.items())
            if room in rooms and text.startswith("apple")
        ]
        found = wait_for(node.store.search(rooms, SearchQuery(("apple",)), skip, count))
        assert [(*row[:2], text_of(row[2])) for row in found] == expected[skip : skip + count]


def is_last_stored(node: Node, message_id: str) -> bool:
    return bool(node.stored_events) and node.stored_events[-1][1] == message_id


def text_of(event: KeptEvent) -> str:
    return str(getattr(event, "text", ""))
