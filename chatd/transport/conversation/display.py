"""Display: what a conversation is shown on, plain lines here or what a terminal draws."""

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
        """Takes whole lines for the connection and returns how many bytes it took."""

    @property
    def echoes_input(self) -> bool:
        """Whether what users type is on their own screen already."""

    @property
    def guides(self) -> bool:
        """Whether new users are told what to try."""

    def style(self, preferences: Preferences) -> TextStyle:
        """Return how things are shown to a user with these preferences."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""

    def write(self, data: bytes) -> None:
        """Show whole lines in any case."""

    def refresh(self) -> None:
        """Draw what is beside the lines, which may have changed: the room with the focus."""

    def ask(self, question: str, *, secret: bool) -> str:
        """Show a question beside what will be typed; return a sentence if that cannot be."""

    def answered(self) -> None:
        """Take a question away, which is answered or cancelled."""

    def leave(self) -> None:
        """Take away what is not a line: the screen is the user's own again."""

    def described(self) -> Mapping[str, object] | None:
        """Return what another server that is to draw it has to know; None: nothing is drawn."""

    def come_back(self) -> None:
        """Draw again, after another server did."""


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
        """True: the other end echoes what is typed there."""
        return True

    @property
    def guides(self) -> bool:
        """False: a program may be reading."""
        return False

    def style(self, preferences: Preferences) -> TextStyle:
        """Return text without colours or bells."""
        return plain_style(preferences)

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self._outbox.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Show whole lines in any case."""
        self._outbox.write(data)

    def refresh(self) -> None:
        """Do nothing: nothing is shown beside the lines."""

    def ask(self, question: str, *, secret: bool) -> str:
        """Return the question, of which nothing can be hidden here."""
        visible = "What you type will be seen; an" if secret else "An"
        return f"{question}? {visible} empty line calls it off."

    def answered(self) -> None:
        """Do nothing: nothing was hidden."""

    def leave(self) -> None:
        """Do nothing: only lines are on the screen."""

    def described(self) -> None:
        """Return None: nothing is drawn."""

    def come_back(self) -> None:
        """Do nothing: nothing is drawn."""
