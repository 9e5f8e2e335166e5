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

from chatd.clients.prompt.commands import Typed, Unclear, Verb, help_rows, read
from chatd.clients.prompt.pending_request import PATIENCE, Answer, Asked
from chatd.clients.prompt.rooms import Place, Rooms, rows_of
from chatd.wire.tcd import replies as tcd_replies
from chatd.wire.tcd.replies import Broken, Chat, Failed, Greeted, Joined, Left, Reply, ReplyCodec

#: Seconds of silence after which a message counts although its blank line is missing.
SILENCE_SECONDS = 0.3
#: Seconds that a server has to close the connection after DISCONNECT.
GOODBYE_SECONDS = 3.0
#: Lines typed that wait for the answer to an earlier one; beyond it no more should be read.
LINES = 100


class Shown(Interface):
    """Where somebody reads and types."""

    def show(self, rows: Sequence[str]) -> None:
        """Show rows."""

    def ready(self) -> None:
        """Few enough lines wait: more may be read."""

    def gone(self, status: int) -> None:
        """The connection is over; the program ends with this status."""


class _Phase(Enum):
    """Whether there is a server to talk to, and whether one still wants to."""

    TALKING = auto()
    PARTING = auto()
    GONE = auto()


class _Stream(ITCPTransport, IConsumer):
    """A transport as what it is; Twisted declares it as less."""


