"""Where ssh meets the chat: a shell is a conversation, on a terminal or in plain lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from twisted.conch.ssh.keys import Key
from twisted.internet.interfaces import IAddress, IProtocol
from zope.interface import implementer

from chatd.chat.entry import entrance
from chatd.chat.events import Notice, Refused
from chatd.chat.model.preferences import wishes
from chatd.terminal.text.colours import Kind, kind
from chatd.transport.channel import Channel, Program, SshPeer, measure
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import TOO_LONG, Conversation
from chatd.transport.conversation.terminal import Terminal
from chatd.transport.host import Host
from chatd.transport.relay.edge import nothing
from chatd.transport.relay.handover import IN, LOGGED_IN, SHELL
from chatd.transport.relay.remote_channel import RemoteChannel
from chatd.transport.relay.stream import State, Stream
from chatd.transport.ssh import exec as pipes
from chatd.transport.ssh.protocol.channel import SessionChannel
from chatd.transport.ssh.protocol.factory import SSHFactory
from chatd.transport.ssh.receipts import Acknowledgement, Acknowledgements
from chatd.wire.line import CutLine, LineCodec

_SSH = b"SSH-"


def recognises(data: bytes) -> bool | None:
    """An ssh client begins with its version (RFC 4253, section 4.2)."""
    if data.startswith(_SSH):
        return True
    return None if _SSH.startswith(data) else False


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
class Caller:
    """Where an ssh connection counts as coming from."""

    arrival: Arrival


def factory(host: Host, host_key: Key) -> SSHFactory:
    """What makes the protocol of each ssh connection; build it with a `Caller`."""

    def admit(who: SshPeer, address: IAddress) -> str | None:
        assert isinstance(address, Caller)  # ours: see protocol()
        refusal = address.arrival.door.admit(who.key in host.operators)
        if refusal is None:
            try:
                host.chat.entrance.check(_known(host, who, address), host.now())
            except Refused as refused:
                refusal = refused.sentence
        return refusal

    receipts = Acknowledgements(host.clock)

    def start(channel: SessionChannel, command: str | None) -> Program | None:
        who = visitor(host, channel)
        if command is None:
            asked = channel.terminal
            can = kind(asked.name, channel.environment) if asked is not None else None
            return Shell(host, channel, who, receipts, can)
        return pipes.pipe(host, channel, who, command)

    if host.relay is not None:
        host.relay.programs[SHELL] = partial(run_borrowed, host, receipts)
        host.relay.programs[pipes.PIPE] = partial(pipes.borrow, host)
    return SSHFactory(host_key, clock=host.clock, admit=admit, start=start)


def protocol(ssh: SSHFactory, arrival: Arrival) -> IProtocol:
    """The protocol of one connection."""
    made: IProtocol = ssh.buildProtocol(Caller(arrival))
    return made


def visitor(host: Host, channel: SessionChannel) -> entrance.Visitor:
    """Who came by a channel, as the chat knows people."""
    return _known(host, channel.visitor, channel.peer)


def _known(host: Host, who: SshPeer, peer: IAddress) -> entrance.Visitor:
    address = peer.arrival.address if isinstance(peer, Caller) else ""
    nick, wished = wishes(who.user)
    operator = who.key in host.operators
    return entrance.Visitor(nick, address, who.fingerprint, operator, wishes=wished)


def run_borrowed(
    host: Host, receipts: Acknowledgements, line: Stream, who: entrance.Visitor, how: State
) -> None:
    """Run a shell on a line that another server lends."""
    drawn, can = how["screen"], None
    channel = RemoteChannel(line)
    if drawn is not None:
        can = Kind(drawn["colours"], drawn["ansi"])
        channel.terminal = measure(b"", drawn["columns"], drawn["rows"])
    here = replace(host, relay=None)  # what is borrowed is not lent on
    shell = Shell(here, channel, who, receipts, can, begins=how["begins"], hide=channel.hide)
    channel.on_line = shell.take_line
    channel.pass_to(shell)


class Shell:
    """One conversation in one channel, on a terminal that ``can`` so much, or on none.

    ``hide`` is told whether what is typed is a secret.  How it ``begins`` says
    `chatd.transport.relay.handover`: not everybody is greeted.
    """

    def __init__(
        self,
        host: Host,
        channel: Channel,
        who: entrance.Visitor,
        receipts: Acknowledgements,
        can: Kind | None = None,
        *,
        begins: str = IN,
        hide: Callable[[bool], None] = nothing,
    ) -> None:
        self._channel = channel
        self._lines = LineCodec()
        self._begins = begins
        self._conversation = Conversation(host, channel.outbox, self._set_reading)
        self._receipt = Acknowledgement(receipts, host.clock, channel, self._conversation)
        self._conversation.tracer = self._receipt.delivery_report
        self._conversation.ask_client, self._conversation.hide = channel.ask, hide
        self._terminal = self._make_terminal(host, who, can)
        if self._terminal is not None:
            self._conversation.use(self._terminal)
        # The channel confirms the shell first: plink and paramiko insist on it.
        host.clock.callLater(0, self._begin, who)

    def _make_terminal(
        self, host: Host, who: entrance.Visitor, can: Kind | None
    ) -> Terminal | None:
        asked = self._channel.terminal
        if asked is None or can is None:
            return None
        return Terminal(
            self._conversation,
            host.clock,
            asked.columns,
            asked.rows,
            colours=can.depth,
            ansi=can.ansi,
            plain=("plain", "on") in who.wishes,
        )

    def _begin(self, who: entrance.Visitor) -> None:
        if not self._conversation.lost:
            self._conversation.begin(who, self._entered)

    def _entered(self) -> None:
        """They are in; who has said at another server who they are is where they were."""
        session = self._conversation.session
        if session is not None and self._begins != IN and session.focus is None:
            session.focus_on_newest()
        if session is not None and self._begins == LOGGED_IN:
            session.deliver(Notice(f"You are logged in as {session.person.nick}."))
        self._receipt.sent()

    def take_line(self, text: str) -> None:
        """They had typed a whole line already before this ran."""
        self._conversation.line(text)

    def _set_reading(self, reading: bool) -> None:
        if reading:
            self._channel.resume()
        else:
            self._channel.pause()

    def data_received(self, data: bytes) -> None:
        """They typed."""
        if self._terminal is not None:
            self._terminal.receive(data)
        else:
            self._take(self._lines.receive_data(data))

    def _take(self, lines: list[str | CutLine]) -> None:
        for line in lines:
            self._conversation.line(line.text if isinstance(line, CutLine) else line)
            if isinstance(line, CutLine):
                self._conversation.deliver(TOO_LONG)

    def resized(self, columns: int, rows: int) -> None:
        """Their screen has another size."""
        if self._terminal is not None:
            self._terminal.resize(columns, rows)

    def interrupted(self) -> None:
        """They want it to stop: as Ctrl-C."""
        if self._terminal is not None:
            self._terminal.interrupt()
        else:
            self._conversation.close()

    def input_ended(self) -> None:
        """They will type nothing more."""
        self._take(self._lines.finish())
        self._conversation.input_ended()

    def ready(self) -> None:
        """The outbox has room again."""
        self._conversation.ready()
        self._receipt.sent()

    def answered(self) -> None:
        """The client has had what it was sent."""
        lent = self._conversation.lent
        if lent is not None and not self._receipt.is_asked:
            lent.answered()
        else:
            self._receipt.answered()

    def lost(self) -> None:
        """The channel is closed or the connection gone."""
        self._receipt.forget()
        if self._terminal is not None:
            self._terminal.stop()
        self._conversation.connection_lost()
