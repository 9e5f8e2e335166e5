"""The framing of telnet (RFC 854, 855): bytes into what was typed, commands and subnegotiations.

It knows where a command begins and ends; what one means is its user's business.  Any cutting of
the bytes gives the same frames, no bytes whatever raise, and what is kept is bounded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from chatd.wire.telnet.options import IAC, WILL

#: The least command there is (RFC 1184, section 2.1), and those that frame a subnegotiation.
EOF, SE, SB = 236, 240, 250

#: Bytes of one subnegotiation that are kept.  The ones we ask for take less than 50.
SUBNEGOTIATION_BYTES = 4096
#: Bytes after which an unfinished subnegotiation is given up and what follows counts as typed: a
#: netcat that sent 0xFF 0xFA by chance gets its voice back.
UNFINISHED_BYTES = 64 * 1024

#: The bytes of UTF-8 that a client which looks at 7 bits takes for Ctrl-C, Ctrl-D, Ctrl-Z and
#: Ctrl-\, by the command (IP, EOF, SUSP, ABORT, BRK) it sends in their place.
_MISTAKEN = {244: b"\x83", 236: b"\x84", 237: b"\x9a", 238: b"\x9c", 243: b"\x9c"}

_CR = 13
#: UTF-8: the bytes that go on a character, and the least byte that begins one of so many bytes.
_ASCII_END, _CONTINUATION_END = 0x80, 0xC0
_LEADS = ((0xF5, 0), (0xF0, 4), (0xE0, 3), (0xC2, 2))
_NEWLINE = re.compile(rb"\r[\n\0]")


@dataclass(frozen=True, slots=True)
class Data:
    """What was typed.  Enter is one CR, however it was sent; a bare LF stays one."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Command:
    """A command that stands alone."""

    code: int


@dataclass(frozen=True, slots=True)
class Negotiation:
    """WILL, WONT, DO or DONT of an option."""

    verb: int
    option: int


@dataclass(frozen=True, slots=True)
class Subnegotiation:
    """What stood between SB and SE."""

    content: bytes


Frame = Data | Command | Negotiation | Subnegotiation


class _Next(Enum):
    """What the next byte is."""

    TYPED = auto()
    COMMAND = auto()
    OPTION = auto()
    WITHIN = auto()
    COMMAND_WITHIN = auto()


def _ends_inside_character(tail: bytes) -> bool:
    """Return whether the last bytes of a text leave a character of UTF-8 unfinished."""
    for count, byte in enumerate(reversed(tail), 1):
        if not _ASCII_END <= byte < _CONTINUATION_END:
            return next((size for lead, size in _LEADS if byte >= lead), 0) > count
    return False


class TelnetFrames:
    """The incoming half of one connection.

    What is no command was typed: an IAC before a byte that is none stands for itself, for a netcat
    may send 0xFF, and nobody's Enter may vanish behind it.  And a command in the middle of a
    character is the byte that a client mistook for one (before BINARY is agreed, inetutils makes
    IAC BRK of a byte of 本).
    """

    __slots__ = (
        "_after_cr",
        "_collected",
        "_frames",
        "_length",
        "_next",
        "_tail",
        "_typed",
        "_verb",
    )

    def __init__(self) -> None:
        """Begin where nothing has been read."""
        self._next = _Next.TYPED
        self._after_cr = False
        self._tail = b""
        self._verb = 0
        self._collected = bytearray()
        self._length = 0
        self._typed = bytearray()
        self._frames: list[Frame] = []

    def receive_data(self, data: bytes) -> list[Frame]:
        """Take bytes in and return the frames they complete, in their order."""
        if self._next is _Next.TYPED and IAC not in data:
            typed = self._one_enter(data)
            return [Data(typed)] if typed else []
        position = 0
        while position < len(data):
            position = self._read(data, position)
        self._flush()
        frames, self._frames = self._frames, []
        return frames

    def _read(self, data: bytes, position: int) -> int:
        """Take one run of bytes, or one byte of a command, and return where the next begins."""
        match self._next:
            case _Next.TYPED:
                return self._read_typed(data, position)
            case _Next.WITHIN:
                return self._read_within(data, position)
            case _Next.COMMAND:
                return position + self._command(data[position])
            case _Next.COMMAND_WITHIN:
                return position + self._command_within(data[position])
            case _Next.OPTION:
                self._next = _Next.TYPED
                self._add(Negotiation(self._verb, data[position]))
                return position + 1

    def _read_typed(self, data: bytes, position: int) -> int:
        """Take what was typed up to the next IAC."""
        end = data.find(IAC, position)
        if end < 0:
            end = len(data)
        else:
            self._next = _Next.COMMAND
        self._typed += self._one_enter(data[position:end])
        return end + 1

    def _read_within(self, data: bytes, position: int) -> int:
        """Take a piece of a subnegotiation up to the next IAC, or until it is given up."""
        found = data.find(IAC, position)
        end = len(data) if found < 0 else found
        given_up = position + UNFINISHED_BYTES - self._length
        if given_up <= end:
            self._next = _Next.TYPED
            return given_up
        self._collect(data[position:end])
        if found >= 0:
            self._next = _Next.COMMAND_WITHIN
        return end + 1

    def _one_enter(self, run: bytes) -> bytes:
        """Return what was typed with CR LF and CR NUL as one CR, also across two calls."""
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
        """Turn what was typed until here into a frame."""
        if self._typed:
            self._frames.append(Data(bytes(self._typed)))
            self._typed.clear()

    def _add(self, frame: Frame) -> None:
        """Add a frame after what was typed before it."""
        self._flush()
        self._frames.append(frame)

    def _command(self, byte: int) -> int:
        """Take the byte after an IAC and return how many bytes that were."""
        self._next = _Next.TYPED
        if byte < EOF or byte == IAC:
            self._typed += self._one_enter(b"\xff")
            return int(byte == IAC)
        if byte == SB:
            self._next = _Next.WITHIN
            self._collected.clear()
            self._length = 0
        elif byte >= WILL:
            self._verb = byte
            self._next = _Next.OPTION
        elif byte in _MISTAKEN and _ends_inside_character(self._tail):
            self._typed += self._one_enter(_MISTAKEN[byte])
        else:
            self._add(Command(byte))
        return 1

    def _command_within(self, byte: int) -> int:
        """Take the byte after an IAC in a subnegotiation and return how many bytes that were."""
        if byte == IAC:
            self._next = _Next.WITHIN
            self._collect(b"\xff")
            return 1
        if byte != SE:
            # It was never finished: it is dropped, and the command counts.
            return self._command(byte)
        self._next = _Next.TYPED
        if self._length <= SUBNEGOTIATION_BYTES:
            self._add(Subnegotiation(bytes(self._collected)))
        return 1

    def _collect(self, piece: bytes) -> None:
        """Keep a piece of a subnegotiation, or only count it once there is too much of it."""
        self._length += len(piece)
        if self._length <= SUBNEGOTIATION_BYTES:
            self._collected += piece
        else:
            self._collected.clear()
