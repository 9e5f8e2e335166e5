"""Colours and themes: the colour depth of terminals, and the contrast of themes (WCAG 2.2)."""

from dataclasses import fields

import pytest

from chatd.terminal.text.colours import ALL, FEW, INDEXED, NO_ATTRIBUTES, NONE, Colour, Kind, kind
from chatd.terminal.text.themes import PALETTES, Palette

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
RGB = tuple[int, int, int]

#: The 16 colours of xterm, and of the consoles of Linux and Windows.
XTERM = (
    *((0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205)),
    *((0, 205, 205), (229, 229, 229), (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0)),
    *((92, 92, 255), (255, 0, 255), (0, 255, 255), (255, 255, 255)),
)
VGA = (
    *((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170)),
    *((0, 170, 170), (170, 170, 170), (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85)),
    *((85, 85, 255), (255, 85, 255), (85, 255, 255), (255, 255, 255)),
)
#: Those of a terminal that is set up for Solarized.
SOLARIZED = (
    *((7, 54, 66), (220, 50, 47), (133, 153, 0), (181, 137, 0), (38, 139, 210), (211, 54, 130)),
    *((42, 161, 152), (238, 232, 213), (0, 43, 54), (203, 75, 22), (88, 110, 117), (101, 123, 131)),
    *((131, 148, 150), (108, 113, 196), (147, 161, 161), (253, 246, 227)),
)


def luminance(rgb: RGB) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [part / 255 for part in rgb]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def indexed_rgb(index: int) -> RGB:
    """Return one of xterm's 256 colours beyond the first 16."""
    if index >= 232:
        grey = 8 + 10 * (index - 232)
        return grey, grey, grey
    steps = (0, 95, 135, 175, 215, 255)
    index -= 16
    return steps[index // 36], steps[index // 6 % 6], steps[index % 6]


def ansi_rgb(parameter: int, colours: tuple[RGB, ...]) -> RGB:
    """Return the colour that an SGR parameter selects in a palette of 16."""
    return colours[parameter - 30 if parameter < 40 else parameter - 90 + 8]


def roles(palette: Palette) -> dict[str, Colour]:
    """Return the colours of a palette that are not for nicks."""
    values = {field.name: getattr(palette, field.name) for field in fields(palette)}
    return {name: value for name, value in values.items() if isinstance(value, Colour)}


def ansi_colours(name: str, palette: Palette) -> list[RGB]:
    """Return every colour of a palette at a depth of 16, on every terminal that it is for."""
    others = [colour.few for role, colour in roles(palette).items() if role != "grey"]
    terminals = (SOLARIZED,) if name == "solarized" else (XTERM, VGA)
    return [ansi_rgb(each, terminal) for each in (*palette.few, *others) for terminal in terminals]


def other_colours(palette: Palette) -> list[RGB]:
    """Return every colour of a palette at a depth of 256 and of 24 bits."""
    colours = roles(palette).values()
    indexed = [*palette.indexed, *(each.indexed for each in colours)]
    return [*map(indexed_rgb, indexed), *palette.rgb, *(each.rgb for each in colours)]


def test_contrast_agrees_with_the_values_of_wcag() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast((119, 119, 119), WHITE) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", PALETTES)
def test_every_colour_is_readable_on_its_background(name: str) -> None:
    palette = PALETTES[name]
    ground = WHITE if name == "light" else BLACK
    for rgb in other_colours(palette) + ansi_colours(name, palette):
        assert contrast(rgb, ground) >= 4.5, rgb


def test_default_nick_colours_are_readable_on_white_too() -> None:
    palette = PALETTES["default"]
    for rgb in [*map(indexed_rgb, palette.indexed), *palette.rgb]:
        assert contrast(rgb, WHITE) >= 3, rgb


@pytest.mark.parametrize("name", PALETTES)
def test_nick_colours_of_a_theme_are_distinct(name: str) -> None:
    palette = PALETTES[name]
    for colours in (palette.few, palette.indexed, palette.rgb):
        assert len(set(colours)) == len(colours)


@pytest.mark.parametrize(
    ("name", "environment", "expected"),
    [
        ("xterm", {}, Kind(FEW, True)),
        ("linux", {}, Kind(FEW, True)),
        ("ansi", {}, Kind(FEW, True)),
        ("XTERM-256COLOR", {}, Kind(INDEXED, True)),
        ("tmux-256color", {}, Kind(INDEXED, True)),
        ("tmux-256color", {"COLORTERM": "truecolor"}, Kind(ALL, True)),
        ("xterm", {"COLORTERM": "24bit"}, Kind(ALL, True)),
        ("xterm", {"COLORTERM": "yes"}, Kind(INDEXED, True)),
        ("xterm-kitty", {}, Kind(ALL, True)),
        ("alacritty", {}, Kind(ALL, True)),
        ("xterm-direct", {}, Kind(ALL, True)),
        ("xterm-kitty", {"NO_COLOR": "1"}, Kind(NONE, True)),
        ("xterm", {"NO_COLOR": ""}, Kind(FEW, True)),
        ("vt100", {}, Kind(NONE, True)),
        ("dumb", {}, Kind(NO_ATTRIBUTES, False)),
        ("dumb", {"COLORTERM": "truecolor"}, Kind(NO_ATTRIBUTES, False)),
        ("unknown", {}, Kind(NO_ATTRIBUTES, False)),
        ("vt52", {}, Kind(NO_ATTRIBUTES, False)),
        ("VT52", None, Kind(NO_ATTRIBUTES, False)),
        ("adm3a", {}, Kind(NO_ATTRIBUTES, False)),
        ("tvi925", None, Kind(NO_ATTRIBUTES, False)),
        ("wyse50", {"COLORTERM": "24bit"}, Kind(NO_ATTRIBUTES, False)),
        ("hpterm", {}, Kind(NO_ATTRIBUTES, False)),
        ("ibm-3279", None, Kind(NO_ATTRIBUTES, False)),
        ("h19", {}, Kind(NO_ATTRIBUTES, False)),
        ("vt220", None, Kind(NONE, True)),
        ("vt525", {}, Kind(NONE, True)),
        ("wy85", {}, Kind(FEW, True)),
        ("", {}, Kind(FEW, True)),
        ("unknown", None, Kind(NO_ATTRIBUTES, False)),
        ("network", None, Kind(NO_ATTRIBUTES, False)),
        ("mudlet", None, Kind(INDEXED, True)),
        ("tintin++", None, Kind(INDEXED, True)),
        ("mtts 2831", None, Kind(ALL, True)),
        ("mtts 13", None, Kind(INDEXED, True)),
        ("mtts 5", None, Kind(FEW, True)),
        ("mtts 4", None, Kind(NONE, True)),
        ("mtts x", None, Kind(FEW, True)),
    ],
)
def test_terminal_names_and_environment_give_the_capabilities(
    name: str, environment: dict[str, str] | None, expected: Kind
) -> None:
    assert kind(name, environment) == expected
