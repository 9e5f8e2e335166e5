"""Terminal: a display that chatd draws itself, and the keys that come from it.

Telnet in character mode and ssh with a pty both have one.  It joins the I/O-free parts of
`chatd.terminal` to a conversation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from twisted.internet.interfaces import IDelayedCall, IReactorTime

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
from chatd.terminal.editor.paste import blocks
from chatd.terminal.pending import ROWS, pending
from chatd.terminal.preferred import style_for
from chatd.terminal.screen.screen import Screen
from chatd.terminal.screen.typewriter import LineModeScreen
from chatd.terminal.style import TextStyle
from chatd.terminal.text.colours import NO_ATTRIBUTES
from chatd.terminal.text.graphemes import cells
from chatd.terminal.text.themes import theme
from chatd.transport.conversation.conversation import PASTE_CUT, TOO_LONG, Conversation

#: Seconds after which a lone ESC is the Escape key and not the start of a sequence.
ESCAPE_SECONDS = 0.05

#: Completions that are looked up for what came at once: nobody presses Tab faster than they are
#: shown what became of it.
COMPLETIONS_AT_ONCE = 4

#: Keys that are pressed in one turn of the reactor; of more the rest has its turn after what others
#: sent meanwhile.  In the longest line, and in the worst of scripts, they take some 20 ms.
KEYS_AT_ONCE = 64

#: Tell a terminal to mark what is pasted, and to mark it no more (xterm's ctlseqs, mode 2004).
_MARK_PASTES, _MARK_NO_PASTES = b"\x1b[?2004h", b"\x1b[?2004l"


class Terminal:
    """What is typed stands under what happens, and is drawn anew after each message.

    ``colours`` says how many the terminal shows, ``ansi`` whether its cursor can be moved.
    Where it cannot, and for those who want it plain, nothing is ever drawn anew: what is typed
    is shown at its end, and stays.
    """

    __slots__ = (
        "_ansi",
        "_clear",
        "_clock",
        "_conversation",
        "_editor",
        "_escape",
        "_keys",
        "_left",
        "_lookups",
        "_marks",
        "_marks_pastes",
        "_outbox",
        "_plain",
        "_pressed",
        "_pressing",
        "_question",
        "_resizing",
        "_screen",
        "_short",
        "_size",
        "_told",
        "colours",
    )

    def __init__(
        self,
        conversation: Conversation,
        clock: IReactorTime,
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
        self._keys = Keys()
        self._editor = Editor()
        self._ansi = ansi
        self._plain = plain
        self._screen: Screen | LineModeScreen
        self._set_up(columns, rows)
        self._escape: IDelayedCall | None = None
        self._resizing: IDelayedCall | None = None
        self._size = (columns, rows)
        self._clear = False
        self._left = False
        self._marks: tuple[str, ...] = ()
        self._marks_pastes = False
        self._lookups = 0
        self._pressed: Sequence[Text | Key | Paste] = ()
        self._pressing: IDelayedCall | None = None
        self._question = ""
        self._short = (b"", 0)
        self._told = ""

    def _set_up(self, columns: int, rows: int) -> None:
        """Begin with what this terminal and this person can use; nothing is drawn yet."""
        draws = self._ansi and not self._plain
        self._editor.stays_at_end = not draws
        if draws:
            self._screen = Screen(columns, rows)
        else:
            self._screen = LineModeScreen(columns, rows, repeats=not self._plain)

    # What is shown --------------------------------------------------------------------------------

    def style(self, preferences: Preferences) -> TextStyle:
        """Colours as the terminal and the person have them."""
        return style_for(preferences, self._depth, self._screen.columns, self._screen.rows)

    @property
    def _depth(self) -> int:
        """The colours that there are, and whether there is so much as bold."""
        return self.colours if self._ansi else NO_ATTRIBUTES

    @property
    def guides(self) -> bool:
        """A person is reading."""
        return True

    @property
    def echoes_input(self) -> bool:
        """What one types is shown as the others see it, once it is said; on paper it stands."""
        return isinstance(self._screen, LineModeScreen)

    def send(self, data: bytes) -> int:
        """Show whole lines above the one being typed; -1 when not all of that was taken."""
        whole = self._screen.show(data) + self._recount()
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
        data = self._suited()
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
        """What one said that is not kept yet; on paper it stands."""
        session = self._conversation.session
        if session is None or session.pending is None or self.echoes_input:
            return ()
        count, lines = newest_pending(session, ROWS)
        named = [("" if room is session.focus else str(room), event) for room, event in lines]
        look = theme(session.preferences.theme, self._depth)
        return pending(count, named, look, self._screen.columns, self._screen.rows)

    def _recount(self) -> bytes:
        """Draw the prompt anew if something was said in another room, or is kept now.

        On paper it stays.
        """
        session = self._conversation.session
        if session is None or self.echoes_input or self._left:
            return b""
        if self._marks or (session.unread_summary() != self._told):
            return self._draw()
        return b""

    def _suited(self) -> bytes:
        """Whether it is to be plain may have changed, and the terminal may not know us yet."""
        session = self._conversation.session
        plain = session.preferences.plain if session is not None else self._plain
        data = b""
        if plain != self._plain:
            self._plain = plain
            data = self._begin_anew()
        if self._ansi and not self._marks_pastes:
            self._marks_pastes = True
            data += _MARK_PASTES
        return data

    def _begin_anew(self) -> bytes:
        """Leave what was drawn, and draw in another way from now on."""
        data = self._screen.leave()
        self._set_up(self._screen.columns, self._screen.rows)
        return data

    def _prompt(self) -> tuple[str, int]:
        """The prompt and its width."""
        if self._question:
            return self._question, cells(self._question)
        session = self._conversation.session
        if self._plain or session is None:
            return ("", 0) if self._plain else ("[-] ", 4)
        focus = str(session.focus) if session.focus is not None else "-"
        self._told = session.unread_summary()
        return _painted(focus, self._told, session.preferences.theme, self._depth)

    def _put(self, data: bytes) -> None:
        if data:
            self._outbox.write(data)
            self._conversation.check()

    def ask(self, question: str, *, secret: bool) -> str:
        """Ask in place of the prompt; what is secret is not drawn."""
        self._question = f"{question}: "
        self._editor.masked = secret
        self._conversation.hide(secret)
        return ""

    def answered(self) -> None:
        """The prompt is back, and what is typed is drawn again."""
        self._question = ""
        self._editor.masked = False
        self._conversation.hide(False)

    def leave(self) -> None:
        """Take the line being typed off the screen: it is somebody's own terminal again.

        What waits stays there: nobody will show what becomes of it.
        """
        if not self._left:
            self._left = True
            waits = "".join([f"{row}\r\n" for row in self._marks]).encode()
            ends = _MARK_NO_PASTES if self._marks_pastes else b""
            self._put(self._screen.leave() + waits + ends)

    def described(self) -> Mapping[str, object]:
        """Its size and its kind."""
        columns, rows = self._size
        return {"columns": columns, "rows": rows, "colours": self.colours, "ansi": self._ansi}

    def hand_over(self) -> str:
        """Press what waits to be pressed, and leave."""
        while self._pressed:
            self._press_some()
        typed, self._keys, self._editor = self.typed, Keys(), Editor()
        for call in (self._escape, self._pressing):
            if call is not None and call.active():
                call.cancel()
        self._pressing = None
        self.leave()
        return typed

    def come_back(self, typed: bytes, enter: Callable[[str], None]) -> None:
        """Draw from the next row on, as nobody knows what is on the screen."""
        self._left = self._marks_pastes = False
        self._set_up(*self._size)
        self._outbox.write(b"\r\n\x1b[J" if self._ansi else b"\r\n")
        self.receive(typed)

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size now, in cells; of many in one turn the last one counts."""
        self._size = (columns, rows)
        if self._conversation.lent is not None:
            self._conversation.lent.resized(columns, rows)
            return
        if self._resizing is None or not self._resizing.active():
            self._resizing = self._clock.callLater(0, self.refresh)

    # What is typed --------------------------------------------------------------------------------

    def receive(self, data: bytes) -> None:
        """Take what the keyboard sent."""
        if self._conversation.lent is not None:
            self._conversation.lent.data_received(data)
            return
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
        if self._pressing is None:
            self._press_some()

    def _press_some(self) -> None:
        """Do what the next keys do; while there are more of them nothing is read."""
        self._pressing = None
        keys, self._pressed = self._pressed[:KEYS_AT_ONCE], self._pressed[KEYS_AT_ONCE:]
        for key in keys:
            for outcome in self._editor.press(key):
                self._come_of(outcome)
        if self._conversation.lost or self._left:
            self._pressed = ()
        if self._pressed:
            self._pressing = self._clock.callLater(0, self._press_some)
        else:
            self.refresh()
        self._conversation.pause(bool(self._pressed))

    def _come_of(self, outcome: EditorEvent) -> None:
        conversation = self._conversation
        match outcome:
            case Entered(text=text):
                self._enter("" if self._editor.masked else text)
                conversation.line(safe(text))
            case Block(lines=lines):
                for block in blocks(lines):
                    conversation.line(block)
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
        """The line is complete: on paper it stays where it stands."""
        if not self._left:
            prompt, _ = self._prompt()
            self._put(self._screen.entered(prompt + text))

    @property
    def typed(self) -> str:
        """The line being typed, unless it is a secret."""
        return "" if self._editor.masked else self._editor.text

    @property
    def masked(self) -> bool:
        """Whether what is typed is a secret, and not shown: see `Editor.masked`."""
        return self._editor.masked

    @masked.setter
    def masked(self, masked: bool) -> None:
        self._editor.masked = masked
        self.refresh()

    def is_now(self, *, colours: int, ansi: bool) -> None:
        """The client has said what its terminal is."""
        self.colours = colours
        if self._conversation.session is not None:
            self.refresh()
        if ansi != self._ansi:
            self._ansi = ansi
            data = self._begin_anew()
            if self._marks_pastes and not ansi:
                self._marks_pastes, data = False, data + _MARK_NO_PASTES
            self._put(data)

    def interrupt(self) -> None:
        """Somebody pressed Ctrl-C in a way that is not a key (telnet's IP, ssh's signal)."""
        self.receive(b"\x03")

    def stop(self) -> None:
        """The connection is gone."""
        self._left = True
        self._pressed = ()
        for call in (self._escape, self._resizing, self._pressing):
            if call is not None and call.active():
                call.cancel()


@lru_cache(maxsize=1024)
def _painted(focus: str, elsewhere: str, name: str, colours: int) -> tuple[str, int]:
    """The prompt for a room and what is unread elsewhere, in a theme, and its width."""
    look, prompt = theme(name, colours), f"[{focus}]"
    shown = f"{look.paint(prompt, look.prompt)} "
    if not elsewhere:
        return shown, cells(prompt) + 1
    shown += f"{look.paint(elsewhere, look.mention if '!' in elsewhere else look.prompt)} "
    return shown, cells(prompt) + cells(elsewhere) + 2
