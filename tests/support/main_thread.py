"""The thread of a test as that of the chat, for stores that have threads of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from queue import Empty, SimpleQueue
from typing import Any

from tests.support.served import PATIENCE


class TestAnswer:
    """Something that a test waits for."""

    __test__ = False

    def __init__(self, turn: TestTurn) -> None:
        self._turn = turn
        self._outcome: Callable[[], Any] | None = None

    def __await__(self) -> Generator[None, None, Any]:
        self._turn.run_until(lambda: self._outcome is not None)
        assert self._outcome is not None
        return self._outcome()
        yield  # what makes this a generator

    def give(self, value: object) -> None:
        self._outcome = lambda: value

    def fail(self, error: Exception) -> None:
        def fails() -> None:
            raise error

        self._outcome = fails


class TestTurn:
    """Runs what other threads want run, while a test waits for something."""

    __test__ = False

    def __init__(self) -> None:
        self._steps: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def soon(self, step: Callable[[], None]) -> None:
        self._steps.put(step)

    def answer(self) -> TestAnswer:
        return TestAnswer(self)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        waited(work)

    def run_until(self, done: Callable[[], bool]) -> None:
        """Run steps until something is so."""
        while not done():
            try:
                self._steps.get(timeout=PATIENCE)()
            except Empty:
                raise AssertionError("nothing came of it") from None

    def run(self) -> None:
        """Run the steps that are there."""
        while not self._steps.empty():
            self._steps.get()()


def waited(awaitable: Awaitable[Any]) -> Any:
    """Run something asynchronous to its end; what it waits for runs the turn meanwhile."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something else")
