"""Main thread: the interface to the thread in which the chat runs.

A store that waits for a disk or a network has its own threads, and notifies the chat in the main
thread.  It does not know Twisted: it is given a `MainThread`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol


class Outcome(Protocol):
    """Takes the result of something in the main thread; it is resolved or fails there, once."""

    def resolve(self, value: object) -> None:
        """Set the result."""

    def fail(self, error: Exception) -> None:
        """Set an exception."""


class Promise(Outcome, Awaitable[Any], Protocol):
    """A result that is awaited in the main thread; a coroutine there raises its exception."""


class Quietly:
    """The outcome of something that nobody awaits; ``done`` is called with None, or why not."""

    def __init__(self, done: Callable[[str | None], None]) -> None:
        self._done = done

    def resolve(self, value: object) -> None:
        """Report that it is done."""
        self._done(None)

    def fail(self, error: Exception) -> None:
        """Report why it is not."""
        self._done(str(error))


class MainThread(Protocol):
    """The thread in which the chat runs."""

    def call_soon(self, step: Callable[[], None]) -> None:
        """Run a step in the main thread; steps run in the order of the calls, from any thread."""

    def promise(self) -> Promise:
        """Return a new promise."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that may await promises; called in the main thread."""
