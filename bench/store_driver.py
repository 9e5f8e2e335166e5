"""Store driver: runs a store without a server, in the calling thread, and times requests to it.

It knows `chatd.store.threads.main_thread` and a store's observer; it knows no particular store.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from queue import SimpleQueue
from typing import Any

from bench.figures import percentile, shown
from chatd.chat.events import RoomEvent


class Promise:
    """`chatd.store.threads.main_thread.Promise`: waiting for it runs the queued steps."""

    def __init__(self, turn: QueuedMainThread) -> None:
        self._main_thread = turn
        self._outcome: tuple[object, Exception | None] | None = None

    def __await__(self) -> Generator[None, None, Any]:
        while self._outcome is None:
            self._main_thread.step()
        value, error = self._outcome
        if error is not None:
            raise error
        yield from ()  # what makes this a generator
        return value

    def resolve(self, value: object) -> None:
        """Resolve it with a value."""
        self._outcome = value, None

    def fail(self, error: Exception) -> None:
        """Resolve it with an error, which is raised in the waiting code."""
        self._outcome = None, error


class QueuedMainThread:
    """`chatd.store.threads.main_thread.MainThread`: queues the steps of the store's threads.

    `step` runs them, as does waiting for a `Promise`.
    """

    def __init__(self) -> None:
        self._steps: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def call_soon(self, step: Callable[[], None]) -> None:
        """Queue a step; called from any thread."""
        self._steps.put(step)

    def promise(self) -> Promise:
        """Return a new promise."""
        return Promise(self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end."""
        run_to_end(work)

    def step(self) -> None:
        """Wait for a queued step, and run it."""
        self._steps.get()()


def run_to_end(awaitable: Awaitable[Any]) -> Any:
    """Run an awaitable to its end; return its value."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    raise AssertionError("it awaits something other than a Promise")


class CountingObserver:
    """A store observer that counts stored events and subscribed rooms."""

    def __init__(self) -> None:
        self.stored_count = self.subscribed_count = 0

    def stored(self, room: str, message_id: str, number: int, event: RoomEvent) -> None:
        """Count the notification."""
        self.stored_count += 1

    def subscribed(self, room: str, number: int) -> None:
        """Count the notification."""
        self.subscribed_count += 1

    def failed(self, room: str, message_id: str, why: str) -> None:
        """End the benchmark: a message is lost."""
        raise RuntimeError(f"{message_id} was not kept: {why}")

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Do nothing: there are no other servers."""


def time_calls(times: int, seconds: float, ask: Callable[[], object]) -> list[float]:
    """Call ``ask`` repeatedly, for at most ``seconds``; return the ms that each call took."""
    spans: list[float] = []
    while len(spans) < times and sum(spans) < seconds * 1e3:
        began = time.perf_counter()
        ask()
        spans.append((time.perf_counter() - began) * 1e3)
    return spans


def timing_row(name: str, spans: Sequence[float], *more: str) -> list[str]:
    """Return a row of a table: p50 and p99 of the times in ms, and how many there are."""
    times = [shown(percentile(spans, percent)) for percent in (50, 99)]
    return [name, *times, str(len(spans)), *more]
