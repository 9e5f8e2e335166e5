"""Telnet framing (RFC 854, 855): splits bytes into data, commands and subnegotiations.

It knows where a command begins and ends, not what it means.  However the bytes are split, the
frames are the same; no bytes raise, and what is held is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from chatd.wire.telnet.options import IAC, WILL

#: The lowest command (RFC 1184, section 2.1), and those that frame a subnegotiation.
EOF, SE, SB = 236, 240, 250

#: The most bytes of one subnegotiation; a longer one is dropped.  The requested ones have less than
#: 50.
SUBNEGOTIATION_BYTES = 4096
#: Bytes after which an unfinished subnegotiation is abandoned and the rest counts as data, so that
#: a netcat that sent 0xFF 0xFA by chance is not ignored for ever.
UNFINISHED_BYTES = 64 * 1024

#: The bytes of UTF-8 whose low 7 bits are Ctrl-C, Ctrl-D, Ctrl-Z or Ctrl-\, by the command (IP,
#: EOF, SUSP, ABORT, BRK) that a client which ignores the 8th bit sends in their place.
_MANGLED_BYTES = {244: b"\x83", 236: b"\x84", 237: b"\x9a", 238: b"\x9c", 243: b"\x9c"}

_CR = 13
#: UTF-8: the range of continuation bytes, and the lowest lead byte by the length of its character.
_ASCII_END, _CONTINUATION_END = 0x80, 0xC0
_LEAD_BYTES = ((0xF5, 0), (0xF0, 4), (0xE0, 3), (0xC2, 2))
_NEWLINE = re.compile(rb"\r[\n\0]")


@dataclass(frozen=True, slots=True)
class Data:
    """Data bytes.  CR LF and CR NUL (RFC 854) are one CR; a bare LF is unchanged."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Command:
    """A command without an option."""

    code: int


@dataclass(frozen=True, slots=True)
class Negotiation:
    """WILL, WONT, DO or DONT of an option."""

    verb: int
    option: int


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """The content between SB and SE (RFC 855)."""

    content: bytes


Frame = Data | Command | Negotiation | Subnegotiation


class _State(Enum):
    """The decoder's state: what the next byte is."""

    TYPED = auto()
    COMMAND = auto()
    OPTION = auto()
    WITHIN = auto()
    COMMAND_WITHIN = auto()


def _ends_within_character(tail: bytes) -> bool:
    """Return whether some bytes end within a UTF-8 character."""
    for count, byte in enumerate(reversed(tail), 1):
        if not _ASCII_END <= byte < _CONTINUATION_END:
            return next((size for lead, size in _LEAD_BYTES if byte >= lead), 0) > count
    return False


class TelnetFrames:
    """The decoder of one connection's input.

    Everything that is not a command is data: an IAC before a byte that is not a command stands for
    itself, because a netcat may send 0xFF, and the Enter after it must not be lost.  A command
    within a UTF-8 character is the byte that the client mistook for one (before BINARY is agreed,
    inetutils sends IAC BRK for a byte of 本).
    """

    __slots__ = (
        "_after_cr",
        "_collected",
        "_frames",
        "_length",
        "_state",
        "_tail",
        "_typed",
        "_verb",
        "commands",
    )

    def __init__(self) -> None:
        """Start before the first byte."""
        self._state = _State.TYPED
        self._after_cr = False
        self._tail = b""
        self._verb = 0
        self._collected = bytearray()
        self._length = 0
        self._typed = bytearray()
        self._frames: list[Frame] = []
        #: The commands so far, those included that are of no use.
        self.commands = 0

    def receive_data(self, data: bytes) -> list[Frame]:
        """Return the frames that these bytes complete, in order."""
        if self._state is _State.TYPED and IAC not in data:
            typed = self._normalise_enter(data)
            return [Data(typed)] if typed else []
        position = 0
        while position < len(data):
            position = self._read(data, position)
        self._flush()
        frames, self._frames = self._frames, []
        return frames

    def _read(self, data: bytes, position: int) -> int:
        """Consume a run of bytes, or one byte of a command; return the position after it."""
        match self._state:
            case _State.TYPED:
                return self._read_typed(data, position)
            case _State.WITHIN:
                return self._read_within(data, position)
            case _State.COMMAND:
                return position + self._command(data[position])
            case _State.COMMAND_WITHIN:
                return position + self._command_within(data[position])
            case _State.OPTION:
                self._state = _State.TYPED
                self._add(Negotiation(self._verb, data[position]))
                return position + 1

    def _read_typed(self, data: bytes, position: int) -> int:
        """Consume data up to the next IAC."""
        end = data.find(IAC, position)
        if end < 0:
            end = len(data)
        else:
            self._state = _State.COMMAND
        self._typed += self._normalise_enter(data[position:end])
        return end + 1

    def _read_within(self, data: bytes, position: int) -> int:
        """Consume a piece of a subnegotiation up to the next IAC, or until it is abandoned."""
        found = data.find(IAC, position)
        end = len(data) if found < 0 else found
        given_up = position + UNFINISHED_BYTES - self._length
        if given_up <= end:
            self._state = _State.TYPED
            return given_up
        self._collect(data[position:end])
        if found >= 0:
            self._state = _State.COMMAND_WITHIN
        return end + 1

    def _normalise_enter(self, run: bytes) -> bytes:
        """Return data with CR LF and CR NUL (RFC 854) as one CR, also across two calls."""
        if self._after_cr and run:
            self._after_cr = False
            if run[0] in b"\n\0":
                run = run[1:]
        if not run:
            return run
        ascii_last = run[-1] < _ASCII_END
        self._tail = b"" if ascii_last else (self._tail + run[-3:])[-3:]
        if b"\r" not in run:
            return run
        self._after_cr = run[-1] == _CR
        return _NEWLINE.sub(b"\r", run)

    def _flush(self) -> None:
        """Add the collected data as a frame."""
        if self._typed:
            self._frames.append(Data(bytes(self._typed)))
            self._typed.clear()

    def _add(self, frame: Frame) -> None:
        """Add a frame after the data before it."""
        self._flush()
        self._frames.append(frame)

    def _command(self, byte: int) -> int:
        """Consume the byte after an IAC; return 0 if it is itself data, else 1."""
        self._state = _State.TYPED
        if byte < EOF or byte == IAC:
            self._typed += self._normalise_enter(b"\xff")
            return int(byte == IAC)
        if byte in _MANGLED_BYTES and _ends_within_character(self._tail):
            self._typed += self._normalise_enter(_MANGLED_BYTES[byte])
            return 1
        self.commands += 1
        if byte == SB:
            self._state = _State.WITHIN
            self._collected.clear()
            self._length = 0
        elif byte >= WILL:
            self._verb = byte
            self._state = _State.OPTION
        else:
            self._add(Command(byte))
        return 1

    def _command_within(self, byte: int) -> int:
        """Consume the byte after an IAC in a subnegotiation; return how many bytes were used."""
        if byte == IAC:
            self._state = _State.WITHIN
            self._collect(b"\xff")
            return 1
        if byte != SE:
            # The subnegotiation was never finished: it is dropped, and the command counts.
            return self._command(byte)
        self._state = _State.TYPED
        if self._length <= SUBNEGOTIATION_BYTES:
            self._add(Subnegotiation(bytes(self._collected)))
        return 1

    def _collect(self, piece: bytes) -> None:
        """Hold a piece of a subnegotiation, or only count it beyond the bound."""
        self._length += len(piece)
        if self._length <= SUBNEGOTIATION_BYTES:
            self._collected += piece
        else:
            self._collected.clear()
