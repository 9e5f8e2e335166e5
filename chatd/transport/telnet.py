"""Telnet way in: a terminal where the client lets the server draw it, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.entry.entrance import Visitor
from chatd.chat.ratelimit.reports import TurnedAway
from chatd.terminal.text.colours import FEW, kind
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.connection import TransportConnection
from chatd.transport.conversation.conversation import TOO_LONG, Conversation
from chatd.transport.conversation.display import Plain
from chatd.transport.conversation.terminal import Terminal
from chatd.transport.host import Host
from chatd.transport.net.outbox import Outbox
from chatd.wire.line import CutLine, LineCodec
from chatd.wire.telnet.codec import (
    AreYouThere,
    CharacterMode,
    Data,
    EndOfFile,
    Interrupt,
    TelnetCodec,
    TerminalType,
    Value,
    WindowSize,
    is_telnet,
)

#: Seconds that a client has to answer the offered options before it is greeted; later answers still
#: count.
SETTLE_SECONDS = 0.4


#: The answer to a client that sends commands and nothing else.
TOO_MANY_COMMANDS = b"\r\nYour client sends too many telnet commands. Goodbye.\r\n"


def recognises(data: bytes) -> bool | None:
    """Return whether a client that speaks first is a telnet client: it begins with a command."""
    return is_telnet(data)


class Lines(Plain):
    """Plain lines of a telnet client, which can be asked not to echo the input."""

    __slots__ = ("_hide",)

    def __init__(self, outbox: Outbox, hide: Callable[[bool], None]) -> None:
        super().__init__(outbox)
        self._hide = hide

    def ask(self, question: str, *, secret: bool) -> str:
        """Ask on a separate line."""
        if secret:
            self._hide(True)
        return f"{question}? An empty line calls it off."

    def answered(self) -> None:
        """Let the client echo the input again."""
        self._hide(False)


@implementer(IHalfCloseableProtocol)
class TelnetProtocol(Protocol):
    """A telnet connection, new or taken over from the way in for plain lines.

    It is also the program that handles the input, unless another server runs the conversation;
    telnet commands are always answered here.
    """

    def __init__(
        self, host: Host, arrival: Arrival, conversation: Conversation | None = None
    ) -> None:
        self._host = host
        self._arrival = arrival
        self._codec = TelnetCodec()
        self._lines = LineCodec()
        self._terminal: Terminal | None = None
        self._size = (80, 24)
        self._colours = FEW
        self._ansi = True
        self._settling: IDelayedCall | None = None
        self.conversation = conversation

    def connectionMade(self) -> None:
        """Offer the server's options, and let the user enter once the client has answered."""
        assert self.transport is not None  # Twisted's promise
        if self.conversation is None:
            self._connection = TransportConnection()
            self._connection.pass_to(self)
            self._connection.connect(self.transport, self._host.clock, self._arrival.door)
            self.conversation = Conversation(self._host, self._connection, self)
            self._settling = self._host.clock.callLater(SETTLE_SECONDS, self._settled)
        else:
            connection = self.conversation.connection
            assert isinstance(connection, TransportConnection)  # the program of plain lines
            self._connection = connection
            is_run_here = connection.program is self.conversation.program
            self.conversation.continue_in(self)
            if is_run_here:  # else another server runs it, and still does
                connection.pass_to(self)
        self.conversation.use(Lines(self.conversation.outbox, self._hide))
        self._codec.offer(self._arrival.probed)
        self._reply()

    def _settled(self) -> None:
        """Let the user enter: the client has answered, or its time is up."""
        if self._settling is None:
            return
        if self._settling.active():
            self._settling.cancel()
        self._settling = None
        if self.conversation is not None:
            self.conversation.begin(Visitor(address=self._arrival.address, way="telnet"))
            if self._terminal is not None:
                self._terminal.refresh()

    def _reply(self) -> None:
        replies = self._codec.data_to_send()
        if replies and self.conversation is not None:
            self.conversation.outbox.write(replies)
            self.conversation.check()

    def _hide(self, hide: bool) -> None:
        """Let the client stop or resume echoing the input."""
        if hide:
            self._codec.hide_typing()
        elif self._codec.show_typing() and self.conversation is not None:
            self.conversation.outbox.write(b"\r\n")  # Enter was not echoed either
        self._reply()

    # Twisted --------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Answer the commands of the protocol, and handle the rest as typed."""
        values = self._codec.receive_data(data)
        if self._codec.sends_too_many(self._host.clock.seconds()):
            self._refuse()
            return
        for value in values:
            if self.conversation is not None and not self.conversation.lost:
                self._take(self.conversation, value)
        self._reply()

    def _refuse(self) -> None:
        """Close the connection of a client that sends too many commands."""
        self._host.chat.report(TurnedAway(self._arrival.address, "telnet", "too-many-commands"))
        if self.conversation is not None:
            self.conversation.outbox.write(TOO_MANY_COMMANDS)
            self.conversation.close()

    def _take(self, conversation: Conversation, value: Value) -> None:
        terminal = self._terminal
        match value:
            case Data(data=data):
                self._settled()
                typed = data if terminal is not None else data.replace(b"\r", b"\n")
                self._connection.program.data_received(typed)
            case WindowSize(columns=columns, rows=rows):
                self._size = (columns, rows)
                if terminal is not None:
                    self._connection.program.resized(columns, rows)
            case TerminalType(name=name):
                self._set_kind(conversation, name.lower())
                self._settled()
            case AreYouThere():
                conversation.display.write(b"[yes]\r\n")
                conversation.check()
            case CharacterMode(on=on):
                self._set_mode(conversation, on)
            case Interrupt():
                self._settled()
                if terminal is not None:
                    self._connection.program.data_received(b"\x03")
            case EndOfFile():
                self._settled()
                self._quit(conversation)

    def _quit(self, conversation: Conversation) -> None:
        """Let the user leave; a server that runs the conversation is sent /quit."""
        if self._connection.program is self:
            conversation.quit()
        else:
            self._connection.program.data_received(b"/quit\n")

    def _set_kind(self, conversation: Conversation, name: str) -> None:
        """Draw for the type of terminal that the client has named."""
        self._colours, self._ansi = kind(name)
        if self._terminal is not None:
            self._terminal.set_kind(colours=self._colours, ansi=self._ansi)
            conversation.use(self._terminal)

    def _set_mode(self, conversation: Conversation, on: bool) -> None:
        """Begin to draw the client's screen, or let the client draw it itself again."""
        if on and self._terminal is None:
            columns, rows = self._size
            self._terminal = Terminal(
                conversation,
                self._host.clock,
                self._host.turns,
                columns,
                rows,
                colours=self._colours,
                ansi=self._ansi,
            )
            if self._connection.program is not self:
                self._terminal.suspend()
            conversation.use(self._terminal)
            typed, self._lines = self._lines.unfinished, LineCodec()
            if self._settling is None:
                self._connection.program.data_received(typed)
        elif not on and self._terminal is not None:
            half_typed = self._terminal.typed
            self._terminal.leave()
            self._terminal = None
            conversation.use(Lines(conversation.outbox, self._hide))
            self._take_lines(conversation, half_typed.encode())

    def readConnectionLost(self) -> None:
        """Tell the program that the client will send nothing more."""
        self._settled()
        self._connection.program.input_ended()

    def writeConnectionLost(self) -> None:
        """Do nothing: one direction alone is never closed here."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the program that the connection is gone."""
        self._connection.lost()

    # Program --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Handle keys, or bytes of lines."""
        if self._terminal is not None:
            self._terminal.receive(data)
        elif self.conversation is not None:
            self._take_lines(self.conversation, data)

    def _take_lines(self, conversation: Conversation, data: bytes) -> None:
        for line in self._lines.receive_data(data):
            conversation.line(line.text if isinstance(line, CutLine) else line)
            if isinstance(line, CutLine):
                conversation.deliver(TOO_LONG)

    def hand_over(self) -> bytes:
        """Return the unfinished input, and forget it."""
        if self._terminal is not None:
            return self._terminal.hand_over()
        typed, self._lines = self._lines.unfinished, LineCodec()
        return typed

    def resized(self, columns: int, rows: int) -> None:
        """Draw on a terminal of another size, in cells."""
        if self._terminal is not None:
            self._terminal.resize(columns, rows)

    def interrupted(self) -> None:
        """Do nothing: telnet's interrupt is handled as a key."""

    def answered(self) -> None:
        """Do nothing: the client is never asked for a sign of life."""

    def ready(self) -> None:
        """Let the conversation continue: the connection has room again."""
        if self.conversation is not None:
            self.conversation.ready()

    def input_ended(self) -> None:
        """Use the text without a line end as a line, then let the user leave."""
        if self.conversation is not None:
            self._take_lines(self.conversation, b"\n" if self._lines.unfinished else b"")
            self.conversation.input_ended()

    def lost(self) -> None:
        """End the conversation: the connection is gone."""
        if self._settling is not None and self._settling.active():
            self._settling.cancel()
        if self._terminal is not None:
            self._terminal.stop()
            self._terminal = None
        if self.conversation is not None:
            self.conversation.connection_lost()
            self.conversation = None
