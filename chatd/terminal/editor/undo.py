"""Lines as they were before each change, so that one can go back to them."""

from __future__ import annotations

#: Changes that can be undone, and the characters of all that is kept for it.
UNDO_STEPS = 100
UNDO_CHARACTERS = 8 * 1024


class Undo:
    """The states of one line, each with its cursor, the newest last."""

    __slots__ = ("_size", "_states")

    def __init__(self) -> None:
        self._states: list[tuple[str, int]] = []
        self._size = 0

    def keep(self, text: str, at: int) -> None:
        """The line is about to change from this."""
        states = self._states
        if states and states[-1][0] == text:
            return
        states.append((text, at))
        self._size += len(text)
        while len(states) > UNDO_STEPS or self._size > UNDO_CHARACTERS:
            self._size -= len(states.pop(0)[0])

    def back(self, text: str, at: int) -> tuple[str, int]:
        """The state before this one; this one itself when there is none."""
        while self._states:
            state = self._states.pop()
            self._size -= len(state[0])
            if state[0] != text:
                return state
        return text, at
