"""Erasing: what Backspace takes away, in the line editor and in lines that arrive with it.

Backspace takes an emoji or a Latin letter with its accents as a whole.  In scripts whose letters
are composed of several typed characters it takes the last of them, as their users expect.
"""

from __future__ import annotations

import re

#: Hebrew, Arabic, Syriac, Thaana, N'Ko; the scripts of India and their kin: Thai, Lao, Tibetan,
#: Burmese, Khmer, Balinese and others.
_COMPOSED = re.compile(
    "[\u0590-\u08ff\u0900-\u109f\u1700-\u17ff\u1900-\u1aaf\u1b00-\u1c7f\u1cd0-\u1cff\ua800-\ua8ff"
    "\ua930-\uaaff\uabc0-\uabff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff"
    "\U00011000-\U00011fff\U0001e800-\U0001eeff]"
)
#: Joiners and variation selectors: nothing is seen of them alone.
_JOINERS = "\u200c\u200d\u034f"
_ATTACHED = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
    "\U0001f3fb-\U0001f3ff\U000e0100-\U000e01ef\u200c\u200d\u3099\u309a]"
)
_FLAG_LETTER = re.compile("[\U0001f1e6-\U0001f1ff]")

_BACKSPACES, _KILL_LINE = "\b\x7f", "\x15"
_ERASES = re.compile(f"[{_BACKSPACES}{_KILL_LINE}]")


def last_typed(cluster: str) -> int:
    """Return the index in a grapheme cluster from which Backspace behind it deletes."""
    start = len(cluster) - 1
    if start <= 0 or not _COMPOSED.match(cluster):
        return 0
    while start > 0 and cluster[start] in _JOINERS:
        start -= 1
    return start


def erased(line: str) -> str:
    """Return a line after its own Backspaces (BS, DEL) and Ctrl-Us were applied.

    Clients that do not edit a line themselves send them, and so does telnet's Erase Character and
    Erase Line (RFC 854).
    """
    if _ERASES.search(line) is None:
        return line
    kept: list[str] = []
    for char in line.rpartition(_KILL_LINE)[2]:
        if char in _BACKSPACES:
            _erase_last(kept)
        else:
            kept.append(char)
    return "".join(kept)


def _erase_last(kept: list[str]) -> None:
    """Take away the last character, with what is attached to it or joined to it."""
    while kept:
        last = kept.pop()
        if not kept:
            return
        if last in _JOINERS or _ATTACHED.match(last):
            continue
        if kept[-1] == "\u200d" and not _COMPOSED.match(last):
            continue
        if _FLAG_LETTER.match(last) and _flags(kept) % 2:
            continue
        return


def _flags(kept: list[str]) -> int:
    """Return how many letters of flags the text ends with, of at most the last few."""
    count = 0
    while count < min(len(kept), 8) and _FLAG_LETTER.match(kept[-1 - count]):
        count += 1
    return count
