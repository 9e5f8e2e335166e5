"""One connection to a server of the socket assignment: what is typed goes out, replies come in.

It knows commands and what answers them; it must not know how anything is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol as Interface
from typing import cast

from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.clients.prompt.commands import ParsedCommand, NotACommand, Verb, help_rows, read
from chatd.clients.prompt.pending_request import ANSWER_SECONDS, Expected, PendingRequest
from chatd.clients.prompt.rooms import JoinedRoom, Rooms, message_rows
from chatd.wire.tcd import replies as tcd_replies
from chatd.wire.tcd.replies import Broken, Chat, Failed, Greeted, Joined, Left, Reply, ReplyCodec

#: Seconds of silence after which a message counts although its blank line is missing.
SILENCE_SECONDS = 0.3
#: Seconds that a server has to close the connection after DISCONNECT.
GOODBYE_SECONDS = 3.0
#: Lines typed that wait for the answer to an earlier one; beyond it no more should be read.
PENDING_LINES = 100


class Display(Interface):
    """Where somebody reads and types."""

    def show(self, rows: Sequence[str]) -> None:
        """Show rows."""

    def resume_reading(self) -> None:
        """Few enough lines wait: more may be read."""

    def disconnected(self, status: int) -> None:
        """The connection is over; the program ends with this status."""


class _Phase(Enum):
    """Whether there is a server to talk to, and whether one still wants to."""

    CONNECTED = auto()
    DISCONNECTING = auto()
    LOST = auto()


class _Stream(ITCPTransport, IConsumer):
    """A transport as what it is; Twisted declares it as less."""


@implementer(IPushProducer)
class PromptProtocol(Protocol):
    """Does one thing after the other: the next when the server has answered the last.

    With ``in_order`` that holds for parting as well, and a request that was refused makes the
    status 1: there is a script at the other end.
    """

    def __init__(self, name: str, shown: Display, clock: IReactorTime, *, in_order: bool) -> None:
        self._name = name
        self._display = shown
        self._clock = clock
        self._in_order = in_order
        self._codec = ReplyCodec()
        self._rooms = Rooms()
        self._lines: deque[str] = deque()
        self._pending: PendingRequest | None = None
        self._echoes = True
        self._refused = False
        self._paused = False
        self._phase = _Phase.CONNECTED
        self._answer_timeout: IDelayedCall | None = None
        self._silence_timeout: IDelayedCall | None = None

    @property
    def _stream(self) -> _Stream:
        """The connection: nothing is asked before there is one."""
        assert self.transport is not None
        return cast(_Stream, self.transport)

    # The connection -------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Say what is spoken here: a server that speaks several protocols waits for it."""
        self._stream.registerProducer(self, True)
        self._request(PendingRequest(Expected.GREETED), tcd_replies.helo("chatd-client"))

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: take in the replies that they complete."""
        _cancel(self._silence_timeout)
        self._handle_replies(self._codec.receive_data(data))
        if self._codec.pending:
            self._silence_timeout = self._clock.callLater(SILENCE_SECONDS, self._finish)

    def _finish(self) -> None:
        self._handle_replies(self._codec.finish())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        _cancel(self._silence_timeout)
        _cancel(self._answer_timeout)
        self._lines.clear()
        self._finish()
        if not self.is_disconnecting:
            self.show_notice("The server ended the connection.")
        failed = not self.is_disconnecting or (self._in_order and self._refused)
        self._phase = _Phase.LOST
        self._display.disconnected(1 if failed else 0)

    def pauseProducing(self) -> None:
        """The connection takes nothing now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """The connection takes more."""
        self._paused = False
        self._run_lines()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` follows."""
        self._paused = True

    # What is typed --------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether so many lines wait that no more should be read."""
        return len(self._lines) >= PENDING_LINES

    @property
    def is_disconnecting(self) -> bool:
        """Whether somebody has asked to part."""
        return self._phase is not _Phase.CONNECTED

    def handle_line(self, line: str) -> None:
        """Do what somebody typed, once all before it is done."""
        line = line.strip()
        if not line or self.is_disconnecting:
            return
        if read(line) == ParsedCommand(Verb.DISCONNECT, "") and not self._in_order:
            self.disconnect()
        else:
            self._lines.append(line)
            self._run_lines()

    def show_error(self, sentence: str) -> None:
        """Say why something can't be done."""
        self._refused = True
        self.show_notice(sentence)

    def end_of_input(self) -> None:
        """Nothing more will be typed: part once all is done."""
        self.handle_line("disconnect")

    def disconnect(self) -> None:
        """Part now; asked for again, without waiting for the server."""
        if self._phase is not _Phase.CONNECTED:
            self._stream.abortConnection()
            return
        self._phase = _Phase.DISCONNECTING
        self._lines.clear()
        _cancel(self._answer_timeout)
        self._stream.unregisterProducer()
        self._send(tcd_replies.disconnect(self._name))
        self._answer_timeout = self._clock.callLater(GOODBYE_SECONDS, self._stream.abortConnection)

    def _run_lines(self) -> None:
        """Do the lines that may be done now."""
        was_busy = self.is_full
        while self._lines and not (self._pending or self._paused or self.is_disconnecting):
            self._run_line(self._lines.popleft())
        if was_busy and not self.is_full:
            self._display.resume_reading()

    def _run_line(self, line: str) -> None:
        match read(line):
            case NotACommand(sentence=sentence):
                self.show_error(sentence)
            case ParsedCommand(verb=verb, argument=rest):
                self._run_command(verb, rest)

    def _run_command(self, verb: Verb, rest: str) -> None:
        match verb:
            case Verb.JOIN:
                request = tcd_replies.join(rest, self._name)
                self._request(PendingRequest(Expected.JOINED, rest), request)
            case Verb.SEND:
                self._say(rest)
            case Verb.LEAVE:
                self._leave(rest)
            case Verb.DISCONNECT:
                self.disconnect()
            case Verb.HELP:
                self._display.show(help_rows())

    def _say(self, rest: str) -> None:
        room, text = self._rooms.split(rest)
        place = self._find_room(room)
        if place is None:
            return
        if not text:
            self.show_error(f"There is no text for {room}; the command is: send ROOM TEXT")
            return
        request = tcd_replies.chat(place.ref, place.join_id, self._name, text)
        if self._echoes:
            self._request(PendingRequest(Expected.ECHOED, ref=place.ref, text=text), request)
        else:
            self._send(request)

    def _leave(self, room: str) -> None:
        place = self._find_room(room)
        if place is not None:
            request = tcd_replies.leave(place.ref, place.join_id, self._name)
            self._request(PendingRequest(Expected.LEFT), request)

    def _find_room(self, room: str) -> JoinedRoom | None:
        place = self._rooms.find(room)
        if place is None:
            self.show_error(f"You are not in {room}; join it first.")
        return place

    # What is answered -----------------------------------------------------------------------------

    def _request(self, asked: PendingRequest, request: bytes) -> None:
        """Send a request, and let what follows wait for its answer."""
        self._pending = asked
        self._answer_timeout = self._clock.callLater(
            ANSWER_SECONDS[asked.expected], self._timed_out, asked
        )
        self._send(request)

    def _send(self, request: bytes) -> None:
        self._stream.write(request)

    def _timed_out(self, asked: PendingRequest) -> None:
        if asked.expected is Expected.ECHOED:
            self._echoes = False
        elif asked.expected is not Expected.GREETED:
            self.show_error("The server has not answered.")
        self._answered()

    def _answered(self) -> None:
        """Go on: the request that waited for an answer does not wait any more."""
        self._pending = None
        if not self.is_disconnecting:
            _cancel(self._answer_timeout)
            self._run_lines()

    def _handle_replies(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            asked = self._pending
            self._show(reply)
            if asked is not None and asked.is_answered_by(reply):
                self._answered()

    def _show(self, reply: Reply) -> None:
        match reply:
            case Joined():
                place = self._rooms.add(reply, self._pending.room if self._pending else "")
                self.show_notice(f"You are in {place.room} now.")
            case Left(ref=ref):
                self._rooms.remove(ref)
                self.show_notice(f"You have left {self._rooms.name_of(ref)}.")
            case Chat(ref=ref):
                self._display.show(message_rows(self._rooms.name_of(ref), reply))
            case Failed(code=code, sentence=sentence):
                number = f" (error {code})" if code else ""
                sentence = sentence or "The server refuses that, and does not say why."
                self._show_failure(f"{sentence}{number}")
            case Broken(kind=kind, field=field):
                self._show_failure(f"The server sent {kind} without {field}.")
            case Greeted():
                pass

    def _show_failure(self, sentence: str) -> None:
        """Show an error, unless it only says that this server knows no HELO."""
        if self._pending is None or self._pending.expected is not Expected.GREETED:
            self._refused = self._refused or self._pending is not None or not self._echoes
            self.show_notice(sentence)

    def show_notice(self, sentence: str) -> None:
        """Show a sentence of our own."""
        self._display.show([f"-- {sentence}"])


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
