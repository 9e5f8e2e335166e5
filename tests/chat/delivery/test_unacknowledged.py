"""Unacknowledged messages: a line that is not stored at once is shown to its sender as pending."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred

from chatd.chat.delivery.unacknowledged import (
    DELIVERED_NOTICE,
    LATE_SECONDS,
    LONG_SECONDS,
    PENDING_NOTICE,
    QUOTED,
    UNREACHABLE_NOTICE,
)
from chatd.chat.events import RoomEvent
from chatd.terminal.pending import ROWS
from chatd.transport.services.unacknowledged import CHECK_SECONDS, UnacknowledgedCheck
from tests.support.displays import TIPS
from tests.support.held_store import HeldStore
from tests.support.memory_server import MemoryServer
from tests.transport.conversation.test_terminal import TerminalUser

PENDING = f"-- {PENDING_NOTICE.format('the disk')}"


class StallingServer:
    """A server whose store can be made to answer nothing, and Ada at a terminal of it."""

    def __init__(self, nick: str = "ada", *, plain: bool = False, ansi: bool = True) -> None:
        self.store = HeldStore()
        self.memory_server = MemoryServer(store=self.store)
        check = UnacknowledgedCheck(
            self.memory_server.chat, self.memory_server.clock, self.memory_server.clock.seconds
        )
        check.startService()
        self.ada = TerminalUser(self.memory_server, nick, plain=plain, ansi=ansi)
        self.ada.sees()

    def stall(self) -> None:
        """Let the store answer nothing from now on."""
        self.store.is_holding = True

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, with the checks in between."""
        for _ in range(round(seconds / CHECK_SECONDS)):
            self.memory_server.clock.advance(CHECK_SECONDS)

    def advance_until_late(self) -> None:
        """Let enough time pass for a line that is not stored to be marked as pending."""
        self.advance(LATE_SECONDS + CHECK_SECONDS)


GREETING = ["-- You are ada in lobby, alone so far; /help says what you can do.", *TIPS]


@pytest.fixture
def server() -> StallingServer:
    return StallingServer()


def sees(server: StallingServer) -> list[str]:
    """Return the rows of the screen below the greeting."""
    return server.ada.sees()[len(GREETING) :]


def test_a_pending_line_is_marked_between_the_messages_and_the_prompt(
    server: StallingServer,
) -> None:
    server.stall()
    server.ada.types("hello\rnex")
    assert sees(server) == ["[lobby] nex"]
    server.advance_until_late()
    assert sees(server) == ["… ada: hello", "[lobby] nex"]
    server.ada.types("t")
    assert sees(server) == ["… ada: hello", "[lobby] next"]
    server.store.store_held()
    assert sees(server) == ["ada: hello", "[lobby] next"]


def test_a_line_that_is_stored_at_once_is_never_marked(server: StallingServer) -> None:
    server.stall()
    server.ada.types("hello\r")
    server.memory_server.clock.advance(LATE_SECONDS / 2)
    server.store.store_held()
    assert "…" not in server.ada.receives().decode()
    server.advance_until_late()
    assert server.ada.receives() == b""


def test_messages_of_others_appear_above_the_pending_lines(server: StallingServer) -> None:
    bob = server.memory_server.enters("bob")
    server.ada.sees()
    server.stall()
    server.ada.types("hello\r")
    server.advance_until_late()
    server.store.is_holding = False
    bob.sends(b"hi\n")
    assert sees(server)[-3:] == ["bob: hi", "… ada: hello", "[lobby]"]
    server.store.store_held()
    assert sees(server)[-3:] == ["bob: hi", "ada: hello", "[lobby]"]


def test_lines_that_are_stored_one_by_one_lose_their_marks_one_by_one(
    server: StallingServer,
) -> None:
    server.stall()
    server.ada.types("one\r/me two\r")
    server.advance_until_late()
    assert sees(server) == ["… ada: one", "… * ada two", "[lobby]"]
    server.store.store_held(1)
    assert sees(server) == ["ada: one", "… * ada two", "[lobby]"]
    server.store.store_held()
    assert sees(server) == ["ada: one", "* ada two", "[lobby]"]


def test_only_the_newest_pending_lines_are_shown_and_the_others_are_counted(
    server: StallingServer,
) -> None:
    server.stall()
    for number in range(ROWS):
        server.ada.types(f"{number}\r")
    server.advance_until_late()
    assert sees(server) == [*(f"… ada: {number}" for number in range(ROWS)), "[lobby]"]
    server.ada.types(f"{ROWS}\r")
    server.advance_until_late()
    newest = [f"… ada: {number}" for number in range(2, ROWS + 1)]
    assert sees(server) == ["… 2 more wait", *newest, "[lobby]"]
    server.store.store_held()
    assert sees(server) == [*(f"ada: {number}" for number in range(ROWS + 1)), "[lobby]"]


