"""Terminals: the display that the server draws, and keys, joined to a conversation."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Notice
from chatd.chat.limits import LINE_BYTES, MARKS_PER_CHARACTER, PERSONAL_BYTES, Rate
from chatd.chat.model.preferences import Preferences
from chatd.chat.text.sanitizing import safe
from chatd.transport.channel import Program
from chatd.transport.conversation.conversation import Conversation
from chatd.transport.conversation.terminal import (
    COMPLETIONS_AT_ONCE,
    ESCAPE_SECONDS,
    KEYS_AT_ONCE,
    Terminal,
)
from chatd.transport.net.outbox import StreamOutbox
from chatd.transport.net.turns import PIECE_BYTES
from tests.support.displays import TIPS, Display
from tests.support.memory_server import ClientConnection, FakeTransport, MemoryServer

COLUMNS, ROWS = 80, 16


class FillingTransport(FakeTransport):
    """A transport that may become full in a write."""

    fills_on_write = False

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.fills_on_write:
            self.stops_reading()


class TerminalUser:
    """A user at a terminal, in the lobby of a server."""

    def __init__(
        self,
        server: MemoryServer,
        nick: str = "ada",
        *,
        colours: bool = False,
        ansi: bool = True,
        plain: bool = False,
        rows: int = ROWS,
    ) -> None:
        self.server = server
        self.transport = FillingTransport()
        self.reading = True
        self.outbox = StreamOutbox(self.transport, server.clock, self.ready)
        self.conversation = Conversation(server.host, self, self)
        self.terminal = Terminal(
            self.conversation,
            server.clock,
            server.host.turns,
            COLUMNS,
            rows,
            colours=256 * colours,
            ansi=ansi,
            plain=plain,
        )
        self.display = Display(COLUMNS, rows)
        self.conversation.use(self.terminal)
        wishes = (("plain", "on"),) if plain else ()
        self.conversation.begin(Visitor(nick, "192.0.2.1", preferences=wishes))

    # The connection

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    def pass_to(self, program: Program) -> None:
        raise AssertionError("a single server relays nothing")

    # The program in it

    def data_received(self, data: bytes) -> None:
        self.terminal.receive(data)

    def hand_over(self) -> bytes:
        raise AssertionError("a single server relays nothing")

    def resized(self, columns: int, rows: int) -> None:
        self.terminal.resize(columns, rows)

    def interrupted(self) -> None:
        self.terminal.interrupt()

    def input_ended(self) -> None:
        self.conversation.input_ended()

    def answered(self) -> None:
        raise AssertionError("no sign of life is asked for")

    def ready(self) -> None:
        self.conversation.ready()

    def lost(self) -> None:
        self.terminal.stop()
        self.conversation.connection_lost()

    # The user

    def types(self, text: str) -> None:
        """Press keys."""
        self.terminal.receive(text.encode())

    def receives(self) -> bytes:
        """Return what was sent since the last time, once the turn has ended, and show it."""
        self.server.end_turn()
        data: bytes = self.transport.value()
        self.transport.clear()
        self.display.feed(data)
        return data

    def sees(self) -> list[str]:
        """Return the rows of the screen, once the turn has ended."""
        self.receives()
        return self.display.lines

    def loses_connection(self) -> None:
        """Lose the connection."""
        self.lost()


def ada_and_bob(*, flood: Rate | None = None) -> tuple[TerminalUser, ClientConnection]:
    """Return Ada at a terminal and Bob with a netcat, who have read the greeting."""
    server = MemoryServer(flood=flood)
    ada, bob = TerminalUser(server), server.enters("bob")
    ada.sees(), bob.receives()
    return ada, bob


GREETED = [
    "-- You are ada in lobby, alone so far; /help says what you can do.",
    *TIPS,
    "-- guest1 joined lobby",
    "-- guest1 is now known as bob",
]


# What is shown ------------------------------------------------------------------------------------


def test_a_new_user_sees_the_greeting_and_then_a_prompt() -> None:
    ada = TerminalUser(MemoryServer())
    assert ada.sees() == [*GREETED[: 1 + len(TIPS)], "[lobby]"]
    assert ada.display.cursor == (8, 1 + len(TIPS))


def test_a_typed_line_is_shown_once() -> None:
    ada, bob = ada_and_bob()
    ada.types("hello")
    assert ada.receives() == b"hello"
    ada.types("\r")
    assert ada.sees() == [*GREETED, "ada: hello", "[lobby]"]
    assert bob.receives() == b"ada: hello\r\n"


def test_a_line_of_several_rows_is_shown_once_when_it_is_said() -> None:
    ada, _bob = ada_and_bob()
    ada.types("x" * 100)
    assert ada.sees()[len(GREETED) :] == ["[lobby] " + "x" * 72, "x" * 28]
    ada.types("\r")
    assert ada.sees()[len(GREETED) :] == ["ada: " + "x" * 74, " " * 5 + "x" * 26, "[lobby]"]


def test_a_half_typed_line_survives_messages_of_others() -> None:
    ada, bob = ada_and_bob()
    ada.types("hal")
    bob.sends(b"one\n"), bob.sends("zwei 日本語\n".encode())
    assert ada.sees() == [*GREETED, "bob: one", "bob: zwei 日本語", "[lobby] hal"]
    ada.types("f\x7fves\r")
    assert ada.sees()[-2:] == ["ada: halves", "[lobby]"]
    assert bob.receives() == b"ada: halves\r\n"


def test_messages_of_one_reactor_turn_are_drawn_at_once() -> None:
    ada, bob = ada_and_bob()
    ada.types("hal"), ada.receives()
    bob.sends(b"one\ntwo\nthree\n")
    assert ada.receives() == b"\r\x1b[Kbob: one\r\nbob: two\r\nbob: three\r\n[lobby] hal"


def test_answers_and_refusals_are_shown_above_the_line() -> None:
    ada, _bob = ada_and_bob()
    ada.types("/users\rhal"), ada.types("\x15/nonsense\rf")
    assert ada.sees()[len(GREETED) :][:3] == ["-- lobby: 2 here", "   ada", "   bob"]
    assert ada.sees()[-1] == "[lobby] f"
    assert ada.sees()[-2].startswith("-- ")


def test_the_prompt_names_the_room_that_has_the_focus() -> None:
    ada, _bob = ada_and_bob()
    ada.types("/join attic\r")
    assert ada.sees()[-1] == "[attic]"
    ada.types("/leave\r"), ada.types("/leave lobby\r")
    assert ada.sees()[-1] == "[-]"


def test_the_prompt_of_a_room_in_wide_letters_leaves_nothing_behind() -> None:
    ada, bob = ada_and_bob()
    ada.types("/join 日本語の部屋\r"), ada.types("hal")
    bob.sends(b"one\n")
    assert ada.sees()[-2:] == ["[lobby] bob: one", "[日本語の部屋] (lobby 1) hal"]
    assert ada.display.cursor == (28, len(ada.display.lines) - 1)


def test_colours_are_shown_where_supported_and_not_in_plain() -> None:
    ada = TerminalUser(MemoryServer(), colours=True)
    ada.receives()
    ada.types("hi\r")
    assert b"\x1b[38;5;" in ada.receives()
    ada.types("/set plain on\r"), ada.receives()
    ada.types("hi\r")
    assert ada.receives() == b"hi\r\n"


def test_the_style_fits_the_user_and_the_terminal() -> None:
    preferences = Preferences(theme="light", bell="off", timestamps="on", timezone="Asia/Tokyo")
    terminal = TerminalUser(MemoryServer(), colours=True).terminal
    style = terminal.style(preferences)
    assert (style.theme, style.bell, style.timestamps) == ("light", "off", "HH:MM")
    assert (style.timezone, style.joins, style.names_room) == ("Asia/Tokyo", "fold", False)
    terminal.colours = False
    assert terminal.style(preferences).theme == "plain"


def test_a_dumb_terminal_is_never_sent_a_sequence() -> None:
    server = MemoryServer()
    ada, bob = TerminalUser(server, ansi=False), server.enters("bob")
    ada.types("hal"), bob.sends(b"one\n"), ada.types("\x7f\x0c"), ada.terminal.resize(40, 10)
    ada.types("/join attic\r"), ada.types("/quit\r")
    assert b"\x1b" not in ada.receives()


def test_another_size_redraws_the_line_and_the_same_size_nothing() -> None:
    ada, _bob = ada_and_bob()
    ada.types("hal"), ada.receives()
    ada.terminal.resize(COLUMNS, ROWS)
    assert ada.receives() == b""
    ada.terminal.resize(30, 10)
    assert ada.receives() == b"\r\x1b[K\x1b[C\x1b[J\r[lobby] hal"


# Keys ---------------------------------------------------------------------------------------------


def test_ctrl_l_makes_a_new_screen_with_the_line() -> None:
    ada, _bob = ada_and_bob()
    ada.types("hal\x0c")
    assert ada.sees() == ["[lobby] hal"]


def test_ctrl_c_clears_the_line_and_then_says_how_to_leave() -> None:
    ada, bob = ada_and_bob()
    ada.types("hal\x03")
    assert ada.sees() == [*GREETED, "[lobby]"]
    ada.types("\x03")
    assert ada.sees() == [*GREETED, "-- /quit or Ctrl-D leaves.", "[lobby]"]
    assert bob.receives() == b""


def test_ctrl_c_drops_pending_lines() -> None:
    ada, bob = ada_and_bob(flood=Rate(2, 1))
    ada.types("1\r2\r3\r4\r"), ada.receives()
    ada.types("\x03")
    assert "-- Dropped 2 lines that waited." in ada.sees()
    ada.server.clock.pump([1] * 10)
    assert bob.receives() == b"ada: 1\r\nada: 2\r\n"


def test_an_interrupt_signal_is_like_ctrl_c() -> None:
    ada, _bob = ada_and_bob()
    ada.types("hal"), ada.terminal.interrupt()
    assert ada.sees()[-1] == "[lobby]"
    ada.terminal.interrupt()
    assert ada.sees()[-2] == "-- /quit or Ctrl-D leaves."


@pytest.mark.parametrize("key", ["\x04", "/quit\r"])
def test_ctrl_d_leaves_like_quit_and_restores_the_screen(key: str) -> None:
    ada, bob = ada_and_bob()
    ada.types(key)
    assert ada.sees() == [*GREETED, "-- Goodbye."]
    assert ada.display.cursor == (0, len(GREETED) + 1)
    assert ada.transport.disconnecting
    assert bob.receives() == b"-- ada left\r\n"


def test_ctrl_d_on_a_line_does_nothing() -> None:
    ada, _bob = ada_and_bob()
    ada.types("hal\x04")
    assert ada.sees()[-1] == "[lobby] hal"
    assert not ada.transport.disconnecting


@pytest.mark.parametrize("more", ["hello\r", "hello", "\x0c"])
def test_keys_after_leaving_are_neither_shown_nor_sent(more: str) -> None:
    ada, bob = ada_and_bob()
    ada.types(f"/quit\r{more}"), ada.types(more)
    assert ada.sees() == [*GREETED, "-- Goodbye."]
    assert bob.receives() == b"-- ada left\r\n"


def test_being_closed_by_the_server_leaves_no_half_typed_line() -> None:
    ada, _bob = ada_and_bob()
    ada.types("hal")
    assert ada.conversation.session is not None
    ada.conversation.session.deliver(Notice("The server is stopping. Goodbye."))
    ada.conversation.close()
    assert ada.sees() == [*GREETED, "-- The server is stopping. Goodbye."]


def test_several_lines_at_once_are_several_lines() -> None:
    ada, bob = ada_and_bob()
    ada.types("one\rtwo\rthree")
    assert bob.receives() == b"ada: one\r\nada: two\r\n"
    assert ada.sees()[-3:] == ["ada: one", "ada: two", "[lobby] three"]


def test_a_line_that_is_too_long_is_cut_and_its_sender_told() -> None:
    ada, bob = ada_and_bob()
    ada.types("x" * LINE_BYTES)
    assert b"too long" not in ada.receives()
    ada.types("y")
    assert b"-- That line was too long;" in ada.receives()
    ada.types("\r")
    assert bob.receives() == b"ada: " + b"x" * LINE_BYTES + b"\r\n"


def test_typed_lines_are_made_safe_for_others() -> None:
    ada, bob = ada_and_bob()
    ada.types("a\u202eb\x9bc\r"), ada.types("e" + "\u0301" * 30 + "\r")
    assert bob.receives().decode() == "ada: abc\r\nada: e" + "\u0301" * 8 + "\r\n"


def test_combining_marks_typed_one_by_one_are_limited_for_others() -> None:
    ada, bob = ada_and_bob()
    for char in "e" + "\u0301" * 30 + "\r":
        ada.types(char)
    assert bob.receives().decode() == "ada: e" + "\u0301" * 8 + "\r\n"


def test_a_paste_that_is_cut_is_reported() -> None:
    ada, _bob = ada_and_bob()
    ada.types("\x1b[200~" + "line\n" * 20_000 + "\x1b[201~")
    assert any("paste" in line for line in ada.sees())


# Whoever edits ------------------------------------------------------------------------------------


def test_a_message_is_drawn_while_the_cursor_is_within_a_line_of_several_rows() -> None:
    ada, bob = ada_and_bob()
    ada.types("日本語 cafe\u0301 " + "x" * 80), ada.types("\x1b[D" * 82)
    assert ada.sees()[len(GREETED) :] == ["[lobby] 日本語 café " + "x" * 60, "x" * 20]
    assert ada.display.cursor == (8 + 6 + 1 + 3, len(GREETED))
    bob.sends(b"one\n")
    assert ada.sees()[len(GREETED) :] == ["bob: one", "[lobby] 日本語 café " + "x" * 60, "x" * 20]
    assert ada.display.cursor == (8 + 6 + 1 + 3, len(GREETED) + 1)
    ada.types("!\r")
    assert bob.receives().decode() == "ada: 日本語 caf!e\u0301 " + "x" * 80 + "\r\n"


def test_entered_lines_come_back_with_up_and_in_a_search() -> None:
    ada, _bob = ada_and_bob()
    ada.types("make tea\rhello\r"), ada.types("\x1b[A\x1b[A")
    assert ada.sees()[-1] == "[lobby] make tea"
    ada.types("\x03\x12te")
    assert ada.sees()[-1] == "(search: te) make tea"
    assert ada.display.cursor[0] == len("(search: te) make ")
    ada.types("\r")
    assert ada.sees()[-2:] == ["ada: make tea", "[lobby]"]


def test_a_paste_of_several_lines_is_asked_about_and_said_as_one() -> None:
    ada, bob = ada_and_bob()
    ada.types("\x1b[200~one\ntwo\n\x1b[201~")
    assert ada.sees()[-1] == "Send 2 lines? y/n"
    bob.sends(b"hello\n")
    assert ada.sees()[-2:] == ["bob: hello", "Send 2 lines? y/n"]
    ada.types("y")
    assert ada.sees()[-3:] == ["ada: one", "     two", "[lobby]"]
    assert bob.receives() == b"ada: one\r\n    two\r\n"


def test_a_declined_paste_is_forgotten() -> None:
    ada, bob = ada_and_bob()
    ada.types("half\x1b[200~one\n/quit\n\x1b[201~n")
    assert ada.sees()[-1] == "[lobby] half"
    assert bob.receives() == b""


def test_a_paste_runs_no_command() -> None:
    ada, bob = ada_and_bob()
    ada.types("\x1b[200~/quit\n/quit\x1b[201~y")
    assert bob.receives() == b"ada: /quit\r\n    /quit\r\n"
    assert not ada.transport.disconnecting


def test_tab_completes_nicks_and_commands() -> None:
    ada, bob = ada_and_bob()
    ada.server.enters("bella")
    bob.sends(b"hello\n"), ada.receives()
    ada.types("b\t")
    assert ada.sees()[-1] == "[lobby] bob:"
    ada.types("\t")
    assert ada.sees()[-1] == "[lobby] bella:"
    ada.types("\x1b[Zyes\x15/whoi\tbe\t")
    assert ada.sees()[-1] == "[lobby] /whois bella"
    ada.types("\r")
    assert "-- bella:" in ada.sees()


def test_only_so_many_completions_are_looked_up_at_once() -> None:
    ada, _bob = ada_and_bob()
    ada.types("b\t " * (COMPLETIONS_AT_ONCE + 3))
    assert ada.sees()[-1].count("bob") == COMPLETIONS_AT_ONCE
    ada.types("b\t")
    assert ada.sees()[-1].count("bob") == COMPLETIONS_AT_ONCE + 1


def test_a_secret_is_entered_and_shown_nowhere() -> None:
    ada, bob = ada_and_bob()
    ada.types("half"), ada.receives()
    ada.terminal.masked = True
    assert ada.sees()[-1] == "[lobby]"
    ada.types("secret\x1b[D")
    assert ada.receives() == b""
    assert ada.terminal.typed == ""
    bob.sends(b"hello\n")
    assert b"secret" not in ada.receives()
    ada.types("\x15"), ada.receives()
    ada.terminal.masked = False
    assert ada.sees()[-1] == "[lobby] half"
    assert not ada.terminal.masked


def test_keys_that_come_after_the_time_of_a_turn_wait_and_nothing_is_read_meanwhile() -> None:
    ada, bob = ada_and_bob()
    bob.sends(b"hello\n"), ada.server.spends_turn()
    ada.types("ab" + "\x02\x06" * KEYS_AT_ONCE + "c\r")
    assert not ada.reading
    ada.types("d\r")
    assert not ada.reading
    ada.server.end_turn()
    assert ada.reading
    assert bob.receives() == b"ada: abc\r\nada: d\r\n"
    assert ada.sees()[-4:] == ["bob: hello", "ada: abc", "ada: d", "[lobby]"]


def test_a_connection_lost_with_pending_keys_leaves_no_timer() -> None:
    ada, bob = ada_and_bob()
    ada.server.spends_turn()
    ada.types("\x02" * 2 * KEYS_AT_ONCE + "hello\r"), ada.loses_connection()
    ada.server.clock.advance(1)
    assert ada.server.clock.getDelayedCalls() == []
    assert bob.receives() == b"-- ada left\r\n"


def test_keys_pressed_after_leaving_do_nothing() -> None:
    ada, bob = ada_and_bob()
    ada.types("/quit\r" + "\x02" * 2 * KEYS_AT_ONCE + "hello\r")
    ada.server.clock.advance(1)
    assert ada.sees() == [*GREETED, "-- Goodbye."]
    assert bob.receives() == b"-- ada left\r\n"


def test_bracketed_paste_is_on_during_the_session_only() -> None:
    ada = TerminalUser(MemoryServer())
    assert ada.receives().count(b"\x1b[?2004h") == 1
    ada.types("hello\r"), ada.server.clock.advance(1)
    assert b"2004" not in ada.receives()
    ada.types("/quit\r")
    assert ada.receives().endswith(b"\x1b[?2004l")


def test_bracketed_paste_is_turned_off_for_a_dumb_terminal() -> None:
    ada, bob = ada_and_bob()
    ada.terminal.set_kind(colours=False, ansi=False)
    assert ada.receives().endswith(b"\x1b[?2004l")
    ada.types("hal"), bob.sends(b"one\n"), ada.types("/quit\r")
    assert b"\x1b" not in ada.receives()


# Plain --------------------------------------------------------------------------------------------


def plain(*, ansi: bool = True) -> tuple[TerminalUser, ClientConnection]:
    """Return Ada, who has set plain, and Bob."""
    ada, bob = ada_and_bob()
    if not ansi:
        ada.terminal.set_kind(colours=False, ansi=False)
    ada.types("/set plain on\r"), ada.receives()
    return ada, bob


def test_plain_shows_typing_and_messages_and_redraws_nothing() -> None:
    ada, bob = plain()
    for key in "hal":
        ada.types(key)
        assert ada.receives() == key.encode()
    bob.sends(b"one\n")
    assert ada.receives() == b"\r\nbob: one\r\n"
    bob.sends(b"two\n"), bob.sends(b"three\n")
    assert ada.receives() == b"bob: two\r\nbob: three\r\n"
    ada.types("x"), ada.receives()
    ada.types("\x7f")
    assert ada.receives() == b"\b \b"
    ada.types("f"), ada.types("\r")
    assert ada.receives() == b"f\r\n"
    assert bob.receives() == b"ada: half\r\n"
    ada.types("/users\r")
    assert ada.receives() == b"/users\r\n-- lobby: 2 here\r\n   ada\r\n   bob\r\n"


def test_plain_recalls_history_on_a_row_of_its_own() -> None:
    ada, _bob = plain()
    ada.types("one\r"), ada.types("hal"), ada.receives()
    ada.types("\x1b[A")
    assert ada.receives() == b"\r\none"
    ada.types("\x1b[D\x01")
    assert ada.receives() == b""


def test_plain_asks_about_pastes_too() -> None:
    ada, bob = plain()
    ada.types("\x1b[200~one\ntwo\x1b[201~")
    assert ada.receives() == b"Send 2 lines? y/n "
    ada.types("y")
    ada.receives()
    assert bob.receives() == b"ada: one\r\n    two\r\n"


@pytest.mark.parametrize("ansi", [True, False])
def test_plain_sends_no_sequence_until_it_ends(ansi: bool) -> None:
    ada, bob = plain(ansi=ansi)
    ada.types("hal\x12hello\x07\x1b[A\x15\x0c"), bob.sends(b"one\n")
    ada.types("日本\x7f\r"), ada.terminal.resize(40, 10), ada.types("/join attic\r")
    assert b"\x1b" not in ada.receives()
    ada.types("/set plain off\r")
    assert (b"\x1b[K" in ada.receives()) == ansi


def test_plain_leaves_no_half_typed_line_before_the_goodbye() -> None:
    ada, _bob = plain()
    ada.types("hal"), ada.receives()
    assert ada.conversation.session is not None
    ada.conversation.session.deliver(Notice("Goodbye."))
    ada.conversation.close()
    assert ada.receives() == b"\r\n-- Goodbye.\r\n\x1b[?2004l"


def test_a_dumb_terminal_repeats_the_prompt_and_the_line_below_a_message() -> None:
    server = MemoryServer()
    ada, bob = TerminalUser(server, ansi=False), server.enters("bob")
    ada.receives(), ada.types("hal"), bob.sends(b"one\n")
    assert ada.receives() == b"hal\r\nbob: one\r\n[lobby] hal"
    ada.types("f"), ada.receives()
    ada.types("\r")
    assert ada.receives() == b"\r\n[lobby] "
    assert bob.receives() == b"ada: half\r\n"


# Whatever is typed --------------------------------------------------------------------------------

HOSTILE = st.lists(
    st.one_of(
        st.sampled_from(
            ["\x1b[200~", "\x1b[201~", "\x1b]0;x\x07", "\x1b[2J", "\u009b1m", "\x9b31m"]
        ),
        st.sampled_from(["\u202e", "\u2066", "\u2028", "\u0301" * 500, "\u200d", "日", "a", " "]),
        st.sampled_from(
            ["\r", "\t", "\x1b[Z", "\x12", "\x1b[A", "\x01", "\x7f", "\x0b", "\x19", "y"]
        ),
        st.text(max_size=8),
    ),
    max_size=30,
)

#: All that is ever sent beside text: where the cursor goes, what is erased, how pastes are marked.
OURS = re.compile(r"\r\n|\r|\x08|\x1b\[(?:\d+[ABC]|[HJK]|2J|\?2004[hl])")


@given(HOSTILE, st.booleans())
def test_no_typed_control_sequence_reaches_a_screen(typed: list[str], ansi: bool) -> None:
    server = MemoryServer()
    ada, bob = TerminalUser(server, ansi=ansi), server.enters("bob")
    for text in typed:
        ada.types(text)
        bob.sends(b"hello\n")
        shown = OURS.sub("", ada.receives().decode())
        assert "\u0301" * (MARKS_PER_CHARACTER + 1) not in shown
        assert shown == safe(shown)
    assert "\x1b" not in bob.receives().decode()


# ESC ----------------------------------------------------------------------------------------------


def test_a_lone_esc_is_a_key_without_effect_after_a_moment() -> None:
    ada, _bob = ada_and_bob()
    ada.types("hal\x1b")
    assert ada.sees()[-1] == "[lobby] hal"
    ada.server.clock.advance(ESCAPE_SECONDS)
    assert ada.server.clock.getDelayedCalls() == []
    ada.types("[Af")
    assert ada.sees()[-1] == "[lobby] hal[Af"


def test_a_sequence_in_two_pieces_is_one_key() -> None:
    ada, _bob = ada_and_bob()
    ada.types("hal\x1b")
    ada.server.clock.advance(ESCAPE_SECONDS / 2)
    ada.types("[Af")
    ada.server.clock.advance(ESCAPE_SECONDS)
    assert ada.sees()[-1] == "[lobby] half"


def test_esc_twice_restarts_the_moment() -> None:
    ada, _bob = ada_and_bob()
    ada.types("\x1b")
    ada.server.clock.advance(ESCAPE_SECONDS / 2)
    ada.types("\x1b")
    ada.server.clock.advance(ESCAPE_SECONDS * 0.75)
    [_timer] = ada.server.clock.getDelayedCalls()
    ada.server.clock.advance(ESCAPE_SECONDS)
    ada.types("[A")
    assert ada.sees()[-1] == "[lobby] [A"


def test_a_connection_lost_in_that_moment_leaves_no_timer() -> None:
    ada, _bob = ada_and_bob()
    ada.types("\x1b"), ada.loses_connection()
    ada.receives()
    ada.server.clock.advance(60)
    assert ada.server.clock.getDelayedCalls() == []
    assert ada.receives() == b""


# A connection that takes nothing ------------------------------------------------------------------


def test_a_full_connection_keeps_its_position_and_is_drawn_right_once_it_drains() -> None:
    ada, bob = ada_and_bob()
    ada.types("hal"), ada.receives()
    ada.transport.stops_reading()
    for n in range(4):
        bob.sends(b"%d\n" % n)
        bob.receives()
    held = ada.sees()
    assert "bob: 3" not in held
    ada.types("f"), ada.types("\x7f")
    ada.transport.resumes_reading()
    assert ada.sees() == [*GREETED, *(f"bob: {n}" for n in range(4)), "[lobby] hal"]


def test_a_connection_that_fills_while_it_is_drawn_on_loses_nothing() -> None:
    ada, bob = ada_and_bob()
    ada.types("hal"), ada.receives()
    ada.transport.fills_on_write = True
    bob.sends(b"one\n"), bob.receives()
    bob.sends(b"two\n"), bob.receives()
    ada.transport.fills_on_write = False
    assert "bob: one" in ada.sees()
    assert "bob: two" not in ada.sees()
    ada.transport.resumes_reading()
    assert ada.sees() == [*GREETED, "bob: one", "bob: two", "[lobby] hal"]


def test_a_client_that_sends_and_does_not_read_is_not_read_either() -> None:
    ada, _bob = ada_and_bob()
    ada.transport.stops_reading()
    for _ in range(PERSONAL_BYTES // 30):
        if ada.reading:
            ada.types("x" * 70), ada.types("\x15")
    assert not ada.reading
    assert len(ada.receives()) < 2 * PERSONAL_BYTES
    ada.transport.resumes_reading()
    assert ada.reading


def test_a_screen_is_redrawn_once_for_many_requests_in_one_packet() -> None:
    server = MemoryServer("telnet")
    connection = server.connects()
    for sent in (b"\xff\xfd\x01\xff\xfd\x03", b"x" * 4000, b"\x0c" * PIECE_BYTES):
        connection.sends(sent)
    assert len(connection.receives()) < 30_000


def test_the_last_of_several_sizes_in_one_packet_counts() -> None:
    server = MemoryServer("telnet")
    connection = server.connects()
    (
        connection.sends(b"\xff\xfd\x01\xff\xfd\x03" + b"\xff\xfb\x1f"),
        connection.sends(b"x" * 3000),
        connection.receives(),
    )
    sizes = (
        b"\xff\xfa\x1f\x00" + bytes([columns]) + b"\x00\x18\xff\xf0" for columns in range(30, 130)
    )
    connection.sends(b"".join(sizes))
    assert len(connection.receives()) < 8000


# What is unread elsewhere -------------------------------------------------------------------------


def test_the_prompt_shows_unread_counts_of_other_rooms() -> None:
    ada, bob = ada_and_bob()
    ada.types("/join attic\r"), bob.sends(b"/join attic\n"), bob.sends(b"/focus lobby\n")
    ada.types("hal"), ada.sees()
    bob.sends(b"one\n")
    assert ada.sees()[-2:] == ["[lobby] bob: one", "[attic] (lobby 1) hal"]
    bob.sends(b"hello ada\n"), bob.sends(b"/me waves\n")
    assert ada.sees()[-1] == "[attic] (lobby 3!) hal"
    assert ada.display.cursor[0] == len("[attic] (lobby 3!) hal")
    ada.types("\x15/focus lobby\r")
    assert ada.sees()[-1] == "[lobby]"
    bob.sends(b"two\n")
    assert ada.sees()[-1] == "[lobby]"


def test_a_message_in_the_focused_room_draws_the_prompt_once() -> None:
    ada, bob = ada_and_bob()
    ada.types("/join attic\r"), bob.sends(b"/join attic\n"), ada.receives()
    bob.sends(b"one\n")
    assert ada.receives().count(b"[attic]") == 1


def test_many_unread_rooms_are_abbreviated_and_own_messages_are_read() -> None:
    ada, bob = ada_and_bob()
    for room in ("a", "b", "c", "d", "e"):
        ada.types(f"/join {room}\r"), bob.sends(b"/join %s\n" % room.encode())
    bob.sends(b"/bc hello ada\n")
    assert ada.sees()[-1] == "[e] (lobby 1!, a 1!, b 1!, 2! more)"
    ada.types("/leave lobby\r"), ada.types("/focus a\r"), ada.types("/focus e\r")
    assert ada.sees()[-1] == "[e] (b 1!, c 1!, d 1!)"
    for room in "bcde":
        ada.types(f"/focus {room}\r")
    assert ada.sees()[-1] == "[e]"
    ada.types("/bc hi\r")
    assert ada.sees()[-1] == "[e]"


def test_leaving_a_room_focuses_another_and_shows_its_unread_messages() -> None:
    ada, bob = ada_and_bob()
    ada.types("/set replay 5\r/join attic\r"), ada.receives()
    bob.sends(b"one\n"), ada.receives()
    ada.types("/leave\r")
    assert ada.sees()[-5:] == [
        "-- You left attic; lobby has the focus now.",
        "--- lobby, 1 new ---",
        "   --- Thursday, 1 January 1970 ---",
        "   00:00 bob: one",
        "[lobby]",
    ]


def test_the_ssh_user_name_plain_makes_the_greeting_plain() -> None:
    ada = TerminalUser(MemoryServer(), plain=True)
    data = ada.receives()
    assert b"\x1b" not in data.replace(b"\x1b[?2004h", b"")
    assert data.endswith(b"something for one person alone\r\n\x1b[?2004h")


# Widths -------------------------------------------------------------------------------------------


def test_another_width_rewraps_everything_from_then_on() -> None:
    ada, bob = ada_and_bob()
    ada.terminal.resize(40, ROWS)
    ada.display.screen.resize(ROWS, 40)
    ada.receives()
    bob.sends(b"one two three four five six seven eight nine\n")
    assert ada.sees()[-3:] == [
        "bob: one two three four five six seven",
        "     eight nine",
        "[lobby]",
    ]


def test_a_guests_greeting_with_replay_fits_a_screen_of_24_by_80() -> None:
    server = MemoryServer(replay=10)
    bob = server.enters("bob")
    for number in range(30):
        bob.sends(b"message %d %s\n" % (number, b"word " * 20))
    bob.sends(b"/topic %s\n" % (b"topic " * 30)), bob.receives()
    ada = TerminalUser(server, rows=24)
    lines = ada.sees()
    assert lines[0].startswith("-- You are ada in lobby, with bob; /help says")
    assert "-- lobby, the last 6:" in lines
    assert lines[-3].startswith("   00:00 bob: message 29 word")
    assert lines[-1] == "[lobby]"


def test_on_paper_the_prompt_has_counts_without_escape_sequences_in_any_theme() -> None:
    server = MemoryServer()
    ada, bob = TerminalUser(server, ansi=False), server.enters("bob")
    ada.types("/set theme mono\r/join attic\r"), bob.sends(b"ada: hello\n"), ada.types("x")
    server.end_turn()
    ada.types("y")
    data = ada.receives()
    assert b"(lobby 1!) xy" in data
    assert b"\x1b" not in data
