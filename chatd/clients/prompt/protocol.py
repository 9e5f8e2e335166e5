"""Prompt protocol: one connection to a server of the socket assignment.

It sends the user's requests and handles the replies.  It knows commands and their replies; it must
not know how anything is shown.
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

from chatd.clients.prompt.commands import NotACommand, ParsedCommand, Verb, help_rows, read
from chatd.clients.prompt.pending_request import ANSWER_SECONDS, Expected, PendingRequest
from chatd.clients.prompt.rooms import JoinedRoom, Rooms, message_rows
from chatd.wire.tcd import replies
from chatd.wire.tcd.replies import Broken, Chat, Failed, Greeted, Joined, Left, Reply, ReplyCodec

#: Seconds of silence after which a message is complete although its blank line is missing.
SILENCE_SECONDS = 0.3
#: Seconds that a server has to close the connection after DISCONNECT.
GOODBYE_SECONDS = 3.0
#: Typed lines that may wait for the answer to an earlier one; beyond it no more should be read.
PENDING_LINES = 100


class Display(Interface):
    """The user's side: shows rows and reads lines."""

    def show(self, rows: Sequence[str]) -> None:
        """Show rows."""

    def resume_reading(self) -> None:
        """Continue reading: fewer than `PENDING_LINES` lines are pending."""

    def disconnected(self, status: int) -> None:
        """End the program with this status: the connection is over."""


class _Phase(Enum):
    """The phase of the connection."""

    CONNECTED = auto()
    DISCONNECTING = auto()
    LOST = auto()


class _Stream(ITCPTransport, IConsumer):
    """A TCP transport, which is a consumer too; Twisted declares a narrower type."""


@implementer(IPushProducer)
class PromptProtocol(Protocol):
    """Runs typed lines one after the other: the next when the server has answered the last.

    ``in_order`` is for scripts: ``disconnect`` waits for its turn as well, and a refused request
    makes the exit status 1.
    """

    def __init__(self, name: str, display: Display, clock: IReactorTime, *, in_order: bool) -> None:
        self._name = name
        self._display = display
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
        """The connection; nothing is sent before there is one."""
        assert self.transport is not None
        return cast(_Stream, self.transport)

    # The connection -------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Send HELO: a server with several protocols waits for the client's first bytes."""
        self._stream.registerProducer(self, True)
        self._request(PendingRequest(Expected.GREETED), replies.helo("chatd-client"))

    def dataReceived(self, data: bytes) -> None:
        """Handle the replies that these bytes complete."""
        _cancel(self._silence_timeout)
        self._handle_replies(self._codec.receive_data(data))
        if self._codec.pending:
            self._silence_timeout = self._clock.callLater(SILENCE_SECONDS, self._finish)

    def _finish(self) -> None:
        self._handle_replies(self._codec.finish())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Handle the rest of the last reply, and end."""
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
        """Send nothing more for now: the connection's buffer is full."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Send again."""
        self._paused = False
        self._run_lines()

    def stopProducing(self) -> None:
        """Send nothing more; `connectionLost` follows."""
        self._paused = True

    # Input --------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Return whether so many lines are pending that no more should be read."""
        return len(self._lines) >= PENDING_LINES

    @property
    def is_disconnecting(self) -> bool:
        """Return whether the user has asked to disconnect, or the connection is lost."""
        return self._phase is not _Phase.CONNECTED

    def handle_line(self, line: str) -> None:
        """Run a typed line, once all lines before it are done."""
        line = line.strip()
        if not line or self.is_disconnecting:
            return
        if read(line) == ParsedCommand(Verb.DISCONNECT, "") and not self._in_order:
            self.disconnect()
        else:
            self._lines.append(line)
            self._run_lines()

    def show_error(self, sentence: str) -> None:
        """Show an error."""
        self._refused = True
        self.show_notice(sentence)

    def end_of_input(self) -> None:
        """Disconnect once all lines are done: nothing more will be typed."""
        self.handle_line("disconnect")

    def disconnect(self) -> None:
        """Disconnect; when called again, without waiting for the server."""
        if self._phase is not _Phase.CONNECTED:
            self._stream.abortConnection()
            return
        self._phase = _Phase.DISCONNECTING
        self._lines.clear()
        _cancel(self._answer_timeout)
        self._stream.unregisterProducer()
        self._send(replies.disconnect(self._name))
        self._answer_timeout = self._clock.callLater(GOODBYE_SECONDS, self._stream.abortConnection)

    def _run_lines(self) -> None:
        """Run pending lines up to the next that has to wait for an answer."""
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
                request = replies.join(rest, self._name)
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
        joined = self._find_room(room)
        if joined is None:
            return
        if not text:
            self.show_error(f"There is no text for {room}; the command is: send ROOM TEXT")
            return
        request = replies.chat(joined.ref, joined.join_id, self._name, text)
        if self._echoes:
            self._request(PendingRequest(Expected.ECHOED, ref=joined.ref, text=text), request)
        else:
            self._send(request)

    def _leave(self, room: str) -> None:
        joined = self._find_room(room)
        if joined is not None:
            request = replies.leave(joined.ref, joined.join_id, self._name)
            self._request(PendingRequest(Expected.LEFT), request)

    def _find_room(self, room: str) -> JoinedRoom | None:
        joined = self._rooms.find(room)
        if joined is None:
            self.show_error(f"You are not in {room}; join it first.")
        return joined

    # Replies -----------------------------------------------------------------------------

    def _request(self, pending: PendingRequest, request: bytes) -> None:
        """Send a request; further lines wait for its answer."""
        self._pending = pending
        self._answer_timeout = self._clock.callLater(
            ANSWER_SECONDS[pending.expected], self._timed_out, pending
        )
        self._send(request)

    def _send(self, request: bytes) -> None:
        self._stream.write(request)

    def _timed_out(self, pending: PendingRequest) -> None:
        if pending.expected is Expected.ECHOED:
            self._echoes = False
        elif pending.expected is not Expected.GREETED:
            self.show_error("The server has not answered.")
        self._answered()

    def _answered(self) -> None:
        """Continue: the pending request is done."""
        self._pending = None
        if not self.is_disconnecting:
            _cancel(self._answer_timeout)
            self._run_lines()

    def _handle_replies(self, received: Sequence[Reply]) -> None:
        for reply in received:
            pending = self._pending
            self._show(reply)
            if pending is not None and pending.is_answered_by(reply):
                self._answered()

    def _show(self, reply: Reply) -> None:
        match reply:
            case Joined():
                joined = self._rooms.add(reply, self._pending.room if self._pending else "")
                self.show_notice(f"You are in {joined.room} now.")
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
        """Show an error, unless it only means that this server does not know HELO."""
        if self._pending is None or self._pending.expected is not Expected.GREETED:
            self._refused = self._refused or self._pending is not None or not self._echoes
            self.show_notice(sentence)

    def show_notice(self, sentence: str) -> None:
        """Show a sentence of this program."""
        self._display.show([f"-- {sentence}"])


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
