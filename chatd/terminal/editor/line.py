"""Edit buffer: one line of text with a cursor, and the operations on it.

Positions are counted in code points and never lie within a grapheme cluster (UAX #29).  It knows
no keys.
"""

from __future__ import annotations

import re

from chatd.chat.limits import LINE_BYTES, MARKS_PER_CHARACTER
from chatd.chat.text.sanitizing import safe
from chatd.terminal.text.graphemes import (
    backspace_from,
    boundary_after,
    boundary_before,
    boundary_from,
)

#: Characters that belong to no word: blanks and punctuation.  An emoji is a word.
_SEPARATORS = (
    r"\s!-/:-@\[-^`{-~\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb\u00bf"
    r"\u2010-\u203e\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
)
_WORD = re.compile(f"[{_SEPARATORS}]*[^{_SEPARATORS}]*")
#: Word separators of Ctrl-W: a space, or the ideographic space (U+3000).
_WORD_SEPARATORS = " \u3000"


class EditBuffer:
    """A line of at most ``LINE_BYTES`` of UTF-8 that is always safe to display."""

    __slots__ = ("cursor", "text")

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.cursor = len(text)

    def set(self, text: str, cursor: int | None = None) -> None:
        """Replace the text; the cursor goes to its end unless a position is given."""
        self.text = text
        self.cursor = len(text) if cursor is None else cursor

    def insert(self, text: str) -> bool:
        """Insert text at the cursor, cut to the available space; False when it was cut."""
        text = safe(text)
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        room = LINE_BYTES - len(self.text.encode())
        encoded = text.encode()
        fits = len(encoded) <= room
        if not fits:
            text = encoded[: max(0, room)].decode("utf-8", "ignore")
        self._splice(before, after, text)
        return fits

    def cut(self, start: int, end: int) -> str:
        """Delete a range and return its text; the cursor moves to where it began."""
        piece = self.text[start:end]
        self._splice(self.text[:start], self.text[end:])
        return piece

    def _splice(self, before: str, after: str, new: str = "") -> None:
        """Join three safe pieces, with the cursor after ``new``.

        At a seam there may be too many combining marks for one character: then the whole text is
        made safe again.
        """
        text, cursor = before + new + after, len(before) + len(new)
        if not text.isascii():
            seams = before[-MARKS_PER_CHARACTER:] + new + after[:MARKS_PER_CHARACTER]
            if seams != safe(seams):
                text, cursor = safe(text), len(safe(before + new))
            cursor = boundary_from(text, min(cursor, len(text)))
        self.text, self.cursor = text, cursor

    # Positions ------------------------------------------------------------------------------------

    def char_before(self) -> int:
        """Return the start of the character before the cursor."""
        return boundary_before(self.text, self.cursor)

    def backspace_from(self) -> int:
        """Return the start of what Backspace deletes."""
        return backspace_from(self.text, self.cursor)

    def char_after(self) -> int:
        """Return the end of the character after the cursor."""
        return boundary_after(self.text, self.cursor)

    def word_before(self) -> int:
        """Return the start of the word that the cursor is in or after."""
        match = _WORD.match(self.text[: self.cursor][::-1])
        return boundary_from(self.text, self.cursor - match.end()) if match else self.cursor

    def word_after(self) -> int:
        """Return the end of the word that the cursor is in or before."""
        match = _WORD.match(self.text, self.cursor)
        return boundary_from(self.text, match.end()) if match else self.cursor

    def blank_word_before(self) -> int:
        """Return the start of the blank-separated word before the cursor, as Ctrl-W deletes it."""
        text = self.text[: self.cursor].rstrip(_WORD_SEPARATORS)
        return boundary_from(self.text, max(map(text.rfind, _WORD_SEPARATORS)) + 1)

    # Changes --------------------------------------------------------------------------------------

    def transpose(self) -> None:
        """Swap the characters around the cursor, or the last two, and move past them."""
        middle, end = self.cursor, self.char_after()
        if middle == len(self.text):
            middle = self.char_before()
        start = boundary_before(self.text, middle)
        if start == middle or middle == end:
            return
        first, second = self.text[start:middle], self.text[middle:end]
        rest = self.text[end:]
        self._splice(self.text[:start], rest, safe(second + first))
