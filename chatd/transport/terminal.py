"""Terminal: a display that chatd draws itself, and the keys that come from it.

Telnet in character mode and ssh with a pty both have one.  It joins the I/O-free parts of
`chatd.terminal` to a conversation.
"""

from __future__ import annotations

from collections.abc import Sequence

import wcwidth
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.preferences import Preferences
from chatd.chat.text import safe
from chatd.terminal.editor import Editor, Ended, Entered, Full, Interrupted, Outcome, Redraw
from chatd.terminal.keys import Key, Keys, Paste, Text
from chatd.terminal.screen import Screen
from chatd.terminal.style import TextStyle
from chatd.terminal.themes import THEMES
from chatd.transport.conversation import TOO_LONG, Conversation

#: Seconds after which a lone ESC is the Escape key and not the start of a sequence.
ESCAPE_SECONDS = 0.05


class Terminal:
    """What is typed stands under what happens, and is drawn anew after each message.

    ``colours`` says whether the terminal shows any, ``ansi`` whether its cursor can be moved.
    """

    __slots__ = (
        "_clock",
        "_conversation",
        "_editor",
        "_escape",
        "_keys",
        "_outbox",
        "_screen",
        "_short",
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
        self._short = (b"", 0)

    # What is shown --------------------------------------------------------------------------------

    def style(self, preferences: Preferences) -> TextStyle:
        """Colours as the terminal and the person have them."""
        theme = preferences.theme if self.colours and not preferences.plain else "plain"
        return TextStyle(
            theme=theme,
            bell=preferences.bell,
            timestamps=preferences.timestamps,
            timezone=preferences.timezone,
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
        """Draw the prompt and the line being typed."""
        session = self._conversation.session
        focus = session.focus if session is not None else None
        prompt = f"[{focus}] " if focus is not None else "[-] "
        width = max(0, wcwidth.wcswidth(prompt))
        if self.colours and session is not None and not session.preferences.plain:
            theme = THEMES[session.preferences.theme]
            prompt = theme.paint(prompt.rstrip(), theme.prompt) + " "
        self._put(self._screen.draw(prompt, width, self._editor.text))

    def _put(self, data: bytes) -> None:
        if data and not self._conversation.lost:
            self._outbox.write(data)
            self._conversation.check()

    def leave(self) -> None:
        """Take the line being typed off the screen: it is somebody's own terminal again."""
        self._put(self._screen.leave())

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size now, in cells."""
        if (columns, rows) != (self._screen.columns, self._screen.rows):
            self._put(self._screen.resize(columns, rows))

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
        if not self._conversation.lost:
            self.refresh()

    def _come_of(self, outcome: Outcome) -> None:
        conversation = self._conversation
        match outcome:
            case Entered(text=text):
                self.refresh()
                conversation.line(safe(text))
            case Ended():
                conversation.line("/quit")
            case Interrupted():
                conversation.interrupt()
            case Redraw():
                self._put(self._screen.clear())
            case Full():
                if conversation.session is not None:
                    conversation.session.deliver(TOO_LONG)

    def interrupt(self) -> None:
        """Somebody pressed Ctrl-C in a way that is not a key (telnet's IP, ssh's signal)."""
        self.receive(b"\x03")

    def stop(self) -> None:
        """The connection is gone."""
        if self._escape is not None and self._escape.active():
            self._escape.cancel()
