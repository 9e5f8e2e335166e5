"""The way in for telnets: a terminal where the client lets us draw it, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.entry.entrance import Visitor
from chatd.terminal.text.colours import FEW, kind
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import TOO_LONG, Conversation
from chatd.transport.conversation.display import Plain
from chatd.transport.conversation.terminal import Terminal
from chatd.transport.host import Host
from chatd.transport.net.outbox import Outbox, as_stream, outbox_for
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

#: Seconds that a client has to answer what it was offered before it is greeted as it is; what it
#: answers later still counts.
SETTLE_SECONDS = 0.4


def recognises(data: bytes) -> bool | None:
    """A telnet that speaks first begins with a command."""
    return is_telnet(data)


class Lines(Plain):
    """Plain lines of a telnet, which can be asked not to show what is typed."""

    __slots__ = ("_hide",)

    def __init__(self, outbox: Outbox, hide: Callable[[bool], None]) -> None:
        super().__init__(outbox)
        self._hide = hide

    def ask(self, question: str, *, secret: bool) -> str:
        """Ask on a line of its own."""
        if secret:
            self._hide(True)
        return f"{question}? An empty line calls it off."

    def answered(self) -> None:
        """What is typed is shown again."""
        self._hide(False)


@implementer(IHalfCloseableProtocol)
class TelnetProtocol(Protocol):
    """One telnet connection, new or grown out of one of plain lines."""

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
        """Somebody is there: offer what we can do, and let them in once they have answered."""
        transport = self.transport
        assert transport is not None  # Twisted's promise
        if self.conversation is None:
            outbox = outbox_for(transport, self._host.clock, self._ready)
            self.conversation = Conversation(self._host, outbox, self._set_reading)
            self._settling = self._host.clock.callLater(SETTLE_SECONDS, self._settled)
        self.conversation.use(Lines(self.conversation.outbox, self._hide))
        self._codec.offer(self._arrival.probed)
        self._reply()

    def _settled(self) -> None:
        """The client has said what it can do, or had its time."""
        if self._settling is None:
            return
        if self._settling.active():
            self._settling.cancel()
        self._settling = None
        if self.conversation is not None:
            self.conversation.begin(Visitor(address=self._arrival.address))
            if self._terminal is not None:
                self._terminal.refresh()

    def _set_reading(self, reading: bool) -> None:
        transport = as_stream(self.transport)
        if reading:
            transport.resumeProducing()
        else:
            transport.pauseProducing()

    def _ready(self) -> None:
        if self.conversation is not None:
            self.conversation.ready()

    def _reply(self) -> None:
        replies = self._codec.data_to_send()
        if replies and self.conversation is not None:
            self.conversation.outbox.write(replies)
            self.conversation.check()

    def _hide(self, hide: bool) -> None:
        """Let the client show what is typed no more, or again."""
        if hide:
            self._codec.hide_typing()
        elif self._codec.show_typing() and self.conversation is not None:
            self.conversation.outbox.write(b"\r\n")  # Enter was not shown either
        self._reply()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: commands of the protocol are answered, the rest is what was typed."""
        for value in self._codec.receive_data(data):
            if self.conversation is not None and not self.conversation.lost:
                self._take(self.conversation, value)
        self._reply()

    def _take(self, conversation: Conversation, value: Value) -> None:
        terminal = self._terminal
        match value:
            case Data(data=data):
                self._settled()
                if terminal is not None:
                    terminal.receive(data)
                else:
                    self._take_lines(conversation, data.replace(b"\r", b"\n"))
            case WindowSize(columns=columns, rows=rows):
                self._size = (columns, rows)
                if terminal is not None:
                    terminal.resize(columns, rows)
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
                    terminal.interrupt()
            case EndOfFile():
                self._settled()
                conversation.quit()

    def _set_kind(self, conversation: Conversation, name: str) -> None:
        """The client has said what its terminal is."""
        self._colours, self._ansi = kind(name)
        if self._terminal is not None:
            self._terminal.is_now(colours=self._colours, ansi=self._ansi)
            conversation.use(self._terminal)

    def _set_mode(self, conversation: Conversation, on: bool) -> None:
        """The client lets us draw its screen, or draws it itself again."""
        if on and self._terminal is None:
            columns, rows = self._size
            self._terminal = Terminal(
                conversation,
                self._host.clock,
                columns,
                rows,
                colours=self._colours,
                ansi=self._ansi,
            )
            conversation.use(self._terminal)
            typed, self._lines = self._lines.unfinished, LineCodec()
            if self._settling is None:
                self._terminal.receive(typed)
        elif not on and self._terminal is not None:
            half_typed = self._terminal.typed
            self._terminal.leave()
            self._terminal = None
            conversation.use(Lines(conversation.outbox, self._hide))
            self._take_lines(conversation, half_typed.encode())

    def _take_lines(self, conversation: Conversation, data: bytes) -> None:
        for line in self._lines.receive_data(data):
            conversation.line(line.text if isinstance(line, CutLine) else line)
            if isinstance(line, CutLine):
                conversation.deliver(TOO_LONG)

    def readConnectionLost(self) -> None:
        """The peer sends nothing more: say what it sent, then part."""
        if self.conversation is not None:
            self._settled()
            self._take_lines(self.conversation, b"\n" if self._lines.unfinished else b"")
            self.conversation.input_ended()

    def writeConnectionLost(self) -> None:
        """We never close one direction only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        if self._settling is not None and self._settling.active():
            self._settling.cancel()
        if self._terminal is not None:
            self._terminal.stop()
        if self.conversation is not None:
            self.conversation.connection_lost()
            self.conversation = None
