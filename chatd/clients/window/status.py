"""Status of the window's connection, and the dialog that the user has to answer because of it.

It knows nicks and sentences; it must not know rooms, requests, windows or connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

_REFUSED = {
    1: "The name {nick} is taken, or looks like one that is.",
    2: "The server is full; {nick} cannot come in now.",
    3: "Nobody can be called {nick}.",
}


class Phase(Enum):
    """The phase of the connection."""

    OFF = "not connected"
    CONNECTING = "connecting"
    NAMING = "connected, and the name is not accepted yet"
    NAMELESS = "connected, and the name is refused"
    JOINED = "in the chat"
    WAITING = "not connected, and trying again soon"


class DialogKind(Enum):
    """Why a dialog is shown."""

    NAME = "which other name"
    GONE = "the server is gone"


@dataclass(frozen=True, slots=True)
class DialogRequest:
    """A dialog to show: its kind, and the sentence in it."""

    kind: DialogKind
    sentence: str


class Status:
    """The phase, one sentence about it, and the dialog to show, if any."""

    def __init__(self) -> None:
        self.phase = Phase.OFF
        self.sentence = "Not connected."
        self.dialog: DialogRequest | None = None
        self._lost_shown = False

    @property
    def is_connected(self) -> bool:
        """Return whether the user is in the chat."""
        return self.phase is Phase.JOINED

    def connecting(self, where: str) -> None:
        """Note that a connection is being made."""
        self.phase, self.sentence = Phase.CONNECTING, f"Connecting to {where} …"

    def naming(self, nick: str) -> None:
        """Note that there is a connection, and the nick was sent."""
        self.phase, self.sentence = Phase.NAMING, f"Coming in as {nick} …"

    def accepted(self, nick: str) -> None:
        """Note that the server has accepted the nick."""
        self.phase, self.sentence, self.dialog = Phase.JOINED, f"You are {nick}.", None
        self._lost_shown = False

    def refused(self, nick: str, code: int) -> None:
        """Note that the server has refused the nick: ask for another one."""
        sentence = _REFUSED.get(code, "The server does not let {nick} in.").format(nick=nick)
        self.phase, self.sentence = Phase.NAMELESS, sentence
        self.dialog = DialogRequest(DialogKind.NAME, sentence)

    def lost(self, why: str, seconds: float) -> None:
        """Note that there is no connection, and the seconds until the next attempt.

        The dialog is shown once; after it was closed, only the status line says it.
        """
        self.phase = Phase.WAITING
        self.sentence = f"{why} Trying again in {max(1, round(seconds))} s."
        if self.dialog is None and self._lost_shown:
            return
        if self.dialog is None or self.dialog.kind is DialogKind.GONE:
            self.dialog = DialogRequest(DialogKind.GONE, self.sentence)
            self._lost_shown = True

    def disconnected(self) -> None:
        """Note that the user has disconnected."""
        self.phase, self.sentence, self.dialog = Phase.OFF, "Not connected.", None

    def dismiss(self) -> None:
        """Close the dialog."""
        self.dialog = None
