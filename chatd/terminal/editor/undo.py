"""Undo: the states of the line before each change."""

from __future__ import annotations

#: The most changes that can be undone, and the most characters of all saved states.
UNDO_STEPS = 100
UNDO_CHARACTERS = 8 * 1024


class UndoStack:
    """Saved states of one line, each a text and a cursor, the newest last."""

    __slots__ = ("_size", "_states")

    def __init__(self) -> None:
        self._states: list[tuple[str, int]] = []
        self._size = 0

    def push(self, text: str, cursor: int) -> None:
        """Save the state before a change, unless it has the text of the last; drop the oldest."""
        states = self._states
        if states and states[-1][0] == text:
            return
        states.append((text, cursor))
        self._size += len(text)
        while len(states) > UNDO_STEPS or self._size > UNDO_CHARACTERS:
            self._size -= len(states.pop(0)[0])

    def pop(self, text: str, cursor: int) -> tuple[str, int]:
        """Remove and return the last state that differs from this one; without one, this one."""
        while self._states:
            state = self._states.pop()
            self._size -= len(state[0])
            if state[0] != text:
                return state
        return text, cursor
