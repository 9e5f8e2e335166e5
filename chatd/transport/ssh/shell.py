"""SSH shells: each is a conversation, on a terminal or in plain lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from twisted.conch.ssh.keys import Key
from twisted.internet.interfaces import IAddress, IProtocol
from zope.interface import implementer

from chatd.chat.entry import entrance
from chatd.chat.events import Notice, Refused
from chatd.chat.limits import Rate
from chatd.chat.model.client import Position
from chatd.chat.model.preferences import suffixes
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.chat.ratelimit.line_budget import LineBudget
from chatd.cluster.bus import State
from chatd.terminal.text.colours import Kind, kind
from chatd.transport.channel import Channel, Program, measure
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import TOO_LONG, Conversation
from chatd.transport.conversation.flood_control import FloodControl, sender_of_visitor
from chatd.transport.conversation.terminal import Terminal
from chatd.transport.host import Host
from chatd.transport.relay.edge import nothing
from chatd.transport.relay.handover import IN, LOGGED_IN, SHELL
from chatd.transport.relay.remote_channel import RemoteChannel
from chatd.transport.relay.stream import Stream
from chatd.transport.ssh import exec as commands
from chatd.transport.ssh.acknowledgements import Acknowledgements, DeliveryTracker
from chatd.transport.ssh.protocol.config import ServerConfig
from chatd.transport.ssh.protocol.factory import SSHFactory
from chatd.transport.ssh.protocol.interfaces import SshChannel
from chatd.transport.ssh.protocol.peer import SshPeer
from chatd.wire.line import CutLine, LineCodec

_SSH = b"SSH-"

#: The channels that one connection may open: so many at once, then so many a second.  A script that
#: runs one command after another through one connection opens no more than flood control lets
#: through; a shell costs a join that everybody in the lobby is shown.
CHANNELS_AT_ONCE = 60
CHANNELS_PER_SECOND = 2.0


def recognises(data: bytes) -> bool | None:
    """Return whether bytes are an ssh client's; None when they are too few to tell.

    They begin with its identification line (RFC 4253 section 4.2).
    """
    if data.startswith(_SSH):
        return True
    return None if _SSH.startswith(data) else False


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
class ArrivalAddress:
    """The address of an ssh connection: that of its arrival at the gate.

    ``budget`` is the line budget that all channels of the connection share, ``channels`` bounds how
    fast it opens them; None: nothing does.
    """

    arrival: Arrival
    budget: LineBudget
    channels: TokenBucket | None = None

    def __str__(self) -> str:
        return self.arrival.address


def factory(host: Host, host_key: Key) -> SSHFactory:
    """Return the factory of ssh connections; `protocol` builds one of them."""

    def admit(peer: SshPeer, address: IAddress) -> str | None:
        assert isinstance(address, ArrivalAddress)  # see protocol()
        visitor = _visitor(host, peer, address)
        refusal = address.arrival.door.admit(sender_of_visitor(host, visitor).standing)
        if refusal is None:
            try:
                host.chat.entrance.check_access(visitor, host.now())
            except Refused as refused:
                refusal = refused.sentence
        return refusal

    acknowledgements = Acknowledgements(host.clock)

    def start(channel: SshChannel, command: str | None) -> Program | None:
        visitor, budget = visitor_of(host, channel), _budget(host, channel)
        if command is None:
            terminal = channel.terminal
            can = kind(terminal.name, channel.environment) if terminal is not None else None
            return Shell(host, channel, visitor, acknowledgements, can, budget=budget)
        return commands.run(host, channel, visitor, command, budget)

    def may_open(address: IAddress) -> bool:
        bucket = address.channels if isinstance(address, ArrivalAddress) else None
        return bucket is None or not bucket.wait(host.clock.seconds())

    if host.relay is not None:
        host.relay.programs[SHELL] = partial(run_relayed, host, acknowledgements)
        host.relay.programs[commands.EXEC] = partial(commands.run_relayed, host)
    return SSHFactory(ServerConfig(host_key, host.clock, admit, start, may_open))


def _channels(host: Host) -> TokenBucket | None:
    """Return what bounds the channels of a new connection."""
    lines = host.budgets.person
    if lines is None:
        return None
    burst = max(CHANNELS_AT_ONCE, lines.burst)
    rate = Rate(burst, max(CHANNELS_PER_SECOND, lines.per_second))
    return TokenBucket(rate, host.clock.seconds())


def protocol(ssh: SSHFactory, host: Host, arrival: Arrival) -> IProtocol:
    """Return the protocol of one connection.

    Clients that wait for the server to speak (ssh-keyscan) have been sent the gate's probe, which
    has to end like a line to be skipped by them.
    """
    address = ArrivalAddress(arrival, LineBudget(host.budgets), _channels(host))
    made = ssh.buildProtocol(address)
    if arrival.probed:
        made.lines_before_version = b"\r\n"
    return made


def visitor_of(host: Host, channel: SshChannel) -> entrance.Visitor:
    """Return the visitor whose client opened a channel."""
    return _visitor(host, channel.peer, channel.address)


def _visitor(host: Host, peer: SshPeer, came_from: IAddress) -> entrance.Visitor:
    address = came_from.arrival.address if isinstance(came_from, ArrivalAddress) else ""
    nick, wished = suffixes(peer.user)
    operator = peer.key in host.operators
    return entrance.Visitor(
        nick, address, peer.fingerprint, operator, preferences=wished, way="ssh"
    )


def _budget(host: Host, channel: SshChannel) -> LineBudget:
    """Return the line budget of a channel's connection."""
    came_from = channel.address
    if isinstance(came_from, ArrivalAddress):
        return came_from.budget
    return LineBudget(host.budgets)


