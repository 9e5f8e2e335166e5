"""Session commands: the exec commands that enter the chat, to speak or to listen."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from twisted.python.failure import Failure

from chatd.chat.fanout.log import Style
from chatd.chat.model.preferences import Preferences
from chatd.chat.model.session import ALIVE, DeliveryReport, Session
from chatd.terminal.style import TextStyle
from chatd.transport.host import Relay
from chatd.transport.relay.edge import Edge, EdgeClient
from chatd.transport.ssh.exec.command import PIPE, REFUSED, Call, ExecCommand

#: What a user is told whose command ran at a server that is gone.
CUT_OFF = "the server that you are on is gone; what it did not finish may not have been done."


class SessionCommand(ExecCommand):
    """The base of commands that speak or listen: each is a client of the chat."""

    echoes_input = True
    copy_per_room = False
    resumable = False
    #: A command that only speaks does so as the owner of the account, one that listens as a person
    #: of its own beside them.
    listens = True
    closes_on_gap = False

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.session: Session | None = None

    def enter(self) -> None:
        """Enter the chat, then go on with `entered`."""
        self.wait_for(self._enter())

    async def _enter(self) -> None:
        host, who = self.call.host, replace(self.call.who, apart=self.listens)
        if host.relay is not None:
            who = replace(who, lend=partial(self._relay, host.relay))
        session, _ = await host.chat.enter(who, self, host.now(), listens=self.listens)
        self.session = session
        if self.ended:
            self.leave()
        else:
            self.entered(session)

    async def _relay(self, relay: Relay, server: str, account: str) -> bool:
        """Let a server run this command for the owner of an account; return whether it does."""
        call, channel = self.call, self.call.channel
        how = {"command": call.command, "terminal": channel.terminal is not None}
        who, begun = replace(call.who, account=account), self.session is not None
        stream = None if begun else await relay.open(server, who, PIPE, how)
        if stream is None:
            return False
        if self.ended:
            stream.give_up()
            return True
        self.ended = True
        client = EdgeClient(
            channel.outbox,
            lambda reading: channel.resume() if reading else channel.pause(),
            come_back=lambda *_: call.fail(CUT_OFF, REFUSED),
            disconnect=lambda sentence: call.fail(sentence, REFUSED),
            finish=channel.finish,
            write_error=channel.write_error,
        )
        edge = Edge(stream, client)
        channel.pass_to(edge)
        typed, input_ended = self.unread()
        edge.begin(typed=typed, input_ended=input_ended)
        return True

    def unread(self) -> tuple[bytes, bool]:
        """Return what was read and not done yet, and whether the input has ended."""
        return b"", False

    def entered(self, session: Session) -> None:
        """Go on: the command has a session now."""

    def leave(self) -> None:
        """Leave the chat."""
        if self.session is not None:
            self.call.host.chat.leave(self.session, "", self.call.host.now())

    # Client ---------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the channel takes nothing now."""
        return self.call.channel.outbox.full

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, and nothing that is shown now is seen."""
        return self.ended

    @property
    def pending(self) -> int:
        """Bytes that wait for the channel."""
        return self.call.channel.outbox.pending

    def send(self, data: bytes) -> int:
        """Send events in their order, as lines for a program; return -1 if they fill the outbox."""
        self.write(data)
        return -1 if self.full else len(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """Do nothing: the outbox keeps what it could not send."""

    def write(self, data: bytes) -> None:
        """Send lines for a program."""
        self.call.channel.outbox.write(data.replace(b"\r\n", b"\n"))

    def style(self, preferences: Preferences) -> Style:
        """Return plain lines."""
        return TextStyle(timestamps="HH:MM", timezone=preferences.timezone)

    def delivery_report(self) -> DeliveryReport:
        """Return that all has arrived: a program does not resume its session."""
        return ALIVE

    def refocused(self) -> None:
        """Do nothing: a command has no prompt."""

    @property
    def shows_pending(self) -> bool:
        """False: a program is answered, or asks nothing."""
        return False

    def pending_changed(self) -> None:
        """Do nothing: a program is shown what is stored."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Return an empty answer: a command is asked nothing."""
        return "", self.call.host.now()

    def close(self) -> None:
        """End the command: the server closes it."""
        self.finish()

    def broken(self, bug: Exception) -> None:
        """Log a bug of ours that came up in sending, and end this channel."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.call.channel.outbox.abort()
