"""Exec commands with a session in the chat: those that post or read messages."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from twisted.python.failure import Failure

from chatd.chat.fanout.log import Style
from chatd.chat.model.client import ALIVE, DeliveryReport
from chatd.chat.model.entities import Session
from chatd.chat.model.preferences import Preferences
from chatd.terminal.style import TextStyle
from chatd.transport.host import Relay
from chatd.transport.net.outbox import STALLED
from chatd.transport.relay.edge import Edge, EdgeClient
from chatd.transport.ssh.exec.command import EXEC, REFUSED, Call, ExecCommand

#: The sentence for a user whose command ran at a server that is gone.
SERVER_GONE = "the server that you are on is gone; what it did not finish may not have been done."


class SessionCommand(ExecCommand):
    """A command with a session, whose client it is (`chatd.chat.model.client.Client`)."""

    echoes_input = True
    copy_per_room = False
    resumable = False
    #: Whether it reads messages.  A command that only posts does so as the owner of the account;
    #: one that reads is a separate person from the owner.
    listens = True
    closes_on_gap = False

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.session: Session | None = None

    def enter(self) -> None:
        """Enter the chat, then continue with `entered`."""
        self.wait_for(self._enter())

    async def _enter(self) -> None:
        host, who = self.call.host, replace(self.call.visitor, as_guest=self.listens)
        if host.relay is not None:
            who = replace(who, relay_to=partial(self._relay, host.relay))
        session, _ = await host.chat.enter(who, self, host.now(), listens=self.listens)
        self.session = session
        if self.ended:
            self.leave()
        else:
            self.entered(session)

    async def _relay(self, relay: Relay, server: str, account: str) -> bool:
        """Let a server run this command for an account's owner; return whether it does so."""
        call, channel = self.call, self.call.channel
        how = {"command": call.command, "terminal": channel.terminal is not None}
        who, begun = replace(call.visitor, account=account), self.session is not None
        stream = None if begun else await relay.open(server, who, EXEC, how)
        if stream is None:
            return False
        if self.ended:
            stream.give_up()
            return True
        self.ended = True
        client = EdgeClient(
            channel.outbox,
            lambda reading: channel.resume() if reading else channel.pause(),
            come_back=lambda *_: call.fail(SERVER_GONE, REFUSED),
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
        """Return the input that was read but not processed, and whether the input has ended."""
        return b"", False

    def entered(self, session: Session) -> None:
        """Continue: the session has entered the chat."""

    def leave(self) -> None:
        """End the session."""
        session, self.session = self.session, None
        if session is not None:
            self.call.host.chat.leave(session, "", self.call.host.now())

    # Client ---------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the channel has no room."""
        return self.call.channel.outbox.full

    @property
    def is_gone(self) -> bool:
        """Whether the command has ended, so that nothing written now is seen."""
        return self.ended

    @property
    def pending_bytes(self) -> int:
        """Bytes pending in the channel."""
        return self.call.channel.outbox.pending

    def send(self, data: bytes) -> int:
        """Write events, rendered in order; return `STALLED` if that made the outbox full."""
        self.write(data)
        return STALLED if self.full else len(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """Do nothing: the outbox has kept what it could not send."""

    def write(self, data: bytes) -> None:
        """Write lines, which end with LF."""
        self.call.channel.outbox.write(data.replace(b"\r\n", b"\n"))

    def style(self, preferences: Preferences) -> Style:
        """Return the style of plain lines with their times."""
        return TextStyle(timestamps="HH:MM", timezone=preferences.timezone)

    def delivery_report(self) -> DeliveryReport:
        """Return `ALIVE`: a command that is gone does not resume its session."""
        return ALIVE

    def refocused(self) -> None:
        """Do nothing: a command has no prompt."""

    @property
    def shows_pending(self) -> bool:
        """False: a line that cannot be stored is an error."""
        return False

    def pending_changed(self) -> None:
        """Do nothing: pending lines are not shown."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Answer with nothing: a command cannot be asked questions."""
        return "", self.call.host.now()

    def close(self) -> None:
        """End: the server closes the session."""
        self.finish()

    def abort(self) -> None:
        """Close the channel, and drop what is pending."""
        self._end()
        self.call.channel.outbox.abort()

    def broken(self, bug: Exception) -> None:
        """Log a bug that occurred while sending, and close the channel."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.call.channel.outbox.abort()
