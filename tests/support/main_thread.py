"""Main thread of a test, for stores that have threads of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from queue import Empty, SimpleQueue
from typing import Any

from tests.support.served import PATIENCE


class TestPromise:
    """A promise that runs the main thread while a test waits for it."""

    __test__ = False

    def __init__(self, main_thread: TestMainThread) -> None:
        self._main_thread = main_thread
        self._outcome: Callable[[], Any] | None = None

    def __await__(self) -> Generator[None, None, Any]:
        self._main_thread.run_until(lambda: self._outcome is not None)
        assert self._outcome is not None
        return self._outcome()
        yield  # what makes this a generator

    def resolve(self, value: object) -> None:
        self._outcome = lambda: value

    def fail(self, error: Exception) -> None:
        def reraise() -> None:
            raise error

        self._outcome = reraise


class TestMainThread:
    """Runs the steps of other threads while a test waits."""

    __test__ = False

    def __init__(self) -> None:
        self._steps: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def call_soon(self, step: Callable[[], None]) -> None:
        self._steps.put(step)

    def promise(self) -> TestPromise:
        return TestPromise(self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        wait_for(work)

    @property
    def is_idle(self) -> bool:
        """Whether there is no step to run."""
        return self._steps.empty()

    def run_until(self, done: Callable[[], bool]) -> None:
        """Run steps until a condition holds."""
        while not done():
            try:
                self._steps.get(timeout=PATIENCE)()
            except Empty:
                raise AssertionError("no step came, and the condition does not hold") from None

    def run(self) -> None:
        """Run the steps that are queued."""
        while not self._steps.empty():
            self._steps.get()()


def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Return the result of an awaitable that waits for nothing but a `TestPromise`."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something that is not a TestPromise")
