"""Asking: what somebody is asked beside what they type, one thing at a time."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.transport.conversation.display import Display


class Prompt:
    """The question that waits for an answer, if one does."""

    __slots__ = ("_answer", "_secret", "_text")

    def __init__(self) -> None:
        self._answer: Deferred[str] | None = None
        self._text = ""
        self._secret = False

    @property
    def waits(self) -> bool:
        """Whether something is asked."""
        return self._answer is not None

    def ask(self, text: str, secret: bool) -> Deferred[str]:
        """Ask something; the answer is empty when it is called off."""
        self._text, self._secret = text, secret
        self._answer = Deferred()
        return self._answer

    def show(self, display: Display) -> str:
        """Show what is asked, if something is; return a sentence about how that is done here."""
        return "" if self._answer is None else display.ask(self._text, secret=self._secret)

    def answer(self, text: str, display: Display) -> bool:
        """Take a line as the answer, if something is asked."""
        answer, self._answer = self._answer, None
        if answer is None:
            return False
        display.answered()
        answer.callback(text)
        return True

    def forget(self) -> None:
        """Nobody is there to answer any more."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()
