"""Main thread: the interface to the thread in which the chat runs.

A store that waits for a disk or a network has its own threads, and notifies the chat in the main
thread.  It does not know Twisted: it is given a `MainThread`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol


class Promise(Awaitable[Any], Protocol):
    """A result that is awaited in the main thread; it is resolved or fails there, once."""

    def resolve(self, value: object) -> None:
        """Set the result."""

    def fail(self, error: Exception) -> None:
        """Set an exception, which the awaiting coroutine raises."""


class MainThread(Protocol):
    """The thread in which the chat runs."""

    def call_soon(self, step: Callable[[], None]) -> None:
        """Run a step in the main thread; steps run in the order of the calls, from any thread."""

    def promise(self) -> Promise:
        """Return a new promise."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine that may await promises; called in the main thread."""
