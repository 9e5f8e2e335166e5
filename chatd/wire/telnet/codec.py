"""Telnet codec, server side (RFC 854): bytes to typed data and the client's properties.

It negotiates ECHO (RFC 857), SUPPRESS-GO-AHEAD (RFC 858), BINARY (RFC 856), TERMINAL-TYPE
(RFC 1091) and NAWS (RFC 1073).  It must not know a transport, a clock, lines, keys or the chat.

Invariants:

- However the incoming bytes are split, the values are the same.
- No bytes raise or end the decoding.
- What is held is bounded, and so are the replies that a peer can elicit.
- Only ``offer`` begins a negotiation.  A way in that lets the client speak first calls it once
  ``speaks`` has become true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chatd.wire.telnet.frames import EOF, SB, SE, Command, Data, Frame, Negotiation, TelnetFrames
from chatd.wire.telnet.options import (
    BINARY,
    DO,
    DONT,
    ECHO,
    IAC,
    NAWS,
    SGA,
    TIMING_MARK,
    TTYPE,
    WILL,
    WONT,
    Side,
    bits,
)

__all__ = [
    "PROBE",
    "AreYouThere",
    "CharacterMode",
    "Data",
    "EndOfFile",
    "Interrupt",
    "TelnetCodec",
    "TerminalType",
    "Value",
    "WindowSize",
    "is_telnet",
]

BRK, IP, AYT, EC, EL = 243, 244, 246, 247, 248
TTYPE_IS, TTYPE_SEND = 0, 1

#: Asks a silent peer whether it is a telnet client, and erases what a plain terminal would show of
#: it.
PROBE: Final = bytes([IAC, DO, TTYPE]) + b"\r     \r"

#: The most commands in so many seconds.  A terminal whose window is dragged sends 60 a second.
COMMANDS, COMMAND_SECONDS = 1000, 10.0

#: The most bytes of undrained replies; beyond them timing marks go unanswered.
REPLY_BYTES = 4096
#: How often a client is asked for a terminal name (RFC 1091): MUD clients give their own name, the
#: terminal's, then their MTTS bits, and in the end repeat the third.
NAMES = 4
NAME_CHARACTERS = 40

#: The least and most columns and rows of a window, and the ones for a client that sends 0.
COLUMNS, ROWS = (20, 500), (5, 300)
UNKNOWN_COLUMNS, UNKNOWN_ROWS = 80, 24
#: The content of NAWS: the option and two numbers of two bytes (RFC 1073).
_WINDOW_BYTES = 5

_SEND_NAME = bytes([IAC, SB, TTYPE, TTYPE_SEND, IAC, SE])
_UNSAFE_IN_NAME = re.compile(rb"[^A-Za-z0-9 ._+/-]")


@dataclass(frozen=True, slots=True)
class WindowSize:
    """The size of the client's window, always within ``COLUMNS`` and ``ROWS``."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class TerminalType:
    """A terminal name of the client, in its own spelling; most clients give one.

    MUD clients give their own name first, then their terminal's, then ``MTTS`` and a number.
    """

    name: str


@dataclass(frozen=True, slots=True)
class CharacterMode:
    """Character mode began or ended: the client sends each key and does not echo."""

    on: bool


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C or Break, sent as a command."""


@dataclass(frozen=True, slots=True)
class AreYouThere:
    """Are You There (RFC 854): the client asks for visible output, such as ``[yes]``."""


@dataclass(frozen=True, slots=True)
class EndOfFile:
    """Ctrl-D, sent as a command (RFC 1184, section 2.1)."""


Value = Data | WindowSize | TerminalType | CharacterMode | Interrupt | AreYouThere | EndOfFile

#: The values of commands.  The others (NOP, DM, AO, GA, SUSP, ABORT) are ignored: a chat has no
#: output to discard and no job to stop.
_COMMAND_VALUES: Final[dict[int, Value]] = {
    IP: Interrupt(),
    BRK: Interrupt(),
    AYT: AreYouThere(),
    EOF: EndOfFile(),
    EC: Data(b"\x7f"),
    EL: Data(b"\x15"),
}


def is_telnet(first_bytes: bytes) -> bool:
    """Return whether a connection's first bytes (one is enough) come from a telnet client."""
    if first_bytes[:1] != b"\xff":
        return False
    return len(first_bytes) == 1 or EOF <= first_bytes[1] < IAC


