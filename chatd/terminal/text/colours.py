"""Colours: how many a terminal shows, and how one of them is asked for.

What a terminal says of itself is its name (TERM, or what a telnet answers) and, over ssh, some
variables of its environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

#: How many colours there may be; on paper there is not even bold.
PAPER, NONE, FEW, INDEXED, ALL = -1, 0, 16, 256, 1 << 24

#: Terminals that show no colours, by the beginning of their names.
_COLOURLESS: Final = ("dumb", "vt", "unknown", "network", "teletype")
#: Those whose cursor cannot be moved.
_UNMOVED: Final = ("dumb", "unknown", "network", "teletype")
#: Terminals that show every colour although they may not say so: ssh hands on no COLORTERM unless
#: it is told to.
_ALL: Final = ("alacritty", "contour", "foot", "iterm", "wezterm", "xterm-ghostty", "xterm-kitty")
#: Clients of telnet that show 256 and answer with their own name.
_INDEXED: Final = ("cmud", "mudlet", "mushclient", "putty-256", "tintin", "zmud")


class Colour(NamedTuple):
    """A colour as an SGR parameter of 16, as an index of xterm's 256, and as red, green, blue."""

    few: int
    indexed: int
    rgb: tuple[int, int, int]

    def sgr(self, depth: int) -> str:
        """The SGR parameters (ECMA-48, 8.3.117; xterm's ctlseqs) that ask for it as text colour."""
        if depth >= ALL:
            red, green, blue = self.rgb
            return f"38;2;{red};{green};{blue}"
        return f"38;5;{self.indexed}" if depth >= INDEXED else str(self.few)


def _mtts(abilities: int) -> int:
    """The colours that a client has by its MTTS: all, 256, the ANSI ones or none."""
    for bit, depth in ((256, ALL), (8, INDEXED), (1, FEW)):
        if abilities & bit:
            return depth
    return NONE


class Kind(NamedTuple):
    """What a terminal can do: the colours it shows, and whether its cursor can be moved."""

    depth: int
    ansi: bool


def kind(name: str, environment: Mapping[str, str] | None = None) -> Kind:
    """What a terminal of this name can do; who comes by telnet has no ``environment``.

    ``NO_COLOR`` with any value is respected (no-color.org), ``COLORTERM`` is believed, and so is
    what clients for games answer in the end (MTTS, a number of which each bit is an ability).
    """
    name = name.lower()
    ansi = not name.startswith("dumb" if environment is not None else _UNMOVED)
    if name.startswith("mtts ") and name[5:].isdecimal():
        return Kind(_mtts(int(name[5:])), ansi)
    environment = environment or {}
    if name.startswith(_COLOURLESS) or environment.get("NO_COLOR"):
        return Kind(NONE if ansi else PAPER, ansi)
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Kind(ALL, ansi)
    if name.startswith(_ALL) or name.endswith(("-direct", "-truecolor")):
        return Kind(ALL, ansi)
    if "256" in name or name.startswith(_INDEXED) or environment.get("COLORTERM"):
        return Kind(INDEXED, ansi)
    return Kind(FEW, ansi)
