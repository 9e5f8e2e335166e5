"""What every shell pipe is: the use of a command, and what runs for it until it ends."""

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
from chatd.transport.channel import Channel
from chatd.transport.host import Host

#: Exit statuses: done; refused by the chat; a command that does not exist or was misused (EX_USAGE
#: of BSD's sysexits); a bug of ours (EX_SOFTWARE); ended by SIGINT, as a shell reports it.
OK, REFUSED, USAGE, SOFTWARE, INTERRUPTED = 0, 1, 64, 70, 130

#: The program that a command is at another server.
PIPE = "pipe"


class Misused(Exception):  # noqa: N818 - a no, not an error
    """The words of a command make no sense; the argument is a sentence."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a command: its words, what follows its name as it was sent, and all of it."""

    host: Host
    channel: Channel
    who: entrance.Visitor
    words: tuple[str, ...]
    rest: str = ""
    command: str = ""

    def put(self, lines: list[str]) -> None:
        """Write lines to standard output."""
        ended = "\r\n" if self.channel.terminal else "\n"
        self.channel.outbox.write("".join(line + ended for line in lines).encode())

    def check_alone(self, usage: str) -> None:
        """A command that takes no words was given none.

        :raises Misused: otherwise.
        """
        if self.words:
            raise Misused(f"{usage} takes no words")

    def fail(self, sentence: str, status: int) -> None:
        """Say on standard error what is wrong, and end."""
        self.channel.write_error(f"chatd: {sentence}\n".encode())
        self.channel.finish(status)


class ExecCommand:
    """What runs for a command that has nothing to read and is over when it has been done.

    Anything that a subclass refuses (`Refused`, `Misused`) ends it with a sentence and a status.
    """

    _log = Logger()

    def __init__(self, call: Call) -> None:
        self.call = call
        self.ended = False

    def attempt(self, step: Callable[[], object]) -> None:
        """Do a step of the command; what is refused ends it."""
        if self.ended:
            return
        try:
            step()
        except Misused as misused:
            self.fail(str(misused), USAGE)
        except Refused as refused:
            self.fail(refused.sentence, REFUSED)
        except Exception as bug:
            self._log.failure("a command failed", failure=Failure(bug))
            self.fail("something went wrong here; it is in the log.", SOFTWARE)

    def wait_for(self, step: Coroutine[Any, Any, None]) -> None:
        """Do a step that waits for something; what is refused ends the command."""
        Deferred.fromCoroutine(step).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(Relayed):
            self.attempt(failure.raiseException)

    def check_welcome(self) -> None:
        """They were let in when they connected, and may be banned since.

        :raises Refused: ``banned`` or ``not-invited``.
        """
        self.call.host.chat.entrance.check(self.call.who, self.call.host.now())

    def begin(self) -> None:
        """Start."""

    def finish(self, status: int = OK) -> None:
        """End with a status, once what was written is sent."""
        if not self.ended:
            self.ended = True
            self.leave()
            self.call.channel.finish(status)

    def fail(self, sentence: str, status: int) -> None:
        """End with a sentence on standard error."""
        if not self.ended:
            self.ended = True
            self.leave()
            self.call.fail(sentence, status)

    def leave(self) -> None:
        """Leave nothing of this command in the chat."""

    def data_received(self, data: bytes) -> None:
        """Standard input: Ctrl-C and Ctrl-D when it is a terminal's."""
        if self.call.channel.terminal and (b"\x03" in data or b"\x04" in data):
            self.finish(INTERRUPTED)

    def resized(self, columns: int, rows: int) -> None:
        """Nothing is drawn."""

    def interrupted(self) -> None:
        """Stop."""
        self.finish(INTERRUPTED)

    def input_ended(self) -> None:
        """Nothing was read from it."""

    def answered(self) -> None:
        """A pipe asks for no signs of life."""

    def ready(self) -> None:
        """There is room in the outbox again."""

    def lost(self) -> None:
        """The channel is gone."""
        if not self.ended:
            self.ended = True
            self.leave()
