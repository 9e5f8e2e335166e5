"""Steps: what another thread has for that of the chat, done there one after the other."""

from __future__ import annotations

from collections.abc import Callable


def do_each(steps: list[Callable[[], None]]) -> None:
    """Do all of it; a bug in one step costs the others nothing, and is raised after them."""
    bugs = []
    for step in steps:
        try:
            step()
        except Exception as bug:
            bugs.append(bug)
    if bugs:
        raise bugs[0]


def raises(error: Exception) -> None:
    """A step that only tells of an error."""
    raise error
