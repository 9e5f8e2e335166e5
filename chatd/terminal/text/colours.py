"""Colours: how many a terminal supports, and the SGR parameters that select one.

Terminals are known by their name (TERM, or telnet's TERMINAL-TYPE, RFC 1091) and, over ssh, by
some variables of their environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

#: Colour depths, as the number of colours; without attributes there is not even bold.
NO_ATTRIBUTES, NONE, FEW, INDEXED, ALL = -1, 0, 16, 256, 1 << 24

#: Terminals without colours, by the beginning of their names.
_COLOURLESS: Final = ("dumb", "vt", "unknown", "network", "teletype")
#: Terminals whose cursor ECMA-48 does not move, by the beginning of their names in terminfo: those
#: that print, those that stand for any terminal, and families with sequences of their own.
_UNMOVED: Final = (
    *("dumb", "unknown", "network", "teletype", "arpanet", "dialup", "ethernet", "plugboard"),
    *("glasstty", "hardcopy", "lpr", "paper", "print", "tty33", "tty37", "tty43", "vanilla"),
    *("3270", "4014", "5250", "adm", "apple2", "c100", "concept", "h19", "hazeltine", "heath"),
    *(
        "hp",
        "ibm-3",
        "ibm3",
        "ibm5",
        "minitel",
        "regent",
        "tek",
        "televideo",
        "tvi",
        "viewpoint",
        "vp",
    ),
    *("wy30", "wy50", "wy60", "wyse30", "wyse50", "wyse60", "z19"),
)
#: Those of DEC, by the whole name before a hyphen: ``vt520`` is another terminal than ``vt52``.
_UNMOVED_DEC: Final = ("vt05", "vt50", "vt50h", "vt52")
#: Terminals with 24-bit colour that may not announce it: ssh forwards COLORTERM only if configured
#: to.
_ALL: Final = ("alacritty", "contour", "foot", "iterm", "wezterm", "xterm-ghostty", "xterm-kitty")
#: Telnet clients with 256 colours that answer with their own name.
_INDEXED: Final = ("cmud", "mudlet", "mushclient", "putty-256", "tintin", "zmud")


class Colour(NamedTuple):
    """A colour as an SGR parameter of 16, as an index of xterm's 256, and as red, green, blue."""

    few: int
    indexed: int
    rgb: tuple[int, int, int]

    def sgr(self, depth: int) -> str:
        """Return the SGR parameters (ECMA-48, 8.3.117; xterm's ctlseqs) that select it for text."""
        if depth >= ALL:
            red, green, blue = self.rgb
            return f"38;2;{red};{green};{blue}"
        return f"38;5;{self.indexed}" if depth >= INDEXED else str(self.few)


def _mtts(abilities: int) -> int:
    """Return a client's colour depth by its MTTS bits: 24 bits, 256, the 16 of ANSI, or none."""
    for bit, depth in ((256, ALL), (8, INDEXED), (1, FEW)):
        if abilities & bit:
            return depth
    return NONE


class Kind(NamedTuple):
    """A terminal's capabilities: its colour depth, and whether its cursor can be moved."""

    depth: int
    ansi: bool


def kind(name: str, environment: Mapping[str, str] | None = None) -> Kind:
    """Return the capabilities of a terminal by its name; telnet has no ``environment``.

    ``NO_COLOR`` with any value turns colours off (no-color.org).  ``COLORTERM`` is trusted, and so
    is the last name that MUD clients give: ``MTTS`` and a number in which each bit is a capability.
    """
    name = name.lower()
    ansi = not (name.startswith(_UNMOVED) or name.partition("-")[0] in _UNMOVED_DEC)
    if name.startswith("mtts ") and name[5:].isdecimal():
        return Kind(_mtts(int(name[5:])), ansi)
    environment = environment or {}
    if name.startswith(_COLOURLESS) or not ansi or environment.get("NO_COLOR"):
        return Kind(NONE if ansi else NO_ATTRIBUTES, ansi)
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Kind(ALL, ansi)
    if name.startswith(_ALL) or name.endswith(("-direct", "-truecolor")):
        return Kind(ALL, ansi)
    if "256" in name or name.startswith(_INDEXED) or environment.get("COLORTERM"):
        return Kind(INDEXED, ansi)
    return Kind(FEW, ansi)
