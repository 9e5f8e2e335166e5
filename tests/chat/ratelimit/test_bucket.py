"""The token bucket allows a burst at once, then a steady rate, and never more than that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import Rate
from chatd.chat.ratelimit.bucket import TokenBucket

rates = st.builds(Rate, st.integers(1, 50), st.floats(0.1, 100))


def test_a_burst_passes_at_once_and_one_step_more_has_to_wait() -> None:
    bucket = TokenBucket(Rate(burst=3, per_second=2.0), 100.0)
    assert [bucket.wait(100.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 0.5]


def test_a_step_is_allowed_after_the_wait_that_was_returned() -> None:
    bucket = TokenBucket(Rate(burst=1, per_second=2.0), 100.0)
    assert bucket.wait(100.0) == 0.0
    assert bucket.wait(100.0) == 0.5
    assert bucket.wait(100.25) == 0.25
    assert bucket.wait(100.5) == 0.0
    assert bucket.wait(100.5) == 0.5


def test_asking_too_early_takes_no_token() -> None:
    bucket = TokenBucket(Rate(burst=1, per_second=1.0), 0.0)
    bucket.wait(0.0)
    for _ in range(100):
        assert bucket.wait(0.5) == 0.5
    assert bucket.wait(1.0) == 0.0


@pytest.mark.parametrize("silence", [10.0, 1e9])
def test_a_long_silence_saves_up_one_burst_and_no_more(silence: float) -> None:
    bucket = TokenBucket(Rate(burst=3, per_second=2.0), 0.0)
    for _ in range(3):
        bucket.wait(0.0)
    assert [bucket.wait(silence) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


@given(rates, st.lists(st.floats(0, 10), max_size=100))
def test_the_steps_never_exceed_burst_and_rate(rate: Rate, pauses: list[float]) -> None:
    start = now = 1_000_000.0
    bucket, steps = TokenBucket(rate, now), 0
    for pause in pauses:
        now += pause
        steps += bucket.wait(now) == 0
        allowed = rate.burst + (now - start) * rate.per_second
        assert steps <= allowed + 1e-3


@given(rates, st.lists(st.floats(0, 10), max_size=30))
def test_the_wait_that_is_returned_is_long_enough_in_any_state(
    rate: Rate, pauses: list[float]
) -> None:
    now = 1_000_000.0
    bucket = TokenBucket(rate, now)
    for pause in pauses:
        now += pause
        wait = bucket.wait(now)
        assert 0 <= wait <= 1.001 / rate.per_second  # sums of fractions are not exact
        if wait:
            now += wait
            assert bucket.wait(now) == 0


@given(rates, st.floats(1, 1e9))
def test_a_clock_that_is_set_back_costs_no_wait(rate: Rate, back: float) -> None:
    now = 1e10
    bucket = TokenBucket(rate, now)
    for _ in range(rate.burst):
        bucket.wait(now)
    wait = bucket.wait(now - back)
    assert 0 < wait <= 1.001 / rate.per_second
    assert bucket.wait(now - back + wait * 1.001 + 1e-3) == 0
