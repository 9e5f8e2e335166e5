"""Awaitables that are run step by step, without a reactor."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any


class Step:
    """An awaitable that waits once."""

    def __await__(self) -> Generator[Step, None, None]:
        yield self


def started(awaitable: Awaitable[Any]) -> Generator[Any, None, Any]:
    """Run an awaitable up to where it waits first; it has to."""
    steps = awaitable.__await__()
    next(steps)
    return steps


def finished(steps: Generator[Any, None, Any]) -> Any:
    """Run the rest of an awaitable; return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value
