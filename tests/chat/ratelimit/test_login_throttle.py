"""Guessing passwords is slow, and the owner of an account does not pay for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatd.chat.limits import (
    KNOWN_ADDRESSES,
    LOGIN_FORGOTTEN,
    LOGIN_TRIES,
    LOGIN_WAIT_OF_ACCOUNT,
    LOGIN_WAIT_OF_ADDRESS,
    THROTTLE_ENTRIES,
    Rate,
)
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.login_throttle import Backoff, LoginThrottle, PerAddressRate

HOME, ELSEWHERE = "192.0.2.1", "203.0.113.5"


def fails(slowing: LoginThrottle, account: str, address: str, now: float, times: int = 1) -> float:
    """Guess wrong so often, as soon as one may each time; return the time after."""
    for _ in range(times):
        now += slowing.wait(account, address, now)
        slowing.begin(account, address, now)
    return now


def test_the_first_wrong_passwords_cost_nothing_and_each_after_them_the_double() -> None:
    slowing = LoginThrottle()
    now = fails(slowing, "ada", HOME, 100.0, LOGIN_TRIES)
    assert now == 100.0
    for wait in (1, 2, 4, 8, 16, 32):
        assert slowing.wait("ada", HOME, now) == wait
        now = fails(slowing, "ada", HOME, now)
    for account in ("bob", "cy", "dee", "eve", "fay"):
        now = fails(slowing, account, HOME, now)
    assert slowing.wait("gil", HOME, now) == LOGIN_WAIT_OF_ADDRESS, "whoever they guess"
    assert slowing.wait("ada", ELSEWHERE, now) == 0


def test_guesses_from_many_addresses_slow_strangers_alone() -> None:
    slowing, now = LoginThrottle(), 100.0
    slowing.right(slowing.begin("ada", HOME, now), now)
    for number in range(100):
        now = fails(slowing, "ada", f"203.0.113.{number}", now)
    assert slowing.wait("ada", "198.51.100.1", now) == LOGIN_WAIT_OF_ACCOUNT
    assert slowing.wait("ada", HOME, now) == 0
    now = fails(slowing, "bob", HOME, now, 10)
    assert slowing.wait("bob", HOME, now) > 0
    assert slowing.wait("ada", HOME, now) == 0, "not even by who guesses from there for others"


def test_who_shares_the_owners_address_can_slow_them_there_a_little() -> None:
    slowing, now = LoginThrottle(), 100.0
    slowing.came("ada", HOME)
    now = fails(slowing, "ada", HOME, now, 100)
    assert slowing.wait("ada", HOME, now) == LOGIN_WAIT_OF_ACCOUNT
    assert slowing.wait("ada", ELSEWHERE, now) == 0
    assert slowing.wait("bob", HOME, now) == 0


def test_a_right_password_takes_its_own_attempt_back_and_no_other() -> None:
    slowing = LoginThrottle()
    now = fails(slowing, "ada", HOME, 100.0, LOGIN_TRIES + 3)
    now += slowing.wait("eve", HOME, now)
    slowing.right(slowing.begin("eve", HOME, now), now)
    assert slowing.wait("ada", HOME, now) == 0
    now = fails(slowing, "ada", HOME, now)
    assert slowing.wait("ada", HOME, now) == 16, "who has an account cannot guess faster"


def test_many_at_once_are_no_more_than_many_in_a_row() -> None:
    slowing = LoginThrottle()
    allowed = 0
    for _ in range(100):
        if slowing.wait("ada", HOME, 100.0) == 0:
            slowing.begin("ada", HOME, 100.0)
            allowed += 1
    assert allowed == LOGIN_TRIES


def test_two_that_are_right_at_once_leave_nothing_counted() -> None:
    slowing = LoginThrottle()
    for attempt in [slowing.begin("ada", HOME, 100.0) for _ in range(LOGIN_TRIES)]:
        slowing.right(attempt, 100.0)
    assert fails(slowing, "eve", HOME, 100.0, LOGIN_TRIES) == 100.0
    assert slowing.wait("eve", HOME, 100.0) == 1, "as if none had been"


def test_wrong_passwords_are_forgotten() -> None:
    slowing = LoginThrottle()
    now = fails(slowing, "ada", HOME, 100.0, 20)
    assert slowing.wait("ada", HOME, now + LOGIN_FORGOTTEN + 1) == 0
    assert fails(slowing, "ada", HOME, now + LOGIN_FORGOTTEN + 1, LOGIN_TRIES) == (
        now + LOGIN_FORGOTTEN + 1
    )


def test_a_clock_that_goes_back_lets_nobody_wait_for_longer() -> None:
    slowing = LoginThrottle()
    now = fails(slowing, "ada", HOME, 1e9, LOGIN_TRIES + 2)
    assert slowing.wait("ada", HOME, now - 1e6) == 4
    rates = PerAddressRate(Rate(1, 1.0))
    assert rates.wait(HOME, 1e9) == 0
    assert rates.wait(HOME, 1e9 - 1e6) == 1


def test_a_unix_socket_has_no_address_that_could_be_slow_or_known() -> None:
    slowing = LoginThrottle()
    now = fails(slowing, "ada", "", 100.0, 10)
    assert slowing.wait("ada", "", now) == LOGIN_WAIT_OF_ACCOUNT
    assert slowing.wait("bob", "", now) == 0
    slowing.right(slowing.begin("bob", "", now), now)
    assert not slowing.is_known("bob", "")


def test_addresses_of_ipv6_count_by_64() -> None:
    slowing = LoginThrottle()
    now = fails(slowing, "ada", "2001:db8::1", 100.0, 10)
    assert slowing.wait("bob", "2001:db8::ffff", now) > 0
    assert slowing.wait("bob", "2001:db8:0:1::1", now) == 0
    slowing.came("cy", "2001:db8::1")
    assert slowing.is_known("cy", "2001:db8::2")
    assert prefix("::ffff:192.0.2.1") == HOME


def test_the_last_addresses_of_an_owner_are_known() -> None:
    slowing = LoginThrottle()
    for number in range(KNOWN_ADDRESSES):
        slowing.came("ada", f"192.0.2.{number}")
    slowing.came("ada", "192.0.2.0"), slowing.came("ada", ELSEWHERE)
    known = [n for n in range(KNOWN_ADDRESSES) if slowing.is_known("ada", f"192.0.2.{n}")]
    assert known == [0, *range(2, KNOWN_ADDRESSES)]


def test_so_many_are_remembered() -> None:
    waits = Backoff(60.0)
    for number in range(THROTTLE_ENTRIES + 1):
        for _ in range(LOGIN_TRIES):
            waits.count(str(number), 100.0)
    assert len(waits) == THROTTLE_ENTRIES
    assert waits.wait("0", 100.0) == 0
    assert waits.wait("1", 100.0) == 1
    waits.take_back("0", 100.0)
    slowing = LoginThrottle()
    for number in range(THROTTLE_ENTRIES + 1):
        slowing.came(str(number), HOME)
    assert not slowing.is_known("0", HOME)
    assert slowing.is_known("1", HOME)
    rates = PerAddressRate(Rate(1, 0.001))
    for number in range(THROTTLE_ENTRIES + 1):
        assert rates.wait(str(number), 100.0) == 0
    assert rates.wait("1", 100.0) > 0
    assert rates.wait("0", 100.0) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 100)), max_size=60))
def test_an_address_that_waits_as_it_must_makes_so_few_guesses(
    guesses: list[tuple[int, float]],
) -> None:
    """However it spreads them over accounts and time, within the hour in which it is remembered."""
    slowing, now, made = LoginThrottle(), 0.0, 0
    for account, pause in guesses:
        now += pause
        if slowing.wait(str(account), HOME, now) == 0:
            slowing.begin(str(account), HOME, now)
            made += 1
    doubled = 0
    while 2**doubled - 1 <= now:
        doubled += 1
    assert made <= LOGIN_TRIES + min(doubled, 10) + now / LOGIN_WAIT_OF_ADDRESS


ACCOUNTS = st.sampled_from(["ada", "bob"])
ADDRESSES = st.sampled_from([HOME, ELSEWHERE, "2001:db8::1", ""])


class SlowingModel(RuleBasedStateMachine):
    """Wrong passwords as a list, from which every wait is counted anew."""

    def __init__(self) -> None:
        super().__init__()
        self.slowing = LoginThrottle()
        self.now = 1000.0
        self.known: set[tuple[str, str]] = set()
        #: Of each source the times of what counts as wrong, and from when on it may try again.
        self.wrong: dict[tuple[str, ...], list[float]] = {}
        self.until: dict[tuple[str, ...], float] = {}

    def sources(self, account: str, address: str) -> list[tuple[str, ...]]:
        if (account, prefix(address)) in self.known:
            return [("owner", account, prefix(address))]
        return [("account", account), *([("address", prefix(address))] if address else [])]

    def wait(self, account: str, address: str) -> float:
        waits = [0.0]
        for source in self.sources(account, address):
            wrong = self.wrong.get(source, [])
            if wrong and self.now - wrong[-1] <= LOGIN_FORGOTTEN:
                waits.append(self.until[source] - self.now)
        return max(waits)

    @rule(seconds=st.sampled_from([0.5, 1, 3, 20, 60, 900, LOGIN_FORGOTTEN, LOGIN_FORGOTTEN + 1]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(account=ACCOUNTS, address=ADDRESSES, right=st.booleans(), at_once=st.booleans())
    def tries(self, account: str, address: str, right: bool, at_once: bool) -> None:
        wait = self.wait(account, address)
        assert self.slowing.wait(account, address, self.now) == pytest.approx(wait)
        if wait > 0 and not at_once:
            return
        sources = self.sources(account, address)
        attempt = self.slowing.begin(account, address, self.now)
        for source in sources:
            wrong = self.wrong.setdefault(source, [])
            if wrong and self.now - wrong[-1] > LOGIN_FORGOTTEN:
                wrong.clear()
            wrong.append(self.now)
            longest = LOGIN_WAIT_OF_ADDRESS if source[0] == "address" else LOGIN_WAIT_OF_ACCOUNT
            over = len(wrong) - LOGIN_TRIES
            self.until[source] = self.now + (min(2**over, longest) if over >= 0 else 0)
        if right:
            self.slowing.right(attempt, self.now)
            for source in sources:
                self.wrong[source] = self.wrong[source][1:]  # the last one's time stays
                if self.wrong[source]:
                    self.wrong[source][-1] = self.now
                self.until[source] = self.now
            if address:
                self.known.add((account, prefix(address)))

    @invariant()
    def everybody_waits_as_the_model_says(self) -> None:
        for account in ("ada", "bob"):
            for address in (HOME, ELSEWHERE, "2001:db8::2", ""):
                wait = self.slowing.wait(account, address, self.now)
                assert wait == pytest.approx(self.wait(account, address))


TestSlowingModel = SlowingModel.TestCase