def _clamped(number: int, limits: tuple[int, int], unknown: int) -> int:
    """Return a width or height within its limits."""
    return min(max(number, limits[0]), limits[1]) if number else unknown


class TelnetCodec:
    """One telnet connection: bytes to values, and the protocol's replies.

    The caller sends the result of ``data_to_send`` unchanged after each call of ``receive_data``
    and ``offer``, and passes all other output through ``encode``.
    """

    __slots__ = (
        "_commands_before",
        "_commands_seen",
        "_counting_since",
        "_frames",
        "_hiding",
        "_last_name",
        "_name_asked",
        "_names_left",
        "_offered",
        "_ours",
        "_replies",
        "_theirs",
        "_values",
        "speaks",
    )

    def __init__(self) -> None:
        """Start with every option off and no negotiation begun."""
        #: Whether the peer has negotiated any option: netcat never does.
        self.speaks = False
        self._frames = TelnetFrames()
        self._counting_since = -COMMAND_SECONDS
        self._commands_before = self._commands_seen = 0
        self._ours = Side(WILL, WONT, bits(ECHO, SGA, BINARY))
        self._theirs = Side(DO, DONT, bits(TTYPE, NAWS, SGA, BINARY))
        self._offered = False
        self._hiding = False
        self._names_left = NAMES
        self._name_asked = False
        self._last_name = b""
        self._replies = bytearray()
        self._values: list[Value] = []

    @property
    def character_mode(self) -> bool:
        """Whether the client sends each key and leaves the echo to the server (RFC 857, 858)."""
        return not bits(ECHO, SGA) & ~self._ours.on

    def offer(self, probed: bool = False) -> None:
        """Queue the server's requests: terminal name, window size, character mode, 8 bits.

        Never LINEMODE (it keeps clients out of character mode), never NEW-ENVIRON (RFC 1572; it
        reveals users' names).  A second call does nothing.

        :param probed: ``PROBE`` has been sent, which already asks for the terminal name.
        """
        if self._offered:
            return
        self._offered = True
        name = self._theirs.ask(TTYPE)
        self._replies += b"" if probed else name
        self._replies += self._theirs.ask(NAWS)
        self._replies += self._ours.ask(ECHO) + self._ours.ask(SGA) + self._theirs.ask(SGA)
        self._replies += self._ours.ask(BINARY) + self._theirs.ask(BINARY)

    def hide_typing(self) -> None:
        """Ask a client in line mode not to echo: the server announces to echo, and does not.

        A client that sends each key but has kept its echo is left alone.
        """
        if not self._ours.on & bits(SGA):
            self._hiding = True
            self._replies += self._ours.ask(ECHO)

    def show_typing(self) -> bool:
        """Let the client echo again; return whether its echo was off."""
        hidden = self._hiding and bool(self._ours.on & bits(ECHO))
        self._hiding = False
        if not self.character_mode:
            self._replies += self._ours.withdraw(ECHO)
        return hidden

    def data_to_send(self) -> bytes:
        """Return the queued replies and clear the queue."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def encode(self, data: bytes) -> bytes:
        """Return data with every 0xFF doubled (RFC 854)."""
        return data.replace(b"\xff", b"\xff\xff") if b"\xff" in data else data

    def receive_data(self, data: bytes) -> list[Value]:
        """Return the values that these bytes complete, in order."""
        for frame in self._frames.receive_data(data):
            self._take_frame(frame)
        values, self._values = self._values, []
        return values

    def sends_too_many(self, now: float) -> bool:
        """Return whether the peer has sent ``COMMANDS`` in ``COMMAND_SECONDS``.

        :param now: The time at which the last bytes were received, in seconds.
        """
        commands = self._frames.commands
        if not 0 <= now - self._counting_since < COMMAND_SECONDS:
            self._counting_since, self._commands_before = now, self._commands_seen
        self._commands_seen = commands
        return commands - self._commands_before >= COMMANDS

    def _take_frame(self, frame: Frame) -> None:
        """Add the values and the replies for one frame."""
        if isinstance(frame, Data):
            self._values.append(frame)
        elif isinstance(frame, Negotiation):
            self._negotiate(frame.verb, frame.option)
        elif isinstance(frame, Command):
            if frame.code in _COMMAND_VALUES:
                self._values.append(_COMMAND_VALUES[frame.code])
        else:
            self._take_subnegotiation(frame.content)

    def _reply_if_room(self, reply: bytes) -> None:
        """Queue a reply, unless a flood of requests has queued ``REPLY_BYTES`` already."""
        if len(self._replies) + len(reply) <= REPLY_BYTES:
            self._replies += reply

    def _negotiate(self, verb: int, option: int) -> None:
        """Apply the peer's WILL, WONT, DO or DONT of an option."""
        self.speaks = True
        if verb in (WILL, WONT):
            self._negotiate_theirs(verb == WILL, option)
        elif option != TIMING_MARK:
            self._negotiate_ours(verb == DO, option)
        elif verb == DO:
            self._reply_if_room(bytes([IAC, WILL, TIMING_MARK]))

    def _negotiate_theirs(self, agreed: bool, option: int) -> None:
        """Apply WILL or WONT, and ask for a terminal name once the client offers it."""
        named = self._theirs.on & bits(TTYPE)
        self._replies += self._theirs.receive(agreed, option)
        if self._theirs.on & bits(TTYPE) and not named:
            self._ask_name()

    def _negotiate_ours(self, agreed: bool, option: int) -> None:
        """Apply DO or DONT, and report a change of the mode.

        A client that lets the server echo but stays in line mode would not show its user's typing
        (some take it for a password prompt): ECHO is withdrawn.
        """
        before, asked = self.character_mode, self._ours.asked
        self._replies += self._ours.receive(agreed, option)
        answered = option == SGA or (option == ECHO and asked & bits(ECHO))
        if answered and not (self._hiding or (self._ours.on | self._ours.asked) & bits(SGA)):
            self._replies += self._ours.withdraw(ECHO)
        if self.character_mode != before:
            self._values.append(CharacterMode(self.character_mode))

    def _ask_name(self) -> None:
        """Ask for the next terminal name (RFC 1091), ``NAMES`` times in all."""
        if self._names_left:
            self._names_left -= 1
            self._name_asked = True
            self._replies += _SEND_NAME

    def _take_subnegotiation(self, content: bytes) -> None:
        """Apply a window size or a terminal name; ignore any other subnegotiation."""
        if len(content) == _WINDOW_BYTES and content[0] == NAWS:
            columns = int.from_bytes(content[1:3], "big")
            rows = int.from_bytes(content[3:5], "big")
            self._values.append(
                WindowSize(
                    _clamped(columns, COLUMNS, UNKNOWN_COLUMNS),
                    _clamped(rows, ROWS, UNKNOWN_ROWS),
                )
            )
        elif content[:2] == bytes([TTYPE, TTYPE_IS]):
            self._take_name(content[2:])

    def _take_name(self, raw: bytes) -> None:
        """Report a requested name, and ask for the next until one is repeated."""
        name = _UNSAFE_IN_NAME.sub(b"", raw)[:NAME_CHARACTERS]
        asked, self._name_asked = self._name_asked, False
        if asked and name and name != self._last_name:
            self._last_name = name
            self._values.append(TerminalType(name.decode("ascii")))
            self._ask_name()
