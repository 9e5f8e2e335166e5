"""The way in for netcat and every other client of plain lines: text in, text out.

Nothing but text is on the wire.  When the peer turns out to be a telnet (it answers the gate's
probe late, or negotiates by itself), the conversation goes on in the way in for telnet.
"""

from __future__ import annotations

import re

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.entry.entrance import Visitor
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.connection import TransportConnection
from chatd.transport.conversation.conversation import TOO_LONG, Conversation
from chatd.transport.host import Host
from chatd.wire.line import CutLine, LineCodec

#: A telnet command that negotiates: IAC, and one of WILL, WONT, DO and DONT (RFC 854).
_NEGOTIATES = re.compile(rb"\xff[\xfb-\xfe]")


def recognises(data: bytes) -> bool | None:
    """Anything can be a line, so this way in is asked last."""
    return True


@implementer(IHalfCloseableProtocol)
class LineProtocol(Protocol):
    """One connection of plain lines, and the program that makes lines of its bytes."""

    def __init__(self, host: Host, arrival: Arrival) -> None:
        self._host = host
        self._arrival = arrival
        self._codec = LineCodec()
        self._held = b""
        self.conversation: Conversation | None = None

    def connectionMade(self) -> None:
        """Begin the conversation."""
        assert self.transport is not None  # Twisted's promise
        self._connection = TransportConnection(self.transport, self._host.clock)
        self._connection.pass_to(self)
        self.conversation = Conversation(self._host, self._connection, self)
        self.conversation.begin(Visitor(address=self._arrival.address))

    def dataReceived(self, data: bytes) -> None:
        """Hand bytes to the program that runs: this one, or another server's."""
        self._connection.program.data_received(data)

    def readConnectionLost(self) -> None:
        """Tell the program that the client will send nothing more; it may still read."""
        self._connection.program.input_ended()

    def writeConnectionLost(self) -> None:
        """Do nothing: the server never closes one direction only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the program that the connection is gone."""
        self._connection.program.lost()

    # Program --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Hand the lines that these bytes complete to the conversation."""
        conversation = self.conversation
        if conversation is None:
            return
        if self._held or b"\xff" in data:
            data, self._held = self._held + data, b""
            if _NEGOTIATES.search(data):
                self.conversation = None
                rest = self._codec.unfinished + data
                self._arrival.door.become("telnet", conversation, rest)
                return
            if data.endswith(b"\xff"):
                data, self._held = data[:-1], b"\xff"
        self._take(conversation, self._codec.receive_data(data))

    def _take(self, conversation: Conversation, lines: list[str | CutLine]) -> None:
        for line in lines:
            if isinstance(line, CutLine):
                conversation.line(line.text)
                conversation.deliver(TOO_LONG)
            else:
                conversation.line(line)

    def hand_over(self) -> bytes:
        """Return the bytes after the last line end, and forget them."""
        typed, self._codec, self._held = self._codec.unfinished + self._held, LineCodec(), b""
        return typed

    def resized(self, columns: int, rows: int) -> None:
        """Do nothing: nothing is drawn."""

    def interrupted(self) -> None:
        """Do nothing: only whole lines are sent."""

    def answered(self) -> None:
        """Do nothing: the client is asked for no sign of life."""

    def ready(self) -> None:
        """Let the conversation go on: the connection has room again."""
        if self.conversation is not None:
            self.conversation.ready()

    def input_ended(self) -> None:
        """Take what has no line end as a line, then let the user leave."""
        if self.conversation is not None:
            self._take(self.conversation, self._codec.finish())
            self.conversation.input_ended()

    def lost(self) -> None:
        """End the conversation, whose connection is gone."""
        if self.conversation is not None:
            self.conversation.connection_lost()
            self.conversation = None
