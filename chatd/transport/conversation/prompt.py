"""Question to the user, one at a time, whose answer is a typed line."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.transport.conversation.display import Display


class Prompt:
    """The open question, if there is one."""

    __slots__ = ("_answer", "_secret", "_text")

    def __init__(self) -> None:
        self._answer: Deferred[str] | None = None
        self._text = ""
        self._secret = False

    @property
    def is_open(self) -> bool:
        """Whether there is a question."""
        return self._answer is not None

    def ask(self, text: str, secret: bool) -> Deferred[str]:
        """Open a question; its answer is empty when the user cancels it."""
        self._text, self._secret = text, secret
        self._answer = Deferred()
        return self._answer

    def show(self, display: Display) -> str:
        """Show the question, if there is one; return a sentence on how to answer, or nothing."""
        return "" if self._answer is None else display.ask(self._text, secret=self._secret)

    def answer(self, text: str, display: Display) -> bool:
        """Use a line as the answer; return whether there was a question."""
        answer, self._answer = self._answer, None
        if answer is None:
            return False
        display.answered()
        answer.callback(text)
        return True

    def cancel(self) -> None:
        """Cancel the question: there will be no answer."""
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()
