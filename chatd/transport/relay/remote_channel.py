"""Borrowed: a line that another server lends, as the channel of a program that runs here.

It has the shape of an ssh client's channel (`chatd.transport.ssh.protocol.channel.SessionChannel`), so the
same programs run in it.  What is written goes over the line, as far as the other end takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from chatd.transport.relay.stream import LOST, Stream

if TYPE_CHECKING:
    from chatd.transport.channel import Program, TerminalInfo


class RelayOutbox:
    """The way out over a line; ``status`` is said when it has been closed and all is sent."""

    __slots__ = ("_closed", "_line", "on_sent", "status", "unreached_there")

    def __init__(self, line: Stream) -> None:
        self._line = line
        self._closed = False
        self.on_sent: Callable[[], None] | None = None
        self.status = 0
        self.unreached_there = 0

    @property
    def full(self) -> bool:
        """Whether nothing may be sent now."""
        return self._closed or self._line.full

    @property
    def pending(self) -> int:
        """Bytes that are not under way yet."""
        return self._line.pending

    def is_idle(self) -> bool:
        """Whether what is sent now follows everything that was sent before."""
        return not self.full

    def send(self, data: bytes) -> int:
        """Send what may be sent now."""
        if self.on_sent is not None:
            self.on_sent()
        return 0 if self.full else self._line.send(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self.write(data[taken:])

    def write(self, data: bytes) -> None:
        """Send what can be sent, keep the rest."""
        if data and not self._closed:
            self._line.write(data)

    def unreached(self) -> tuple[int, float] | None:
        """What the other server's client has not had, as far as that server knows."""
        size = max(0, self._line.under_way + self.unreached_there)
        return (size, self._line.owing) if size or self._line.owing else None

    def was_reset(self) -> bool | None:
        """Whether the peer takes nothing any more: its server says so itself."""
        if self._line.over:
            return True
        return None if self._line.under_way or self._line.pending else False

    def close(self) -> None:
        """Send what is pending, then let the connection be closed."""
        if not self._closed:
            self._closed = True
            self._line.say_last("finish", self.status)

    def abort(self) -> None:
        """Let the connection be closed now."""
        self._closed = True
        self._line.say("abort")

    def forget(self) -> None:
        """The connection is gone."""
        self._closed = True


class RemoteChannel:
    """A channel over a line; ``on_line`` takes a line that was typed before it was lent."""

    def __init__(self, line: Stream, terminal: TerminalInfo | None = None) -> None:
        self._line = line
        self.outbox = RelayOutbox(line)
        self.terminal = terminal
        self.environment: Mapping[str, str] = {}
        self.on_line: Callable[[str], None] = _unheard
        self._program: Program | None = None
        self._input: list[bytes] = []
        self._ended = False
        self._paused = False

    # For the program ------------------------------------------------------------------------------

    def pass_to(self, program: Program) -> None:
        """Let a program run here."""
        begins = self._program is None
        self._program = program
        if begins:
            self._line.listen(self)

    def write_error(self, data: bytes) -> None:
        """Write to standard error."""
        self._line.say("error", data.decode("utf-8", "replace"))

    def finish(self, status: int) -> None:
        """Send what is pending and the exit status, then let the channel be closed."""
        self.outbox.status = status
        self.outbox.close()

    def hide(self, hidden: bool) -> None:
        """What is typed is a secret from now on, or no more."""
        self._line.say("hide", hidden)

    def ask(self) -> None:
        """Ask the client for a sign of life."""
        self._line.say("ask")

    def pause(self) -> None:
        """Take no more input: soon none comes."""
        self._paused = True

    def resume(self) -> None:
        """Take input again, first what came meanwhile."""
        self._paused = False
        self._deliver()

    # For the line ---------------------------------------------------------------------------------

    def came(self, data: bytes) -> None:
        """They typed."""
        self._input.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while not self._paused and self._program is not None:
            if self._input:
                data, self._input = b"".join(self._input), []
                self._line.took(len(data))
                self._program.data_received(data)
            elif self._ended:
                self._ended = False
                self._program.input_ended()
            else:
                return

    def told(self, word: str, values: list[Any]) -> None:
        """The other server says something beside; what is not known is of a newer one."""
        program = self._program
        if program is None:
            return
        match word, values:
            case "line", [str(text)]:
                self.on_line(text)
            case "size", [int(columns), int(rows)]:
                program.resized(columns, rows)
            case "interrupt", []:
                program.interrupted()
            case "end", []:
                self._ended = True
                self._deliver()
            case "answered", []:
                program.answered()
            case word, [int(unreached)] if word == LOST:
                self.outbox.unreached_there = unreached
                self._lose()
            case _:
                pass

    def roomy(self) -> None:
        """There is room again."""
        if self._program is not None:
            self._program.ready()

    def broken(self, dead: bool) -> None:
        """Nobody is at the other end any more."""
        self._lose()

    def hang_up(self, sentence: str) -> None:
        """This server lets go of everybody: the other one goes on with this connection."""
        self._line.say("gone")
        self._lose()

    def _lose(self) -> None:
        self._line.end()
        program, self._program = self._program, None
        self._input = []
        if program is not None:
            program.lost()


def _unheard(text: str) -> None:
    """A program takes bytes alone."""
