"""Completion menu: the candidates for the word before the cursor, cycled through with Tab."""

from __future__ import annotations

from chatd.terminal.editor.line import EditBuffer


class CompletionMenu:
    """The candidates for one word, the likeliest first, and finally the word as it was typed.

    ``_before`` and ``_after`` are the text of the line around the word.
    """

    __slots__ = ("_after", "_before", "_candidates", "_index")

    def __init__(self, line: EditBuffer, start: int, choices: tuple[str, ...]) -> None:
        """Replace the text between ``start`` and the cursor by the first candidate."""
        self._before, self._after = line.text[:start], line.text[line.cursor :]
        self._candidates = (*choices, line.text[start : line.cursor])
        self._index = 0
        self._insert(line)

    def cycle(self, line: EditBuffer, step: int) -> None:
        """Insert the next candidate (``step`` 1) or the previous one (-1)."""
        self._index = (self._index + step) % len(self._candidates)
        self._insert(line)

    def cancel(self, line: EditBuffer) -> None:
        """Restore the word as it was typed."""
        self._index = len(self._candidates) - 1
        self._insert(line)

    def _insert(self, line: EditBuffer) -> None:
        candidate = self._candidates[self._index]
        if self._after.startswith(" "):
            candidate = candidate.rstrip(" ")
        line.set(self._before)
        line.insert(candidate)
        cursor = line.cursor
        line.insert(self._after)
        line.cursor = cursor
