"""Line way in: plain lines of text, for netcat and similar clients.

Only text is on the wire.  When the peer turns out to be a telnet client (it answers the gate's
probe late, or negotiates by itself), the conversation continues in the way in for telnet.
"""

from __future__ import annotations

import re

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.entry.entrance import Visitor
from chatd.chat.limits import LINE_BYTES
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.connection import TransportConnection
from chatd.transport.conversation.conversation import TOO_LONG, Conversation
from chatd.transport.host import Host
from chatd.wire.line import text_of, truncate

#: The first byte of every telnet command (RFC 854).
_IAC = b"\xff"
#: The beginning of a telnet negotiation: IAC, and one of WILL, WONT, DO and DONT.
_NEGOTIATION = re.compile(rb"\xff[\xfb-\xfe]")


def recognises(data: bytes) -> bool | None:
    """Return True: any bytes can be a line, so the gate asks this way in last."""
    return True


@implementer(IHalfCloseableProtocol)
class LineProtocol(LineReceiver):
    """A connection of plain lines, each of which goes to a conversation.

    It is the program of its own connection, until the way in for telnet takes over; another
    server's program may replace it for a while.

    It differs from Twisted's `LineReceiver` in four points:

    - A line ends with LF or CR LF; `lineReceived` gets it without either.
    - A line longer than ``MAX_LENGTH`` is cut there, and does not end the connection.
    - A telnet negotiation in line mode hands the connection to the way in for telnet.
    - A chunk is split into its lines once.  Twisted's own copies the rest of the chunk for every
      line, which is quadratic: 64 KiB of line ends take a fifth of a second.

    At most one unfinished line is held, unless the protocol is paused.
    """

    delimiter = b"\n"
    MAX_LENGTH = LINE_BYTES

    def __init__(self, host: Host, arrival: Arrival) -> None:
        self._host = host
        self._arrival = arrival
        # Whole lines to be received, the next one last; ``_buffer`` is the unfinished line.
        self._whole_lines: list[bytes] = []
        # All that is ever set is set here: an attribute that comes later would cost each instance
        # a dictionary of its own, as many are made before the first of them receives anything.
        self._buffer = b""
        self._busyReceiving = False
        # Whether the rest of a line that was too long is being skipped.  This is not Twisted's raw
        # mode, so that the `rawDataReceived` of a subclass gets only what the subclass asked for.
        self._skipping = False
        self._connection = TransportConnection()
        self._connection.pass_to(self)
        self.conversation: Conversation | None = None

    def connectionMade(self) -> None:
        """Begin the conversation."""
        assert self.transport is not None  # Twisted's promise
        # The conversation pauses and resumes the transport, but not this protocol: it accepts the
        # remaining lines of a chunk and keeps them itself.  It resumes reading in the middle of its
        # own work, where no line may arrive before `TransportConnection.resume` returns.
        self._connection.connect(self.transport, self._host.clock, self._arrival.door)
        self.conversation = Conversation(self._host, self._connection, self)
        self.conversation.begin(Visitor(address=self._arrival.address, way="line"))

    def readConnectionLost(self) -> None:
        """Take what has no line end as a line, then tell the program that no more will come."""
        self.paused = False  # nothing is left to pause, and these lines come before the end
        self.dataReceived(b"")
        rest = self.clearLineBuffer().removesuffix(_IAC).removesuffix(b"\r")
        if rest and not self._skipping:
            self.dataReceived(rest + self.delimiter)
        self._connection.program.input_ended()

    def writeConnectionLost(self) -> None:
        """Do nothing: the server never closes one direction only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the program that the connection is gone."""
        self._connection.lost()

    # Bytes to lines -------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Receive the lines that these bytes complete, or pass raw data on.

        A chunk that negotiates is telnet's as a whole, with what is held: a telnet may have sent
        commands, and its own line ends, before.
        """
        if self._negotiates(data) and self._pass_to_telnet(data):
            return
        self._split(data)
        if self._busyReceiving:  # called by a method that receives something; the loop continues
            return
        self._busyReceiving = True
        lines = self._whole_lines
        try:
            while (lines or self._buffer) and not self.paused:
                if not self.line_mode:
                    self.rawDataReceived(self.clearLineBuffer())
                elif getattr(self.transport, "disconnecting", False):
                    self.clearLineBuffer()  # no line follows the one that closed it
                elif lines:
                    self._receive_whole(lines.pop())
                elif not self._receive_unfinished():
                    break
        finally:
            self._busyReceiving = False

    def _split(self, data: bytes) -> None:
        """Append these bytes to those that are held."""
        *lines, self._buffer = (self._buffer + data).split(self.delimiter)
        self._whole_lines[:0] = reversed(lines)

    def clearLineBuffer(self) -> bytes:
        """Return the bytes that have not been received, and forget them."""
        rest = self.delimiter.join([*reversed(self._whole_lines), self._buffer])
        self._whole_lines.clear()
        self._buffer = b""
        return rest

    def _receive_whole(self, line: bytes) -> None:
        """Receive a line whose end has come; it may still have the CR of a CR LF."""
        if self._skipping:
            self._skipping = False
            return
        text = line.removesuffix(b"\r")
        if len(text) <= self.MAX_LENGTH:
            self.lineReceived(text)
        else:
            self.lineLengthExceeded(line + self.delimiter + self.clearLineBuffer())

    def _receive_unfinished(self) -> bool:
        """Receive an incomplete line if it is already too long; return whether it is."""
        line, self._buffer = self._buffer, b""
        if self._skipping:
            self._buffer = line[-len(self.delimiter) :]  # may begin a line end or a negotiation
            return False
        if len(line) <= self.MAX_LENGTH + len(self.delimiter):  # it may end in the CR of a CR LF
            self._buffer = line
            return False
        self.lineLengthExceeded(line)
        return True

    def _negotiates(self, data: bytes) -> bool:
        """Return whether these bytes, after what is held, have a negotiation of telnet."""
        if not self.line_mode or not (_IAC in data or self._buffer.endswith(_IAC)):
            return False
        return _NEGOTIATION.search(self._buffer[-1:] + data) is not None

    def _pass_to_telnet(self, data: bytes) -> bool:
        """Let the way in for telnet have what is held and these bytes; return whether it does."""
        conversation = self.conversation
        if conversation is None:
            return False
        held = self.clearLineBuffer() + data
        negotiation = _NEGOTIATION.search(held)
        if self._skipping and negotiation is not None:  # the rest of the long line is not wanted
            line_end = held.find(self.delimiter, 0, negotiation.start())
            held = held[line_end + 1 if line_end >= 0 else negotiation.start() :]
        self.conversation = None
        self._arrival.door.become("telnet", conversation, held)
        return True

    # Lines ----------------------------------------------------------------------------------------

    def lineReceived(self, line: bytes) -> None:
        """Hand the text of a line to the conversation, or to the server that runs it."""
        if self.conversation is None:
            return
        text, program = text_of(line), self._connection.program
        if program is self:
            self.conversation.line(text)
        else:
            program.data_received(f"{text}\n".encode())

    def lineLengthExceeded(self, line: bytes) -> None:
        """Use the first ``MAX_LENGTH`` bytes of a long line as a line, and skip the rest of it.

        :param line: The long line, or its beginning, and all that was received after it.
        """
        first = truncate(line, self.MAX_LENGTH)
        self._skipping = True
        self._split(line[len(first) :])
        self.lineReceived(first)
        if self.conversation is not None:
            self.conversation.deliver(TOO_LONG)

    def sendLine(self, line: bytes) -> None:
        """Send a line, given without its end.

        It is written by the conversation, as its outbox would overtake bytes in the transport.
        """
        if self.conversation is not None:
            self.conversation.write(line + self.delimiter)
        else:
            super().sendLine(line)

    # The rest of the program ----------------------------------------------------------------------

    def hand_over(self) -> bytes:
        """Return nothing: lines are still split here, and handed over when they are whole."""
        return b""

    def data_received(self, data: bytes) -> None:
        """Receive the lines that the other server did not do."""
        for line in data.splitlines():
            self.lineReceived(line)

    def resized(self, columns: int, rows: int) -> None:
        """Do nothing: nothing is drawn."""

    def interrupted(self) -> None:
        """Do nothing: plain lines have no interrupt."""

    def answered(self) -> None:
        """Do nothing: the client is never asked for a sign of life."""

    def ready(self) -> None:
        """Let the conversation continue: the connection has room again."""
        if self.conversation is not None:
            self.conversation.ready()

    def input_ended(self) -> None:
        """Let the conversation end."""
        if self.conversation is not None:
            self.conversation.input_ended()

    def lost(self) -> None:
        """End the conversation: the connection is gone."""
        if self.conversation is not None:
            self.conversation.connection_lost()
            self.conversation = None
