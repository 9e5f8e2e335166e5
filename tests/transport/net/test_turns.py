"""Turns: how much input is handled before the reactor does anything else, and whose goes first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from twisted.internet.task import Clock

from chatd.transport.net.turns import LIGHT_SHARE, PATIENCE_SECONDS, TURN_SECONDS, Turns
from tests.conftest import LoggedFailures

#: Seconds that each step takes here: four are more than a turn has.
STEP = 0.3 * TURN_SECONDS


class Steps:
    """A work of so many steps, which notes each in a list that all share."""

    def __init__(self, clock: Clock, done: list[str], name: str, count: int = 1) -> None:
        self.due = 0.0
        self.clock = clock
        self.done = done
        self.name = name
        self.left = count
        self.seconds = STEP
        self.then: Callable[[], None] = lambda: None
        self.has_failed = False

    def step(self) -> bool:
        self.clock.rightNow += self.seconds
        self.left -= 1
        self.done.append(self.name)
        self.then()
        return self.left > 0

    def failed(self) -> None:
        self.has_failed = True


class TurnClock(Clock):
    """A clock whose calls are run by the test, turn by turn."""

    def __init__(self) -> None:
        super().__init__()
        self.soon: list[Callable[[], None]] = []

    def callLater(self, delay: float, call: Callable[[], None]) -> None:  # type: ignore[override]
        assert delay == 0
        self.soon.append(call)


class World:
    def __init__(self) -> None:
        self.clock = TurnClock()
        self.turns = Turns(self.clock)
        self.done: list[str] = []

    def work(self, name: str, count: int = 1) -> Steps:
        return Steps(self.clock, self.done, name, count)

    def begins(self, name: str, count: int = 1) -> Steps:
        work = self.work(name, count)
        self.turns.begin(work)
        return work

    def takes_turn(self) -> list[str]:
        """Run what the reactor would run at the beginning of its next turn; return what it did."""
        self.done.clear()
        soon, self.clock.soon = self.clock.soon, []
        for call in soon:
            call()
        return list(self.done)


def test_a_little_input_is_handled_at_once_and_leaves_no_timer() -> None:
    world = World()
    for _ in range(2):
        world.begins("ada")
    assert world.done == ["ada", "ada"]
    assert world.clock.soon == []


def test_much_input_is_handled_a_turn_at_a_time() -> None:
    world = World()
    world.begins("mallory", 20)
    assert len(world.done) == 4
    turns = [world.takes_turn() for _ in range(4)]
    assert turns == [["mallory"] * 4] * 4
    assert world.clock.soon == []


def test_a_turn_has_the_same_time_for_a_hundred_connections_as_for_one() -> None:
    world = World()
    floods = [world.begins(f"mallory{number}", 1000) for number in range(100)]
    assert len(world.done) == 4
    for _ in range(50):
        assert len(world.takes_turn()) == 4
    assert {flood.left for flood in floods} <= {996, 997, 998, 999}


def test_who_has_used_little_goes_before_all_who_flood() -> None:
    world = World()
    for number in range(20):
        world.begins(f"mallory{number}", 1000)
    for _ in range(10):
        world.takes_turn()
    world.begins("ada")
    assert world.takes_turn()[0] == "ada"


def test_floods_in_small_pieces_do_not_come_before_others_either() -> None:
    world = World()
    floods = [world.work(f"mallory{number}") for number in range(20)]
    for _ in range(20):
        for flood in floods:
            flood.left = 1
            world.turns.begin(flood)
        assert len(world.takes_turn()) <= 4
    world.begins("ada")
    assert world.takes_turn()[0] == "ada"


def test_a_busy_client_is_served_after_a_while_whoever_else_comes() -> None:
    world = World()
    bot = world.begins("bot", 40_000)
    while bot.left > 1000:
        world.takes_turn()
    turns = 0
    while "bot" not in world.done:
        world.done.clear()
        world.begins(f"new{turns}", 4), world.takes_turn()
        turns += 1
    assert turns <= PATIENCE_SECONDS / TURN_SECONDS + 1


def test_a_share_of_the_time_may_be_used_without_waiting_behind_others() -> None:
    world = World()
    bot, fresh = world.work("bot"), world.work("fresh")
    for _ in range(100):
        world.turns.begin(bot)
        world.clock.rightNow += STEP / LIGHT_SHARE
    world.begins("mallory", 1000)
    bot.left = fresh.left = 1
    world.turns.begin(bot), world.turns.begin(fresh)
    assert world.takes_turn()[:2] == ["bot", "fresh"]


def test_a_work_that_waits_is_not_done_twice() -> None:
    world = World()
    world.begins("mallory", 5)
    ada = world.begins("ada")
    world.turns.begin(ada), world.turns.begin_later(ada)
    assert world.takes_turn().count("ada") == 1
    assert world.takes_turn() == []


def test_what_begins_later_is_not_done_now() -> None:
    world = World()
    world.turns.begin_later(world.work("ada"))
    assert world.done == []
    assert world.takes_turn() == ["ada"]


def test_a_work_may_begin_another() -> None:
    world = World()
    flood, screen = world.work("flood", 9), world.work("screen")
    flood.then = lambda: world.turns.begin(screen)
    world.turns.begin(flood)
    while world.clock.soon:
        world.takes_turn()
    assert screen.left <= 0
    assert flood.left == 0


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_was_set_makes_nobody_wait(jump: float) -> None:
    world = World()
    ada = world.work("ada")
    for _ in range(3):
        ada.left = 1
        world.turns.begin(ada)
    world.clock.rightNow += jump
    ada.left = 1
    world.turns.begin(ada)
    assert world.done == ["ada"] * 4
    ada.then = lambda: setattr(world.clock, "rightNow", world.clock.rightNow + jump)
    ada.left, flood = 1, world.begins("mallory", 100)
    world.turns.begin(ada)
    for _ in range(40):
        world.takes_turn()
    assert (ada.left, flood.left) == (0, 0)


def test_a_bug_ends_one_connection_and_not_the_turn(
    logged_failures: LoggedFailures,
) -> None:
    world = World()
    world.begins("mallory", 5)
    broken, ada = world.work("broken"), world.work("ada")
    broken.then = lambda: 1 // 0  # type: ignore[assignment]
    world.turns.begin(broken), world.turns.begin(ada)
    assert {"broken", "ada"} <= set(world.takes_turn())
    assert broken.has_failed
    assert not ada.has_failed
    assert len(logged_failures.flush(ZeroDivisionError)) == 1
