"""Terminal: a display that the server draws, and its keyboard.

Telnet in character mode and ssh with a pty use it.  It connects the I/O-free parts of
`chatd.terminal` to a conversation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.chat.commands.accounts import may_hold_secret
from chatd.chat.delivery.unacknowledged import newest_pending
from chatd.chat.limits import PERSONAL_BYTES
from chatd.chat.model.preferences import Preferences
from chatd.chat.text.sanitizing import safe
from chatd.terminal.editor.editor import (
    Block,
    Completing,
    Editor,
    EditorEvent,
    Ended,
    Entered,
    Full,
    Interrupted,
    PasteCut,
    Redraw,
)
from chatd.terminal.editor.keys import Key, Keys, Paste, Text
from chatd.terminal.editor.paste import messages
from chatd.terminal.pending import ROWS, pending
from chatd.terminal.preferred import style_for
from chatd.terminal.screen.screen import Screen
from chatd.terminal.screen.typewriter import LineModeScreen
from chatd.terminal.style import TextStyle
from chatd.terminal.text.colours import NO_ATTRIBUTES
from chatd.terminal.text.graphemes import cells
from chatd.terminal.text.themes import theme
from chatd.transport.conversation.conversation import PASTE_CUT, TOO_LONG, Conversation
from chatd.transport.net.outbox import STALLED
from chatd.transport.net.turns import Turns

#: Seconds after which a lone ESC is the Escape key and not the start of a sequence.
ESCAPE_SECONDS = 0.05

#: Completions that are looked up for one chunk of keys: users see the result of a Tab before they
#: press it again.
COMPLETIONS_AT_ONCE = 4

#: Keys that are handled before other connections have their turn.  In the longest line, in the
#: worst-case script, they take some 3 ms.
KEYS_AT_ONCE = 8

#: Set and reset bracketed paste mode (xterm's ctlseqs, mode 2004).
_BRACKETED_PASTE, _NO_BRACKETED_PASTE = b"\x1b[?2004h", b"\x1b[?2004l"


class Terminal:
    """A screen with the line being typed below the messages, redrawn after each message.

    Where the cursor cannot be moved, and for users who want it plain, nothing is redrawn: typed
    text is appended, and stays.

    :param columns: Its width in cells; ``rows`` is its height.
    :param colours: The number of colours that it shows.
    :param ansi: Whether its cursor can be moved.
    :param plain: Whether nothing is to be redrawn although it could be.
    """

    __slots__ = (
        "_ansi",
        "_brackets_pastes",
        "_clear",
        "_clock",
        "_conversation",
        "_editor",
        "_escape",
        "_keys",
        "_left",
        "_lookups",
        "_marks",
        "_outbox",
        "_plain",
        "_pressed",
        "_question",
        "_screen",
        "_short",
        "_size",
        "_turns",
        "_unread_shown",
        "colours",
        "due",
    )

    def __init__(
        self,
        conversation: Conversation,
        clock: IReactorTime,
        turns: Turns,
        columns: int,
        rows: int,
        *,
        colours: int,
        ansi: bool = True,
        plain: bool = False,
    ) -> None:
        self._outbox = conversation.outbox
        self.colours = colours
        self._conversation = conversation
        self._clock = clock
        self._turns = turns
        self.due = 0.0
        self._keys = Keys()
        self._editor = Editor(may_hold_secret)
        self._ansi = ansi
        self._plain = plain
        self._screen: Screen | LineModeScreen
        self._set_up(columns, rows)
        self._escape: IDelayedCall | None = None
        self._size = (columns, rows)
        self._clear = False
        self._left = False
        self._marks: tuple[str, ...] = ()
        self._brackets_pastes = False
        self._lookups = 0
        self._pressed: Sequence[Text | Key | Paste] = ()
        self._question = ""
        self._short = (b"", 0)
        self._unread_shown = ""

    def _set_up(self, columns: int, rows: int) -> None:
        """Create the screen for this terminal and this user; nothing is drawn yet."""
        draws = self._ansi and not self._plain
        self._editor.stays_at_end = not draws
        if draws:
            self._screen = Screen(columns, rows)
        else:
            self._screen = LineModeScreen(columns, rows, repeats=not self._plain)

    # What is shown --------------------------------------------------------------------------------

    def style(self, preferences: Preferences) -> TextStyle:
        """Return the style with the colours that the terminal supports and the user wants."""
        return style_for(preferences, self._depth, self._screen.columns, self._screen.rows)

    @property
    def _depth(self) -> int:
        """The number of colours; a printing terminal does not even have bold."""
        return self.colours if self._ansi else NO_ATTRIBUTES

    @property
    def guides(self) -> bool:
        """True: a person is reading."""
        return True

    @property
    def is_terminal(self) -> bool:
        """True: the end of input means that its window was closed."""
        return True

    @property
    def echoes_input(self) -> bool:
        """Whether typed text stays; on a screen it is shown again in the form that others see."""
        return isinstance(self._screen, LineModeScreen)

    def send(self, data: bytes) -> int:
        """Show whole lines above the one being typed; `STALLED` when not all was taken."""
        whole = self._screen.show(data) + self._prompt_if_changed()
        try:
            taken = self._outbox.send(whole)
        except OSError:
            taken = 0
        if taken == len(whole):
            return len(data)
        self._short = (whole, taken)
        return STALLED

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep the part of the drawn output that ``send`` did not send."""
        whole, taken = self._short
        self._short = (b"", 0)
        self._outbox.stalled(whole, taken)

    def write(self, data: bytes) -> None:
        """Show whole lines above the one being typed, unconditionally."""
        self._outbox.write(self._screen.show(data))

    def refresh(self) -> None:
        """Draw the prompt and the line being typed, as they are now.

        While too much output is pending nothing is drawn; once there is room, the newest state is.
        """
        if self._left or self._conversation.lost or self._outbox.pending > PERSONAL_BYTES:
            return
        data = self._adapt()
        if self._size != (self._screen.columns, self._screen.rows):
            data += self._screen.resize(*self._size)
            if self._conversation.session is not None:
                self._conversation.session.restyle()
        if self._clear:
            data += self._screen.clear()
            self._clear = False
        self._put(data + self._draw())

    def _draw(self) -> bytes:
        shown = self._editor.shown()
        prompt, width = self._prompt() if shown.prompted else ("", 0)
        self._marks = self._pending()
        return self._screen.draw(prompt, width, shown.text, shown.cursor, self._marks)

    def _pending(self) -> tuple[str, ...]:
        """Return rows for the user's lines that are not stored yet; none if typed text stays."""
        session = self._conversation.session
        if session is None or session.pending_lines is None or self.echoes_input:
            return ()
        count, lines = newest_pending(session, ROWS)
        named = [("" if room is session.focus else str(room), event) for room, event in lines]
        look = theme(session.preferences.theme, self._depth)
        return pending(count, named, look, self._screen.columns, self._screen.rows)

    def _prompt_if_changed(self) -> bytes:
        """Return the prompt if unread counts or pending lines have changed."""
        session = self._conversation.session
        if session is None or self.echoes_input or self._left:
            return b""
        if self._marks or session.unread_summary() != self._unread_shown:
            return self._draw()
        return b""

    def _adapt(self) -> bytes:
        """Apply the preference for plain, and set the terminal up unless it already is."""
        session = self._conversation.session
        plain = session.preferences.plain if session is not None else self._plain
        data = b""
        if plain != self._plain:
            self._plain = plain
            data = self._start_again()
        if self._ansi and not self._brackets_pastes:
            self._brackets_pastes = True
            data += _BRACKETED_PASTE
        return data

    def _start_again(self) -> bytes:
        """Leave the drawn output as it is, and draw in another way from now on."""
        data = self._screen.leave()
        self._set_up(self._screen.columns, self._screen.rows)
        return data

    def _prompt(self) -> tuple[str, int]:
        """Return the prompt and its width in cells."""
        if self._question:
            return self._question, cells(self._question)
        session = self._conversation.session
        if self._plain or session is None:
            return ("", 0) if self._plain else ("[-] ", 4)
        focus = str(session.focus) if session.focus is not None else "-"
        self._unread_shown = session.unread_summary()
        return _painted(focus, self._unread_shown, session.preferences.theme, self._depth)

    def _put(self, data: bytes) -> None:
        if data:
            self._outbox.write(data)
            self._conversation.check()

    def ask(self, question: str, *, secret: bool) -> str:
        """Show a question in place of the prompt; a secret is not drawn."""
        self._question = f"{question}: "
        self._editor.masked = secret
        self._conversation.hide(secret)
        return ""

    def answered(self) -> None:
        """Show the prompt and the typed text again."""
        self._question = ""
        self._editor.masked = False
        self._conversation.hide(False)

    def leave(self) -> None:
        """Erase the line being typed: the terminal is the user's own again.

        Pending lines stay on the screen: they will not be shown once they are stored.
        """
        if not self._left:
            self._left = True
            pending = "".join([f"{row}\r\n" for row in self._marks]).encode()
            ends = _NO_BRACKETED_PASTE if self._brackets_pastes else b""
            self._put(self._screen.leave() + pending + ends)

    def described(self) -> Mapping[str, object]:
        """Return the terminal's size and kind."""
        columns, rows = self._size
        return {"columns": columns, "rows": rows, "colours": self.colours, "ansi": self._ansi}

    def hand_over(self) -> bytes:
        """Apply the pending keys and leave; return the unfinished input."""
        while self._pressed:
            self._press_some()
        typed, self._keys, self._editor = self.typed, Keys(), Editor(may_hold_secret)
        if self._escape is not None and self._escape.active():
            self._escape.cancel()
        self.leave()
        return typed.encode()

    def suspend(self) -> None:
        """Draw nothing until `come_back`: another server has drawn this screen, and still does."""
        self._left = True

    def come_back(self) -> None:
        """Draw from the next row on: another server has drawn the rows above."""
        self._left = self._brackets_pastes = False
        self._set_up(*self._size)
        self._outbox.write(b"\r\n\x1b[J" if self._ansi else b"\r\n")

    def resize(self, columns: int, rows: int) -> None:
        """Draw for another size, in cells, at the end of the reactor's turn."""
        self._size = (columns, rows)
        self._turns.begin_later(self)

    # Keys --------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Handle input from the keyboard."""
        if self._escape is not None and self._escape.active():
            self._escape.cancel()
        self._escape = None
        self._lookups = COMPLETIONS_AT_ONCE
        self._press(self._keys.receive_data(data))
        if self._keys.pending_escape:
            self._escape = self._clock.callLater(ESCAPE_SECONDS, self._escaped)

    def _escaped(self) -> None:
        self._escape = None
        self._press(self._keys.flush_escape())

    def _press(self, keys: Sequence[Text | Key | Paste]) -> None:
        self._pressed = [*self._pressed, *keys]
        self._turns.begin(self)
        if self._pressed:
            self._conversation.pause(True)

    def step(self) -> bool:
        """Apply the next keys, and draw after the last; nothing is read while some are pending."""
        self._press_some()
        if not self._pressed:
            self.refresh()
            self._conversation.pause(False)
        return bool(self._pressed)

    def failed(self) -> None:
        """End the connection after a bug, which has been logged."""
        self._outbox.abort()

    def _press_some(self) -> None:
        keys, self._pressed = self._pressed[:KEYS_AT_ONCE], self._pressed[KEYS_AT_ONCE:]
        for key in keys:
            for event in self._editor.press(key):
                self._handle(event)
        if self._conversation.lost or self._left:
            self._pressed = ()

    def _handle(self, event: EditorEvent) -> None:
        conversation = self._conversation
        match event:
            case Entered(text=text):
                self._enter("" if self._editor.masked else text)
                conversation.line(safe(text))
            case Block(lines=lines):
                for message in messages(lines):
                    conversation.line(message)
            case Completing(before=before):
                if self._lookups:
                    self._lookups -= 1
                    self._editor.offer(*conversation.complete(before))
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

    def _enter(self, text: str) -> None:
        """End the row of a complete line; in line mode it stays on the screen."""
        if not self._left:
            prompt, _ = self._prompt()
            self._put(self._screen.entered(prompt + text))

    @property
    def typed(self) -> str:
        """The line being typed, unless it is a secret."""
        return "" if self._editor.masked else self._editor.text

    @property
    def masked(self) -> bool:
        """Whether the input is a secret that is not shown: see `Editor.masked`."""
        return self._editor.masked

    @masked.setter
    def masked(self, masked: bool) -> None:
        self._editor.masked = masked
        self.refresh()

    def set_kind(self, *, colours: int, ansi: bool) -> None:
        """Draw for another kind of terminal."""
        self.colours = colours
        if self._conversation.session is not None:
            self.refresh()
        if ansi != self._ansi:
            self._ansi = ansi
            data = self._start_again()
            if self._brackets_pastes and not ansi:
                self._brackets_pastes, data = False, data + _NO_BRACKETED_PASTE
            self._put(data)

    def interrupt(self) -> None:
        """Act as on Ctrl-C, for an interrupt that is not a key (ssh's signal)."""
        self.receive(b"\x03")

    def stop(self) -> None:
        """Stop drawing, and cancel all timers: the connection is gone."""
        self._left = True
        self._pressed = ()
        if self._escape is not None and self._escape.active():
            self._escape.cancel()


@lru_cache(maxsize=1024)
def _painted(focus: str, unread: str, name: str, colours: int) -> tuple[str, int]:
    """Return the prompt for a room and the unread counts of others, in a theme, and its width."""
    look, prompt = theme(name, colours), f"[{focus}]"
    shown = f"{look.paint(prompt, look.prompt)} "
    if not unread:
        return shown, cells(prompt) + 1
    shown += f"{look.paint(unread, look.mention if '!' in unread else look.prompt)} "
    return shown, cells(prompt) + cells(unread) + 2