def test_a_block_is_marked_by_its_first_line(server: StallingServer) -> None:
    server.stall()
    server.ada.types("\x1b[200~one\ntwo\x1b[201~y")
    server.advance_until_late()
    assert sees(server) == ["… ada: one …", "[lobby]"]
    server.store.store_held()
    assert sees(server) == ["ada: one", "     two", "[lobby]"]


def test_a_long_line_is_marked_in_one_row_that_ends_before_the_last_column(
    server: StallingServer,
) -> None:
    server.stall()
    server.ada.types("字" * 60 + "\r")
    server.advance_until_late()
    assert sees(server) == ["… ada: " + "字" * 34 + "…", "[lobby]"]
    server.store.store_held()
    assert sees(server) == ["ada: " + "字" * 37, " " * 5 + "字" * 23, "[lobby]"]


def test_a_pending_line_of_another_room_is_marked_with_its_name(server: StallingServer) -> None:
    server.ada.types("/join attic\r"), server.ada.sees()
    server.stall()
    server.ada.types("hello\r/focus lobby\r")
    server.advance_until_late()
    assert sees(server)[-2:] == ["… [attic] ada: hello", "[lobby]"]
    server.store.store_held()
    assert sees(server)[-2:] == ["[attic] ada: hello", "[lobby]"]


def test_a_line_that_is_pending_in_several_rooms_is_marked_once(server: StallingServer) -> None:
    server.ada.types("/join attic\r"), server.ada.sees()
    server.stall()
    server.ada.types("/bc hello\r")
    server.advance_until_late()
    assert sees(server)[-2:] == ["… ada: hello", "[attic]"]
    server.store.store_held(1)
    assert sees(server)[-3:] == ["[lobby] ada: hello", "… ada: hello", "[attic]"]
    server.store.store_held()
    said = "-- Said in 2 rooms, to 0 other people."
    assert sees(server)[-3:] == ["[lobby] ada: hello", said, "[attic]"]
    server.ada.types("/bc more\r")
    server.advance_until_late()
    server.store.fail_held()
    assert sees(server)[-2:] == [
        "-- That was not delivered: the disk is full. You said: more",
        "[attic]",
    ]
    assert "".join(server.ada.display.lines).count("more") == 1


def test_a_refused_line_is_quoted_to_its_sender_and_stays_in_the_input_history(
    server: StallingServer,
) -> None:
    server.stall()
    server.ada.types("hello\r/me waves\r")
    server.advance_until_late()
    server.store.fail_held()
    assert sees(server) == [
        "-- That was not delivered: the disk is full. You said: hello",
        "-- That was not delivered: the disk is full. You said: /me waves",
        "[lobby]",
    ]
    server.ada.types("\x1b[A\x1b[A")
    assert sees(server)[-1] == "[lobby] hello"


@pytest.mark.parametrize("length", [QUOTED, QUOTED + 1])
def test_a_refusal_quotes_the_beginning_of_a_long_line(length: int) -> None:
    server = StallingServer()
    bob = server.memory_server.enters("bob")
    server.stall()
    bob.sends(b"x" * length + b"\n")
    server.store.fail_held()
    quoted = "x" * QUOTED if length == QUOTED else "x" * (QUOTED - 1) + "…"
    said = bob.receives().decode()
    assert said == f"-- That was not delivered: the disk is full. You said: {quoted}\r\n"


# Where nothing is drawn ---------------------------------------------------------------------------


def test_a_netcat_user_is_told_once_that_lines_are_pending_and_once_that_they_are_stored() -> None:
    server = StallingServer()
    bob = server.memory_server.enters("bob")
    server.stall()
    bob.sends(b"one\n"), server.advance_until_late()
    assert bob.receives() == b""
    server.advance(LONG_SECONDS)
    assert bob.receives().decode() == f"{PENDING}\r\n"
    bob.sends(b"two\n"), server.advance(2 * LONG_SECONDS)
    assert bob.receives() == b""
    server.store.store_held(1)
    assert bob.receives() == b""
    server.store.store_held()
    assert bob.receives().decode() == f"-- {DELIVERED_NOTICE}\r\n"
    bob.sends(b"three\n"), server.advance(2 * LONG_SECONDS)
    assert bob.receives().decode() == f"{PENDING}\r\n"
    server.store.fail_held()
    answer = "-- That was not delivered: the disk is full. You said: three\r\n"
    assert bob.receives().decode() == answer


