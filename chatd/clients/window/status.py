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
    ENTERING = "connected, and the name is not accepted yet"
    NAMELESS = "connected, and the name is refused"
    IN = "in the chat"
    WAITING = "not connected, and trying again soon"


class Question(Enum):
    """What the person is asked, or told so that it is not missed."""

    NAME = "which other name"
    GONE = "the server is gone"


@dataclass(frozen=True, slots=True)
class Asking:
    """A question, and the sentence that explains it."""

    question: Question
    sentence: str


class Standing:
    """The phase, one sentence about it, and what is asked, if anything."""

    def __init__(self) -> None:
        self.phase = Phase.OFF
        self.sentence = "Not connected."
        self.asking: Asking | None = None
        self._told_gone = False

    @property
    def is_in(self) -> bool:
        """Whether one is in the chat."""
        return self.phase is Phase.IN

    def connecting(self, where: str) -> None:
        """A connection is being made."""
        self.phase, self.sentence = Phase.CONNECTING, f"Connecting to {where} …"

    def entering(self, nick: str) -> None:
        """There is a connection, and the name has been said."""
        self.phase, self.sentence = Phase.ENTERING, f"Coming in as {nick} …"

    def entered(self, nick: str) -> None:
        """The name is accepted."""
        self.phase, self.sentence, self.asking = Phase.IN, f"You are {nick}.", None
        self._told_gone = False

    def refused(self, nick: str, code: int) -> None:
        """The name is not accepted: another one is asked for."""
        sentence = _REFUSED.get(code, "The server does not let {nick} in.").format(nick=nick)
        self.phase, self.sentence = Phase.NAMELESS, sentence
        self.asking = Asking(Question.NAME, sentence)

    def lost(self, why: str, seconds: float) -> None:
        """There is no connection; it is tried again in so many seconds.

        The dialog says so once; whoever closes it has only the sentence below the conversation.
        """
        self.phase = Phase.WAITING
        self.sentence = f"{why} Trying again in {max(1, round(seconds))} s."
        if self.asking is None and self._told_gone:
            return
        if self.asking is None or self.asking.question is Question.GONE:
            self.asking = Asking(Question.GONE, self.sentence)
            self._told_gone = True

    def left(self) -> None:
        """The person has disconnected."""
        self.phase, self.sentence, self.asking = Phase.OFF, "Not connected.", None

    def understood(self) -> None:
        """The person has closed the dialog."""
        self.asking = None
