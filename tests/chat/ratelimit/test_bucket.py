"""How fast somebody may go on: a burst at once, then steadily, and never more than that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import Rate
from chatd.chat.ratelimit.bucket import TokenBucket

floods = st.builds(Rate, st.integers(1, 50), st.floats(0.1, 100))


def test_a_burst_passes_at_once_and_one_more_waits() -> None:
    pace = TokenBucket(Rate(burst=3, per_second=2.0), 100.0)
    assert [pace.wait(100.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 0.5]


def test_who_waits_as_long_as_told_goes_on() -> None:
    pace = TokenBucket(Rate(burst=1, per_second=2.0), 100.0)
    assert pace.wait(100.0) == 0.0
    assert pace.wait(100.0) == 0.5
    assert pace.wait(100.25) == 0.25
    assert pace.wait(100.5) == 0.0
    assert pace.wait(100.5) == 0.5


def test_asking_too_early_costs_nothing() -> None:
    pace = TokenBucket(Rate(burst=1, per_second=1.0), 0.0)
    pace.wait(0.0)
    for _ in range(100):
        assert pace.wait(0.5) == 0.5
    assert pace.wait(1.0) == 0.0


@pytest.mark.parametrize("silence", [10.0, 1e9])
def test_a_long_silence_saves_up_one_burst_and_no_more(silence: float) -> None:
    pace = TokenBucket(Rate(burst=3, per_second=2.0), 0.0)
    for _ in range(3):
        pace.wait(0.0)
    assert [pace.wait(silence) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


@given(floods, st.lists(st.floats(0, 10), max_size=100))
def test_nobody_is_ever_faster_than_burst_and_rate_allow(flood: Rate, pauses: list[float]) -> None:
    start = now = 1_000_000.0
    pace, steps = TokenBucket(flood, now), 0
    for pause in pauses:
        now += pause
        steps += pace.wait(now) == 0
        allowed = flood.burst + (now - start) * flood.per_second
        assert steps <= allowed + 1e-3


@given(floods, st.lists(st.floats(0, 10), max_size=30))
def test_the_wait_that_is_told_is_long_enough_from_any_state(
    flood: Rate, pauses: list[float]
) -> None:
    now = 1_000_000.0
    pace = TokenBucket(flood, now)
    for pause in pauses:
        now += pause
        wait = pace.wait(now)
        assert 0 <= wait <= 1.001 / flood.per_second  # what is left over is not exact
        if wait:
            now += wait
            assert pace.wait(now) == 0
