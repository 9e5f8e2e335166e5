"""How the window stands with the server, and what the person has to be asked about it.

It knows names and sentences; it must not know rooms, requests, windows or connections.
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
    """How the window stands with the server."""

    OFF = "not connected"
    CONNECTING = "connecting"
    NAMING = "connected, and the name is not accepted yet"
    NAMELESS = "connected, and the name is refused"
    JOINED = "in the chat"
    WAITING = "not connected, and trying again soon"


class DialogKind(Enum):
    """What the person is asked, or told so that it is not missed."""

    NAME = "which other name"
    GONE = "the server is gone"


@dataclass(frozen=True, slots=True)
class DialogRequest:
    """A question, and the sentence that explains it."""

    kind: DialogKind
    sentence: str


class Status:
    """The phase, one sentence about it, and what is asked, if anything."""

    def __init__(self) -> None:
        self.phase = Phase.OFF
        self.sentence = "Not connected."
        self.dialog: DialogRequest | None = None
        self._lost_shown = False

    @property
    def is_connected(self) -> bool:
        """Whether one is in the chat."""
        return self.phase is Phase.JOINED

    def connecting(self, where: str) -> None:
        """A connection is being made."""
        self.phase, self.sentence = Phase.CONNECTING, f"Connecting to {where} …"

    def naming(self, nick: str) -> None:
        """There is a connection, and the name has been said."""
        self.phase, self.sentence = Phase.NAMING, f"Coming in as {nick} …"

    def accepted(self, nick: str) -> None:
        """The name is accepted."""
        self.phase, self.sentence, self.dialog = Phase.JOINED, f"You are {nick}.", None
        self._lost_shown = False

    def refused(self, nick: str, code: int) -> None:
        """The name is not accepted: another one is asked for."""
        sentence = _REFUSED.get(code, "The server does not let {nick} in.").format(nick=nick)
        self.phase, self.sentence = Phase.NAMELESS, sentence
        self.dialog = DialogRequest(DialogKind.NAME, sentence)

    def lost(self, why: str, seconds: float) -> None:
        """There is no connection; it is tried again in so many seconds.

        The dialog says so once; whoever closes it has only the sentence below the conversation.
        """
        self.phase = Phase.WAITING
        self.sentence = f"{why} Trying again in {max(1, round(seconds))} s."
        if self.dialog is None and self._lost_shown:
            return
        if self.dialog is None or self.dialog.kind is DialogKind.GONE:
            self.dialog = DialogRequest(DialogKind.GONE, self.sentence)
            self._lost_shown = True

    def disconnected(self) -> None:
        """The person has disconnected."""
        self.phase, self.sentence, self.dialog = Phase.OFF, "Not connected.", None

    def dismiss(self) -> None:
        """The person has closed the dialog."""
        self.dialog = None
