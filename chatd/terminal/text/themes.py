"""Themes: the colours and attributes of each part of a line.

A theme for dark terminals has a contrast of at least 4.5:1 with black, one for light terminals with
white (WCAG 2.2, 1.4.3).  The nicks of ``default`` have 3:1 with white too, so that they are
readable on a light terminal whose user has set nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zlib import crc32

from chatd.chat.text.names import fold
from chatd.terminal.text.colours import ALL, FEW, INDEXED, NO_ATTRIBUTES, Colour

#: SGR 0: ends every colour and attribute.
RESET: Final = "\x1b[0m"
#: The most nicks whose painted form is cached.
_PAINTED: Final = 4096


@dataclass(frozen=True, slots=True)
class Theme:
    """SGR parameters (ECMA-48, 8.3.117) for each part of a line; an empty string for none.

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
    rule: str = ""
    strong: str = ""
    code: str = ""
    link: str = ""

    def paint(self, text: str, colour: str) -> str:
        """Return a text in a colour."""
        return f"\x1b[{colour}m{text}{RESET}" if colour else text

    def nick(self, nick: str) -> str:
        """Return a nick in its colour."""
        return _nick(nick, self.nicks) if self.nicks else nick


@lru_cache(maxsize=_PAINTED)
def _nick(nick: str, colours: tuple[str, ...]) -> str:
    key = fold(nick) or nick.lower()
    return f"\x1b[{colours[crc32(key.encode()) % len(colours)]}m{nick}{RESET}"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of a theme at every depth.

    ``few``, ``indexed`` and ``rgb`` are the colours of nicks at a depth of 16, 256 and 24 bits; few
    of the 16 are readable.  ``grey`` is for times and the server's lines; it is not used at a depth
    of 16, which has no grey that is readable everywhere.
    """

    few: tuple[int, ...]
    indexed: tuple[int, ...]
    rgb: tuple[tuple[int, int, int], ...]
    grey: Colour
    refusal: Colour
    private: Colour
    mention: Colour
    prompt: Colour
    code: Colour

    def theme(self, name: str, depth: int) -> Theme:
        """Return the theme for a terminal of this colour depth."""
        nicks: tuple[str, ...] = tuple(f"38;5;{index}" for index in self.indexed)
        if depth >= ALL:
            nicks = tuple(f"38;2;{red};{green};{blue}" for red, green, blue in self.rgb)
        elif depth < INDEXED:
            nicks = tuple(map(str, self.few))
        grey = self.grey.sgr(depth) if depth >= INDEXED else ""
        return Theme(
            name,
            nicks=nicks,
            server=grey,
            refusal=self.refusal.sgr(depth),
            private=self.private.sgr(depth),
            mention=f"1;{self.mention.sgr(depth)}",
            time=grey,
            prompt=self.prompt.sgr(depth),
            rule=self.mention.sgr(depth),
            strong="1",
            code=self.code.sgr(depth),
            link="4",
        )


#: Sixteen hues of equal lightness: 6.0:1 with black, 3.5:1 with white.
_ON_DARK: Final = (
    (219, 99, 99),
    (210, 109, 65),
    (185, 124, 44),
    (160, 136, 38),
    (124, 146, 34),
    (57, 156, 37),
    (37, 156, 96),
    (36, 153, 138),
    (40, 149, 171),
    (54, 143, 208),
    (99, 134, 218),
    (133, 125, 224),
    (160, 115, 222),
    (189, 99, 219),
    (215, 86, 194),
    (217, 95, 146),
)
#: Sixteen hues of equal lightness: 6.2:1 with white.
_ON_LIGHT: Final = (
    (191, 27, 27),
    (165, 66, 24),
    (137, 86, 20),
    (115, 96, 16),
    (87, 105, 15),
    (32, 112, 16),
    (16, 112, 64),
    (16, 109, 97),
    (18, 106, 124),
    (23, 102, 158),
    (31, 87, 216),
    (84, 71, 229),
    (124, 50, 226),
    (156, 28, 198),
    (175, 25, 150),
    (186, 27, 93),
)

# Solarized's accents (Ethan Schoonover, MIT): terminals set up for it show the 16 as these.
_YELLOW: Final = Colour(33, 136, (181, 137, 0))
_ORANGE: Final = Colour(91, 166, (203, 75, 22))
_RED: Final = Colour(31, 167, (220, 50, 47))
_MAGENTA: Final = Colour(35, 168, (211, 54, 130))
_VIOLET: Final = Colour(95, 104, (108, 113, 196))
_BLUE: Final = Colour(34, 32, (38, 139, 210))
_CYAN: Final = Colour(36, 37, (42, 161, 152))
_GREEN: Final = Colour(32, 100, (133, 153, 0))
_ACCENTS: Final = (_YELLOW, _ORANGE, _RED, _MAGENTA, _VIOLET, _BLUE, _CYAN, _GREEN)

PALETTES: Final = {
    "default": Palette(
        few=(32, 36, 91, 92, 93, 95, 96),
        indexed=(167, 136, 100, 64, 29, 30, 31, 32, 68, 104, 98, 134, 169, 168, 166, 99),
        rgb=_ON_DARK,
        grey=Colour(37, 245, (138, 138, 138)),
        refusal=Colour(91, 166, (215, 95, 0)),
        private=Colour(95, 133, (190, 105, 190)),
        mention=Colour(93, 136, (190, 130, 20)),
        prompt=Colour(36, 67, (95, 140, 175)),
        code=Colour(32, 30, (36, 153, 138)),
    ),
    "light": Palette(
        few=(31, 34, 35, 94),
        indexed=(124, 130, 94, 58, 22, 23, 24, 25, 26, 62, 98, 128, 126, 125, 28, 161),
        rgb=_ON_LIGHT,
        grey=Colour(30, 242, (100, 100, 100)),
        refusal=Colour(31, 160, (200, 30, 20)),
        private=Colour(35, 127, (150, 20, 150)),
        mention=Colour(34, 26, (20, 80, 200)),
        prompt=Colour(34, 24, (10, 95, 135)),
        code=Colour(35, 23, (10, 100, 95)),
    ),
    "solarized": Palette(
        few=tuple(colour.few for colour in _ACCENTS),
        indexed=tuple(colour.indexed for colour in _ACCENTS),
        rgb=tuple(colour.rgb for colour in _ACCENTS),
        grey=Colour(37, 245, (131, 148, 150)),
        refusal=_RED,
        private=_MAGENTA,
        mention=_YELLOW,
        prompt=_BLUE,
        code=_CYAN,
    ),
}

_MONO: Final = Theme(
    "mono",
    nicks=("1",),
    server="2",
    refusal="1",
    private="4",
    mention="7",
    time="2",
    rule="1",
    strong="1",
    link="4",
)
_PLAIN: Final = Theme("plain")


@lru_cache(maxsize=64)
def theme(name: str, depth: int) -> Theme:
    """Return a theme by its name for a terminal of this colour depth.

    Without colours every theme but ``mono``, which has none, is the plain one.
    """
    if name == _MONO.name and depth > NO_ATTRIBUTES:
        return _MONO
    if depth < FEW or name not in PALETTES:
        return _PLAIN
    return PALETTES[name].theme(name, depth)


#: The names of all themes.
NAMES: Final = (*PALETTES, _MONO.name, _PLAIN.name)
