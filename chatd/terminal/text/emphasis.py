"""Emphasis: text between *asterisks* and `backticks`, and links, shown with SGR attributes.

The markers stay, so that copied text is identical to the typed text.
"""

from __future__ import annotations

import re
from typing import Final

from chatd.terminal.text.themes import RESET, Theme

#: A link ends before the punctuation of the sentence around it.
_LINK: Final = r"(?P<link>\bhttps?://[^\s<>\"]*[^\s<>\".,:;!?)\]}'*`])"
_CODE: Final = r"(?P<code>`[^`\n]+`)"
_STRONG: Final = r"(?P<strong>(?<![\w*])\*(?![\s*])[^*\n]*(?<!\s)\*(?![\w*]))"
_MARKED: Final = re.compile(f"{_LINK}|{_CODE}|{_STRONG}")


def emphasise(text: str, theme: Theme, around: str = "") -> str:
    """Return a text with its marked parts emphasised; ``around`` is the colour of all of it."""
    if not (theme.strong and ("*" in text or "`" in text or "://" in text)):
        return theme.paint(text, around) if around else text
    again = f"{RESET}\x1b[{around}m" if around else RESET

    def mark(found: re.Match[str]) -> str:
        colour: str = getattr(theme, found.lastgroup or "")
        return f"\x1b[{colour}m{found[0]}{again}" if colour else found[0]

    marked = _MARKED.sub(mark, text)
    return f"\x1b[{around}m{marked}{RESET}" if around else marked
