"""Base of exec commands: one invocation of a command, and the program that runs for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.entry import entrance
from chatd.chat.events import Refused
from chatd.chat.model.client import Relayed
from chatd.chat.ratelimit.line_budget import LineBudget
from chatd.transport.channel import Channel
from chatd.transport.conversation.flood_control import FloodControl, sender_of_visitor
from chatd.transport.host import Host

#: Exit statuses: done; refused by the chat; no such command or wrong usage (EX_USAGE of BSD's
#: sysexits); a bug (EX_SOFTWARE); ended by SIGINT, as a shell reports it.
OK, REFUSED, USAGE, SOFTWARE, INTERRUPTED = 0, 1, 64, 70, 130

#: The name, between servers, of the program that runs a command.
EXEC = "pipe"


class UsageError(Exception):
    """Invalid words after a command; the argument is a sentence."""


@dataclass(frozen=True, slots=True)
class Call:
    """One invocation of a command.

    ``budget`` is the line budget of its connection.  ``words`` are the words after its name,
    ``rest`` is the same text verbatim, and ``command`` the whole command line.
    """

    host: Host
    channel: Channel
    visitor: entrance.Visitor
    budget: LineBudget
    words: tuple[str, ...]
    rest: str = ""
    command: str = ""

    def put(self, lines: list[str]) -> None:
        """Write lines to standard output."""
        ended = "\r\n" if self.channel.terminal else "\n"
        self.channel.outbox.write("".join(line + ended for line in lines).encode())

    def check_no_words(self, name: str) -> None:
        """Check that no words follow the command's name.

        :raises UsageError: when some do.
        """
        if self.words:
            raise UsageError(f"{name} takes no words")

    def fail(self, sentence: str, status: int) -> None:
        """Write a sentence to standard error and end with a status."""
        self.channel.write_error(f"chatd: {sentence}\n".encode())
        self.channel.finish(status)


class ExecCommand:
    """A command's program (`chatd.transport.channel.Program`); this one reads no input.

    `Refused` and `UsageError` from a step of a subclass end it with a sentence and a status.
    """

    _log = Logger()

    def __init__(self, call: Call) -> None:
        self.call = call
        self.ended = False
        self.flood_control = FloodControl(call.host, call.budget)
        self._started = False

    def start(self) -> None:
        """Begin, once flood control lets a line through: a command counts as one."""
        if not self.must_wait():
            self._start()

    def must_wait(self) -> bool:
        """Return whether flood control lets no line through yet; `line_may_go` is called then."""
        sender = sender_of_visitor(self.call.host, self.call.visitor)
        return self.flood_control.must_wait(sender, self._go_on)

    def _go_on(self) -> None:
        if self._started:
            self.attempt(self.line_may_go)
        else:
            self.start()

    def _start(self) -> None:
        self._started = True
        self.attempt(self.check_access)
        self.attempt(self.begin)

    def line_may_go(self) -> None:
        """Continue with the line that flood control has delayed."""

    def attempt(self, step: Callable[[], object]) -> None:
        """Run a step of the command; an exception ends it."""
        if self.ended:
            return
        try:
            step()
        except Exception as error:
            self._fail_by(error)

    def _fail_by(self, error: BaseException) -> None:
        """End the command with the sentence and the status of an exception."""
        match error:
            case UsageError():
                self.fail(str(error), USAGE)
            case Refused():
                self.fail(error.sentence, REFUSED)
            case _:
                self._log.failure("a command failed", failure=Failure(error))
                self.fail("something went wrong here; it is in the log.", SOFTWARE)

    def wait_for(self, step: Coroutine[Any, Any, None]) -> None:
        """Await a step of the command; an exception ends it."""
        Deferred.fromCoroutine(step).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if not (error is None or isinstance(error, Relayed) or self.ended):
            self._fail_by(error)

    def check_access(self) -> None:
        """Check again that the visitor may enter: they may have been banned since they connected.

        :raises Refused: ``banned``, ``locked`` or ``not-invited``.
        """
        self.call.host.chat.entrance.check_access(self.call.visitor, self.call.host.now())

    def begin(self) -> None:
        """Start the command."""

    def finish(self, status: int = OK) -> None:
        """End with a status, after the output is sent."""
        if self._end():
            self.call.channel.finish(status)

    def fail(self, sentence: str, status: int) -> None:
        """End with a sentence on standard error."""
        if self._end():
            self.call.fail(sentence, status)

    def _end(self) -> bool:
        """End, and return whether it had not ended before."""
        if self.ended:
            return False
        self.ended = True
        self.flood_control.stop()
        self.leave()
        return True

    def leave(self) -> None:
        """Clean up what this command has in the chat."""

    def data_received(self, data: bytes) -> None:
        """Ignore standard input; at a terminal Ctrl-C and Ctrl-D end the command."""
        if self.call.channel.terminal and (b"\x03" in data or b"\x04" in data):
            self.finish(INTERRUPTED)

    def resized(self, columns: int, rows: int) -> None:
        """Ignore it: nothing is drawn."""

    def interrupted(self) -> None:
        """End with the status of SIGINT."""
        self.finish(INTERRUPTED)

    def input_ended(self) -> None:
        """Ignore it: nothing is read."""

    def answered(self) -> None:
        """Ignore it: a command never asks for a sign of life."""

    def ready(self) -> None:
        """Continue writing: the outbox has room again."""

    def lost(self) -> None:
        """Clean up: the channel is gone."""
        self._end()
