"""Shell: where ssh meets the chat; a conversation on a terminal or in plain lines."""

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
from chatd.chat.model.session import Position
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
from chatd.transport.ssh import exec as commands
from chatd.transport.ssh.protocol.channel import SessionChannel
from chatd.transport.ssh.protocol.factory import SSHFactory
from chatd.transport.ssh.receipts import Acknowledgement, Acknowledgements
from chatd.wire.line import CutLine, LineCodec

_SSH = b"SSH-"


def recognises(data: bytes) -> bool | None:
    """Whether a client speaks ssh: it begins with its version (RFC 4253 section 4.2)."""
    if data.startswith(_SSH):
        return True
    return None if _SSH.startswith(data) else False


@implementer(IAddress)
@dataclass(frozen=True, slots=True)
class Caller:
    """The address of an ssh connection: that of its arrival, also behind a proxy."""

    arrival: Arrival


def factory(host: Host, host_key: Key) -> SSHFactory:
    """Return the factory of ssh connections, each of which is built with a `Caller`."""

    def admit(peer: SshPeer, address: IAddress) -> str | None:
        assert isinstance(address, Caller)  # ours: see protocol()
        refusal = address.arrival.door.admit(peer.key in host.operators)
        if refusal is None:
            try:
                host.chat.entrance.check(_visitor(host, peer, address), host.now())
            except Refused as refused:
                refusal = refused.sentence
        return refusal

    acknowledgements = Acknowledgements(host.clock)

    def start(channel: SessionChannel, command: str | None) -> Program | None:
        who = visitor(host, channel)
        if command is None:
            terminal = channel.terminal
            shown = kind(terminal.name, channel.environment) if terminal is not None else None
            return Shell(host, channel, who, acknowledgements, shown)
        return commands.pipe(host, channel, who, command)

    if host.relay is not None:
        host.relay.programs[SHELL] = partial(start_remote, host, acknowledgements)
        host.relay.programs[commands.PIPE] = partial(commands.start_remote, host)
    return SSHFactory(host_key, clock=host.clock, admit=admit, start=start)


def protocol(ssh: SSHFactory, arrival: Arrival) -> IProtocol:
    """Return the protocol of one connection."""
    made: IProtocol = ssh.buildProtocol(Caller(arrival))
    return made


def visitor(host: Host, channel: SessionChannel) -> entrance.Visitor:
    """Return the user of a channel, as the chat knows visitors."""
    return _visitor(host, channel.visitor, channel.peer)


def _visitor(host: Host, peer: SshPeer, caller: IAddress) -> entrance.Visitor:
    address = caller.arrival.address if isinstance(caller, Caller) else ""
    nick, wished = wishes(peer.user)
    operator = peer.key in host.operators
    return entrance.Visitor(nick, address, peer.fingerprint, operator, wishes=wished)


def start_remote(
    host: Host,
    acknowledgements: Acknowledgements,
    stream: Stream,
    who: entrance.Visitor,
    how: State,
) -> None:
    """Start a shell for a connection that came to another server."""
    screen, shown, terminal = how["screen"], None, None
    if screen is not None:
        shown = Kind(screen["colours"], screen["ansi"])
        terminal = measure(b"", screen["columns"], screen["rows"])
    channel = RemoteChannel(stream, terminal)
    here = replace(host, relay=None)  # a relayed connection is not relayed again
    shell = Shell(
        here, channel, who, acknowledgements, shown, begins=how["begins"], hide=channel.hide
    )
    channel.start(shell, shell.take_line)


class Shell:
    """One conversation in one channel.

    :param kind: What its terminal can show; None: it has no terminal, and gets plain lines.
    :param begins: How it begins, see `chatd.transport.relay.handover`: not all users are greeted.
    :param hide: Is told whether what is typed from now on is a secret.
    """

    def __init__(
        self,
        host: Host,
        channel: Channel,
        who: entrance.Visitor,
        acknowledgements: Acknowledgements,
        kind: Kind | None = None,
        *,
        begins: str = IN,
        hide: Callable[[bool], None] = nothing,
    ) -> None:
        self._channel = channel
        self._lines = LineCodec()
        self._begins = begins
        self._acknowledgement = Acknowledgement(
            acknowledgements, host.clock, channel, self._position
        )
        self._conversation = Conversation(
            host,
            channel,
            self,
            delivery_report=self._acknowledgement.delivery_report,
            ask_client=channel.ask,
            take_answer=self._acknowledgement.answered,
            hide=hide,
        )
        self._terminal = self._make_terminal(host, who, kind)
        if self._terminal is not None:
            self._conversation.use(self._terminal)
        # The channel confirms the shell first: plink and paramiko insist on it.
        host.clock.callLater(0, self._begin, who)

    def _position(self) -> Position | None:
        session = self._conversation.session
        return session.position() if session is not None else None

    def _make_terminal(
        self, host: Host, who: entrance.Visitor, kind: Kind | None
    ) -> Terminal | None:
        terminal = self._channel.terminal
        if terminal is None or kind is None:
            return None
        return Terminal(
            self._conversation,
            host.clock,
            terminal.columns,
            terminal.rows,
            colours=kind.depth,
            ansi=kind.ansi,
            plain=("plain", "on") in who.wishes,
        )

    def _begin(self, who: entrance.Visitor) -> None:
        if not self._conversation.lost:
            self._conversation.begin(who, self._entered)

    def _entered(self) -> None:
        """Focus a user who came from another server on the room that they were in."""
        session = self._conversation.session
        if session is not None and self._begins != IN and session.focus is None:
            session.focus_on_newest()
        if session is not None and self._begins == LOGGED_IN:
            session.deliver(Notice(f"You are logged in as {session.person.nick}."))
        self._acknowledgement.sent()

    def take_line(self, text: str) -> None:
        """Take a line that was pending when the connection was relayed."""
        self._conversation.line(text)

    # Program --------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Take keys, or what completes lines."""
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
        """Return what is typed and not entered, and forget it."""
        if self._terminal is not None:
            return self._terminal.hand_over()
        typed, self._lines = self._lines.unfinished, LineCodec()
        return typed

    def resized(self, columns: int, rows: int) -> None:
        """Draw on a terminal of another size, in cells."""
        if self._terminal is not None:
            self._terminal.resize(columns, rows)

    def interrupted(self) -> None:
        """Do what Ctrl-C does; without a terminal, close."""
        if self._terminal is not None:
            self._terminal.interrupt()
        else:
            self._conversation.close()

    def input_ended(self) -> None:
        """Take what has no line end as a line, then let the user leave."""
        self._take(self._lines.finish())
        self._conversation.input_ended()

    def ready(self) -> None:
        """Let the conversation go on: the outbox has room again."""
        self._conversation.ready()
        self._acknowledgement.sent()

    def answered(self) -> None:
        """Count what was sent before the question as arrived."""
        self._acknowledgement.answered()

    def lost(self) -> None:
        """End the conversation, whose channel or connection is gone."""
        self._acknowledgement.forget()
        if self._terminal is not None:
            self._terminal.stop()
        self._conversation.connection_lost()
