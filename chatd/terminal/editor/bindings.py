"""Which key does what: those of Emacs and readline, and those that say on them what they do.

It knows names of keys and names of what `chatd.terminal.editor.editor.Editor` can do.
"""

from __future__ import annotations

from typing import Final

#: A key's name, whether Ctrl and whether Alt is held.
Binding = tuple[str, bool, bool]

_PLAIN: Final = {
    "backspace": "backspace",
    "delete": "delete",
    "down": "newer",
    "end": "end",
    "enter": "enter",
    "escape": "escape",
    "home": "home",
    "left": "left",
    "right": "right",
    "up": "older",
}

_CTRL: Final = {
    "/": "take_back",
    "_": "take_back",
    "a": "home",
    "b": "left",
    "backspace": "backspace",
    "c": "clear",
    "d": "delete_or_end",
    "delete": "kill_word_after",
    "e": "end",
    "end": "end",
    "enter": "enter",
    "f": "right",
    "h": "backspace",
    "home": "home",
    "k": "kill_to_end",
    "l": "redraw",
    "left": "word_left",
    "n": "newer",
    "p": "older",
    "r": "begin_search",
    "right": "word_right",
    "t": "transpose",
    "u": "kill_to_start",
    "w": "kill_between_blanks",
    "y": "put_in",
    "z": "take_back",
}

_ALT: Final = {
    "<": "oldest",
    ">": "newest",
    "b": "word_left",
    "backspace": "kill_word_before",
    "d": "kill_word_after",
    "enter": "enter",
    "f": "word_right",
    "left": "word_left",
    "right": "word_right",
}

BINDINGS: Final[dict[Binding, str]] = {
    **{(name, False, False): action for name, action in _PLAIN.items()},
    **{(name, True, False): action for name, action in _CTRL.items()},
    **{(name, False, True): action for name, action in _ALT.items()},
    ("enter", True, True): "enter",
}

#: Keys with which terminals select text while Shift is held.
SELECTING: Final = ("left", "right", "up", "down", "home", "end")
