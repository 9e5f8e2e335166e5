"""What can come of a key beside a changed line: values for whoever holds the editor."""

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
    """Tab was pressed behind this text: `Editor.offer` what its last word may become."""

    before: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl-C was pressed on an empty line; otherwise it only clears the line."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Ctrl-D was pressed on an empty line: somebody wants to leave."""


@dataclass(frozen=True, slots=True)
class Redraw:
    """Ctrl-L was pressed: the screen is to be made new."""


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room for what was typed: the line is as long as a line can be."""


@dataclass(frozen=True, slots=True)
class PasteCut:
    """More was pasted than is taken at once; the rest of it is gone."""


EditorEvent = Entered | Block | Completing | Interrupted | Ended | Redraw | Full | PasteCut
