"""Remote channel: runs a program here for a connection to another server.

It has the interface of an ssh client's channel,
`chatd.transport.ssh.protocol.channel.SessionChannel`, so the same programs run in it.  Their output
goes over a stream, as fast as the edge takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chatd.transport.channel import Program, TerminalInfo, take_piece
from chatd.transport.relay.stream import LOST, Stream


class RelayOutbox:
    """`chatd.transport.channel.ChannelOutbox` over a stream.

    ``status`` is the exit status that is sent after everything else, when it has been closed;
    ``unreached_there`` is the number of bytes that the edge could not deliver to its client.
    """

    __slots__ = ("_closed", "_stream", "on_sent", "status", "unreached_there")

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._closed = False
        self.on_sent: Callable[[], None] | None = None
        self.status = 0
        self.unreached_there = 0

    @property
    def full(self) -> bool:
        """Whether nothing may be sent now."""
        return self._closed or self._stream.full

    @property
    def pending(self) -> int:
        """Bytes that have not been sent yet."""
        return self._stream.pending

    def is_idle(self) -> bool:
        """Whether data sent now follows immediately after everything sent before."""
        return not self.full

    def send(self, data: bytes) -> int:
        """Send what may be sent now."""
        if self.on_sent is not None:
            self.on_sent()
        return 0 if self.full else self._stream.send(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self.write(data[taken:])

    def write(self, data: bytes) -> None:
        """Send what can be sent, and keep the rest."""
        if data and not self._closed:
            self._stream.write(data)

    def unreached(self) -> tuple[int, float] | None:
        """Return the bytes that the client has not received, as far as the edge knows."""
        size = max(0, self._stream.in_flight + self.unreached_there)
        silence = self._stream.client_silence
        return (size, silence) if size or silence else None

    def was_reset(self) -> bool | None:
        """Return whether the client has reset its connection, by its edge; None: not known yet."""
        if self._stream.over:
            return True
        return None if self._stream.in_flight or self._stream.pending else False

    def close(self) -> None:
        """Send what is pending, then let the edge close the connection."""
        if not self._closed:
            self._closed = True
            self._stream.send_last_word("finish", self.status)

    def abort(self) -> None:
        """Let the edge close the connection now."""
        self._closed = True
        self._stream.send_word("abort")

    def forget(self) -> None:
        """Send nothing more: the connection is gone."""
        self._closed = True


class RemoteChannel:
    """`chatd.transport.channel.Channel` over a stream."""

    def __init__(self, stream: Stream, terminal: TerminalInfo | None = None) -> None:
        self._stream = stream
        self.outbox = RelayOutbox(stream)
        self.terminal = terminal
        self.environment: Mapping[str, str] = {}
        self._program: Program | None = None
        self._take_line: Callable[[str], None] = _ignore_line
        self._input: list[bytes] = []
        self._input_ended = False
        self._paused = False

    # For the program ------------------------------------------------------------------------------

    def start(self, program: Program, take_line: Callable[[str], None]) -> None:
        """Run a program, which also handles the lines pending when the connection was relayed."""
        self._take_line = take_line
        self.pass_to(program)

    def pass_to(self, program: Program) -> None:
        """Replace the program of this channel by another."""
        is_first = self._program is None
        self._program = program
        if is_first:
            self._stream.listen(self)

    def write_error(self, data: bytes) -> None:
        """Write to standard error."""
        self._stream.send_word("error", data.decode("utf-8", "replace"))

    def finish(self, status: int) -> None:
        """Send what is pending and the exit status, then let the edge close the channel."""
        self.outbox.status = status
        self.outbox.close()

    def hide(self, hidden: bool) -> None:
        """Tell the edge whether the input from now on is a secret."""
        self._stream.send_word("hide", hidden)

    def ask(self) -> None:
        """Ask the client for a sign of life."""
        self._stream.send_word("ask")

    def pause(self) -> None:
        """Pause input: the window fills up soon, and no more arrives."""
        self._paused = True

    def resume(self) -> None:
        """Resume input, first what arrived meanwhile."""
        self._paused = False
        self._deliver()

    # Listener -------------------------------------------------------------------------------------

    def received(self, data: bytes) -> None:
        """Handle input."""
        self._input.append(data)
        self._deliver()

    def _deliver(self) -> None:
        while not self._paused and self._program is not None:
            if self._input:
                data = take_piece(self._input)
                self._stream.consumed(len(data))
                self._program.data_received(data)
            elif self._input_ended:
                self._input_ended = False
                self._program.input_ended()
            else:
                return

    def control(self, word: str, values: list[Any]) -> None:
        """Carry out a request of the edge; unknown words, of newer servers, are ignored."""
        program = self._program
        if program is None:
            return
        match word, values:
            case "line", [str(text)]:
                self._take_line(text)
            case "size", [int(columns), int(rows)]:
                program.resized(columns, rows)
            case "interrupt", []:
                program.interrupted()
            case "end", []:
                self._input_ended = True
                self._deliver()
            case "answered", []:
                program.answered()
            case word, [int(unreached)] if word == LOST:
                self.outbox.unreached_there = unreached
                self._lose()
            case _:
                pass

    def writable(self) -> None:
        """Tell the program that there is room again."""
        if self._program is not None:
            self._program.ready()

    def failed(self, dead: bool) -> None:
        """Count the connection as lost: its edge runs it again, or is gone."""
        self._lose()

    def hang_up(self, sentence: str) -> None:
        """Let the edge run the connection again: this server closes all its streams."""
        self._stream.send_word("gone")
        self._lose()

    def silence(self) -> float:
        """Return 0: the client belongs to the edge."""
        return 0.0

    def _lose(self) -> None:
        self._stream.end()
        program, self._program = self._program, None
        self._take_line = _ignore_line
        self._input = []
        if program is not None:
            program.lost()


def _ignore_line(text: str) -> None:
    """Do nothing: the program takes only bytes."""
