"""Sanitizing: the one place where text that users typed is made safe to show.

Safe text has no control characters, nothing that reorders or hides text, and no piles of combining
marks.  Text is sanitized where it enters the chat, and again when history is replayed.
"""

from __future__ import annotations

import re
import unicodedata

from chatd.chat.limits import MARKS_PER_CHARACTER

# C0 and DEL; C1 (U+009B is CSI to some terminals); the Arabic letter mark, the marks,
# embeddings, overrides and isolates of the bidirectional algorithm; line and paragraph
# separators; interlinear annotation; the byte order mark; tag characters; surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)

#: The ranges that have combining marks: the two planes of living scripts, and variation selectors.
_PLANES = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))


def of_categories(*categories: str) -> str:
    """Return the characters of Unicode general categories, as ranges for a regex class."""
    ranges: list[tuple[int, int]] = []
    for plane in _PLANES:
        for code in plane:
            if unicodedata.category(chr(code)) in categories:
                if ranges and ranges[-1][1] == code - 1:
                    ranges[-1] = (ranges[-1][0], code)
                else:
                    ranges.append((code, code))
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


# Joiners and other characters without width pile up in the same way as marks.
_MARK = of_categories("Mn", "Me") + "\u200b-\u200d\u2060-\u2064"
_PILE = re.compile(f"([{_MARK}]{{{MARKS_PER_CHARACTER}}})[{_MARK}]+")


def safe(text: str) -> str:
    """Return the text without characters that must not reach a screen; a tab becomes a space."""
    if text.isascii() and text.isprintable():
        return text
    return _PILE.sub(r"\1", _UNSAFE.sub("", text.replace("\t", " ")))


def decode(line: bytes) -> str:
    """Return the safe text of one line of UTF-8; invalid bytes become U+FFFD."""
    return safe(line.decode("utf-8", "replace"))


def cut(text: str, length: int) -> str:
    """Return at most ``length`` characters, with an ellipsis in place of the rest."""
    return text if len(text) <= length else text[: length - 1] + "…"


def is_shouting(text: str) -> bool:
    """Whether a line is all capitals, at least two of them; scripts without case do not count."""
    return text.isupper() and sum(map(str.isupper, text)) >= 2
