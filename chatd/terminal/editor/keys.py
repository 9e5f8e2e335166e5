"""Keyboard decoder: bytes from a terminal to text, keys and pastes.

It knows UTF-8 and the escape sequences that terminals send (ECMA-48, xterm's ctlseqs, bracketed
paste); it must not know a transport, a clock, a line or a screen.

Invariants:

- However the bytes are split, the text, keys and pastes are the same, and no bytes raise.
- Text and pastes contain no control characters, except tabs and line feeds in a paste.
- What is held is bounded.  Unknown sequences are dropped whole.
"""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from chatd.terminal.editor.key_names import ALT, TEXT, Key, Text, control_key, csi_key, ss3_key

__all__ = ["Key", "Keys", "Paste", "Pressed", "Text"]

#: The most parameter characters of one sequence; xterm's longest for a key has 12.
PARAMETERS = 64
#: The characters after ``CSI M`` in a mouse report: the button, the column and the row.
MOUSE_CHARACTERS = 3
#: The most characters of a terminal's reply (OSC, DCS, APC, PM, SOS); what follows them counts as
#: typed.
STRING_CHARACTERS = 4096
#: The most characters of one paste.  Whole documents belong in a file.
PASTE_CHARACTERS = 64 * 1024

_ESC: Final = "\x1b"
_PASTE_BEGIN, _PASTE_END = "200", "\x1b[201~"
_UNFINISHED = re.compile(rf"\x1b{{1,2}}(?:\[\[?|\[[ -?]{{0,{PARAMETERS}}}|O[0-9;]{{0,8}})?")
_SEQUENCE = re.compile(
    r"\x1b(?:\[(?P<rxvt>[0-9]{1,2})\$"
    rf"|(?P<alt>\x1b?)\[(?P<csi>[ -?]{{0,{PARAMETERS}}})"
    r"(?P<csi_final>(?<=\[)\[[A-E]|[@-~])"
    r"|(?P<alt_ss3>\x1b?)O(?P<ss3>[0-9;]{0,8})(?P<ss3_final>[@-~])"
    r"|(?P<string>[\]P_^X])"
    rf"|(?P<broken>\[[ -?]{{0,{PARAMETERS}}}|O[0-9;]{{0,8}})"
    r"|(?P<plain>[^\x1b]))"
)
#: rxvt's keys with Shift end in what is an intermediate character elsewhere.
_RXVT_SHIFTED = re.compile(r"\x1b\[[0-9]{1,2}\$")
_TOO_LONG = re.compile(r"[ -?]*")
_STRING = re.compile(r"[^\x00-\x1f\x9c]*")
#: Removed from a paste: sequences, such as colours, and every control but tab and line feed.
_PASTE_NEWLINE = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85]")
_PASTE_UNSAFE = re.compile(r"\x1b(?:\[[ -?]*[@-~]?)?|[\x00-\x08\x0e-\x1b\x7f-\x9f]")
#: Control characters that separate words: NEL and US.  No key sends them, a paste may have them.
_NEL, _US = "\x85", "\x1f"


@dataclass(frozen=True, slots=True)
class Paste:
    """One paste, its lines separated by LF; ``cut`` when it was longer than its bound."""

    text: str
    cut: bool


Pressed = Text | Key | Paste


class _Mode(Enum):
    """The decoder's state: what the next character belongs to."""

    TYPED = auto()
    TOO_LONG = auto()
    STRING = auto()
    PASTE = auto()
    MOUSE = auto()


def _pasted(raw: str) -> str:
    """Return a paste without sequences and controls, its lines separated by LF."""
    return _PASTE_UNSAFE.sub("", _PASTE_NEWLINE.sub("\n", raw)).replace(_US, " ")


