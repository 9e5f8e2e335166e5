"""A time of day that is implausible ends nothing before it has stood for a day."""

from __future__ import annotations

import re

import pytest

from chatd.chat.believed_time import TOLERANCE, TRIAL_SECONDS, BelievedTime
from chatd.chat.model.bans import Identity
from chatd.chat.records.last_time import KIND, STORED_SECONDS
from chatd.chat.store import Record
from chatd.store.memory import MemoryStore
from tests.support.people import Server, records, result_of

DAY = 86400.0
TODAY = 20_000 * DAY


class Clocks:
    """A time of day that can be set, and a clock that cannot; a service checks them each second."""

    def __init__(self, *, checks: bool = True) -> None:
        self.now = TODAY
        self.elapsed = 1000.0
        self.believed = BelievedTime(lambda: self.elapsed)
        if checks:
            self.believed.check(self.now)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps between which it is checked."""
        for _ in range(20):
            self.elapsed += seconds / 20
            self.now += seconds / 20
            self.believed.check(self.now)

    def set_forward(self, seconds: float) -> None:
        self.now += seconds
        self.believed.check(self.now)

    @property
    def at(self) -> float:
        return self.believed.at(self.now)


def test_a_clock_that_goes_as_it_should_is_believed() -> None:
    clocks = Clocks()
    clocks.pass_time(1000 * DAY)
    assert clocks.at == clocks.now
    assert clocks.believed.doubt(clocks.now) == ""


def test_a_leap_is_believed_up_to_a_day_and_not_beyond() -> None:
    clocks = Clocks()
    clocks.set_forward(TOLERANCE)
    assert clocks.at == clocks.now
    assert clocks.believed.at(clocks.now + TOLERANCE + 1) == clocks.now


@pytest.mark.parametrize("checked", [True, False])
def test_a_leap_of_400_days_is_not_believed_and_forgotten_when_it_is_over(checked: bool) -> None:
    clocks = Clocks()
    clocks.now += 400 * DAY
    if checked:
        clocks.pass_time(7)
    assert clocks.at == pytest.approx(TODAY + (7 if checked else 0))
    assert clocks.believed.doubt(clocks.now) == (
        "the clock says 2025-11-08, and it should be 2024-10-04: nothing ends or is deleted for its"
        " age before 24 hours have passed"
    )
    clocks.now -= 400 * DAY
    clocks.pass_time(7)
    assert clocks.at == clocks.now
    assert clocks.believed.doubt(clocks.now) == ""


def test_another_time_is_believed_once_it_has_stood_for_a_day() -> None:
    clocks = Clocks()
    clocks.set_forward(400 * DAY)
    clocks.pass_time(TRIAL_SECONDS - 1)
    assert clocks.at < clocks.now
    clocks.pass_time(2)
    assert clocks.at == clocks.now
    clocks.pass_time(DAY)
    assert clocks.at == clocks.now


def test_the_day_begins_anew_with_each_leap() -> None:
    clocks = Clocks()
    for _ in range(3):
        clocks.set_forward(400 * DAY)
        clocks.pass_time(TRIAL_SECONDS / 2)
        assert clocks.at < clocks.now


def test_nothing_ends_early_by_a_clock_that_was_set_back_and_comes_right_again() -> None:
    clocks = Clocks()
    clocks.set_forward(-400 * DAY)
    clocks.pass_time(60)
    assert clocks.at == clocks.now, "nothing is older by an earlier time"
    clocks.set_forward(400 * DAY)
    assert clocks.at == clocks.now, "it is as late as it should be"


def test_a_clock_that_was_right_all_along_is_believed_a_day_after_a_wrong_start() -> None:
    clocks = Clocks()
    clocks.set_forward(-400 * DAY)
    clocks.pass_time(TRIAL_SECONDS + 1)
    assert clocks.believed.at(clocks.now + 10 * DAY) == clocks.now


def test_a_start_is_compared_with_what_is_on_record() -> None:
    clocks = Clocks(checks=False)
    assert clocks.at == clocks.now, "there is nothing to compare with"
    clocks.believed.saw(TODAY - 400 * DAY)
    clocks.believed.saw(TODAY - 300 * DAY)
    clocks.believed.saw(TODAY - 350 * DAY)
    assert clocks.at == TODAY - 300 * DAY
    clocks.believed.check(clocks.now)
    assert clocks.at == TODAY - 300 * DAY


def test_without_a_clock_that_nobody_can_set_every_time_is_believed() -> None:
    believed = BelievedTime()
    believed.saw(5.0)
    assert believed.check(400 * DAY)
    assert believed.at(400 * DAY) == 400 * DAY
    assert believed.doubt(1e300) == ""


def test_a_time_that_no_calendar_has_is_doubted_in_words() -> None:
    clocks = Clocks()
    assert "a day that no calendar has" in clocks.believed.doubt(1e300)


# In the chat -------------------------------------------------------------------------------------


def chat_with(clocks: Clocks, store: MemoryStore | None = None) -> Server:
    server = Server(store, believed=clocks.believed)
    server.now = clocks.now
    return server


def test_bans_and_mutes_outlive_a_clock_that_is_400_days_ahead_for_a_moment() -> None:
    clocks, store = Clocks(), MemoryStore()
    server = chat_with(clocks, store)
    ada = server.enters("ada", operator=True)
    bob = server.enters("bob", address="192.0.2.2")
    server.enters("cy", address="192.0.2.3"), server.enters("di", address="192.0.2.4")
    ada.types("/mute bob 10m"), ada.types("/ban cy 10m"), ada.types("/server ban di 10m")
    before = {kind: records(store, kind) for kind in ("ban", "mute", "server ban")}
    assert all(before.values())
    clocks.set_forward(400 * DAY)
    server.now = clocks.now
    bob.sees(), ada.sees()
    bob.types("hello"), ada.types("/bans"), ada.types("/server bans"), ada.types("/server stats")
    assert bob.sees() == [
        "-- You are muted in lobby for another 10 minutes; nobody was shown that."
    ]
    seen = ada.sees()
    assert [line.rpartition(" by ")[2] for line in seen if re.search(r"\b(cy|di)\b", line)] == [
        "ada, for another 10 minutes",
        "ada, for another 10 minutes",
    ]
    assert clocks.believed.doubt(clocks.now) in seen[-1]
    for identity in (Identity("di"), Identity(address="192.0.2.4")):
        assert server.chat.access.bans.covering(identity, server.now) is not None
    assert {kind: records(store, kind) for kind in before} == before
    clocks.set_forward(-400 * DAY)
    clocks.pass_time(601)
    server.now = clocks.now
    bob.types("hello")
    assert ada.sees() == ["bob: hello"]


def test_a_ban_made_while_the_clock_is_wrong_is_as_long_as_it_was_meant() -> None:
    clocks = Clocks()
    server = chat_with(clocks)
    ada = server.enters("ada", operator=True)
    clocks.set_forward(400 * DAY)
    server.now = clocks.now
    ada.types("/server ban nick:bob 10m"), ada.types("/ban nick:bob 10m")
    assert [line for line in ada.sees() if "10 minutes" in line]
    clocks.set_forward(-400 * DAY)
    clocks.pass_time(601)
    assert server.chat.access.bans.covering(Identity("bob"), clocks.now) is None
    assert server.chat.lobby.bans.covering(Identity("bob"), clocks.now) is None


def test_the_last_time_is_kept_once_an_hour_and_read_at_the_next_start() -> None:
    clocks, store = Clocks(), MemoryStore()
    server = chat_with(clocks, store)
    result_of(server.chat.load(clocks.now))
    times = [0.0, 1.0, STORED_SECONDS - 1, STORED_SECONDS]
    for passed in times:
        server.chat.last_time.keep(TODAY + passed)
    assert records(store, KIND) == {"believed": str(TODAY + STORED_SECONDS)}
    again = Clocks(checks=False)
    again.now = TODAY + 400 * DAY
    result_of(chat_with(again, store).chat.load(again.now))
    assert again.at == TODAY + STORED_SECONDS


def test_a_time_on_record_that_is_none_is_ignored() -> None:
    clocks, store = Clocks(checks=False), MemoryStore()
    result_of(store.put_all([Record(KIND, "believed", "noon")]))
    result_of(chat_with(clocks, store).chat.load(clocks.now))
    assert clocks.at == clocks.now


def test_a_clock_that_is_set_before_its_first_check_is_doubted() -> None:
    clocks = Clocks(checks=False)
    result_of(chat_with(clocks, MemoryStore()).chat.load(clocks.now))
    clocks.set_forward(400 * DAY)
    assert clocks.at == TODAY
    assert clocks.believed.doubt(clocks.now)
