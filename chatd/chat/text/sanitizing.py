"""Sanitizing: the one place where text that users typed is made safe to show.

Safe text has no control characters, nothing that reorders or hides text, and no piles of combining
marks.  What separates words or lines becomes a space in a line, and a line break in a text of
several lines, so that no words are joined.  Text is sanitized where it enters the chat, and again
when history is replayed.
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

# Line breaks (Unicode 5.8, and ECMA-48's FS, GS and RS, as `str.splitlines` has them).
_BREAKS = "\n-\r\x1c-\x1e\x85\u2028\u2029"
_LINE_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
# They, tabs and US separate words.
_SEPARATOR = re.compile(f"\r\n|[\t\x1f{_BREAKS}]")

#: Columns from one tab stop to the next, as on every terminal.
TAB_STOP = 8

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
    """Return the text as one line without characters that must not reach a screen.

    Tabs and line breaks become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return _PILE.sub(r"\1", _UNSAFE.sub("", _SEPARATOR.sub(" ", text)))


def safe_lines(text: str) -> list[str]:
    """Return a text as safe lines; where there are several, tabs are expanded to tab stops."""
    lines = _LINE_BREAK.split(text)
    if len(lines) == 1 or "\t" not in text:
        return [safe(line) for line in lines]
    return [_expand_tabs([safe(part) for part in line.split("\t")]) for line in lines]


def _expand_tabs(parts: list[str]) -> str:
    """Return the parts of a line that tabs separate, with spaces up to the next tab stop."""
    *before, last = parts
    return "".join([part + " " * (TAB_STOP - _columns(part) % TAB_STOP) for part in before]) + last


def _columns(text: str) -> int:
    """Return about how many columns a text takes: wide characters two, marks none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) in ("Mn", "Me", "Cf") for char in text)


def decode(line: bytes) -> str:
    """Return the safe text of one line of UTF-8; invalid bytes become U+FFFD."""
    return safe(line.decode("utf-8", "replace"))


def cut(text: str, length: int) -> str:
    """Return at most ``length`` characters, with an ellipsis in place of the rest."""
    return text if len(text) <= length else text[: length - 1] + "…"


#: Characters with a visible category that are drawn as blanks: fillers of Hangul, the blank pattern
#: of Braille; and those that are reserved for being ignored (Default_Ignorable_Code_Point).
_BLANK = re.compile(
    "[\u115f\u1160\u2065\u2800\u3164\uffa0\ufff0-\ufff8\U0001d159\U000e0000-\U000e0fff]"
)
#: Blanks, invisible characters, and marks, which are nothing without a letter.
_INVISIBLE = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Mn", "Mc", "Me")


def is_invisible(text: str) -> bool:
    """Whether a reader would see nothing of a text; true for an empty one."""
    if text.isascii():
        return not text.strip()
    return all(unicodedata.category(each) in _INVISIBLE or _BLANK.match(each) for each in text)


def is_shouting(text: str) -> bool:
    """Whether a line is all capitals, at least two of them; scripts without case do not count."""
    return text.isupper() and sum(map(str.isupper, text)) >= 2
