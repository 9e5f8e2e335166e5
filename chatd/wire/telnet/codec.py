"""Telnet as bytes and values (RFC 854): what a client typed, and what it said about itself.

It knows the telnet protocol; it must not know a transport, a clock, lines, keys or the chat.

What holds throughout:

- Any cutting of the incoming bytes gives the same values.
- No bytes whatever raise or end anything.
- What is kept is bounded, and so are the answers that a peer can draw out of it.
- ``offer`` is the only thing that begins a negotiation.  A way in that waits to be spoken to
  calls it once ``speaks`` has become true.
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

#: Asks a silent peer whether it is a telnet, and wipes what a plain screen may show of it.
PROBE: Final = bytes([IAC, DO, TTYPE]) + b"\r     \r"

#: Bytes of replies that may wait to be drained before timing marks go unanswered.
REPLY_BYTES = 4096
#: How often a terminal is asked for its name: RFC 1091 cycles; MUD clients give their own name,
#: the terminal's, then their abilities, and a fourth that repeats the third.
NAMES = 4
NAME_CHARACTERS = 40

#: A window: the least and most columns and rows, and what counts for one that says 0.
COLUMNS, ROWS = (20, 500), (5, 300)
UNKNOWN_COLUMNS, UNKNOWN_ROWS = 80, 24
#: NAWS and two numbers of two bytes (RFC 1073).
_WINDOW_BYTES = 5

_SEND_NAME = bytes([IAC, SB, TTYPE, TTYPE_SEND, IAC, SE])
_UNSAFE_IN_NAME = re.compile(rb"[^A-Za-z0-9 ._+/-]")


@dataclass(frozen=True, slots=True)
class WindowSize:
    """The client's window is this large; always within ``COLUMNS`` and ``ROWS``."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class TerminalType:
    """A name that the client gives, as it spells it: most give their terminal's, once.

    MUD clients give their own first, then their terminal's, then ``MTTS`` and a number.
    """

    name: str


