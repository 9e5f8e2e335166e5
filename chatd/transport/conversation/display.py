"""Display: the output side of a conversation, plain lines here or a drawn terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from chatd.chat.model.preferences import Preferences
from chatd.terminal.preferred import plain_style
from chatd.terminal.style import TextStyle
from chatd.transport.net.outbox import Outbox


class Display(Protocol):
    """The output side of a conversation."""

    @property
    def send(self) -> Callable[[bytes], int]:
        """Sends whole lines to the connection and returns how many bytes it took."""

    @property
    def echoes_input(self) -> bool:
        """Whether users already see their own input on their screens."""

    @property
    def guides(self) -> bool:
        """Whether new users get hints on what to try."""

    @property
    def is_terminal(self) -> bool:
        """Whether single keys are read, so that Ctrl-D leaves and not the end of input."""

    def style(self, preferences: Preferences) -> TextStyle:
        """Return the style for a user with these preferences."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""

    def write(self, data: bytes) -> None:
        """Show whole lines unconditionally."""

    def refresh(self) -> None:
        """Draw the prompt again, as it may have changed: the room with the focus."""

    def ask(self, question: str, *, secret: bool) -> str:
        """Show a question next to the input; return a sentence where that is not possible."""

    def answered(self) -> None:
        """Remove a question that was answered or cancelled."""

    def leave(self) -> None:
        """Erase everything but the lines: the screen is the user's own again."""

    def described(self) -> Mapping[str, object] | None:
        """Return the description that another server needs to draw it; None: nothing is drawn."""

    def come_back(self) -> None:
        """Resume drawing after another server did."""


class Plain:
    """Shows things as plain lines, straight into the outbox: nothing is drawn or erased."""

    __slots__ = ("_outbox",)

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    @property
    def send(self) -> Callable[[bytes], int]:
        """The connection's own ``send``."""
        return self._outbox.send

    @property
    def echoes_input(self) -> bool:
        """True: the other end echoes what is typed there."""
        return True

    @property
    def guides(self) -> bool:
        """False: a program may be reading."""
        return False

    @property
    def is_terminal(self) -> bool:
        """False: whole lines are read, and their end is the way to leave of a script."""
        return False

    def style(self, preferences: Preferences) -> TextStyle:
        """Return text without colours or bells."""
        return plain_style(preferences)

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self._outbox.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Show whole lines unconditionally."""
        self._outbox.write(data)

    def refresh(self) -> None:
        """Do nothing: nothing is shown besides the lines."""

    def ask(self, question: str, *, secret: bool) -> str:
        """Return the question as a line: input cannot be hidden here."""
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