@implementer(IPushProducer)
class Talk(Protocol):
    """Does one thing after the other: the next when the server has answered the last.

    With ``in_order`` that holds for parting as well, and a request that was refused makes the
    status 1: there is a script at the other end.
    """

    def __init__(self, name: str, shown: Shown, clock: IReactorTime, *, in_order: bool) -> None:
        self._name = name
        self._shown = shown
        self._clock = clock
        self._in_order = in_order
        self._codec = ReplyCodec()
        self._rooms = Rooms()
        self._lines: deque[str] = deque()
        self._asked: Asked | None = None
        self._echoes = True
        self._refused = False
        self._full = False
        self._phase = _Phase.TALKING
        self._patience: IDelayedCall | None = None
        self._silence: IDelayedCall | None = None

    @property
    def _stream(self) -> _Stream:
        """The connection: nothing is asked before there is one."""
        assert self.transport is not None
        return cast(_Stream, self.transport)

    # The connection -------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Say what is spoken here: a server that speaks several protocols waits for it."""
        self._stream.registerProducer(self, True)
        self._ask(Asked(Answer.GREETED), tcd_replies.helo("chatd-client"))

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: take in the replies that they complete."""
        _stop(self._silence)
        self._take(self._codec.receive_data(data))
        if self._codec.pending:
            self._silence = self._clock.callLater(SILENCE_SECONDS, self._finish)

    def _finish(self) -> None:
        self._take(self._codec.finish())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        _stop(self._silence)
        _stop(self._patience)
        self._lines.clear()
        self._finish()
        if not self.parting:
            self.note("The server ended the connection.")
        failed = not self.parting or (self._in_order and self._refused)
        self._phase = _Phase.GONE
        self._shown.gone(1 if failed else 0)

    def pauseProducing(self) -> None:
        """The connection takes nothing now."""
        self._full = True

    def resumeProducing(self) -> None:
        """The connection takes more."""
        self._full = False
        self._go_on()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` follows."""
        self._full = True

    # What is typed --------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether so many lines wait that no more should be read."""
        return len(self._lines) >= LINES

    @property
    def parting(self) -> bool:
        """Whether somebody has asked to part."""
        return self._phase is not _Phase.TALKING

    def line(self, line: str) -> None:
        """Do what somebody typed, once all before it is done."""
        line = line.strip()
        if not line or self.parting:
            return
        if read(line) == Typed(Verb.DISCONNECT, "") and not self._in_order:
            self.part()
        else:
            self._lines.append(line)
            self._go_on()

    def refuse(self, sentence: str) -> None:
        """Say why something can't be done."""
        self._refused = True
        self.note(sentence)

    def end(self) -> None:
        """Nothing more will be typed: part once all is done."""
        self.line("disconnect")

    def part(self) -> None:
        """Part now; asked for again, without waiting for the server."""
        if self._phase is not _Phase.TALKING:
            self._stream.abortConnection()
            return
        self._phase = _Phase.PARTING
        self._lines.clear()
        _stop(self._patience)
        self._stream.unregisterProducer()
        self._send(tcd_replies.disconnect(self._name))
        self._patience = self._clock.callLater(GOODBYE_SECONDS, self._stream.abortConnection)

    def _go_on(self) -> None:
        """Do the lines that may be done now."""
        was_busy = self.busy
        while self._lines and not (self._asked or self._full or self.parting):
            self._do(self._lines.popleft())
        if was_busy and not self.busy:
            self._shown.ready()

    def _do(self, line: str) -> None:
        match read(line):
            case Unclear(sentence=sentence):
                self.refuse(sentence)
            case Typed(verb=verb, rest=rest):
                self._obey(verb, rest)

    def _obey(self, verb: Verb, rest: str) -> None:
        match verb:
            case Verb.JOIN:
                request = tcd_replies.join(rest, self._name)
                self._ask(Asked(Answer.JOINED, rest), request)
            case Verb.SEND:
                self._say(rest)
            case Verb.LEAVE:
                self._leave(rest)
            case Verb.DISCONNECT:
                self.part()
            case Verb.HELP:
                self._shown.show(help_rows())

    def _say(self, rest: str) -> None:
        room, text = self._rooms.split(rest)
        place = self._place(room)
        if place is None:
            return
        if not text:
            self.refuse(f"There is no text for {room}; the command is: send ROOM TEXT")
            return
        request = tcd_replies.chat(place.ref, place.join_id, self._name, text)
        if self._echoes:
            self._ask(Asked(Answer.SAID, ref=place.ref, text=text), request)
        else:
            self._send(request)

    def _leave(self, room: str) -> None:
        place = self._place(room)
        if place is not None:
            request = tcd_replies.leave(place.ref, place.join_id, self._name)
            self._ask(Asked(Answer.LEFT), request)

    def _place(self, room: str) -> Place | None:
        place = self._rooms.find(room)
        if place is None:
            self.refuse(f"You are not in {room}; join it first.")
        return place

    # What is answered -----------------------------------------------------------------------------

    def _ask(self, asked: Asked, request: bytes) -> None:
        """Send a request, and let what follows wait for its answer."""
        self._asked = asked
        self._patience = self._clock.callLater(PATIENCE[asked.answer], self._unanswered, asked)
        self._send(request)

    def _send(self, request: bytes) -> None:
        self._stream.write(request)

    def _unanswered(self, asked: Asked) -> None:
        if asked.answer is Answer.SAID:
            self._echoes = False
        elif asked.answer is not Answer.GREETED:
            self.refuse("The server has not answered.")
        self._answered()

    def _answered(self) -> None:
        """Go on: the request that waited for an answer does not wait any more."""
        self._asked = None
        if not self.parting:
            _stop(self._patience)
            self._go_on()

    def _take(self, replies: Sequence[Reply]) -> None:
        for reply in replies:
            asked = self._asked
            self._show(reply)
            if asked is not None and asked.is_answered_by(reply):
                self._answered()

    def _show(self, reply: Reply) -> None:
        match reply:
            case Joined():
                place = self._rooms.enter(reply, self._asked.room if self._asked else "")
                self.note(f"You are in {place.room} now.")
            case Left(ref=ref):
                self._rooms.leave(ref)
                self.note(f"You have left {self._rooms.name_of(ref)}.")
            case Chat(ref=ref):
                self._shown.show(rows_of(self._rooms.name_of(ref), reply))
            case Failed(code=code, sentence=sentence):
                number = f" (error {code})" if code else ""
                sentence = sentence or "The server refuses that, and does not say why."
                self._fail(f"{sentence}{number}")
            case Broken(kind=kind, field=field):
                self._fail(f"The server sent {kind} without {field}.")
            case Greeted():
                pass

    def _fail(self, sentence: str) -> None:
        """Show an error, unless it only says that this server knows no HELO."""
        if self._asked is None or self._asked.answer is not Answer.GREETED:
            self._refused = self._refused or self._asked is not None or not self._echoes
            self.note(sentence)

    def note(self, sentence: str) -> None:
        """Show a sentence of our own."""
        self._shown.show([f"-- {sentence}"])


def _stop(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
