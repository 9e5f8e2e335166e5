"""How far a cluster searches its rooms, and in which order it finds things."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from random import Random

import pytest

from chatd.chat.events import Edited, KeptEvent, Said
from chatd.chat.text.query import SearchQuery
from chatd.store.nats.rooms.searching import SEARCHES, Searching
from tests.support.cluster.nats import Nats
from tests.support.cluster.stores import Node, said
from tests.support.served import PATIENCE
from tests.support.main_thread import TestTurn, waited

ROOMS = ("attic", "cellar", "lobby")


@pytest.fixture
def node(nats: Nats) -> Iterator[Node]:
    made = Node(nats.account(), TestTurn())
    yield made
    waited(made.store.close())


def posts(node: Node, *texts: str, room: str = "lobby") -> None:
    for text in texts:
        node.store.post(room, f"{room} {text}", said(text))
    waited(node.store.before(room, None, 0))


def finds(node: Node, search: SearchQuery, count: int = 9, skip: int = 0) -> list[str]:
    found = waited(node.store.search(["lobby"], search, skip, count))
    return [event.text for _, _, event in found]


def test_what_was_said_long_ago_is_found(node: Node) -> None:
    posts(node, "a needle", "wörds and a NEEDLE")
    node.store.post("lobby", "cy", Said(1.0, "cy", "only once"))
    posts(node, *map(str, range(3000)))
    assert finds(node, SearchQuery(("needle",))) == ["wörds and a NEEDLE", "a needle"]
    assert finds(node, SearchQuery(("needle",)), skip=1) == ["a needle"]
    assert finds(node, SearchQuery((), "cy")) == ["only once"]
    found = waited(node.store.last_by("lobby", "cy"))
    assert found is not None
    assert found[1] == Said(1.0, "cy", "only once")
    assert waited(node.store.last_by("lobby", "dee")) is None


@pytest.mark.parametrize(("later", "seen"), [(299, ["needle"]), (300, [])])
def test_so_many_messages_are_gone_through(
    node: Node, monkeypatch: pytest.MonkeyPatch, later: int, seen: list[str]
) -> None:
    monkeypatch.setattr("chatd.store.nats.rooms.searching.SEARCHED", 300)
    posts(node, *map(str, range(1000, 1100)), "needle", *map(str, range(later)))
    assert finds(node, SearchQuery(("needle",))) == seen


def test_a_search_goes_on_for_so_long(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    posts(node, "needle")
    monkeypatch.setattr("chatd.store.nats.rooms.searching.SEARCH_SECONDS", 0.0)
    assert finds(node, SearchQuery(("needle",))) == []


def test_what_is_too_new_or_too_old_is_not_read(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts(node, *map(str, range(1000)))
    pieces = []
    page = node.store.streams.page

    async def counted(stream: str, subject: str, seq: int, count: int = 500) -> object:
        messages, more = await page(stream, subject, seq, count)
        pieces.append(len(messages))
        return messages, more

    monkeypatch.setattr(node.store.streams, "page", counted)
    assert finds(node, SearchQuery(until=time.time() - 3600.0)) == []
    assert pieces == []
    assert finds(node, SearchQuery(since=time.time() + 3600.0)) == []
    assert sum(pieces) < 500


def test_so_many_search_at_once_and_the_others_wait(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts(node, "needle")
    going, most = 0, 0
    newest = Searching.newest

    async def counted(searching: Searching, count: int) -> object:
        nonlocal going, most
        going += 1
        most = max(most, going)
        try:
            return await newest(searching, count)
        finally:
            going -= 1

    monkeypatch.setattr(Searching, "newest", counted)
    library, loop = node.store._library, node.store._loop.loop
    looks = [library.search(["lobby"], SearchQuery(("needle",)), 0, 9) for _ in range(SEARCHES + 3)]
    found = [asyncio.run_coroutine_threadsafe(look, loop) for look in looks]
    assert {len(each.result(PATIENCE)) for each in found} == {1}
    assert most == SEARCHES


@pytest.mark.parametrize("seed", range(3))
def test_what_was_said_last_in_any_room_is_found_first(
    node: Node, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("chatd.store.nats.rooms.searching._FIRST", 3)
    monkeypatch.setattr("chatd.store.nats.rooms.searching._PIECE", 6)
    random = Random(seed)
    said_so_far: dict[tuple[str, int], str] = {}
    for step in range(150):
        text = f"{random.choice(('apple', 'pear'))} {step}"
        room = random.choice(ROOMS)
        numbers = [number for where, number in said_so_far if where == room]
        number = random.choice(numbers) if numbers and random.random() < 0.3 else 0
        event = Edited(1.0, "ada", number, text) if number else said(text)
        node.store.post(room, str(step), event)
        waited(node.store.before(room, None, 0))
        node.until(lambda step=step: node.heard[-1:] and node.heard[-1][1] == str(step))  # type: ignore[misc, arg-type]
        said_so_far[room, number or node.heard[-1][2]] = text
    for _ in range(12):
        rooms = random.sample(ROOMS, random.randrange(1, 4))
        skip, count = random.randrange(20), random.randrange(20)
        expected = [
            (room, number, text)
            for (room, number), text in reversed(said_so_far.items())
            if room in rooms and text.startswith("apple")
        ]
        found = waited(node.store.search(rooms, SearchQuery(("apple",)), skip, count))
        assert [(*row[:2], text_of(row[2])) for row in found] == expected[skip : skip + count]


def text_of(event: KeptEvent) -> str:
    return str(getattr(event, "text", ""))
