"""Themes: which colours and marks a terminal shows things in."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Theme:
    """SGR parameters (ECMA-48, 8.3.117) by what is shown; an empty string leaves it as it is.

    ``nicks`` are the colours that nicks share; a nick always has the same one.
    """

    name: str
    nicks: tuple[str, ...] = ()
    server: str = ""
    refusal: str = ""
    private: str = ""
    mention: str = ""
    time: str = ""
    prompt: str = ""

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour."""
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text

    def nick(self, nick: str) -> str:
        """A nick in its colour."""
        if not self.nicks:
            return nick
        return self.paint(nick, self.nicks[crc32(nick.lower().encode()) % len(self.nicks)])


# Colours of the 256 that stand out from black and from white.
_READABLE = (31, 33, 61, 64, 66, 68, 97, 98, 125, 130, 132, 136, 160, 161, 166, 172)

THEMES = {
    theme.name: theme
    for theme in (
        Theme("plain"),
        Theme(
            "default",
            nicks=tuple(f"38;5;{colour}" for colour in _READABLE),
            server="38;5;244",
            refusal="38;5;166",
            private="38;5;133",
            mention="1",
            time="38;5;244",
            prompt="38;5;66",
        ),
        Theme("mono", nicks=("1",), server="2", refusal="1", private="4", mention="7", time="2"),
    )
}
