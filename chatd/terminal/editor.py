"""The line being typed: what each key does to it.

The cursor is always at its end.  Characters are grapheme clusters, so that backspace takes a whole
one away.  It knows nothing of the screen.
"""

from __future__ import annotations

from dataclasses import dataclass

import wcwidth

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text import safe
from chatd.terminal.keys import Key, Paste, Text


@dataclass(frozen=True, slots=True)
class Entered:
    """Enter was pressed: a line is complete."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Ctrl-C was pressed on an empty line; otherwise it only clears the line."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Ctrl-D was pressed on an empty line: somebody wants to leave."""


@dataclass(frozen=True, slots=True)
class Redraw:
    """Ctrl-L was pressed: the screen is to be made new."""


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room for what was typed: the line is as long as a line can be."""


@dataclass(frozen=True, slots=True)
class PasteCut:
    """More was pasted than is taken at once; the rest of it is gone."""


Outcome = Entered | Interrupted | Ended | Redraw | Full | PasteCut


class Editor:
    """Holds at most one line of ``LINE_BYTES``.

    A ``masked`` one is the answer to a question and is not shown; Ctrl-C calls the question off.
    """

    __slots__ = ("_size", "masked", "text")

    def __init__(self) -> None:
        self.text = ""
        self.masked = False
        self._size = 0

    def _set(self, text: str) -> None:
        self.text = text
        self._size = len(text.encode())

    def press(self, key: Text | Key | Paste) -> list[Outcome]:
        """Do what a key does; return what else came of it."""
        match key:
            case Text(text=text) | Paste(text=text, cut=False):
                return self._insert(text)
            case Paste(text=text):
                return [*self._insert(text), PasteCut()]
            case Key(name="enter"):
                line = self.text
                self._set("")
                return [Entered(line)]
            case Key(name="backspace", alt=False) | Key(name="h", ctrl=True):
                self._backspace()
            case Key(name="c", ctrl=True):
                empty = not self.text
                self._set("")
                if empty or self.masked:
                    return [Interrupted()]
            case Key(name="d", ctrl=True) if not self.text:
                return [Ended()]
            case Key(name="u", ctrl=True):
                self._set("")
            case Key(name="w", ctrl=True):
                kept = self.text.rstrip()
                self._set(kept[: kept.rfind(" ") + 1])
            case Key(name="l", ctrl=True):
                return [Redraw()]
            case _:
                pass
        return []

    def _insert(self, text: str) -> list[Outcome]:
        """Append text; line ends within a paste enter lines."""
        outcomes: list[Outcome] = []
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        outcomes += self._append(first)
        for line in others:
            outcomes.append(Entered(self.text))
            self._set("")
            outcomes += self._append(line)
        return outcomes

    def _append(self, text: str) -> list[Outcome]:
        text = safe(text)
        room = LINE_BYTES - self._size
        encoded = text.encode()
        if len(encoded) > room:
            self._set(self.text + encoded[:room].decode("utf-8", "ignore"))
            return [Full()]
        self.text += text
        self._size += len(encoded)
        return []

    def _backspace(self) -> None:
        last = next(iter(wcwidth.iter_graphemes_reverse(self.text)), "")
        if last:
            self._set(self.text[: -len(last)])
