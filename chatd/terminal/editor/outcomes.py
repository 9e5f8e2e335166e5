"""Editor events: the effects of a key besides a change of the line, as values for the owner."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entered:
    """Enter was pressed: a line is complete."""

    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """Several pasted lines are to be sent: safe text, without line ends."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completing:
    """Tab was pressed after this text: pass the candidates for its last word to `Editor.offer`."""

    before: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl-C was pressed on an empty line; otherwise it only clears the line."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Ctrl-D was pressed on an empty line: the user wants to leave."""


@dataclass(frozen=True, slots=True)
class Redraw:
    """Ctrl-L was pressed: the screen is to be cleared and drawn again."""


@dataclass(frozen=True, slots=True)
class Full:
    """The typed text did not fit: the line has its greatest length."""


@dataclass(frozen=True, slots=True)
class PasteCut:
    """A paste was longer than its bound; the rest of it was dropped."""


EditorEvent = Entered | Block | Completing | Interrupted | Ended | Redraw | Full | PasteCut
