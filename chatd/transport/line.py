"""The way in for netcat and for everything that speaks plain lines: text in, text out.

Nothing but text is on the wire.  When the peer turns out to be a telnet (it answers the gate's
probe late, or negotiates by itself) the conversation goes on in the way in that knows telnet.
"""

from __future__ import annotations

import re

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.entry.entrance import Visitor
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import TOO_LONG, Conversation
from chatd.transport.host import Host
from chatd.transport.net.outbox import as_stream, outbox_for
from chatd.wire.line import CutLine, LineCodec

#: A telnet command that negotiates: IAC, and one of WILL, WONT, DO and DONT (RFC 854).
_NEGOTIATES = re.compile(rb"\xff[\xfb-\xfe]")


def recognises(data: bytes) -> bool | None:
    """Anything can be a line, so this way in is asked last."""
    return True


@implementer(IHalfCloseableProtocol)
class LineProtocol(Protocol):
    """One connection of plain lines."""

    def __init__(self, host: Host, arrival: Arrival) -> None:
        self._host = host
        self._arrival = arrival
        self._codec = LineCodec()
        self._held = b""
        self.conversation: Conversation | None = None
        # Who is to be told of room again; it stays so when the conversation goes on elsewhere.
        self._sender: Conversation | None = None

    def connectionMade(self) -> None:
        """Somebody is there: let them in."""
        transport = self.transport
        assert transport is not None  # Twisted's promise
        outbox = outbox_for(transport, self._host.clock, self._ready)
        self.conversation = Conversation(self._host, outbox, self._set_reading)
        self._sender = self.conversation
        self.conversation.begin(Visitor(address=self._arrival.address))

    def _set_reading(self, reading: bool) -> None:
        transport = as_stream(self.transport)
        if reading:
            transport.resumeProducing()
        else:
            transport.pauseProducing()

    def _ready(self) -> None:
        if self._sender is not None:
            self._sender.ready()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: hand on the lines that they complete."""
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

    def readConnectionLost(self) -> None:
        """The peer sends nothing more, but may still read: say what it sent, then part."""
        if self.conversation is not None:
            self._take(self.conversation, self._codec.finish())
            self.conversation.input_ended()

    def writeConnectionLost(self) -> None:
        """We never close one direction only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        if self.conversation is not None:
            self.conversation.connection_lost()
            self.conversation = None