@dataclass(frozen=True, slots=True)
class CharacterMode:
    """The client sends each key and leaves the echo to us, or no longer does."""

    on: bool


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Ctrl-C or Break, sent as a command."""


@dataclass(frozen=True, slots=True)
class AreYouThere:
    """The client asks for something to be seen (RFC 854): ``[yes]``, say."""


@dataclass(frozen=True, slots=True)
class EndOfFile:
    """Ctrl-D, sent as a command (RFC 1184, section 2.1)."""


Value = Data | WindowSize | TerminalType | CharacterMode | Interrupt | AreYouThere | EndOfFile

#: What the commands that stand alone mean.  The others (NOP, DM, AO, GA, SUSP, ABORT) mean nothing
#: to us: a chat has no output to discard and no job to stop.
_MEANING: Final[dict[int, Value]] = {
    IP: Interrupt(),
    BRK: Interrupt(),
    AYT: AreYouThere(),
    EOF: EndOfFile(),
    EC: Data(b"\x7f"),
    EL: Data(b"\x15"),
}


def is_telnet(first_bytes: bytes) -> bool:
    """Return whether the first bytes of a connection (one is enough) come from a telnet."""
    if first_bytes[:1] != b"\xff":
        return False
    return len(first_bytes) == 1 or EOF <= first_bytes[1] < IAC


def _clamped(number: int, limits: tuple[int, int], unknown: int) -> int:
    """Return a width or height that a screen can be drawn in."""
    return min(max(number, limits[0]), limits[1]) if number else unknown


class TelnetCodec:
    """One telnet connection: bytes to values, and the replies that the protocol wants.

    What ``data_to_send`` returns after ``receive_data`` and ``offer`` is to be sent as it is;
    everything else that is sent goes through ``encode``.
    """

    __slots__ = (
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
        """Begin with every option off and nothing asked."""
        #: Whether the peer has negotiated anything: netcat never does.
        self.speaks = False
        self._frames = TelnetFrames()
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
        """Whether the client sends each key and leaves the echo to us (RFC 857, 858)."""
        return not bits(ECHO, SGA) & ~self._ours.on

    def offer(self, probed: bool = False) -> None:
        """Queue what we ask of a client: its name, its window, each key at once, all 8 bits.

        Never LINEMODE (it keeps clients out of character mode), never NEW-ENVIRON (it gives away
        people's names).  With ``probed`` the peer has had ``PROBE``.  Twice is once.
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
        """Ask a client that keeps its lines not to show what is typed: we would echo it, and don't.

        One that refused to leave the echo to us, but sends each key, is left alone.
        """
        if not self._ours.on & bits(SGA):
            self._hiding = True
            self._replies += self._ours.ask(ECHO)

    def show_typing(self) -> bool:
        """Let the client show what is typed again; return whether it was hidden."""
        hidden = self._hiding and bool(self._ours.on & bits(ECHO))
        self._hiding = False
        if not self.character_mode:
            self._replies += self._ours.withdraw(ECHO)
        return hidden

    def data_to_send(self) -> bytes:
        """Return, once, what the protocol has to say."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def encode(self, data: bytes) -> bytes:
        """Return data as a telnet may see it: 0xFF twice (RFC 854)."""
        return data.replace(b"\xff", b"\xff\xff") if b"\xff" in data else data

    def receive_data(self, data: bytes) -> list[Value]:
        """Take bytes in and return what they mean, in their order."""
        for frame in self._frames.receive_data(data):
            self._take(frame)
        values, self._values = self._values, []
        return values

    def _take(self, frame: Frame) -> None:
        """Add what one frame means to the values and to the replies."""
        if isinstance(frame, Data):
            self._values.append(frame)
        elif isinstance(frame, Negotiation):
            self._negotiate(frame.verb, frame.option)
        elif isinstance(frame, Command):
            if frame.code in _MEANING:
                self._values.append(_MEANING[frame.code])
        else:
            self._take_subnegotiation(frame.content)

    def _reply_within_reason(self, reply: bytes) -> None:
        """Queue a reply that may be left out when a flood of questions asks for it."""
        if len(self._replies) + len(reply) <= REPLY_BYTES:
            self._replies += reply

    def _negotiate(self, verb: int, option: int) -> None:
        """Take the peer's word on an option."""
        self.speaks = True
        if verb in (WILL, WONT):
            self._negotiate_theirs(verb == WILL, option)
        elif option != TIMING_MARK:
            self._negotiate_ours(verb == DO, option)
        elif verb == DO:
            self._reply_within_reason(bytes([IAC, WILL, TIMING_MARK]))

    def _negotiate_theirs(self, agreed: bool, option: int) -> None:
        """Take WILL or WONT, and ask for a name as soon as there is one to be had."""
        named = self._theirs.on & bits(TTYPE)
        self._replies += self._theirs.hear(agreed, option)
        if self._theirs.on & bits(TTYPE) and not named:
            self._ask_name()

    def _negotiate_ours(self, agreed: bool, option: int) -> None:
        """Take DO or DONT, and say so when it changes who echoes.

        A client that lets us echo but keeps its lines would show nobody what they type (some take
        it for a password prompt): it gets its echo back.
        """
        before, asked = self.character_mode, self._ours.asked
        self._replies += self._ours.hear(agreed, option)
        answered = option == SGA or (option == ECHO and asked & bits(ECHO))
        if answered and not (self._hiding or (self._ours.on | self._ours.asked) & bits(SGA)):
            self._replies += self._ours.withdraw(ECHO)
        if self.character_mode != before:
            self._values.append(CharacterMode(self.character_mode))

    def _ask_name(self) -> None:
        """Ask for the next name of a terminal (RFC 1091), a few times in all."""
        if self._names_left:
            self._names_left -= 1
            self._name_asked = True
            self._replies += _SEND_NAME

    def _take_subnegotiation(self, content: bytes) -> None:
        """Take a window's size or a terminal's name; anything else says nothing to us."""
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
        """Report a name we asked for, and ask for the next until one comes twice."""
        name = _UNSAFE_IN_NAME.sub(b"", raw)[:NAME_CHARACTERS]
        asked, self._name_asked = self._name_asked, False
        if asked and name and name != self._last_name:
            self._last_name = name
            self._values.append(TerminalType(name.decode("ascii")))
            self._ask_name()
