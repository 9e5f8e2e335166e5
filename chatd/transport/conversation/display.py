"""Display: what a conversation is shown on: plain lines here, or what a terminal draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from chatd.chat.model.preferences import Preferences
from chatd.terminal.preferred import plain_style
from chatd.terminal.style import TextStyle
from chatd.transport.net.outbox import Outbox


class Display(Protocol):
    """What a conversation is shown on."""

    @property
    def send(self) -> Callable[[bytes], int]:
        """Takes whole lines for the connection and says how many bytes it took."""

    @property
    def echoes_input(self) -> bool:
        """Whether what one types is on one's own screen already."""

    @property
    def guides(self) -> bool:
        """Whether who comes for the first time is told what to try."""

    def style(self, preferences: Preferences) -> TextStyle:
        """How somebody with these preferences is shown things."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""

    def write(self, data: bytes) -> None:
        """Show whole lines in any case."""

    def refresh(self) -> None:
        """Something that is shown beside the lines may have changed: the room with the focus."""

    def ask(self, question: str, *, secret: bool) -> str:
        """Show what is asked beside what will be typed; return a sentence when that cannot be."""

    def answered(self) -> None:
        """What was asked is answered, or need not be."""

    def leave(self) -> None:
        """Take away what is not a line: it is somebody's own screen again."""

    def described(self) -> Mapping[str, object] | None:
        """What another server has to know that is to draw it; None: nothing is drawn."""

    def hand_over(self) -> str:
        """Leave, as another server draws here from now on; return what is typed and not entered."""

    def come_back(self, typed: bytes, enter: Callable[[str], None]) -> None:
        """Nobody else draws here any more; this was typed meanwhile, whose lines are entered."""


class Plain:
    """Shows things as plain lines, straight into the outbox: nothing is drawn or erased."""

    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    @property
    def send(self) -> Callable[[bytes], int]:
        """The connection's own."""
        return self._outbox.send

    @property
    def echoes_input(self) -> bool:
        """The other end echoes what is typed there."""
        return True

    @property
    def guides(self) -> bool:
        """A program may be reading."""
        return False

    def style(self, preferences: Preferences) -> TextStyle:
        """Text without colours or bells."""
        return plain_style(preferences)

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self._outbox.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Show whole lines in any case."""
        self._outbox.write(data)

    def refresh(self) -> None:
        """Nothing is shown beside the lines."""

    def ask(self, question: str, *, secret: bool) -> str:
        """Nothing can be hidden here."""
        visible = "What you type will be seen; an" if secret else "An"
        return f"{question}? {visible} empty line calls it off."

    def answered(self) -> None:
        """Nothing was hidden."""

    def leave(self) -> None:
        """Nothing is on the screen that would have to go."""

    def described(self) -> None:
        """Nothing is drawn."""

    def hand_over(self) -> str:
        """Whatever is half typed is with the codec, and stays there."""
        return ""

    def come_back(self, typed: bytes, enter: Callable[[str], None]) -> None:
        """Nothing was drawn, and only whole lines were typed."""
        for line in typed.decode("utf-8", "replace").splitlines():
            enter(line)
