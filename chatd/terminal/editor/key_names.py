"""Key names: the keys that xterm, the Linux console and rxvt send as escape sequences.

Sources are ECMA-48 for the shape of sequences, xterm's ctlseqs for the keys and modifyOtherKeys,
and the kitty keyboard protocol for ``CSI code ; modifiers u``.  It knows names and numbers; it must
not know where a sequence begins or ends.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Final

#: Text: anything but C0 controls, DEL and C1 controls.
TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")

#: ``CSI n ~`` (VT220, xterm, rxvt).
_CSI_NUMBERS: Final = {
    1: "home",
    2: "insert",
    3: "delete",
    4: "end",
    5: "pageup",
    6: "pagedown",
    7: "home",
    8: "end",
    **{number: f"f{name}" for name, number in enumerate((11, 12, 13, 14, 15), 1)},
    **{number: f"f{name}" for name, number in enumerate((17, 18, 19, 20, 21), 6)},
    **{number: f"f{name}" for name, number in enumerate((23, 24, 25, 26), 11)},
    **{number: f"f{name}" for name, number in enumerate((28, 29), 15)},
    **{number: f"f{name}" for name, number in enumerate((31, 32, 33, 34), 17)},
}

_CSI_AND_SS3_LETTERS: Final = {
    "A": "up",
    "B": "down",
    "C": "right",
    "D": "left",
    "F": "end",
    "H": "home",
    "P": "f1",
    "Q": "f2",
    "R": "f3",
    "S": "f4",
}

#: ``CSI letter`` and, with modifiers, ``CSI 1 ; m letter``; the Linux console's ``CSI [ letter``.
_CSI_LETTERS: Final = {
    **_CSI_AND_SS3_LETTERS,
    "Z": "tab",
    **{f"[{letter}": f"f{number}" for number, letter in enumerate("ABCDE", 1)},
}

#: ``SS3 letter``: cursor keys and keypad in application mode.
_SS3_LETTERS: Final = {**_CSI_AND_SS3_LETTERS, "M": "enter", "I": "tab"}
#: ``SS3 letter`` with Ctrl: rxvt's, and PuTTY's, where it is the other mode's sequence.  The server
#: never sets application mode, in which C and D would be the keys without Ctrl.
_SS3_CTRL: Final = {"C": "right", "D": "left", "a": "up", "b": "down", "c": "right", "d": "left"}
#: The final characters of rxvt that stand for modifiers: ``CSI n ^`` in place of ``CSI n ~``.
_RXVT_MODIFIERS: Final = {"^": 4, "$": 1, "@": 5}

#: Control characters with their own keys, by code; also in ``CSI code u``.
_NAMED_CONTROLS: Final = {
    8: "backspace",
    9: "tab",
    10: "enter",
    13: "enter",
    27: "escape",
    127: "backspace",
}


#: xterm's modifyOtherKeys: ``CSI 27 ; modifiers ; code ~``.
_MODIFIED_KEY: Final = 27
_MODIFIED_KEY_NUMBERS: Final = 3
#: Modifiers as bits; sequences have their sum plus 1.  Super, Hyper and Meta type no text.
SHIFT, ALT, CTRL = 1, 2, 4
_NO_TEXT: Final = 8 | 16 | 32
#: The event type of a released key, after the modifiers (the kitty keyboard protocol).
_RELEASED: Final = "3"
#: Surrogates, and the private use area, where some terminals number keys that have no character.
_NO_CHARACTERS: Final = range(0xD800, 0xF900)
_LAST_ASCII = 127
_PLAIN_NUMBERS = re.compile(r"[0-9;:]*")


@dataclass(frozen=True, slots=True)
class Text:
    """Typed characters; never empty, without control characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key other than text: ``up``, ``f5``, ``enter``, or a character with ctrl or alt."""

    name: str
    shift: bool = False
    alt: bool = False
    ctrl: bool = False


def _control_name(code: int) -> tuple[str, bool]:
    """Return the name of a control character's key, and whether Ctrl is held for it."""
    if code in _NAMED_CONTROLS:
        return _NAMED_CONTROLS[code], False
    return chr(code | 0x40).lower(), True


def _key(name: str, modifiers: int) -> Key:
    """Return a key with modifier bits."""
    return Key(name, bool(modifiers & SHIFT), bool(modifiers & ALT), bool(modifiers & CTRL))


def control_key(char: str, modifiers: int) -> Key | None:
    """Return the key of a control character; NUL and C1 have none."""
    code = ord(char)
    if not code or code > _LAST_ASCII:
        return None
    name, ctrl = _control_name(code)
    return _key(name, modifiers | (CTRL if ctrl else 0))


def _character(code: int, modifiers: int) -> Text | Key | None:
    """Return the key of a character sent as a code point (``CSI code ; modifiers u``)."""
    if code > sys.maxunicode or code in _NO_CHARACTERS:
        return None
    char = chr(code)
    if modifiers & _NO_TEXT:
        return None
    if not TEXT.match(char):
        return control_key(char, modifiers) if code in _NAMED_CONTROLS else None
    return _key(char, modifiers) if modifiers & (ALT | CTRL) else Text(char)


def csi_key(parameters: str, final: str, alt: bool) -> Text | Key | None:
    """Return the key of a CSI sequence, or None when it is unknown or the key was released."""
    if not _PLAIN_NUMBERS.fullmatch(parameters):
        return None
    parts = [part.split(":") for part in parameters.split(";")]
    if len(parts) > 1 and parts[1][1:2] == [_RELEASED]:
        return None
    numbers = [int(part[0] or "0") for part in parts]
    modifiers = max(numbers[1] - 1, 0) if len(numbers) > 1 else 0
    modifiers |= ALT if alt else 0
    if final == "u":
        shifted = parts[0][1] if modifiers & SHIFT and len(parts[0]) > 1 else ""
        return _character(int(shifted or numbers[0]), modifiers)
    if final in _RXVT_MODIFIERS and len(numbers) == 1 and numbers[0] in _CSI_NUMBERS:
        return _key(_CSI_NUMBERS[numbers[0]], modifiers | _RXVT_MODIFIERS[final])
    if final == "~":
        if numbers[0] == _MODIFIED_KEY and len(numbers) == _MODIFIED_KEY_NUMBERS:
            return _character(numbers[2], modifiers)
        name = _CSI_NUMBERS.get(numbers[0])
    else:
        name = _CSI_LETTERS.get(final) if numbers[0] in (0, 1) else None
        modifiers |= SHIFT if final == "Z" else 0
    return _key(name, modifiers) if name else None


def ss3_key(parameters: str, final: str, alt: bool) -> Key | None:
    """Return the key of an SS3 sequence, or None; old terminals put modifiers into it too."""
    last = parameters.rpartition(";")[2]
    modifiers = max(int(last or "0") - 1, 0) | (ALT if alt else 0)
    if not parameters and final in _SS3_CTRL:
        return _key(_SS3_CTRL[final], modifiers | CTRL)
    name = _SS3_LETTERS.get(final)
    return _key(name, modifiers) if name else None
