"""Displays: the user's side of a `PromptProtocol`, a drawn terminal or pipes with plain lines.

They connect keys, the line being typed and the screen to the protocol; they must not know the
requests to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.clients.prompt.commands import may_hold_secret
from chatd.clients.prompt.protocol import PromptProtocol
from chatd.terminal.editor.editor import (
    Block,
    Completing,
    Editor,
    EditorEvent,
    Ended,
    Entered,
    Full,
    Interrupted,
    PasteCut,
    Redraw,
)
from chatd.terminal.editor.keys import Keys, Pressed
from chatd.terminal.screen.screen import Screen
from chatd.terminal.screen.typewriter import LineModeScreen
from chatd.wire.line import CutLine, LineCodec

#: Seconds after which a lone ESC is the Escape key and not the start of a sequence.
ESCAPE_SECONDS = 0.05

PROMPT = "> "
TOO_LONG = "That line is too long; nothing of it was sent."
FULL = "The line is full."
PASTE_CUT = "That was too much to paste at once; the rest of it is gone."
HOW_TO_LEAVE = "disconnect or Ctrl-D leaves."


@implementer(IHalfCloseableProtocol)
class _Display(Protocol):
    """The base of both displays: it has a `PromptProtocol`, and ends after all output is written.

    ``done`` is then called with the exit status.
    """

    end_of_row = "\n"

    def __init__(self, done: Callable[[int], None]) -> None:
        self._done = done
        self._status = 1
        self._write_closed = False
        self._protocol: PromptProtocol | None = None

    @property
    def protocol(self) -> PromptProtocol:
        """The connection to the server, which is set before any input arrives."""
        assert self._protocol is not None
        return self._protocol

    def begin(self, talk: PromptProtocol) -> None:
        """Set the protocol; to be called before any input arrives."""
        self._protocol = talk

    @property
    def _producer(self) -> IPushProducer:
        """The transport as a push producer; Twisted declares a narrower type."""
        return cast(IPushProducer, self.transport)

    def write(self, data: bytes) -> None:
        """Write, unless the output is closed."""
        if self.transport is not None and not self._write_closed and data:
            self.transport.write(data)

    def encoded(self, rows: Sequence[str]) -> bytes:
        """Return rows as bytes."""
        return "".join(f"{row}{self.end_of_row}" for row in rows).encode("utf-8", "replace")

    def show(self, rows: Sequence[str]) -> None:
        """Show rows."""
        self.write(self.encoded(rows))

    def resume_reading(self) -> None:
        """Ignore it: a terminal is never paused."""

    def disconnected(self, status: int) -> None:
        """Write the pending output, then end with this status."""
        self._status = status
        if self._write_closed or self.transport is None:
            self._done(1)
        else:
            self.transport.loseConnection()

    def readConnectionLost(self) -> None:
        """Tell the protocol that nothing more will be typed."""
        self.protocol.end_of_input()

    def writeConnectionLost(self) -> None:
        """Disconnect: the output is no longer read."""
        self._write_closed = True
        self.protocol.disconnect()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Everything is written: end."""
        self._write_closed = True
        self._done(self._status)


class LineDisplay(_Display):
    """Lines in, lines out."""

    def __init__(self, done: Callable[[int], None]) -> None:
        super().__init__(done)
        self._codec = LineCodec()
        self._paused = False

    def dataReceived(self, data: bytes) -> None:
        """Run the lines that these bytes complete; pause when too many are pending."""
        self._handle_lines(self._codec.receive_data(data))
        if self.protocol.is_full and not self._paused:
            self._paused = True
            self._producer.pauseProducing()

    def resume_reading(self) -> None:
        """Continue reading."""
        if self._paused:
            self._paused = False
            self._producer.resumeProducing()

    def readConnectionLost(self) -> None:
        """Run the last line, which may lack its line end; nothing follows."""
        self._handle_lines(self._codec.finish())
        super().readConnectionLost()

    def _handle_lines(self, lines: Sequence[str | CutLine]) -> None:
        for line in lines:
            if isinstance(line, CutLine):
                self.protocol.show_error(TOO_LONG)
            else:
                self.protocol.handle_line(line)


class TerminalDisplay(_Display):
    """A terminal in raw mode: the line being typed is below the messages."""

    end_of_row = "\r\n"

    def __init__(
        self,
        done: Callable[[int], None],
        clock: IReactorTime,
        screen: Screen | LineModeScreen,
        greeting: str,
    ) -> None:
        super().__init__(done)
        self._clock = clock
        self._keys = Keys()
        self._editor = Editor(may_hold_secret)
        self._editor.stays_at_end = isinstance(screen, LineModeScreen)
        self._screen = screen
        self._escape_timeout: IDelayedCall | None = None
        self._closed = False
        self._greeting = greeting

    def connectionMade(self) -> None:
        """Show the greeting, and draw the prompt.

        Because of the greeting, the prompt is never alone on a new screen: tmux would keep a copy
        of it above whenever it is erased.
        """
        self.show([f"-- {self._greeting}"])
        self._refresh()

    def show(self, rows: Sequence[str]) -> None:
        """Show rows above the line being typed."""
        self.write(self._screen.show(self.encoded(rows)))

    def resize(self, columns: int, rows: int) -> None:
        """Set the terminal's new size, in cells."""
        if not self._closed:
            self.write(self._screen.resize(columns, rows))

    def disconnected(self, status: int) -> None:
        """Give the terminal back to the shell, and end."""
        if self._escape_timeout is not None and self._escape_timeout.active():
            self._escape_timeout.cancel()
        self.write(self._screen.leave())
        self._closed = True
        super().disconnected(status)

    def dataReceived(self, data: bytes) -> None:
        """Handle the keys in these bytes."""
        if self._escape_timeout is not None and self._escape_timeout.active():
            self._escape_timeout.cancel()
        self._press(self._keys.receive_data(data))
        if self._keys.pending_escape:
            self._escape_timeout = self._clock.callLater(ESCAPE_SECONDS, self._flush_escape)

    def _flush_escape(self) -> None:
        self._press(self._keys.flush_escape())

    def _press(self, keys: Sequence[Pressed]) -> None:
        for key in keys:
            for event in self._editor.press(key):
                self._handle_event(event)
        self._refresh()

    def _refresh(self) -> None:
        if not self._closed:
            shown = self._editor.shown()
            prompt = PROMPT if shown.prompted else ""
            self.write(self._screen.draw(prompt, len(prompt), shown.text, shown.cursor))

    def _handle_event(self, event: EditorEvent) -> None:
        match event:
            case Entered(text=text):
                self.write(self._screen.entered(PROMPT + text))
                self._refresh()
                self.protocol.handle_line(text)
            case Block(lines=lines):
                for line in lines:
                    self.protocol.handle_line(line)
            case Completing():
                pass
            case Ended():
                self.protocol.disconnect()
            case Interrupted():
                self._interrupt()
            case Redraw():
                self.write(self._screen.clear())
            case Full():
                self.protocol.show_notice(FULL)
            case PasteCut():
                self.protocol.show_notice(PASTE_CUT)

    def _interrupt(self) -> None:
        """Handle Ctrl-C on an empty line: show how to leave, or abort if already disconnecting."""
        if self.protocol.is_disconnecting:
            self.protocol.disconnect()
        else:
            self.protocol.show_notice(HOW_TO_LEAVE)
