"""The garbage collector runs when it disturbs least, and memory stays bounded nevertheless."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from twisted.internet.task import Clock

from chatd.transport.services import garbage
from chatd.transport.services.garbage import (
    CHECK_SECONDS,
    FULL_SECONDS,
    GROWTH,
    QUIET_SECONDS,
    WORTHWHILE,
    GarbageCollection,
)

#: What Python begins with, where its collector has three generations.
GENERATIONS = (700, 10, 10)


class Server:
    """A server that does nothing but collect garbage, and what the collector does there."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cpu = 0.0
        self.collections = 0
        self.service = GarbageCollection(self.clock, lambda: self.cpu)

    def note(self, phase: str, info: dict[str, int]) -> None:
        """Count the collections of the oldest generation."""
        self.collections += phase == "stop" and info["generation"] == 2

    def start(self) -> None:
        """Start, and end the turn."""
        self.service.startService()
        self.clock.advance(0)
        self.collections = 0

    def runs_for(self, seconds: float, *, busy: bool = False) -> None:
        """Let time pass, in which the server does nothing, or all that it can."""
        while seconds > 0:
            step = min(seconds, 20.0)
            self.cpu += step * busy
            self.clock.advance(step)
            seconds -= step


@pytest.fixture
def server() -> Iterator[Server]:
    before = gc.get_threshold()
    gc.set_threshold(*GENERATIONS)
    made = Server()
    gc.callbacks.append(made.note)
    yield made
    gc.callbacks.remove(made.note)
    if made.service.running:
        made.service.stopService()
    gc.set_threshold(*before)


class Node:
    """An object in a cycle with itself."""

    def __init__(self) -> None:
        self.itself = self


def objects(count: int) -> list[list[int]]:
    """Return so many new objects that the collector looks at."""
    return [[] for _ in range(count)]


def test_what_is_there_at_the_start_is_frozen_and_python_collects_no_oldest_generation(
    server: Server,
) -> None:
    server.service.startService()
    assert gc.get_threshold() == GENERATIONS
    server.clock.advance(0)
    assert gc.get_freeze_count() > 1000
    assert server.collections == 1
    kept = objects(10 * GROWTH)
    assert server.collections == 1
    assert len(kept) == 10 * GROWTH


def test_a_server_that_stops_leaves_the_collector_as_it_was(server: Server) -> None:
    server.start()
    server.service.stopService()
    assert gc.get_threshold() == GENERATIONS
    assert gc.get_freeze_count() == 0
    kept = objects(10 * GROWTH)
    server.clock.advance(1)
    assert len(kept) == 10 * GROWTH
    assert not server.clock.getDelayedCalls()


def test_a_server_that_stops_at_once_has_nothing_left_to_do(server: Server) -> None:
    server.service.startService()
    server.service.stopService()
    assert not server.clock.getDelayedCalls()


def test_what_is_new_is_collected_and_frozen(server: Server) -> None:
    server.start()
    node = Node()
    gone = weakref.ref(node)
    kept = objects(2 * GROWTH)
    frozen = gc.get_freeze_count()
    del node
    server.runs_for(CHECK_SECONDS)
    assert server.collections == 1
    assert gone() is None
    assert gc.get_freeze_count() >= frozen + len(kept)
    server.runs_for(2 * FULL_SECONDS)
    assert server.collections == 1  # nothing is new


def test_what_became_garbage_later_is_collected_in_a_quiet_hour(server: Server) -> None:
    server.start()
    node = Node()
    gone = weakref.ref(node)
    kept = objects(WORTHWHILE + GROWTH)
    server.runs_for(CHECK_SECONDS)
    del node
    server.runs_for(FULL_SECONDS, busy=True)
    assert gone() is not None
    server.runs_for(QUIET_SECONDS - 20)
    assert gone() is not None
    server.runs_for(40)
    assert gone() is None
    assert len(kept) > WORTHWHILE


def test_a_quiet_server_to_which_little_was_added_makes_no_full_collection(server: Server) -> None:
    server.start()
    kept = objects(2 * GROWTH)
    server.runs_for(CHECK_SECONDS)
    server.runs_for(3 * FULL_SECONDS)
    assert server.collections == 1
    assert len(kept) == 2 * GROWTH


def test_a_server_that_is_never_quiet_makes_a_full_collection_in_the_end(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(garbage, "MOST_GROWTH", 5 * GROWTH)
    server.start()
    node = Node()
    gone = weakref.ref(node)
    kept = objects(2 * GROWTH)
    server.runs_for(CHECK_SECONDS, busy=True)
    del node
    kept += objects(2 * GROWTH)
    server.runs_for(CHECK_SECONDS, busy=True)
    assert gone() is not None
    kept += objects(3 * GROWTH)
    server.runs_for(CHECK_SECONDS, busy=True)
    assert gone() is None
    server.runs_for(FULL_SECONDS, busy=True)
    assert server.collections == 3


def test_an_incremental_collector_is_left_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_to: list[tuple[int, ...]] = []
    monkeypatch.setattr(gc, "get_threshold", lambda: (2000, 10, 0))
    monkeypatch.setattr(gc, "set_threshold", lambda *values: set_to.append(values))
    server.start()
    assert gc.get_freeze_count() > 1000
    assert not set_to
    kept = objects(2 * GROWTH)
    server.runs_for(FULL_SECONDS)
    assert server.collections == 0
    assert not server.clock.getDelayedCalls()
    server.service.stopService()
    assert set_to == [(2000, 10, 0)]
    assert len(kept) == 2 * GROWTH
