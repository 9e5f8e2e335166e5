"""Conversation: a person's side of the line protocol, over any outbox.

It greets, lets lines through at their pace and shows what comes back.  Every way in that people
type into has one; it knows no bytes of telnet or ssh, only whole lines in and rendered bytes out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.commands import receive
from chatd.chat.commands.completion import NOTHING, Completion, complete
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Notice, PersonalEvent, Refused
from chatd.chat.limits import LINE_BYTES, PASTE_BYTES, PERSONAL_BYTES
from chatd.chat.model.client import ALIVE, DeliveryReport, Relayed
from chatd.chat.model.entities import Session
from chatd.chat.model.preferences import DEFAULT, Preferences
from chatd.terminal.style import TextStyle
from chatd.transport.conversation.disconnect import PeerCheck, detach
from chatd.transport.conversation.display import Display, Plain
from chatd.transport.conversation.flood_control import FloodControl
from chatd.transport.conversation.greeting import greet
from chatd.transport.conversation.prompt import Prompt
from chatd.transport.host import Host, log_wrong_password
from chatd.transport.net.outbox import Outbox
from chatd.transport.relay.edge import Edge, nothing
from chatd.transport.relay.handover import Handover

TOO_LONG = Notice(f"That line was too long; the first {LINE_BYTES} bytes of it were taken.")
GOODBYE = Notice("Goodbye.")
PASTE_CUT = Notice("That paste was too long; only its beginning was taken.")

#: What a line that waits costs beside its characters, in bytes.
LINE_COST = 64


class Conversation:
    """One person's lines, in the order in which they came, and none of them lost.

    A line waits while the flood limit says so, while an earlier one is not done, and while the
    connection takes nothing; beyond ``PASTE_BYTES`` of waiting lines nothing is read.
    """

    _log = Logger()
    # People are shown once what happens in several rooms; who missed something goes on.
    copy_per_room, closes_on_gap, resumable = False, False, True

    __slots__ = (
        "_busy",
        "_closing",
        "_cut_off",
        "_ending",
        "_flood_control",
        "_going",
        "_goodbye",
        "_handover",
        "_host",
        "_last_words",
        "_lines",
        "_prompt",
        "_reading",
        "_set_reading",
        "_waiting",
        "ask_client",
        "display",
        "hide",
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
        self.tracer: Callable[[], DeliveryReport] | None = None
        self._set_reading = set_reading
        self._reading = True
        self._lines: list[str] = []  # a deque takes ten times the memory
        self._waiting = 0
        self._busy = True  # until the person is in
        self._closing = self._cut_off = self._ending = self._going = False
        self._goodbye: PeerCheck | None = None
        self._last_words = 0  # bytes
        self._prompt = Prompt()
        self._handover: Handover | None = None
        self.ask_client: Callable[[], None] = nothing
        self.hide: Callable[[bool], None] = nothing
        self._flood_control = FloodControl(host, self)

    # Reader: what the chat asks of it -------------------------------------------------------------

    @property
    def send(self) -> Callable[[bytes], int]:
        """Where a broadcast goes: the socket itself, where nothing is to be drawn."""
        return self.display.send

    @property
    def echoes_input(self) -> bool:
        """Whether one sees on one's own screen already what one sends."""
        return self.display.echoes_input

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
            self.set_reading(False)

    def refocused(self) -> None:
        """The prompt names another room; after a line of one's own it is drawn anyway."""
        if not (self._going or self._busy):
            self.display.refresh()

    @property
    def shows_pending(self) -> bool:
        """Whether what waits is not shown: where what one types is not taken away again."""
        return self.display.echoes_input

    def pending_changed(self) -> None:
        """What waits is drawn with the prompt."""
        self.display.refresh()

    def delivery_report(self) -> DeliveryReport:
        """What of that which was sent has arrived, by what the way in knows, or the socket."""
        if self.tracer is not None:
            return self.tracer()
        pending, unreached = self.outbox.pending, self.outbox.unreached()
        if unreached is None:
            return DeliveryReport(unreached=pending) if pending else ALIVE
        size, silent = unreached
        return DeliveryReport(unreached=max(0, size + pending - self._last_words), owing=silent)

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Take the next line as the answer to a question, also when it is here already."""
        if self._lines:
            return self._pop(), self._host.now()
        if self._closing or self._ending or self.lost:
            return "", self._host.now()
        answer = self._prompt.ask(question, secret)
        self._show_question()
        return await answer, self._host.now()

    def _show_question(self) -> None:
        if remark := self._prompt.show(self.display):
            self.deliver(Notice(remark))
        self.display.refresh()

    def deliver(self, event: PersonalEvent) -> None:
        """Show this person something, whether they are in or not."""
        if self.session is not None:
            self.session.deliver(event)
        else:
            self.display.write(self.style(DEFAULT).render_personal(event))

    def close(self) -> None:
        """Send what is pending and end the connection; lines that wait are not done any more."""
        self.dismiss()
        self.display.leave()
        self.outbox.close()

    def dismiss(self) -> None:
        """The connection is about to be closed by somebody else; nobody comes back to it."""
        self._closing = True
        self._lines.clear()
        self._prompt.forget()

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up in sending: log it and end this connection."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.outbox.abort()

    # Coming and going -----------------------------------------------------------------------------

    def begin(self, visitor: Visitor, entered: Callable[[], None] | None = None) -> None:
        """Let the person in and greet them; lines that come meanwhile wait.

        ``entered`` is called once they are in.
        """
        host = self._host
        if host.exchange is not None and self._handover is None:
            self._handover = Handover(host, host.exchange, self, visitor, entered)
            visitor, entered = self._handover.visitor, self._handover.entered
        self._do(self._enter(visitor, entered))

    async def _enter(self, visitor: Visitor, entered: Callable[[], None] | None) -> None:
        host, now = self._host, self._host.now()
        try:
            session, remark = await host.chat.enter(visitor, self, now)
        except Refused as refused:
            self.deliver(refused.as_event())
            self.close()
            return
        if self.lost:
            self._lose(session)
            return
        self.session = session
        if entered is not None:
            entered()
        if session.focus is None:  # who has come back is where they were
            await greet(host, session, remark, guides=self.display.guides)

    def use(self, display: Display) -> None:
        """Show things on another display from now on."""
        self.display = display
        if self.session is not None:
            self.session.send = display.send
            self.session.restyle()
        if self._prompt.waits:
            self._show_question()

    def connection_lost(self) -> None:
        """The connection is gone, and with it this session; its person may come back."""
        self.lost = True
        if self.lent is not None:
            self.lent.lost()
        self._lines.clear()
        self._prompt.forget()
        self._flood_control.stop()
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
            detach(self._host, session)

    def input_ended(self) -> None:
        """Nothing more will come: leave once the lines that wait have had their turn."""
        self._ending = True
        if self.lent is not None:
            self.lent.input_ended()
            return
        self._prompt.answer("", self.display)
        self.advance()

    def ready(self) -> None:
        """The connection has room again."""
        if self.lost:
            return
        if self.lent is not None:
            self.lent.ready()
            return
        if self.session is not None:
            self.session.resume()
        self.display.refresh()
        self.advance()

    # On another server ----------------------------------------------------------------------------

    @property
    def lent(self) -> Edge | None:
        """What this goes on as while another server runs it."""
        return self._handover.lent if self._handover is not None else None

    def let_go(self) -> tuple[list[str], str]:
        """Leave, as another server runs this; return the lines that wait and what is half typed."""
        typed = self.display.hand_over()
        lines, self._lines, self._waiting = self._lines, [], 0
        self._flood_control.stop()
        session, self.session = self.session, None
        if session is not None:
            self._host.chat.leave(session, "", self._host.now())
        self.set_reading(True)
        return lines, typed

    def come_back(self, typed: bytes) -> None:
        """Show things here again, for who is about to come in once more; lines wait until then."""
        self._busy = True
        self.display.come_back(typed, self.line)
        self.set_reading(True)

    # Lines ----------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Take one line of safe text."""
        if self.lent is not None:
            self.lent.data_received(f"{text}\n".encode())
            return
        if self._closing or self._prompt.answer(text, self.display):
            return
        self._lines.append(text)
        self._waiting += len(text) + LINE_COST
        if len(self._lines) == 1:
            self.advance()
        if self._waiting > PASTE_BYTES and self._reading:
            self.set_reading(False)

    def pause(self, paused: bool) -> None:
        """Read nothing while keys wait for their turn."""
        if paused == self._reading:
            self.set_reading(False) if paused else self.advance()

    def complete(self, before: str) -> Completion:
        """What the last word before the cursor may become."""
        return complete(self._host.chat, self.session, before) if self.session else NOTHING

    def quit(self) -> None:
        """Somebody wants to leave by a key: Ctrl-D.  It ends a question, too.

        Who waits for a cluster that does not answer need not.
        """
        if self._prompt.answer("", self.display):
            return
        if (
            self._busy
            and self.session is not None
            and self._host.chat.unacknowledged.is_unreachable
        ):
            self._say_goodbye()
        else:
            self.line("/quit")

    def interrupt(self) -> None:
        """Drop the lines that wait, and say so; with none waiting, say how one leaves.

        A question is called off instead.
        """
        if self._prompt.answer("", self.display):
            return
        waiting, self._waiting = len(self._lines), 0
        self._lines.clear()
        dropped = f"Dropped {waiting} line{'s' * (waiting != 1)} that waited."
        self.deliver(Notice(dropped if waiting else "/quit or Ctrl-D leaves."))
        self.advance()

    def set_reading(self, reading: bool) -> None:
        """Let the client send, or not."""
        self._reading = reading
        self._set_reading(reading)

    def advance(self) -> None:
        """Do the lines that may be done now, unless that is under way."""
        if not self._going:
            self._going = True
            self._do_lines()
            self._going = False

    def _do_lines(self) -> None:
        while self._lines and not (self._busy or self.outbox.full or self.lost):
            if self._flood_control.must_wait():
                return
            self._receive(self._pop())
        if self._lines:
            return
        self._flood_control.calm()
        if not (self._reading or self.outbox.full or self.lost):
            self.set_reading(True)
        if self._ending and not (self._busy or self._closing or self.lost):
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Nothing more is typed: somebody leaves, or has been cut off."""
        self._closing = True
        session = self.session
        if session is not None and session.deliver(GOODBYE):
            self._last_words = len(self.style(session.preferences).render_personal(GOODBYE))
        self._goodbye = PeerCheck(self.outbox, self._host.clock, self._said_goodbye)
        self._goodbye.wait()

    def _said_goodbye(self, cut_off: bool) -> None:
        self._goodbye = None
        self._cut_off = cut_off
        self.close()

    def _pop(self) -> str:
        text = self._lines.pop(0)
        self._waiting -= len(text) + LINE_COST
        return text

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
                log_wrong_password(refused, self.session.address)
                self.session.deliver(refused.as_event())
        except (CancelledError, Relayed):
            return  # gone before they said what they were asked, or run elsewhere
        except Exception as bug:
            self.broken(bug)
        self._busy = False
        if not self.lost:
            self.display.refresh()
            self.advance()