@pytest.mark.parametrize("plain", [True, False])
def test_a_terminal_that_draws_nothing_is_told_in_words_that_a_line_is_pending(plain: bool) -> None:
    server = StallingServer(plain=plain, ansi=plain)
    server.stall()
    server.ada.types("hello\r"), server.advance(2 * LONG_SECONDS)
    shown = server.ada.receives().decode()
    assert PENDING in shown
    assert "…" not in shown
    server.store.store_held()
    assert f"-- {DELIVERED_NOTICE}\r\n" in server.ada.receives().decode()


def test_a_program_is_sent_nothing_but_its_acknowledgement() -> None:
    server = StallingServer()
    bot = server.memory_server.connects()
    bot.sends(b'{"username": "bot", "version": 2}\n'), bot.receives()
    server.stall()
    bot.sends(b'{"message": "hi", "room": "lobby", "id": 7}\n')
    server.advance(2 * LONG_SECONDS)
    assert bot.receives() == b""
    server.store.store_held()
    assert bot.receives() == b'{"ok": true, "id": 7, "seq": 1}\n'


# What the user does meanwhile -----------------------------------------------------------------


def test_setting_plain_erases_the_marks_and_unsetting_it_draws_them_again(
    server: StallingServer,
) -> None:
    server.stall()
    server.ada.types("hello\r")
    server.advance_until_late()
    server.ada.types("/set plain on\r")
    assert not any("…" in row for row in server.ada.sees())
    server.advance(LONG_SECONDS)
    assert sees(server)[-1] == PENDING
    server.ada.types("/set plain off\r")
    assert sees(server)[-2:] == ["… ada: hello", "[lobby]"]


def test_a_pending_line_of_a_user_who_leaves_is_delivered(server: StallingServer) -> None:
    bob = server.memory_server.enters("bob")
    server.stall()
    server.ada.types("hello\r")
    server.advance_until_late()
    server.ada.types("\x04")
    assert server.ada.sees()[-2:] == ["-- Goodbye.", "… ada: hello"]
    assert server.ada.display.cursor[0] == 0
    server.store.store_held()
    assert bob.receives().decode().splitlines() == ["ada: hello", "-- ada left"]


class SilentStore(HeldStore):
    """A store in which reading never ends."""

    async def before(
        self, room: str, number: int | None, count: int, skip: int = 0
    ) -> Sequence[tuple[int, RoomEvent]]:
        await Deferred()
        return ()


def test_a_user_may_leave_while_the_cluster_does_not_answer() -> None:
    building = MemoryServer(store=SilentStore())
    ada = TerminalUser(building)
    ada.sees()
    building.chat.unacknowledged.cluster_lost()
    ada.types("/history\rhello\r")
    assert ada.sees()[-2:] == [f"-- {UNREACHABLE_NOTICE}", "[lobby]"]
    ada.types("\x04")
    assert ada.sees()[-2:] == [f"-- {UNREACHABLE_NOTICE}", "-- Goodbye."]
    assert len(building.chat.people) == 1
    ada.loses_connection()
    assert len(building.chat.people) == 0


def test_ctrl_c_and_ctrl_l_keep_the_marks_of_pending_lines(server: StallingServer) -> None:
    server.stall()
    server.ada.types("hello\r")
    server.advance_until_late()
    server.ada.types("abc\x03")
    assert sees(server) == ["… ada: hello", "[lobby]"]
    server.ada.types("\x0c")
    assert server.ada.sees() == ["… ada: hello", "[lobby]"]


def test_status_counts_the_pending_lines_of_the_user_in_each_room(server: StallingServer) -> None:
    server.ada.types("/join attic\r"), server.ada.sees()
    server.stall()
    server.ada.types("one\rtwo\r/bc three\r")
    server.advance_until_late()
    server.ada.types("/status\r")
    rows = server.ada.sees()
    assert rows[rows.index("   2 rooms") + 1 :][:2] == [
        "   3 lines of yours wait in attic",
        "   1 line of yours waits in lobby",
    ]


def test_a_screen_of_three_rows_shows_no_pending_lines() -> None:
    server = StallingServer()
    server.ada.terminal.resize(80, 3), server.ada.sees()
    server.stall()
    server.ada.types("one\r"), server.advance_until_late()
    assert b"\xe2\x80\xa6" not in server.ada.receives()
    server.ada.terminal.resize(80, 4)
    assert "… ada: one" in server.ada.receives().decode()
    server.ada.types("two\r"), server.advance_until_late()
    assert "… 2 lines wait" in server.ada.receives().decode()
