"""Steps: functions that the main thread runs in order for another thread."""

from __future__ import annotations

from collections.abc import Callable


def do_each(steps: list[Callable[[], None]]) -> None:
    """Run all steps; a bug in one does not stop the others, and is raised after them."""
    bugs = []
    for step in steps:
        try:
            step()
        except Exception as bug:
            bugs.append(bug)
    if bugs:
        raise bugs[0]


def raises(error: Exception) -> None:
    """Raise an error: as a step, it reports a bug of another thread."""
    raise error
