"""A store without a server: what its threads want done is done when it is waited for, and timed.

It knows `chatd.store.threads.main_thread` and the keeper of a store; it knows no store.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from queue import SimpleQueue
from typing import Any

from bench.figures import percentile, shown
from chatd.chat.events import RoomEvent


class Answer:
    """Something that is waited for."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._outcome: tuple[object, Exception | None] | None = None

    def __await__(self) -> Generator[None, None, Any]:
        while self._outcome is None:
            self._turn.step()
        value, error = self._outcome
        if error is not None:
            raise error
        yield from ()  # what makes this a generator
        return value

    def give(self, value: object) -> None:
        """Here it is."""
        self._outcome = value, None

    def fail(self, error: Exception) -> None:
        """It cannot be had."""
        self._outcome = None, error


class Turn:
    """`chatd.store.threads.main_thread.MainThread`: what the store's threads want done, done when it is waited for."""

    def __init__(self) -> None:
        self._steps: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def soon(self, step: Callable[[], None]) -> None:
        """Do something at the next wait."""
        self._steps.put(step)

    def answer(self) -> Answer:
        """Something new to wait for."""
        return Answer(self)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that may wait."""
        waited(work)

    def step(self) -> None:
        """Wait for something to do, and do it."""
        self._steps.get()()


def waited(awaitable: Awaitable[Any]) -> Any:
    """Run something asynchronous to its end."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something else")


class Counts:
    """A keeper that counts what is kept, and the rooms that are heard."""

    def __init__(self) -> None:
        self.count = self.heard = 0

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """One more."""
        self.count += 1

    def subscribed(self, room: str, number: int) -> None:
        """One more is heard."""
        self.heard += 1

    def failed(self, room: str, message_id: str, why: str) -> None:
        """A benchmark in which something is lost ends."""
        raise RuntimeError(f"{message_id} was not kept: {why}")

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """There are no other servers."""


def timed(times: int, seconds: float, ask: Callable[[], object]) -> list[float]:
    """Ask so many times, but at most for some seconds; return how long each took, in ms."""
    spans: list[float] = []
    while len(spans) < times and sum(spans) < seconds * 1e3:
        began = time.perf_counter()
        ask()
        spans.append((time.perf_counter() - began) * 1e3)
    return spans


def spans_row(name: str, spans: Sequence[float], *more: str) -> list[str]:
    """A row of a table: how long something took, in ms, and how often it was done."""
    times = [shown(percentile(spans, percent)) for percent in (50, 99)]
    return [name, *times, str(len(spans)), *more]
