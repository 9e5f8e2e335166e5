"""Conversation: a person's side of the line protocol, over any outbox.

It greets, lets lines through at their pace and shows what comes back.  Every way in that people
type into has one; it knows no bytes of telnet or ssh, only whole lines in and rendered bytes out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.commands import receive
from chatd.chat.completion import NOTHING, Completion, complete
from chatd.chat.entrance import Visitor
from chatd.chat.events import Notice, Refused
from chatd.chat.limits import LINE_BYTES, PASTE_BYTES, PERSONAL_BYTES
from chatd.chat.pace import Pace
from chatd.chat.preferences import DEFAULT, Preferences
from chatd.chat.session import ALIVE, Session, Trace
from chatd.terminal.style import TextStyle
from chatd.transport.display import Display, Plain, Question
from chatd.transport.greeting import greet
from chatd.transport.host import Host, log_guess
from chatd.transport.outbox import Outbox
from chatd.transport.parting import Goodbye, keep_place

TOO_LONG = Notice(f"That line was too long; the first {LINE_BYTES} bytes of it were taken.")
GOODBYE = Notice("Goodbye.")
#: What who comes for the first time, at a terminal, may do next.
PASTE_CUT = Notice("That paste was too long; only its beginning was taken.")

#: What a line that waits costs beside its characters, in bytes.
LINE_COST = 64


class Conversation:
    """One person's lines, in the order in which they came, and none of them lost.

    A line waits while the flood limit says so, while an earlier one is not done, and while the
    connection takes nothing; beyond ``PASTE_BYTES`` of waiting lines nothing is read.
    """

    _log = Logger()

    __slots__ = (
        "_asked",
        "_busy",
        "_closing",
        "_cut_off",
        "_ending",
        "_going",
        "_goodbye",
        "_host",
        "_last_words",
        "_later",
        "_lines",
        "_pace",
        "_reading",
        "_set_reading",
        "_waiting",
        "_warned",
        "display",
        "lost",
        "outbox",
        "session",
        "tracer",
    )

    def __init__(self, host: Host, outbox: Outbox, set_reading: Callable[[bool], None]) -> None:
        self._host = host
        self.outbox = outbox
        self.display: Display = Plain(outbox)
        self.session: Session | None = None
        self.lost = False
        self.tracer: Callable[[], Trace] | None = None
        self._set_reading = set_reading
        self._reading = True
        self._lines: list[str] = []  # a deque takes ten times the memory
        self._waiting = 0
        self._busy = True  # until the person is in
        self._closing = False
        self._cut_off = False
        self._ending = False
        self._going = False
        self._goodbye: Goodbye | None = None
        self._last_words = 0  # bytes
        self._warned = False
        self._later: IDelayedCall | None = None
        self._asked: Question | None = None
        self._pace = Pace(host.flood, host.clock.seconds()) if host.flood else None

    # Reader: what the chat asks of it -------------------------------------------------------------

    @property
    def send(self) -> Callable[[bytes], int]:
        """Where a broadcast goes: the socket itself, where nothing is to be drawn."""
        return self.display.send

    @property
    def sees_own(self) -> bool:
        """Whether one sees on one's own screen already what one sends."""
        return self.display.sees_own

    @property
    def each_room(self) -> bool:
        """People are shown once what happens in several rooms."""
        return False

    @property
    def needs_all(self) -> bool:
        """People are told that they missed something, and go on."""
        return False

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""
        return self.outbox.full or self.lost

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, and nothing that is shown now is seen."""
        return self.lost

    @property
    def pending(self) -> int:
        """Bytes that wait for the connection."""
        return self.outbox.pending

    def style(self, preferences: Preferences) -> TextStyle:
        """How somebody with these preferences is shown things here."""
        return self.display.style(preferences)

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self.display.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Show bytes that are for this person alone."""
        self.display.write(data)
        self.check()

    def check(self) -> None:
        """After any write: a connection that is full keeps its place in every room.

        One that takes nothing although it sends is not read either, or its echo would pile up.
        """
        if self.outbox.full and self.session is not None:
            self.session.hold()
        if self._reading and self.outbox.pending > PERSONAL_BYTES:
            self._read(False)

    def refocused(self) -> None:
        """The prompt names another room; after a line of one's own it is drawn anyway."""
        if not (self._going or self._busy):
            self.display.refresh()

    @property
    def is_told(self) -> bool:
        """Whether what waits is not shown: where what one types is not taken away again."""
        return self.display.sees_own

    def shows_waiting(self) -> None:
        """What waits is drawn with the prompt."""
        self.display.refresh()

    def trace(self) -> Trace:
        """What of that which was sent has arrived, by what the way in knows, or the socket."""
        if self.tracer is not None:
            return self.tracer()
        pending, unreached = self.outbox.pending, self.outbox.unreached()
        if unreached is None:
            return Trace(unreached=pending) if pending else ALIVE
        size, silent = unreached
        return Trace(unreached=max(0, size + pending - self._last_words), owing=silent)

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Take the next line as the answer to a question, also when it is here already."""
        if self._lines:
            return self._pop(), self._host.now()
        if self._closing or self._ending or self.lost:
            return "", self._host.now()
        asked = self._asked = Question(question, secret)
        self._show(asked)
        return await asked.answer, self._host.now()

    def _show(self, asked: Question) -> None:
        remark = self.display.ask(asked.text, secret=asked.secret)
        if remark and self.session is not None:
            self.session.deliver(Notice(remark))
        self.display.refresh()

    def _answer(self, text: str) -> bool:
        """Take a line as the answer, if something is asked."""
        asked, self._asked = self._asked, None
        if asked is None:
            return False
        self.display.answered()
        asked.answer.callback(text)
        return True

    def close(self) -> None:
        """Send what is pending and end the connection; lines that wait are not done any more."""
        self._closing = True
        self._lines.clear()
        self._forget_question()
        self.display.leave()
        self.outbox.close()

    def dismiss(self) -> None:
        """The connection is about to be closed by somebody else; nobody comes back to it."""
        self._closing = True
        self._lines.clear()
        self._forget_question()

    def _forget_question(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            asked.answer.cancel()

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up in sending: log it and end this connection."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.outbox.abort()

    # Coming and going -----------------------------------------------------------------------------

    def begin(self, visitor: Visitor, entered: Callable[[], None] | None = None) -> None:
        """Let the person in and greet them; lines that come meanwhile wait.

        ``entered`` is called once they are in.
        """
        self._do(self._enter(visitor, entered))

    async def _enter(self, visitor: Visitor, entered: Callable[[], None] | None) -> None:
        host, now = self._host, self._host.now()
        try:
            session, remark = await host.chat.enter(visitor, self, now)
        except Refused as refused:
            self._turn_away(refused)
            return
        if self.lost:
            self._lose(session)
            return
        self.session = session
        if entered is not None:
            entered()
        if session.focus is None:  # who has come back is where they were
            await greet(host, session, remark, guides=self.display.guides)

    def _turn_away(self, refused: Refused) -> None:
        """Say why somebody may not come in, and part."""
        self.display.write(self.style(DEFAULT).render_personal(refused.as_event()))
        self.close()

    def use(self, display: Display) -> None:
        """Show things on another display from now on."""
        self.display = display
        if self.session is not None:
            self.session.send = display.send
            self.session.restyle()
        if self._asked is not None:
            self._show(self._asked)

    def connection_lost(self) -> None:
        """The connection is gone, and with it this session; its person may come back."""
        self.lost = True
        self._lines.clear()
        self._forget_question()
        if self._later is not None and self._later.active():
            self._later.cancel()
        if self._goodbye is not None:  # and whoever does not take it is gone
            self._goodbye.stop()
            self._cut_off = True
        if self.session is not None:
            self._lose(self.session)
        self.outbox.forget()

    def _lose(self, session: Session) -> None:
        """Whose connection we have closed leaves; whoever else loses it may come back."""
        if self._closing and not self._cut_off:
            self._host.chat.leave(session, "", self._host.now())
        else:
            keep_place(self._host, session)

    def input_ended(self) -> None:
        """Nothing more will come: leave once the lines that wait have had their turn."""
        self._ending = True
        self._answer("")
        self._go_on()

    def ready(self) -> None:
        """The connection has room again."""
        if self.lost:
            return
        if self.session is not None:
            self.session.resume()
        self.display.refresh()
        self._go_on()

    # Lines ----------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Take one line of safe text."""
        if self._closing or self._answer(text):
            return
        self._lines.append(text)
        self._waiting += len(text) + LINE_COST
        if len(self._lines) == 1:
            self._go_on()
        if self._waiting > PASTE_BYTES and self._reading:
            self._read(False)

    def pause(self, paused: bool) -> None:
        """Read nothing while keys wait for their turn."""
        if paused == self._reading:
            self._read(False) if paused else self._go_on()

    def complete(self, before: str) -> Completion:
        """What the last word before the cursor may become."""
        return complete(self._host.chat, self.session, before) if self.session else NOTHING

    def quit(self) -> None:
        """Somebody wants to leave by a key: Ctrl-D.  It ends a question, too.

        Who waits for a cluster that does not answer need not.
        """
        if self._answer(""):
            return
        if self._busy and self.session is not None and self._host.chat.waiting.away:
            self._say_goodbye()
        else:
            self.line("/quit")

    def interrupt(self) -> None:
        """Drop the lines that wait, and say so; with none waiting, say how one leaves.

        A question is called off instead.
        """
        if self._answer(""):
            return
        waiting = len(self._lines)
        self._lines.clear()
        self._waiting = 0
        if self.session is not None:
            lines = f"{waiting} line{'s' * (waiting != 1)}"
            told = f"Dropped {lines} that waited." if waiting else "/quit or Ctrl-D leaves."
            self.session.deliver(Notice(told))
        self._go_on()

    def _read(self, reading: bool) -> None:
        self._reading = reading
        self._set_reading(reading)

    def _go_on(self) -> None:
        """Do the lines that may be done now, unless that is under way."""
        if not self._going:
            self._going = True
            self._do_lines()
            self._going = False

    def _do_lines(self) -> None:
        while self._lines and not (self._busy or self._later or self.outbox.full or self.lost):
            wait = self._pace.wait(self._host.clock.seconds()) if self._pace else 0.0
            if wait:
                self._wait(wait)
                return
            self._receive(self._pop())
        if self._lines:
            return
        self._warned = False
        if not (self._reading or self.outbox.full or self.lost):
            self._read(True)
        if self._ending and not (self._busy or self._closing or self.lost):
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Nothing more is typed: somebody leaves, or has been cut off."""
        self._closing = True
        session = self.session
        if session is not None and session.deliver(GOODBYE):
            self._last_words = len(self.style(session.preferences).render_personal(GOODBYE))
        self._goodbye = Goodbye(self.outbox, self._host.clock, self._said_goodbye)
        self._goodbye.wait()

    def _said_goodbye(self, cut_off: bool) -> None:
        self._goodbye = None
        self._cut_off = cut_off
        self.close()

    def _pop(self) -> str:
        text = self._lines.pop(0)
        self._waiting -= len(text) + LINE_COST
        return text

    def _wait(self, seconds: float) -> None:
        self._later = self._host.clock.callLater(seconds, self._waited)
        flood = self._host.flood
        if flood is not None and not self._warned and self.session is not None:
            self._warned = True
            self.session.deliver(
                Notice(
                    f"You write fast: your lines go out at {flood.a_second:g} a second now, "
                    "and none is lost."
                )
            )

    def _waited(self) -> None:
        self._later = None
        self._go_on()

    def _receive(self, text: str) -> None:
        session = self.session
        if session is None:  # gone, or not let in
            return
        try:
            waited_for = receive(self._host.chat, session, text, self._host.now())
        except Refused as refused:
            session.deliver(refused.as_event())
        except Exception as bug:
            self.broken(bug)
        else:
            if waited_for is not None:
                self._do(waited_for)
            else:
                self.display.refresh()

    def _do(self, waited_for: Awaitable[None]) -> None:
        """Wait for something before the next line has its turn."""
        self._busy = True
        Deferred.fromCoroutine(self._await(waited_for))

    async def _await(self, waited_for: Awaitable[None]) -> None:
        try:
            await waited_for
        except Refused as refused:
            if self.session is not None:
                log_guess(refused, self.session.address)
                self.session.deliver(refused.as_event())
        except CancelledError:
            return  # gone before they said what they were asked
        except Exception as bug:
            self.broken(bug)
        self._busy = False
        if not self.lost:
            self.display.refresh()
            self._go_on()
