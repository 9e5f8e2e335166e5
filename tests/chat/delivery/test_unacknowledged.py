"""What was said and is not kept after a moment is shown to its writer, as something that waits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.defer import Deferred

from chatd.chat.delivery.unacknowledged import AWAY, KEPT, LATE_SECONDS, LONG_SECONDS, QUOTED, WAITS
from chatd.chat.events import RoomEvent
from chatd.terminal.pending import ROWS
from chatd.transport.services.unacknowledged import CHECK_SECONDS, UnacknowledgedCheck
from tests.support.displays import TIPS
from tests.support.held_store import HeldStore
from tests.support.memory_server import MemoryServer
from tests.transport.conversation.test_terminal import Sitting

IT_WAITS = f"-- {WAITS.format('the disk')}"


class Standing:
    """A building whose store stands still, and Ada at a terminal in it."""

    def __init__(self, nick: str = "ada", *, plain: bool = False, ansi: bool = True) -> None:
        self.store = HeldStore()
        self.building = MemoryServer(store=self.store)
        watching = UnacknowledgedCheck(
            self.building.chat, self.building.clock, self.building.clock.seconds
        )
        watching.startService()
        self.ada = Sitting(self.building, nick, plain=plain, ansi=ansi)
        self.ada.sees()

    def stops(self) -> None:
        """The store keeps nothing from now on."""
        self.store.is_holding = True

    def passes(self, seconds: float) -> None:
        """Let time pass."""
        for _ in range(round(seconds / CHECK_SECONDS)):
            self.building.clock.advance(CHECK_SECONDS)

    def a_moment_passes(self) -> None:
        """Enough for what waits to be late."""
        self.passes(LATE_SECONDS + CHECK_SECONDS)


GREETING = ["-- You are ada in lobby, alone so far; /help says what you can do.", *TIPS]


@pytest.fixture
def standing() -> Standing:
    return Standing()


def sees(standing: Standing) -> list[str]:
    """The screen below the greeting."""
    return standing.ada.sees()[len(GREETING) :]


def test_a_line_that_waits_is_marked_under_what_was_said_and_above_what_is_typed(
    standing: Standing,
) -> None:
    standing.stops()
    standing.ada.types("hello\rnex")
    assert sees(standing) == ["[lobby] nex"]
    standing.a_moment_passes()
    assert sees(standing) == ["… ada: hello", "[lobby] nex"]
    standing.ada.types("t")
    assert sees(standing) == ["… ada: hello", "[lobby] next"]
    standing.store.keep()
    assert sees(standing) == ["ada: hello", "[lobby] next"]


def test_what_is_kept_within_a_moment_is_never_marked(standing: Standing) -> None:
    standing.stops()
    standing.ada.types("hello\r")
    standing.building.clock.advance(LATE_SECONDS / 2)
    standing.store.keep()
    assert "…" not in standing.ada.gets().decode()
    standing.a_moment_passes()
    assert standing.ada.gets() == b""


def test_what_others_say_appears_above_what_waits(standing: Standing) -> None:
    bob = standing.building.enters("bob")
    standing.ada.sees()
    standing.stops()
    standing.ada.types("hello\r")
    standing.a_moment_passes()
    standing.store.is_holding = False
    bob.sends(b"hi\n")
    assert sees(standing)[-3:] == ["bob: hi", "… ada: hello", "[lobby]"]
    standing.store.keep()
    assert sees(standing)[-3:] == ["bob: hi", "ada: hello", "[lobby]"]


def test_lines_that_are_kept_one_by_one_lose_their_marks_one_by_one(standing: Standing) -> None:
    standing.stops()
    standing.ada.types("one\r/me two\r")
    standing.a_moment_passes()
    assert sees(standing) == ["… ada: one", "… * ada two", "[lobby]"]
    standing.store.keep(1)
    assert sees(standing) == ["ada: one", "… * ada two", "[lobby]"]
    standing.store.keep()
    assert sees(standing) == ["ada: one", "* ada two", "[lobby]"]


def test_of_many_lines_the_newest_are_shown_and_the_others_counted(standing: Standing) -> None:
    standing.stops()
    for number in range(ROWS):
        standing.ada.types(f"{number}\r")
    standing.a_moment_passes()
    assert sees(standing) == [*(f"… ada: {number}" for number in range(ROWS)), "[lobby]"]
    standing.ada.types(f"{ROWS}\r")
    standing.a_moment_passes()
    newest = [f"… ada: {number}" for number in range(2, ROWS + 1)]
    assert sees(standing) == ["… 2 more wait", *newest, "[lobby]"]
    standing.store.keep()
    assert sees(standing) == [*(f"ada: {number}" for number in range(ROWS + 1)), "[lobby]"]


def test_a_block_is_marked_by_its_first_line(standing: Standing) -> None:
    standing.stops()
    standing.ada.types("\x1b[200~one\ntwo\x1b[201~y")
    standing.a_moment_passes()
    assert sees(standing) == ["… ada: one …", "[lobby]"]
    standing.store.keep()
    assert sees(standing) == ["ada: one", "     two", "[lobby]"]


def test_a_long_line_is_marked_in_one_row_that_ends_before_the_last_column(
    standing: Standing,
) -> None:
    standing.stops()
    standing.ada.types("字" * 60 + "\r")
    standing.a_moment_passes()
    assert sees(standing) == ["… ada: " + "字" * 34 + "…", "[lobby]"]
    standing.store.keep()
    assert sees(standing) == ["ada: " + "字" * 37, " " * 5 + "字" * 23, "[lobby]"]


def test_what_was_said_in_another_room_is_marked_with_its_name(standing: Standing) -> None:
    standing.ada.types("/join attic\r"), standing.ada.sees()
    standing.stops()
    standing.ada.types("hello\r/focus lobby\r")
    standing.a_moment_passes()
    assert sees(standing)[-2:] == ["… [attic] ada: hello", "[lobby]"]
    standing.store.keep()
    assert sees(standing)[-2:] == ["[attic] ada: hello", "[lobby]"]


def test_what_was_said_in_several_rooms_is_marked_once(standing: Standing) -> None:
    standing.ada.types("/join attic\r"), standing.ada.sees()
    standing.stops()
    standing.ada.types("/bc hello\r")
    standing.a_moment_passes()
    assert sees(standing)[-2:] == ["… ada: hello", "[attic]"]
    standing.store.keep(1)
    assert sees(standing)[-3:] == ["[lobby] ada: hello", "… ada: hello", "[attic]"]
    standing.store.keep()
    assert sees(standing)[-2:] == ["[lobby] ada: hello", "[attic]"]
    standing.ada.types("/bc more\r")
    standing.a_moment_passes()
    standing.store.refuse()
    assert sees(standing)[-2:] == [
        "-- That was not delivered: the disk is full. You said: more",
        "[attic]",
    ]
    assert "".join(standing.ada.display.lines).count("more") == 1


def test_who_is_told_that_a_line_was_not_kept_is_told_which_and_has_it_again(
    standing: Standing,
) -> None:
    standing.stops()
    standing.ada.types("hello\r/me waves\r")
    standing.a_moment_passes()
    standing.store.refuse()
    assert sees(standing) == [
        "-- That was not delivered: the disk is full. You said: hello",
        "-- That was not delivered: the disk is full. You said: /me waves",
        "[lobby]",
    ]
    standing.ada.types("\x1b[A\x1b[A")
    assert sees(standing)[-1] == "[lobby] hello"


@pytest.mark.parametrize("length", [QUOTED, QUOTED + 1])
def test_of_a_line_that_was_not_kept_the_beginning_is_quoted(length: int) -> None:
    standing = Standing()
    bob = standing.building.enters("bob")
    standing.stops()
    bob.sends(b"x" * length + b"\n")
    standing.store.refuse()
    quoted = "x" * QUOTED if length == QUOTED else "x" * (QUOTED - 1) + "…"
    said = bob.receives().decode()
    assert said == f"-- That was not delivered: the disk is full. You said: {quoted}\r\n"


# Where nothing is drawn ---------------------------------------------------------------------------


def test_who_has_a_netcat_is_told_once_that_their_lines_wait_and_once_that_they_are_kept() -> None:
    standing = Standing()
    bob = standing.building.enters("bob")
    standing.stops()
    bob.sends(b"one\n"), standing.a_moment_passes()
    assert bob.receives() == b""
    standing.passes(LONG_SECONDS)
    assert bob.receives().decode() == f"{IT_WAITS}\r\n"
    bob.sends(b"two\n"), standing.passes(2 * LONG_SECONDS)
    assert bob.receives() == b""
    standing.store.keep(1)
    assert bob.receives() == b""
    standing.store.keep()
    assert bob.receives().decode() == f"-- {KEPT}\r\n"
    bob.sends(b"three\n"), standing.passes(2 * LONG_SECONDS)
    assert bob.receives().decode() == f"{IT_WAITS}\r\n"
    standing.store.refuse()
    told = "-- That was not delivered: the disk is full. You said: three\r\n"
    assert bob.receives().decode() == told


@pytest.mark.parametrize("plain", [True, False])
def test_on_paper_it_is_said_in_words_that_a_line_waits(plain: bool) -> None:
    standing = Standing(plain=plain, ansi=plain)
    standing.stops()
    standing.ada.types("hello\r"), standing.passes(2 * LONG_SECONDS)
    shown = standing.ada.gets().decode()
    assert IT_WAITS in shown
    assert "…" not in shown
    standing.store.keep()
    assert f"-- {KEPT}\r\n" in standing.ada.gets().decode()


def test_programs_are_told_nothing_but_their_answers() -> None:
    standing = Standing()
    bot = standing.building.connects()
    bot.sends(b'{"username": "bot", "version": 2}\n'), bot.receives()
    standing.stops()
    bot.sends(b'{"message": "hi", "room": "lobby", "id": 7}\n')
    standing.passes(2 * LONG_SECONDS)
    assert bot.receives() == b""
    standing.store.keep()
    assert bot.receives() == b'{"ok": true, "id": 7, "seq": 1}\n'


# Whatever else one does meanwhile -----------------------------------------------------------------


def test_who_changes_to_paper_while_something_waits_is_left_no_marks(standing: Standing) -> None:
    standing.stops()
    standing.ada.types("hello\r")
    standing.a_moment_passes()
    standing.ada.types("/set plain on\r")
    assert not any("…" in row for row in standing.ada.sees())
    standing.passes(LONG_SECONDS)
    assert sees(standing)[-1] == IT_WAITS
    standing.ada.types("/set plain off\r")
    assert sees(standing)[-2:] == ["… ada: hello", "[lobby]"]


def test_who_leaves_while_something_waits_has_said_it_all_the_same(standing: Standing) -> None:
    bob = standing.building.enters("bob")
    standing.stops()
    standing.ada.types("hello\r")
    standing.a_moment_passes()
    standing.ada.types("\x04")
    assert standing.ada.sees()[-2:] == ["-- Goodbye.", "… ada: hello"]
    assert standing.ada.display.cursor[0] == 0
    standing.store.keep()
    assert bob.receives().decode().splitlines() == ["ada: hello", "-- ada left"]


class Silent(HeldStore):
    """A store that gives no answer to who reads."""

    async def before(
        self, room: str, number: int | None, count: int
    ) -> Sequence[tuple[int, RoomEvent]]:
        await Deferred()
        return ()


def test_who_waits_for_a_cluster_that_does_not_answer_may_leave() -> None:
    building = MemoryServer(store=Silent())
    ada = Sitting(building)
    ada.sees()
    building.chat.unacknowledged.lost_touch()
    ada.types("/history\rhello\r")
    assert ada.sees()[-2:] == [f"-- {AWAY}", "[lobby]"]
    ada.types("\x04")
    assert ada.sees()[-2:] == [f"-- {AWAY}", "-- Goodbye."]
    assert len(building.chat.people) == 1
    ada.goes()
    assert len(building.chat.people) == 0


def test_ctrl_c_and_ctrl_l_leave_what_waits_where_it_is(standing: Standing) -> None:
    standing.stops()
    standing.ada.types("hello\r")
    standing.a_moment_passes()
    standing.ada.types("abc\x03")
    assert sees(standing) == ["… ada: hello", "[lobby]"]
    standing.ada.types("\x0c")
    assert standing.ada.sees() == ["… ada: hello", "[lobby]"]


def test_status_says_in_which_rooms_lines_of_ones_own_wait(standing: Standing) -> None:
    standing.ada.types("/join attic\r"), standing.ada.sees()
    standing.stops()
    standing.ada.types("one\rtwo\r/bc three\r")
    standing.a_moment_passes()
    standing.ada.types("/status\r")
    rows = standing.ada.sees()
    assert rows[rows.index("   2 rooms") + 1 :][:2] == [
        "   3 lines of yours wait in attic",
        "   1 line of yours waits in lobby",
    ]


def test_a_screen_of_three_rows_has_none_for_what_waits() -> None:
    standing = Standing()
    standing.ada.terminal.resize(80, 3), standing.ada.sees()
    standing.stops()
    standing.ada.types("one\r"), standing.a_moment_passes()
    assert b"\xe2\x80\xa6" not in standing.ada.gets()
    standing.ada.terminal.resize(80, 4)
    assert "… ada: one" in standing.ada.gets().decode()
    standing.ada.types("two\r"), standing.a_moment_passes()
    assert "… 2 lines wait" in standing.ada.gets().decode()
