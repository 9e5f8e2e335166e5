"""Key bindings: those of Emacs and readline, and the named keys (Home, Delete, ...).

They map names of keys to names of actions of `chatd.terminal.editor.editor.Editor`.
"""

from __future__ import annotations

from typing import Final

#: A key's name, whether Ctrl is held, and whether Alt is.
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
    "/": "undo",
    "_": "undo",
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
    "w": "kill_blank_word_before",
    "y": "yank",
    "z": "undo",
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

#: Keys with which terminals select text while Shift is held; then they do nothing here.
SELECTING: Final = ("left", "right", "up", "down", "home", "end")
