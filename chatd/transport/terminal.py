"""Terminal: a display that chatd draws itself, and the keys that come from it.

Telnet in character mode and ssh with a pty both have one.  It joins the I/O-free parts of
`chatd.terminal` to a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

import wcwidth
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.limits import PERSONAL_BYTES
from chatd.chat.preferences import Preferences
from chatd.chat.text import safe
from chatd.terminal.editor import (
    Editor,
    Ended,
    Entered,
    Full,
    Interrupted,
    Outcome,
    PasteCut,
    Redraw,
)
from chatd.terminal.keys import Key, Keys, Paste, Text
from chatd.terminal.screen import Screen
from chatd.terminal.style import TextStyle
from chatd.terminal.themes import THEMES
from chatd.transport.conversation import PASTE_CUT, TOO_LONG, Conversation

#: Seconds after which a lone ESC is the Escape key and not the start of a sequence.
ESCAPE_SECONDS = 0.05


class Terminal:
    """What is typed stands under what happens, and is drawn anew after each message.

    ``colours`` says whether the terminal shows any, ``ansi`` whether its cursor can be moved.
    """

    __slots__ = (
        "_clear",
        "_clock",
        "_conversation",
        "_editor",
        "_escape",
        "_keys",
        "_left",
        "_outbox",
        "_question",
        "_resizing",
        "_screen",
        "_short",
        "_size",
        "colours",
    )

    def __init__(
        self,
        conversation: Conversation,
        clock: IReactorTime,
        columns: int,
        rows: int,
        *,
        colours: bool,
        ansi: bool = True,
    ) -> None:
        self._outbox = conversation.outbox
        self.colours = colours
        self._conversation = conversation
        self._clock = clock
        self._keys = Keys()
        self._editor = Editor()
        self._screen = Screen(columns, rows, ansi=ansi)
        self._escape: IDelayedCall | None = None
        self._resizing: IDelayedCall | None = None
        self._size = (columns, rows)
        self._clear = False
        self._left = False
        self._question = ""
        self._short = (b"", 0)

    # What is shown --------------------------------------------------------------------------------

    def style(self, preferences: Preferences) -> TextStyle:
        """Colours as the terminal and the person have them."""
        theme = preferences.theme if self.colours and not preferences.plain else "plain"
        return TextStyle(
            theme=theme,
            bell=preferences.bell,
            timestamps=preferences.timestamps,
            timezone=preferences.timezone if preferences.timestamps else "UTC",
            recalled_timezone=preferences.timezone,
            joins=preferences.joins,
        )

    @property
    def sees_own(self) -> bool:
        """What one types is shown as the others see it, once it is said."""
        return False

    def send(self, data: bytes) -> int:
        """Show whole lines above the one being typed; -1 when not all of that was taken."""
        whole = self._screen.show(data)
        try:
            taken = self._outbox.send(whole)
        except OSError:
            taken = 0
        if taken == len(whole):
            return len(data)
        self._short = (whole, taken)
        return -1

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take of what it drew."""
        whole, taken = self._short
        self._short = (b"", 0)
        self._outbox.stalled(whole, taken)

    def write(self, data: bytes) -> None:
        """Show whole lines above the one being typed, in any case."""
        self._outbox.write(self._screen.show(data))

    def refresh(self) -> None:
        """Draw the prompt and the line being typed, as they are now.

        While too much waits for the connection nothing is drawn: what is drawn once it has room
        is the newest.
        """
        if self._left or self._conversation.lost or self._outbox.pending > PERSONAL_BYTES:
            return
        data = b""
        if self._size != (self._screen.columns, self._screen.rows):
            data += self._screen.resize(*self._size)
        if self._clear:
            data += self._screen.clear()
            self._clear = False
        prompt, width = self._prompt()
        typed = "" if self._editor.masked else self._editor.text
        self._put(data + self._screen.draw(prompt, width, typed))

    def _prompt(self) -> tuple[str, int]:
        """The prompt and its width."""
        if self._question:
            return self._question, max(0, wcwidth.wcswidth(self._question))
        session = self._conversation.session
        focus = session.focus if session is not None else None
        prompt = f"[{focus}] " if focus is not None else "[-] "
        width = max(0, wcwidth.wcswidth(prompt))
        if self.colours and session is not None and not session.preferences.plain:
            theme = THEMES[session.preferences.theme]
            prompt = theme.paint(prompt.rstrip(), theme.prompt) + " "
        return prompt, width

    def _put(self, data: bytes) -> None:
        if data:
            self._outbox.write(data)
            self._conversation.check()

    def ask(self, question: str, *, secret: bool) -> str:
        """Ask in place of the prompt; what is secret is not drawn."""
        self._question = f"{question}: "
        self._editor.masked = secret
        return ""

    def answered(self) -> None:
        """The prompt is back, and what is typed is drawn again."""
        self._question = ""
        self._editor.masked = False

    def leave(self) -> None:
        """Take the line being typed off the screen: it is somebody's own terminal again."""
        if not self._left:
            self._left = True
            self._put(self._screen.leave())

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size now, in cells; of many in one turn the last one counts."""
        self._size = (columns, rows)
        if self._resizing is None or not self._resizing.active():
            self._resizing = self._clock.callLater(0, self.refresh)

    # What is typed --------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take what the keyboard sent."""
        if self._escape is not None and self._escape.active():
            self._escape.cancel()
        self._escape = None
        self._press(self._keys.receive_data(data))
        if self._keys.pending_escape:
            self._escape = self._clock.callLater(ESCAPE_SECONDS, self._escaped)

    def _escaped(self) -> None:
        self._escape = None
        self._press(self._keys.flush_escape())

    def _press(self, keys: Sequence[Text | Key | Paste]) -> None:
        for key in keys:
            for outcome in self._editor.press(key):
                self._come_of(outcome)
        self.refresh()

    def _come_of(self, outcome: Outcome) -> None:
        conversation = self._conversation
        match outcome:
            case Entered(text=text):
                conversation.line(safe(text))
            case Ended():
                conversation.quit()
            case Interrupted():
                conversation.interrupt()
            case Redraw():
                self._clear = True
            case PasteCut():
                if conversation.session is not None:
                    conversation.session.deliver(PASTE_CUT)
            case Full():
                if conversation.session is not None:
                    conversation.session.deliver(TOO_LONG)

    @property
    def typed(self) -> str:
        """The line being typed."""
        return self._editor.text

    def is_now(self, *, colours: bool, ansi: bool) -> None:
        """The client has said what its terminal is."""
        self.colours = colours
        self._screen.become(ansi=ansi)

    def interrupt(self) -> None:
        """Somebody pressed Ctrl-C in a way that is not a key (telnet's IP, ssh's signal)."""
        self.receive(b"\x03")

    def stop(self) -> None:
        """The connection is gone."""
        self._left = True
        for call in (self._escape, self._resizing):
            if call is not None and call.active():
                call.cancel()
