"""What a word may be completed to, while one goes through it with Tab."""

from __future__ import annotations

from chatd.terminal.editor.line import EditBuffer


class CompletionMenu:
    """What a word may become, the likeliest first, and at last the word itself.

    ``_before`` and ``_after`` are the line around it.
    """

    __slots__ = ("_after", "_before", "_chosen", "_each")

    def __init__(self, line: EditBuffer, start: int, choices: tuple[str, ...]) -> None:
        """Put the first choice in the place of what is between ``start`` and the cursor."""
        self._before, self._after = line.text[:start], line.text[line.at :]
        self._each = (*choices, line.text[start : line.at])
        self._chosen = 0
        self._put_in(line)

    def turn(self, line: EditBuffer, step: int) -> None:
        """Put the next choice in, or the one before."""
        self._chosen = (self._chosen + step) % len(self._each)
        self._put_in(line)

    def undo(self, line: EditBuffer) -> None:
        """Put the word in that was there."""
        self._chosen = len(self._each) - 1
        self._put_in(line)

    def _put_in(self, line: EditBuffer) -> None:
        chosen = self._each[self._chosen]
        if self._after.startswith(" "):
            chosen = chosen.rstrip(" ")
        line.set(self._before)
        line.insert(chosen)
        at = line.at
        line.insert(self._after)
        line.at = at
