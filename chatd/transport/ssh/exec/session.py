"""Shell pipes for which somebody is in the chat: those that speak or listen."""

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

#: What somebody is told whose command ran at a server that is gone.
CUT_OFF = "the server that you are on is gone; what it did not finish may not have been done."


class SessionCommand(ExecCommand):
    """A command for which somebody is in the chat: the base of those that speak or listen."""

    echoes_input = True
    copy_per_room = False
    resumable = False
    #: Who only speaks does so as the owner of their account; who listens, as somebody beside them.
    listens = True
    closes_on_gap = False

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.session: Session | None = None

    def enter(self) -> None:
        """Come in, then go on with `entered`."""
        self.wait_for(self._enter())

    async def _enter(self) -> None:
        host, who = self.call.host, replace(self.call.who, apart=self.listens)
        if host.relay is not None:
            who = replace(who, lend=partial(self._lend, host.relay))
        session, _ = await host.chat.enter(who, self, host.now(), listens=self.listens)
        self.session = session
        if self.ended:
            self.leave()
        else:
            self.entered(session)

    async def _lend(self, relay: Relay, server: str, account: str) -> bool:
        """Let a server run this command for the owner of an account, who is there."""
        call, channel = self.call, self.call.channel
        how = {"command": call.command, "terminal": channel.terminal is not None}
        who, begun = replace(call.who, account=account), self.session is not None
        line = None if begun else await relay.open(server, who, PIPE, how)
        if line is None:
            return False
        lender = EdgeClient(
            channel.outbox,
            lambda reading: channel.resume() if reading else channel.pause(),
            lambda why, typed: call.fail(CUT_OFF, REFUSED),
            lambda sentence: call.fail(sentence, REFUSED),
            channel.finish,
            write_error=channel.write_error,
        )
        lent = Edge(line, lender)
        if self.ended:
            lent.lost()
            return True
        self.ended = True
        channel.pass_to(lent)
        lent.begin()
        self.pass_on(lent)
        channel.resume()
        return True

    def pass_on(self, lent: Edge) -> None:
        """Give what was read already to who goes on with it."""

    def entered(self, session: Session) -> None:
        """Somebody is here now."""

    def leave(self) -> None:
        """Leave the chat."""
        if self.session is not None:
            self.call.host.chat.leave(self.session, "", self.call.host.now())

    # Reader ---------------------------------------------------------------------------------------

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
        """Events in their order, as lines for a program; -1 when not all of them was taken."""
        self.write(data)
        return -1 if self.full else len(data)

    def stalled(self, data: bytes, taken: int) -> None:
        """The outbox keeps what it could not send."""

    def write(self, data: bytes) -> None:
        """Lines for a program."""
        self.call.channel.outbox.write(data.replace(b"\r\n", b"\n"))

    def style(self, preferences: Preferences) -> Style:
        """Plain lines."""
        return TextStyle(timestamps="HH:MM", timezone=preferences.timezone)

    def delivery_report(self) -> DeliveryReport:
        """A program that is gone does not come back to its place."""
        return ALIVE

    def refocused(self) -> None:
        """A pipe has no prompt."""

    @property
    def shows_pending(self) -> bool:
        """A program is answered, or asks nothing."""
        return False

    def pending_changed(self) -> None:
        """A program is shown what is kept."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """A pipe is asked nothing."""
        return "", self.call.host.now()

    def close(self) -> None:
        """The server ends it."""
        self.finish()

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up in sending."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.call.channel.outbox.abort()
