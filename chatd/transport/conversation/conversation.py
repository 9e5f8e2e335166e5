"""Conversation: a user's side of the line protocol, over any connection.

It greets the user, limits their lines to the flood rate and shows the chat's output.  Every way in
that people type into uses it.  It knows no bytes of telnet or ssh, only whole lines in and rendered
bytes out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

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
from chatd.chat.ratelimit.line_budget import LineBudget
from chatd.terminal.style import TextStyle
from chatd.transport.channel import ENDED, Connection, Program
from chatd.transport.conversation.disconnect import PeerCheck, detach
from chatd.transport.conversation.display import Display, Plain
from chatd.transport.conversation.flood_control import FloodControl, sender_of
from chatd.transport.conversation.greeting import greet
from chatd.transport.conversation.prompt import Prompt
from chatd.transport.host import Host
from chatd.transport.relay.edge import never, nothing
from chatd.transport.relay.handover import STAGGER_SECONDS, Handover

TOO_LONG = Notice(f"That line was too long; the first {LINE_BYTES} bytes of it were taken.")
GOODBYE = Notice("Goodbye.")
PASTE_CUT = Notice("That paste was too long; only its beginning was taken.")

#: The memory that a pending line takes besides its characters, in bytes.
LINE_COST = 64


class InputProgram(Program, Protocol):
    """The program of a way in for people: it decodes bytes to lines for its conversation."""

    def hand_over(self) -> bytes:
        """Return the unfinished input and forget it: another server continues with it."""


class Conversation:
    """One user's lines, in order and without loss.

    A line is pending while the flood limit delays it, while an earlier one is not done, and while
    the connection is full; beyond ``PASTE_BYTES`` of pending lines nothing is read.

    :param program: The program of the way in, which runs in the connection; another server may
    replace it for a while.
    :param delivery_report: Returns how much of the output has arrived, if the way in knows that
    better than the socket.
    :param ask_client: Asks the client for a sign of life; ``take_answer`` handles the answer and
    returns whether there was a question.
    :param hide: Called with whether the input from now on is a secret.
    :param budget: The line budget that it shares with other channels of its connection.
    """

    _log = Logger()
    # People are shown an event in several rooms once; a person carries on after a gap.
    copy_per_room, closes_on_gap, resumable = False, False, True

    __slots__ = (
        "_advancing",
        "_busy",
        "_closing",
        "_cut_off",
        "_delivery_report",
        "_flood_control",
        "_goodbye_bytes",
        "_handover",
        "_host",
        "_input_ended",
        "_lines",
        "_lines_cost",
        "_peer_check",
        "_prompt",
        "_reading",
        "ask_client",
        "connection",
        "display",
        "hide",
        "lost",
        "outbox",
        "program",
        "session",
        "take_answer",
    )

    def __init__(
        self,
        host: Host,
        connection: Connection,
        program: InputProgram,
        *,
        delivery_report: Callable[[], DeliveryReport] | None = None,
        ask_client: Callable[[], None] = nothing,
        take_answer: Callable[[], bool] = never,
        hide: Callable[[bool], None] = nothing,
        budget: LineBudget | None = None,
    ) -> None:
        self._host = host
        self.connection = connection
        self.program = program
        self.outbox = connection.outbox
        self.display: Display = Plain(self.outbox)
        self.session: Session | None = None
        self.lost = False
        self._delivery_report = delivery_report
        self.ask_client = ask_client
        self.take_answer = take_answer
        self.hide = hide
        self._reading = True
        self._lines: list[str] = []  # a deque takes ten times the memory
        self._lines_cost = 0
        self._busy = True  # until the user has entered
        self._closing = self._cut_off = self._input_ended = self._advancing = False
        self._peer_check: PeerCheck | None = None
        self._goodbye_bytes = 0
        self._prompt = Prompt()
        self._handover: Handover | None = None
        self._flood_control = FloodControl(host, budget)

    # Client: called by the chat -------------------------------------------------------------

    @property
    def send(self) -> Callable[[bytes], int]:
        """The target of broadcasts: the socket itself if nothing is drawn."""
        return self.display.send

    @property
    def echoes_input(self) -> bool:
        """Whether users already see their own lines on their screens."""
        return self.display.echoes_input

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing at present."""
        return self.outbox.full or self.lost

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, so that nothing shown now is seen."""
        return self.lost

    @property
    def pending_bytes(self) -> int:
        """Bytes pending in the connection."""
        return self.outbox.pending

    def style(self, preferences: Preferences) -> TextStyle:
        """Return the style for a user with these preferences."""
        return self.display.style(preferences)

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self.display.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Show output that is for this user alone."""
        self.display.write(data)
        self.check()

    def check(self) -> None:
        """Hold the session at its position in every room if a write has filled the connection.

        Reading is paused too while a client does not read: otherwise its echo would pile up.
        """
        if self.outbox.full and self.session is not None:
            self.session.hold()
        if self._reading and self.outbox.pending > PERSONAL_BYTES:
            self.set_reading(False)

    def refocused(self) -> None:
        """Show another room in the prompt, which is drawn after each line of the user anyway."""
        if not (self._advancing or self._busy):
            self.display.refresh()

    @property
    def shows_pending(self) -> bool:
        """Whether pending lines are announced in words: where they are not drawn."""
        return self.display.echoes_input

    def pending_changed(self) -> None:
        """Draw the pending lines, with the prompt."""
        self.display.refresh()

    def delivery_report(self) -> DeliveryReport:
        """Return how much of the output has arrived, according to the way in or the socket."""
        if self._delivery_report is not None:
            return self._delivery_report()
        pending, unreached = self.outbox.pending, self.outbox.unreached()
        if unreached is None:
            return DeliveryReport(unreached=pending) if pending else ALIVE
        size, silence = unreached
        return DeliveryReport(unreached=max(0, size + pending - self._goodbye_bytes), owing=silence)

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Use the next line as the answer to a question, even if it is already pending."""
        if self._lines:
            return self._pop(), self._host.now()
        if self._closing or self._input_ended or self.lost:
            return "", self._host.now()
        answer = self._prompt.ask(question, secret)
        self._show_question()
        return await answer, self._host.now()

    def _show_question(self) -> None:
        if remark := self._prompt.show(self.display):
            self.deliver(Notice(remark))
        self.display.refresh()

    def deliver(self, event: PersonalEvent) -> None:
        """Show a personal event to this user, who may not have entered yet."""
        if self.session is not None:
            self.session.deliver(event)
        else:
            self.display.write(self.style(DEFAULT).render_personal(event))

    def close(self) -> None:
        """Send what is pending and end the connection; pending lines are dropped."""
        self.dismiss()
        self.display.leave()
        self.outbox.close()

    def dismiss(self) -> None:
        """Prepare for the connection being closed by its way in, without a resumable session."""
        self._closing = True
        self._lines.clear()
        self._prompt.cancel()

    def abort(self) -> None:
        """End this connection, and drop what is pending."""
        self.outbox.abort()

    def broken(self, bug: Exception) -> None:
        """Log a bug that occurred while sending, and end this connection."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.abort()

    # Entering and leaving -------------------------------------------------------------------------

    def begin(self, visitor: Visitor, entered: Callable[[], None] | None = None) -> None:
        """Let the user enter and greet them; lines that arrive meanwhile are pending.

        ``entered`` is called once they have entered.
        """
        relay = self._host.relay
        if relay is not None and self._handover is None:
            self._handover = Handover(
                self,
                visitor,
                entered,
                open_stream=relay.open,
                clock=self._host.clock,
                delay=lambda: relay.rank * STAGGER_SECONDS,
            )
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
        if session.focus is None:  # a resumed session has one
            await greet(host, session, remark, guides=self.display.guides)

    def use(self, display: Display) -> None:
        """Use another display from now on."""
        self.display = display
        if self.session is not None:
            self.session.send = display.send
            self.session.restyle()
        if self._prompt.is_open:
            self._show_question()

    def continue_in(self, program: InputProgram) -> None:
        """Continue in another way in, whose program is that of the conversation from now on."""
        self.program = program

    def connection_lost(self) -> None:
        """End the conversation after its connection was lost; its session may be resumed."""
        self.lost = True
        self._lines.clear()
        self._prompt.cancel()
        self._flood_control.stop()
        if self._peer_check is not None:  # a client that did not receive the goodbye was cut off
            self._peer_check.stop()
            self._cut_off = True
        if self.session is not None:
            self._lose(self.session)
        self._forget_references()
        self.outbox.forget()

    def _forget_references(self) -> None:
        """Forget all that refers to this conversation, so that it is freed without a collection.

        Its session, and what is still done for it, may use it as a client that is gone.
        """
        self.session = self._peer_check = self._handover = self._delivery_report = None
        self.display = Plain(self.outbox)
        self.program = ENDED
        self.ask_client, self.take_answer, self.hide = nothing, never, nothing

    def _lose(self, session: Session) -> None:
        """Let the user leave if this server closed the connection, else let them resume."""
        if self._closing and not self._cut_off:
            self._host.chat.leave(session, "", self._host.now())
        else:
            detach(self._host, session)

    def input_ended(self) -> None:
        """Let the user leave once the pending lines are done: the input has ended.

        At a terminal that is a lost connection, as a closed window ends its input before the rest
        of the connection: a user who leaves there types Ctrl-D or /quit.
        """
        self._input_ended = True
        self._prompt.answer("", self.display)
        self.advance()

    def ready(self) -> None:
        """Continue: the connection has room again."""
        if self.lost:
            return
        if self.session is not None:
            self.session.release()
        self.display.refresh()
        self.advance()

    # On another server ----------------------------------------------------------------------------

    def described(self) -> Mapping[str, object] | None:
        """Return the display's description for another server; None: nothing is drawn."""
        return self.display.described()

    def let_go(self) -> tuple[list[str], bytes]:
        """Leave the chat here; return the pending lines and the unfinished input."""
        typed = self.program.hand_over()
        lines, self._lines, self._lines_cost = self._lines, [], 0
        self._flood_control.stop()
        session, self.session = self.session, None
        if session is not None:
            self._host.chat.leave(session, "", self._host.now())
        return lines, typed

    def come_back(self, typed: bytes) -> None:
        """Resume running here, for a user who is about to enter; lines are pending until then."""
        self._busy = True
        self.connection.pass_to(self.program)
        self.display.come_back()
        self.program.data_received(typed)
        self.set_reading(True)

    # Lines ----------------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """Handle one line of safe text."""
        if self._closing or self._prompt.answer(text, self.display):
            return
        self._lines.append(text)
        self._lines_cost += len(text) + LINE_COST
        if len(self._lines) == 1:
            self.advance()
        if self._lines_cost > PASTE_BYTES and self._reading:
            self.set_reading(False)

    def pause(self, paused: bool) -> None:
        """Pause reading while keys are pending."""
        if paused == self._reading:
            self.set_reading(False) if paused else self.advance()

    def complete(self, before: str) -> Completion:
        """Return the completions of the last word before the cursor."""
        return complete(self._host.chat, self.session, before) if self.session else NOTHING

    def quit(self) -> None:
        """Let the user leave on Ctrl-D; an open question is cancelled instead.

        A user who is waiting for a cluster that does not answer leaves immediately.
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
        """Drop the pending lines and report that; without any, say how to leave.

        An open question is cancelled instead.
        """
        if self._prompt.answer("", self.display):
            return
        count, self._lines_cost = len(self._lines), 0
        self._lines.clear()
        dropped = f"Dropped {count} line{'s' * (count != 1)} that waited."
        self.deliver(Notice(dropped if count else "/quit or Ctrl-D leaves."))
        self.advance()

    def set_reading(self, reading: bool) -> None:
        """Resume or pause reading."""
        self._reading = reading
        self.connection.resume() if reading else self.connection.pause()

    def advance(self) -> None:
        """Process the pending lines, unless already doing so."""
        if not self._advancing:
            self._advancing = True
            self._do_lines()
            self._advancing = False

    def _do_lines(self) -> None:
        while self._lines and not (self._busy or self.outbox.full or self.lost):
            session = self.session
            if session is not None:
                sender = sender_of(self._host, session)
                if self._flood_control.must_wait(sender, self.advance, self.deliver):
                    return
            self._receive(self._pop())
        if self._lines:
            return
        self._flood_control.calm()
        if not (self._reading or self.outbox.full or self.lost):
            self.set_reading(True)
            if self._lines:  # a channel has delivered what it held meanwhile
                self._do_lines()
                return
        if self._input_ended and not (self._busy or self._closing or self.lost):
            self._cut_off = self.display.is_terminal
            if self._cut_off and self.session is not None:
                self._lose(self.session)
                self.close()
            else:
                self._say_goodbye()

    def _say_goodbye(self) -> None:
        """Say goodbye after the end of input: the user leaves, or was cut off."""
        self._closing = True
        session = self.session
        if session is not None and session.deliver(GOODBYE):
            self._goodbye_bytes = len(self.style(session.preferences).render_personal(GOODBYE))
        self._peer_check = PeerCheck(self.outbox, self._host.clock, self._said_goodbye)
        self._peer_check.start()

    def _said_goodbye(self, cut_off: bool) -> None:
        self._peer_check = None
        self._cut_off = cut_off
        self.close()

    def _pop(self) -> str:
        text = self._lines.pop(0)
        self._lines_cost -= len(text) + LINE_COST
        return text

    def _receive(self, text: str) -> None:
        session = self.session
        if session is None:  # gone, or refused
            return
        try:
            awaited = receive(self._host.chat, session, text, self._host.now())
        except Refused as refused:
            session.deliver(refused.as_event())
        except Exception as bug:
            self.broken(bug)
        else:
            if awaited is not None:
                self._do(awaited)
            else:
                self.display.refresh()

    def _do(self, awaited: Awaitable[None]) -> None:
        """Wait for an awaitable before processing the next line."""
        self._busy = True
        Deferred.fromCoroutine(self._await(awaited))

    async def _await(self, awaited: Awaitable[None]) -> None:
        try:
            await awaited
        except Refused as refused:
            if self.session is not None:
                self.session.deliver(refused.as_event())
        except (CancelledError, Relayed):
            return  # gone before they answered a question, or run by another server
        except Exception as bug:
            self.broken(bug)
        self._busy = False
        if not self.lost:
            self.display.refresh()
            self.advance()
