"""One session channel: its terminal, its program, its input and output (RFC 4254 section 6).

It knows requests and windows.  It knows neither what the program does nor any other channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IAddress

from chatd.transport.channel import Program, SshPeer, TerminalInfo, environment_value, measure
from chatd.transport.ssh.protocol.window import WindowedOutbox
from chatd.wire.ssh import Fields, string, uint32

if TYPE_CHECKING:
    from chatd.transport.ssh.protocol.connection import ConnectionService

CHANNEL_WINDOW_ADJUST = 93
CHANNEL_EOF = 96
CHANNEL_CLOSE = 97
CHANNEL_REQUEST = 98
CHANNEL_SUCCESS = 99
CHANNEL_FAILURE = 100

#: Bytes that a peer may send before we take them, and in one packet.  People type; this is a
#: paste of a few hundred lines, and it is what a paused channel keeps at most.
LOCAL_WINDOW = 32 * 1024
LOCAL_PACKET = 16 * 1024

#: Variables of the environment that one channel keeps.
MAX_VARIABLES = 16

#: Bytes of a command: what fits into a packet, and says for itself when it is too long.
MAX_COMMAND = 32 * 1024


class SessionChannel:
    """A channel of the kind "session", with at most one program in its life.

    It shares nothing with Conch's channel, whose buffers are what has to be bounded here.  The
    program gets its input in order, nothing after its own last word, and ``lost`` once.
    """

    __slots__ = (
        "_begun",
        "_close_sent",
        "_connection",
        "_eof",
        "_input",
        "_paused",
        "_program",
        "_remote_id",
        "_status",
        "_taken",
        "_window",
        "environment",
        "outbox",
        "peer",
        "terminal",
        "visitor",
    )

    def __init__(
        self, connection: ConnectionService, remote_id: int, window: int, max_packet: int
    ) -> None:
        self._connection: ConnectionService | None = connection
        self._remote_id = remote_id
        self.visitor: SshPeer = connection.visitor
        self.peer: IAddress = connection.transport.peer
        self.terminal: TerminalInfo | None = None
        self.environment: dict[str, str] = {}
        self.outbox = WindowedOutbox(connection.transport, self, remote_id, window, max_packet)
        self._window = LOCAL_WINDOW
        self._taken = 0  # bytes of the window that have been used and not given back
        self._input: list[bytes] = []
        self._eof = False
        self._paused = False
        self._program: Program | None = None
        self._begun = False
        self._status = 0  # what ssh ends with when the outbox is just closed
        self._close_sent = False

    # For the program

    def write_error(self, data: bytes) -> None:
        """Write to standard error, which is bounded: what does not fit is dropped."""
        self.outbox.write_error(data)

    def finish(self, status: int) -> None:
        """Send what is pending and the exit status, then close the channel.

        A program that is over before its start was confirmed is no exception: the confirmation
        goes first, because plink and paramiko give up otherwise.
        """
        if not self.outbox.closing:
            self._status = status
        self.outbox.close()

    def ask(self) -> None:
        """Ask for a sign of life; whatever is answered, `Program.answered` hears of it."""
        self._send(CHANNEL_REQUEST, string(b"keepalive@openssh.com") + b"\1")

    def pause(self) -> None:
        """Take no more input: the peer's window runs out."""
        self._paused = True

    def resume(self) -> None:
        """Take input again, first what came meanwhile."""
        self._paused = False
        self._deliver()

    def pass_to(self, program: Program) -> None:
        """Let another program run here from now on."""
        self._program = program

    # For the outbox

    def writable(self) -> None:
        """There is room again."""
        if self._program is not None:
            self._program.ready()

    def flushed(self) -> None:
        """All is sent: take leave."""
        status = string(b"exit-status") + b"\0" + uint32(self._status & 0xFFFFFFFF)
        self._send(CHANNEL_REQUEST, status)
        self._send(CHANNEL_EOF)
        self.aborted()

    def aborted(self) -> None:
        """Close our side of the channel."""
        if self._close_sent or self._connection is None:
            return
        self._send(CHANNEL_CLOSE)
        self._close_sent = True
        self.outbox.forget()
        self._connection.reconsider()

    # For the connection

    @property
    def running(self) -> bool:
        """Whether a program runs here and its channel is open."""
        return self._program is not None and not self._close_sent

    @property
    def closing(self) -> bool:
        """Whether our side waits for nothing but the peer's."""
        return self._close_sent

    def received(self, data: bytes, is_input: bool) -> None:
        """Take bytes of the peer's; more than it may send closes the channel."""
        self._window -= len(data)
        if self._window < 0 or len(data) > LOCAL_PACKET:
            self._input = []
            self.outbox.abort()
        elif not is_input or self.outbox.closing:
            self._took(len(data))
        elif data:
            self._input.append(data)
            self._deliver()

    def answered(self) -> None:
        """The peer has had what was sent before we asked."""
        if self._program is not None:
            self._program.answered()

    def input_ended(self) -> None:
        """The peer will send nothing more."""
        self._eof = True
        self._deliver()

    def peer_closed(self) -> None:
        """The peer closed its side: so does ours."""
        self.outbox.abort()
        self.aborted()

    def gone(self) -> None:
        """The channel is no more."""
        self.outbox.forget()
        self._close_sent = True
        self._connection = None
        self._input = []
        program, self._program = self._program, None
        if program is not None:
            program.lost()

    def requested(self, kind: bytes, wants_reply: bool, fields: Fields) -> None:
        """Do what is asked if it can be done, and say whether it was."""
        act = _REQUESTS.get(kind)
        done = act is not None and not self.outbox.closing and act(self, fields)
        if wants_reply and not self._close_sent:
            self._send(CHANNEL_SUCCESS if done else CHANNEL_FAILURE)
        if done and self._program is not None and not self._begun:
            self._begun = True
            self.outbox.open()
            self._deliver()

    def _deliver(self) -> None:
        """Give the program its input, as far as it takes it."""
        while self._begun and not self._paused and self._program is not None:
            if self._input:
                data = b"".join(self._input)
                self._input = []
                self._took(len(data))
                if not self.outbox.closing:
                    self._program.data_received(data)
            elif self._eof:
                self._eof = False
                if not self.outbox.closing:
                    self._program.input_ended()
            else:
                return

    def _took(self, size: int) -> None:
        """Widen the peer's window again once half of it has been used."""
        self._taken += size
        if self._taken >= LOCAL_WINDOW // 2 and not self._close_sent:
            self._send(CHANNEL_WINDOW_ADJUST, uint32(self._taken))
            self._window += self._taken
            self._taken = 0

    def _send(self, number: int, payload: bytes = b"") -> None:
        if self._connection is not None:
            self._connection.transport.sendPacket(number, uint32(self._remote_id) + payload)

    # Requests (RFC 4254 section 6.2 to 6.9); each says whether it was done

    def _pty(self, fields: Fields) -> bool:
        name, columns, rows = fields.string(), fields.uint32(), fields.uint32()
        if self.terminal is not None or self._program is not None:
            return False
        self.terminal = measure(name, columns, rows)
        return True

    def _window_change(self, fields: Fields) -> bool:
        columns, rows = fields.uint32(), fields.uint32()
        before = self.terminal
        if before is None:
            return False
        self.terminal = measure(before.name.encode("ascii"), columns, rows)
        if self._program is not None and self.terminal != before:
            self._program.resized(self.terminal.columns, self.terminal.rows)
        return True

    def _env(self, fields: Fields) -> bool:
        name, value = fields.string(), environment_value(fields.string())
        wanted = name in _VARIABLES or name.startswith(b"LC_")
        key = environment_value(name)
        if not wanted or key is None or value is None or self._program is not None:
            return False
        if len(self.environment) >= MAX_VARIABLES and key not in self.environment:
            return False
        self.environment[key] = value
        return True

    def _shell(self, fields: Fields) -> bool:
        fields.end()
        return self._start(None)

    def _exec(self, fields: Fields) -> bool:
        command = fields.string()
        return len(command) <= MAX_COMMAND and self._start(command.decode("utf-8", "replace"))

    def _start(self, command: str | None) -> bool:
        if self._program is not None or self._connection is None:
            return False
        program = self._connection.transport.factory.start(self, command)
        if not self.running:  # another may run here already
            self._program = program
        self._connection.reconsider()
        return self._program is not None

    def _signal(self, fields: Fields) -> bool:
        return fields.string() in (b"INT", b"BRK") and self._interrupt()

    def _break(self, fields: Fields) -> bool:
        """RFC 4335: the length of the break is of no use."""
        return self._interrupt()

    def _interrupt(self) -> bool:
        if self._program is None:
            return False
        self._program.interrupted()
        return True


_VARIABLES: Final = frozenset((b"LANG", b"TERM", b"COLORTERM", b"TZ", b"NO_COLOR"))

_REQUESTS: Final[dict[bytes, Callable[[SessionChannel, Fields], bool]]] = {
    b"pty-req": SessionChannel._pty,
    b"window-change": SessionChannel._window_change,
    b"env": SessionChannel._env,
    b"shell": SessionChannel._shell,
    b"exec": SessionChannel._exec,
    b"signal": SessionChannel._signal,
    b"break": SessionChannel._break,
}
