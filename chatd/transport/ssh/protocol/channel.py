"""One session channel: its terminal, its program, its input and output (RFC 4254 section 6).

It knows requests and windows.  It knows neither what the program does nor any other channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IAddress

from chatd.transport.channel import Program, TerminalInfo, measure, take_piece
from chatd.transport.ssh.protocol.interfaces import ChannelOwner
from chatd.transport.ssh.protocol.peer import SshPeer, environment_value
from chatd.transport.ssh.protocol.window import WindowedOutbox
from chatd.wire.ssh import Fields, string, uint32

CHANNEL_WINDOW_ADJUST = 93
CHANNEL_EOF = 96
CHANNEL_CLOSE = 97
CHANNEL_REQUEST = 98
CHANNEL_SUCCESS = 99
CHANNEL_FAILURE = 100

#: The window that a peer is given, and the most bytes in one packet.  Users type; this is a paste
#: of a few hundred lines, and it is the most that a paused channel keeps.
LOCAL_WINDOW = 32 * 1024
LOCAL_PACKET = 16 * 1024

#: The most environment variables that one channel keeps.
MAX_VARIABLES = 16

#: Bytes of a command: what fits into a packet.  Commands themselves refuse or cut text that is too
#: long for them.
MAX_COMMAND = 32 * 1024


class SessionChannel:
    """A channel of the type "session", in which at most one program ever runs.

    It shares nothing with Conch's channel, whose buffers are unbounded.  The program gets its
    input in order and none after it has ended, and ``lost`` once.
    """

    __slots__ = (
        "_begun",
        "_close_sent",
        "_eof",
        "_input",
        "_owner",
        "_paused",
        "_program",
        "_remote_id",
        "_status",
        "_used",
        "_window",
        "address",
        "environment",
        "outbox",
        "peer",
        "terminal",
    )

    def __init__(self, owner: ChannelOwner, remote_id: int, window: int, max_packet: int) -> None:
        self._owner: ChannelOwner | None = owner
        self._remote_id = remote_id
        self.peer: SshPeer = owner.peer
        self.address: IAddress = owner.transport.address
        self.terminal: TerminalInfo | None = None
        self.environment: dict[str, str] = {}
        self.outbox = WindowedOutbox(owner.transport, self, remote_id, window, max_packet)
        self._window = LOCAL_WINDOW
        self._used = 0  # bytes of the window that are used and not returned
        self._input: list[bytes] = []
        self._eof = False
        self._paused = False
        self._program: Program | None = None
        self._begun = False
        self._status = 0  # the exit status of a program that only closes its outbox
        self._close_sent = False

    # For the program

    def write_error(self, data: bytes) -> None:
        """Write to standard error; output beyond its bound is dropped."""
        self.outbox.write_error(data)

    def finish(self, status: int) -> None:
        """Send what is pending and the exit status, then close the channel.

        That holds for a program that ends before its start was confirmed too: the confirmation
        goes first, because plink and paramiko give up otherwise.
        """
        if not self.outbox.closing:
            self._status = status
        self.outbox.close()

    def ask(self) -> None:
        """Send a keepalive request; `Program.answered` is called for any answer to it.

        It is sent in order with the channel's output, so the answer covers all output before it.
        """
        self._send(CHANNEL_REQUEST, string(b"keepalive@openssh.com") + b"\1")

    def pause(self) -> None:
        """Pause input: the peer's window runs out."""
        self._paused = True

    def resume(self) -> None:
        """Resume input, first what arrived while paused."""
        self._paused = False
        self._deliver()

    def pass_to(self, program: Program) -> None:
        """Replace the program of this channel by another."""
        self._program = program

    # For the outbox

    def writable(self) -> None:
        """Tell the program that there is room again."""
        if self._program is not None:
            self._program.ready()

    def flushed(self) -> None:
        """Send the exit status and close: all output is sent (RFC 4254 section 6.10)."""
        status = string(b"exit-status") + b"\0" + uint32(self._status & 0xFFFFFFFF)
        self._send(CHANNEL_REQUEST, status)
        self._send(CHANNEL_EOF)
        self.aborted()

    def aborted(self) -> None:
        """Close our side of the channel."""
        if self._close_sent or self._owner is None:
            return
        self._send(CHANNEL_CLOSE)
        self._close_sent = True
        self.outbox.forget()
        self._owner.reconsider()

    # For the connection

    @property
    def running(self) -> bool:
        """Whether a program runs in this channel and the channel is open."""
        return self._program is not None and not self._close_sent

    @property
    def closing(self) -> bool:
        """Whether our side is closed and only the peer's CLOSE is missing."""
        return self._close_sent

    @property
    def pending_input(self) -> int:
        """Bytes of input that the program has not taken yet."""
        return sum(map(len, self._input))

    def received(self, data: bytes, is_input: bool) -> None:
        """Take data from the peer; data beyond the window closes the channel.

        :param is_input: whether it is ordinary data; extended data is dropped.
        """
        self._window -= len(data)
        if self._window < 0 or len(data) > LOCAL_PACKET:
            self._input = []
            self.outbox.abort()
        elif not is_input or self.outbox.closing:
            self._give_back(len(data))
        elif data:
            self._input.append(data)
            self._deliver()

    def answered(self) -> None:
        """Tell the program that the peer has answered a keepalive."""
        if self._program is not None:
            self._program.answered()

    def input_ended(self) -> None:
        """Tell the program, after the last of its input, that the input has ended."""
        self._eof = True
        self._deliver()

    def peer_closed(self) -> None:
        """Close our side as well: the peer has closed its own (RFC 4254 section 5.3)."""
        self.outbox.abort()
        self.aborted()

    def closed(self) -> None:
        """End the program: both sides are closed, or the connection is gone."""
        self.outbox.forget()
        self._close_sent = True
        self._owner = None
        self._input = []
        program, self._program = self._program, None
        if program is not None:
            program.lost()

    def requested(self, kind: bytes, wants_reply: bool, fields: Fields) -> None:
        """Carry out a request if possible, and reply whether it was done."""
        act = _REQUESTS.get(kind)
        done = act is not None and not self.outbox.closing and act(self, fields)
        if wants_reply and not self._close_sent:
            self._send(CHANNEL_SUCCESS if done else CHANNEL_FAILURE)
        if done and self._program is not None and not self._begun:
            # Only now: the reply goes before the program's first output and input.
            self._begun = True
            self.outbox.open()
            self._deliver()

    def _deliver(self) -> None:
        """Pass input to the program until it pauses."""
        while self._begun and not self._paused and self._program is not None:
            if self._input:
                data = take_piece(self._input)
                self._give_back(len(data))
                if not self.outbox.closing:
                    self._program.data_received(data)
            elif self._eof:
                self._eof = False
                if not self.outbox.closing:
                    self._program.input_ended()
            else:
                return

    def _give_back(self, size: int) -> None:
        """Widen the peer's window again once half of it is used."""
        self._used += size
        if self._used >= LOCAL_WINDOW // 2 and not self._close_sent:
            self._send(CHANNEL_WINDOW_ADJUST, uint32(self._used))
            self._window += self._used
            self._used = 0

    def _send(self, number: int, payload: bytes = b"") -> None:
        if self._owner is not None:
            self._owner.transport.sendPacket(number, uint32(self._remote_id) + payload)

    # Requests (RFC 4254 sections 6.2 to 6.9); each returns whether it was done

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
        accepted = name in _VARIABLES or name.startswith(b"LC_")
        key = environment_value(name)
        if not accepted or key is None or value is None or self._program is not None:
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
        if self._program is not None or self._owner is None:
            return False
        program = self._owner.start(self, command)
        if not self.running:  # it may have passed the channel on to another program already
            self._program = program
        self._owner.reconsider()
        return self._program is not None

    def _signal(self, fields: Fields) -> bool:
        name = fields.string()
        if name == b"HUP" and self._program is not None:  # the peer's terminal is gone
            self.input_ended()
            return True
        return name in (b"INT", b"BRK") and self._interrupt()

    def _break(self, fields: Fields) -> bool:
        """Interrupt the program; the length of the break (RFC 4335) means nothing here."""
        return self._interrupt()

    def _interrupt(self) -> bool:
        if self._program is None:
            return False
        self._program.interrupted()
        return True


#: Variables that are accepted, and every ``LC_…``: those that say how to show text.
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