class Keys:
    """The decoder of one terminal's input.

    A lone ESC may be the Escape key or the beginning of a sequence: while ``pending_escape`` is
    true the caller waits for 50 ms, and calls ``flush_escape`` if nothing has arrived.
    """

    __slots__ = ("_after_cr", "_count", "_decoder", "_held", "_mode", "_paste")

    def __init__(self) -> None:
        """Begin with no input."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self._mode = _Mode.TYPED
        self._after_cr = False
        self._count = 0
        self._paste = io.StringIO()

    @property
    def pending_escape(self) -> bool:
        """Whether an ESC is held that may begin a sequence."""
        pending = self._mode is _Mode.TYPED and self._held in (_ESC, _ESC * 2)
        return pending and not self._decoder.getstate()[0]

    def flush_escape(self) -> list[Pressed]:
        """Return the pending ESC as the Escape key, if there is one."""
        if not self.pending_escape:
            return []
        held, self._held = self._held, ""
        return [Key("escape") for _ in held]

    def receive_data(self, data: bytes) -> list[Pressed]:
        """Return the text, keys and pastes that these bytes complete."""
        text = self._held + self._decoder.decode(data)
        self._held = ""
        pressed: list[Pressed] = []
        position = 0
        while position < len(text):
            match self._mode:
                case _Mode.TYPED:
                    position = self._typed(text, position, pressed)
                case _Mode.TOO_LONG:
                    position = self._skip_overlong(text, position)
                case _Mode.STRING:
                    position = self._skip_string(text, position)
                case _Mode.PASTE:
                    position = self._collect_paste(text, position, pressed)
                case _Mode.MOUSE:
                    position = self._skip_mouse(text, position)
        return pressed

    def _typed(self, text: str, position: int, pressed: list[Pressed]) -> int:
        """Consume a run of text, one control or one sequence; return the position after it."""
        run = TEXT.match(text, position)
        if run:
            self._after_cr = False
            pressed.append(Text(run.group()))
            return run.end()
        char = text[position]
        if char == _ESC:
            self._after_cr = False
            return self._sequence(text, position, pressed)
        if char == _NEL:  # of text that was pasted without brackets
            self._after_cr = False
            pressed.append(Text(" "))
            return position + 1
        self._press_control(char, 0, pressed)
        return position + 1

    def _press_control(self, char: str, modifiers: int, pressed: list[Pressed]) -> None:
        """Add the key of a control character; the LF of a CR LF has none."""
        ends_crlf, self._after_cr = self._after_cr and char == "\n", char == "\r"
        key = None if ends_crlf else control_key(char, modifiers)
        if key:
            pressed.append(key)

    def _sequence(self, text: str, position: int, pressed: list[Pressed]) -> int:
        """Consume a sequence that begins with ESC, or hold it until more has arrived."""
        if _UNFINISHED.fullmatch(text, position) and not _RXVT_SHIFTED.match(text, position):
            self._held = text[position:]
            return len(text)
        found = _SEQUENCE.match(text, position)
        if not found:
            pressed.append(Key("escape"))
            return position + 1
        if found["rxvt"]:
            self._take_csi(found["rxvt"], "$", False, pressed)
        elif found["csi"] is not None:
            self._take_csi(found["csi"], found["csi_final"], bool(found["alt"]), pressed)
        elif found["ss3"] is not None:
            key = ss3_key(found["ss3"], found["ss3_final"], bool(found["alt_ss3"]))
            pressed.extend([key] if key else [])
        elif found["string"]:
            self._mode, self._count = _Mode.STRING, 0
        elif found["broken"]:
            too_long = len(found["broken"]) > PARAMETERS
            self._mode = _Mode.TOO_LONG if too_long else _Mode.TYPED
        elif TEXT.match(found["plain"]):
            pressed.append(Key(found["plain"], alt=True))
        else:
            self._press_control(found["plain"], ALT, pressed)
        return found.end()

    def _take_csi(self, parameters: str, final: str, alt: bool, pressed: list[Pressed]) -> None:
        """Add the key of a CSI sequence, or begin a bracketed paste."""
        if final == "~" and parameters == _PASTE_BEGIN:
            self._mode, self._count, self._paste = _Mode.PASTE, 0, io.StringIO()
            return
        if final == "M" and not parameters:
            self._mode, self._count = _Mode.MOUSE, 0
            return
        key = csi_key(parameters, final, alt)
        if key:
            pressed.append(key)

    def _skip_overlong(self, text: str, position: int) -> int:
        """Skip the rest of a sequence that is too long, its final character included."""
        rest = _TOO_LONG.match(text, position)
        end = rest.end() if rest else position
        if end == len(text):
            return end
        self._mode = _Mode.TYPED
        return end + ("@" <= text[end] <= "~")

    def _skip_mouse(self, text: str, position: int) -> int:
        """Skip one of the characters that tell a button and a place (xterm's X10 mouse reports).

        A control character is a key: none tells a place.
        """
        if not TEXT.match(text, position):
            self._mode = _Mode.TYPED
            return position
        self._count += 1
        if self._count == MOUSE_CHARACTERS:
            self._mode = _Mode.TYPED
        return position + 1

    def _skip_string(self, text: str, position: int) -> int:
        """Skip a terminal's reply up to its terminator, ST or BEL.

        Any other control character ends it too: no reply contains one, and the input of a user who
        pressed Alt-] by chance is accepted again after the next Enter.
        """
        run = _STRING.match(text, position)
        end = run.end() if run else position
        room = STRING_CHARACTERS - self._count
        if end - position > room:
            self._mode = _Mode.TYPED
            return position + room
        self._count += end - position
        if end == len(text):
            return end
        if text[end] == _ESC and end + 1 == len(text):
            self._held = _ESC
            return end + 1
        self._mode = _Mode.TYPED
        if text.startswith("\x1b\\", end):
            return end + 2
        return end + (text[end] in "\x07\x9c")

    def _collect_paste(self, text: str, position: int, pressed: list[Pressed]) -> int:
        """Hold a piece of a paste, and add the paste once it is complete."""
        end = text.find(_PASTE_END, position)
        stop = end
        if end < 0:
            tail = text.rfind(_ESC, max(position, len(text) - len(_PASTE_END) + 1))
            stop = tail if tail >= 0 and _PASTE_END.startswith(text[tail:]) else len(text)
            self._held = text[stop:]
        room = max(PASTE_CHARACTERS - self._count, 0)
        self._paste.write(text[position : min(stop, position + room)])
        self._count = min(self._count + stop - position, PASTE_CHARACTERS + 1)
        if end < 0:
            return len(text)
        self._mode = _Mode.TYPED
        pressed.append(Paste(_pasted(self._paste.getvalue()), self._count > PASTE_CHARACTERS))
        self._paste = io.StringIO()
        return end + len(_PASTE_END)