def run_relayed(
    host: Host,
    acknowledgements: Acknowledgements,
    stream: Stream,
    visitor: entrance.Visitor,
    how: State,
) -> None:
    """Run a shell on a connection that another server relays."""
    screen, can, terminal = how["screen"], None, None
    if screen is not None:
        can = Kind(screen["colours"], screen["ansi"])
        terminal = measure(b"", screen["columns"], screen["rows"])
    channel = RemoteChannel(stream, terminal)
    here = replace(host, relay=None)  # a relayed connection is not relayed again
    shell = Shell(
        here, channel, visitor, acknowledgements, can, begins=how["begins"], hide=channel.hide
    )
    channel.start(shell, shell.take_line)


class Shell:
    """One conversation in one channel.

    :param can: what its terminal can draw; None for plain lines.
    :param begins: how it begins, a word of `chatd.transport.relay.handover`: a user who comes from
    another server is not greeted again.
    :param hide: called with whether what is typed is a secret.
    :param budget: the line budget of its connection.
    """

    def __init__(
        self,
        host: Host,
        channel: Channel,
        visitor: entrance.Visitor,
        acknowledgements: Acknowledgements,
        can: Kind | None = None,
        *,
        begins: str = IN,
        hide: Callable[[bool], None] = nothing,
        budget: LineBudget | None = None,
    ) -> None:
        self._channel = channel
        self._lines = LineCodec()
        self._begins = begins
        self._delivery = DeliveryTracker(acknowledgements, host.clock, channel, self._position)
        self._conversation = Conversation(
            host,
            channel,
            self,
            delivery_report=self._delivery.delivery_report,
            ask_client=channel.ask,
            take_answer=self._delivery.answered,
            hide=hide,
            budget=budget,
        )
        self._terminal = self._make_terminal(host, visitor, can)
        if self._terminal is not None:
            self._conversation.use(self._terminal)
        self._flood_control = FloodControl(host, budget)
        self._counts = budget is not None and budget.entered
        if budget is not None:
            budget.entered = True
        # In the next turn, after the channel has confirmed the shell: plink and paramiko insist.
        host.clock.callLater(0, self._arrive, host, visitor)

    def _position(self) -> Position | None:
        session = self._conversation.session
        return session.position() if session is not None else None

    def _make_terminal(
        self, host: Host, visitor: entrance.Visitor, can: Kind | None
    ) -> Terminal | None:
        terminal = self._channel.terminal
        if terminal is None or can is None:
            return None
        return Terminal(
            self._conversation,
            host.clock,
            host.turns,
            terminal.columns,
            terminal.rows,
            colours=can.depth,
            ansi=can.ansi,
            plain=("plain", "on") in visitor.preferences,
        )

    def _arrive(self, host: Host, visitor: entrance.Visitor) -> None:
        """Begin; in a further shell of a connection once flood control lets a line through."""
        begin = partial(self._begin, visitor)
        waits = self._counts and not self._conversation.lost
        if not (waits and self._flood_control.must_wait(sender_of_visitor(host, visitor), begin)):
            begin()

    def _begin(self, visitor: entrance.Visitor) -> None:
        if not self._conversation.lost:
            self._conversation.begin(visitor, self._entered)

    def _entered(self) -> None:
        """Begin in the chat; a user handed over by another server continues in the newest room."""
        session = self._conversation.session
        if session is not None and self._begins != IN and session.focus is None:
            session.focus_on_newest()
        if session is not None and self._begins == LOGGED_IN:
            session.deliver(Notice(f"You are logged in as {session.person.nick}."))
        self._delivery.sent()

    def take_line(self, text: str) -> None:
        """Handle a line that was pending when the connection was relayed."""
        self._conversation.line(text)

    # Program --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Handle input."""
        if self._terminal is not None:
            self._terminal.receive(data)
        else:
            self._take(self._lines.receive_data(data))

    def _take(self, lines: list[str | CutLine]) -> None:
        for line in lines:
            self._conversation.line(line.text if isinstance(line, CutLine) else line)
            if isinstance(line, CutLine):
                self._conversation.deliver(TOO_LONG)

    def hand_over(self) -> bytes:
        """Return the unfinished input, and forget it."""
        if self._terminal is not None:
            return self._terminal.hand_over()
        typed, self._lines = self._lines.unfinished, LineCodec()
        return typed

    def resized(self, columns: int, rows: int) -> None:
        """Handle a new size of the terminal."""
        if self._terminal is not None:
            self._terminal.resize(columns, rows)

    def interrupted(self) -> None:
        """Interrupt, as Ctrl-C does; without a terminal, close."""
        if self._terminal is not None:
            self._terminal.interrupt()
        else:
            self._conversation.close()

    def input_ended(self) -> None:
        """Handle an unfinished last line, and the end of the input."""
        self._take(self._lines.finish())
        self._conversation.input_ended()

    def ready(self) -> None:
        """Continue writing: the outbox has room again."""
        self._conversation.ready()
        self._delivery.sent()

    def answered(self) -> None:
        """Handle an answer: the client has read its output."""
        self._delivery.answered()

    def lost(self) -> None:
        """End: the channel is closed or the connection gone."""
        self._delivery.forget()
        self._flood_control.stop()
        if self._terminal is not None:
            self._terminal.stop()
            self._terminal = None
        self._conversation.connection_lost()
