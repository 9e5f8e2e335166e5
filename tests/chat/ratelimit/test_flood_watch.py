"""Flood watch: when operators are warned of an address, and of a wave of guests."""

from __future__ import annotations

from chatd.chat.limits import (
    ADDRESSES_WATCHED,
    FLOOD_LINES,
    FLOOD_SECONDS,
    FLOOD_WARNING_SECONDS,
    WAVE_COUNTED,
    WAVE_GUESTS,
    WAVE_QUIET_SECONDS,
)
from chatd.chat.ratelimit.flood_watch import FloodWatch

HOME = "192.0.2.1"
LATER = 10_000.0


def wave(
    watch: FloodWatch, guests: int, now: float, people: int = 0, opened: float = 0.0
) -> list[tuple[int, str]]:
    """Let guests come at once; return the warnings."""
    came = [watch.guest_came(HOME, people, opened, now) for _ in range(guests)]
    return [each for each in came if each[0]]


def test_an_address_floods_once_so_many_of_its_lines_had_to_wait() -> None:
    watch = FloodWatch()
    assert not any(watch.line_waits(HOME, 1.0) for _ in range(FLOOD_LINES - 1))
    assert watch.line_waits(HOME, 1.0)
    assert not watch.line_waits("192.0.2.2", 1.0)


def test_a_slow_trickle_of_delayed_lines_is_no_flood() -> None:
    watch = FloodWatch()
    each = FLOOD_SECONDS / (FLOOD_LINES - 2)
    assert not any(watch.line_waits(HOME, number * each) for number in range(10 * FLOOD_LINES))


def test_operators_are_warned_of_an_address_once_in_five_minutes() -> None:
    watch = FloodWatch()
    warned = [
        second
        for second in range(int(FLOOD_WARNING_SECONDS) * 2)
        for _ in range(FLOOD_LINES)
        if watch.line_waits(HOME, float(second))
    ]
    assert warned == [0, int(FLOOD_WARNING_SECONDS)]


def test_a_clock_that_is_set_back_does_not_silence_the_warnings() -> None:
    watch = FloodWatch()
    assert any(watch.line_waits(HOME, 1e9) for _ in range(FLOOD_LINES))
    assert any(watch.line_waits(HOME, 1.0) for _ in range(FLOOD_LINES))


def test_a_wave_is_so_many_guests_within_a_minute() -> None:
    watch = FloodWatch()
    assert wave(watch, WAVE_GUESTS - 1, LATER) == []
    assert wave(watch, 1, LATER + FLOOD_SECONDS) == [(WAVE_GUESTS, HOME)]
    assert wave(watch, WAVE_GUESTS, LATER + FLOOD_SECONDS) == [], "nor again for five minutes"
    later = LATER + FLOOD_SECONDS + FLOOD_WARNING_SECONDS
    assert wave(watch, WAVE_GUESTS - 1, later) == []
    assert wave(watch, 1, later) == [(WAVE_GUESTS, HOME)]


def test_guests_who_come_slowly_are_no_wave() -> None:
    watch = FloodWatch()
    each = FLOOD_SECONDS / (WAVE_GUESTS - 2)
    assert [wave(watch, 1, LATER + number * each) for number in range(500)] == [[]] * 500


def test_a_busy_server_takes_more_guests_for_a_wave_and_no_more_than_it_counts() -> None:
    watch = FloodWatch()
    assert wave(watch, 199, LATER, people=2000) == []
    assert wave(watch, 1, LATER, people=2000) == [(200, HOME)]
    assert wave(FloodWatch(), WAVE_COUNTED, LATER, people=10**6) == [(WAVE_COUNTED, HOME)]


def test_everybody_comes_back_at_once_when_a_server_starts() -> None:
    watch = FloodWatch()
    assert wave(watch, WAVE_GUESTS, LATER, opened=LATER - WAVE_QUIET_SECONDS + 1) == []
    assert wave(watch, 1, LATER, opened=LATER - WAVE_QUIET_SECONDS) != []


def test_the_table_of_addresses_drops_the_least_recent_past_its_bound() -> None:
    watch = FloodWatch()
    for _ in range(FLOOD_LINES - 1):
        watch.line_waits(HOME, 1.0)
    for number in range(ADDRESSES_WATCHED):
        watch.line_waits(f"10.0.{number // 256}.{number % 256}", 1.0)
    assert not watch.line_waits(HOME, 1.0)
