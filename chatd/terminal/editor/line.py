"""One line of text with a cursor in it: what can be done to it.

Places are counted in code points and never lie within a cluster.  It knows no keys.
"""

from __future__ import annotations

import re

from chatd.chat.limits import LINE_BYTES, MARKS_PER_CHARACTER
from chatd.chat.text.sanitizing import safe
from chatd.terminal.text.graphemes import edge, end_after, start_before

#: What is in no word: blanks and punctuation.  An emoji is a word.
_APART = (
    r"\s!-/:-@\[-^`{-~\u00a1-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb\u00bf"
    r"\u2010-\u203e\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
)
_WORD = re.compile(f"[{_APART}]*[^{_APART}]*")
#: What parts words for Ctrl-W: a blank, or that of Chinese and Japanese.
_BLANKS = " \u3000"


class EditBuffer:
    """A line of at most ``LINE_BYTES`` that is always safe to show."""

    __slots__ = ("at", "text")

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.at = len(text)

    def set(self, text: str, at: int | None = None) -> None:
        """Be another line, with the cursor at its end unless told otherwise."""
        self.text = text
        self.at = len(text) if at is None else at

    def insert(self, text: str) -> bool:
        """Put text in where the cursor is; False when there was not enough room for all of it."""
        text = safe(text)
        before, after = self.text[: self.at], self.text[self.at :]
        room = LINE_BYTES - len(self.text.encode())
        encoded = text.encode()
        fits = len(encoded) <= room
        if not fits:
            text = encoded[: max(0, room)].decode("utf-8", "ignore")
        self._join(before, after, text)
        return fits

    def cut(self, start: int, end: int) -> str:
        """Take a piece out and return it; the cursor stands where it was."""
        piece = self.text[start:end]
        self._join(self.text[:start], self.text[end:])
        return piece

    def _join(self, before: str, after: str, new: str = "") -> None:
        """Be the one, what is new, and the other; each is safe, but at a seam marks may pile up."""
        text, at = before + new + after, len(before) + len(new)
        if not text.isascii():
            seams = before[-MARKS_PER_CHARACTER:] + new + after[:MARKS_PER_CHARACTER]
            if seams != safe(seams):
                text, at = safe(text), len(safe(before + new))
            at = edge(text, min(at, len(text)))
        self.text, self.at = text, at

    # Places ---------------------------------------------------------------------------------------

    def before(self) -> int:
        """A character back."""
        return start_before(self.text, self.at)

    def after(self) -> int:
        """A character on."""
        return end_after(self.text, self.at)

    def word_before(self) -> int:
        """Where the word begins that the cursor is in or behind."""
        passed = _WORD.match(self.text[: self.at][::-1])
        return edge(self.text, self.at - passed.end()) if passed else self.at

    def word_after(self) -> int:
        """Where the word ends that the cursor is in or before."""
        passed = _WORD.match(self.text, self.at)
        return edge(self.text, passed.end()) if passed else self.at

    def blank_before(self) -> int:
        """Where what stands between blanks begins, the blanks behind it included."""
        text = self.text[: self.at].rstrip(_BLANKS)
        return edge(self.text, max(map(text.rfind, _BLANKS)) + 1)

    # Changes --------------------------------------------------------------------------------------

    def transpose(self) -> None:
        """Let the characters around the cursor, or the last two, change places, and go on."""
        middle, end = self.at, self.after()
        if middle == len(self.text):
            middle = self.before()
        start = start_before(self.text, middle)
        if start == middle or middle == end:
            return
        first, second = self.text[start:middle], self.text[middle:end]
        rest = self.text[end:]
        self._join(self.text[:start], rest, safe(second + first))
