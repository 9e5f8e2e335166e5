"""The login throttle makes guessing passwords slow, and does not lock out the owners."""

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

HOME, AWAY = "192.0.2.1", "203.0.113.5"


def guess_wrong(
    throttle: LoginThrottle, account: str, address: str, now: float, times: int = 1
) -> float:
    """Guess wrong so many times, each as soon as it is allowed; return the time afterwards."""
    for _ in range(times):
        now += throttle.wait(account, address, now)
        throttle.begin(account, address, now)
    return now


def test_the_first_wrong_passwords_cost_no_wait_and_each_later_one_doubles_it() -> None:
    throttle = LoginThrottle()
    now = guess_wrong(throttle, "ada", HOME, 100.0, LOGIN_TRIES)
    assert now == 100.0
    for wait in (1, 2, 4, 8, 16, 32):
        assert throttle.wait("ada", HOME, now) == wait
        now = guess_wrong(throttle, "ada", HOME, now)
    for account in ("bob", "cy", "dee", "eve", "fay"):
        now = guess_wrong(throttle, account, HOME, now)
    assert throttle.wait("gil", HOME, now) == LOGIN_WAIT_OF_ADDRESS, (
        "whichever account they guess for"
    )
    assert throttle.wait("ada", AWAY, now) == 0


def test_guesses_from_many_addresses_delay_strangers_but_not_the_owner() -> None:
    throttle, now = LoginThrottle(), 100.0
    throttle.succeeded(throttle.begin("ada", HOME, now), now)
    for number in range(100):
        now = guess_wrong(throttle, "ada", f"203.0.113.{number}", now)
    assert throttle.wait("ada", "198.51.100.1", now) == LOGIN_WAIT_OF_ACCOUNT
    assert throttle.wait("ada", HOME, now) == 0
    now = guess_wrong(throttle, "bob", HOME, now, 10)
    assert throttle.wait("bob", HOME, now) > 0
    assert throttle.wait("ada", HOME, now) == 0, (
        "not even after guesses from there for other accounts"
    )


def test_a_guesser_at_the_owners_address_delays_the_owner_there_only() -> None:
    throttle, now = LoginThrottle(), 100.0
    throttle.owner_logged_in("ada", HOME)
    now = guess_wrong(throttle, "ada", HOME, now, 100)
    assert throttle.wait("ada", HOME, now) == LOGIN_WAIT_OF_ACCOUNT
    assert throttle.wait("ada", AWAY, now) == 0
    assert throttle.wait("bob", HOME, now) == 0


def test_a_right_password_withdraws_its_own_attempt_and_no_other() -> None:
    throttle = LoginThrottle()
    now = guess_wrong(throttle, "ada", HOME, 100.0, LOGIN_TRIES + 3)
    now += throttle.wait("eve", HOME, now)
    throttle.succeeded(throttle.begin("eve", HOME, now), now)
    assert throttle.wait("ada", HOME, now) == 0
    now = guess_wrong(throttle, "ada", HOME, now)
    assert throttle.wait("ada", HOME, now) == 16, "having an account does not allow faster guesses"


def test_concurrent_attempts_gain_nothing_over_consecutive_ones() -> None:
    throttle = LoginThrottle()
    allowed = 0
    for _ in range(100):
        if throttle.wait("ada", HOME, 100.0) == 0:
            throttle.begin("ada", HOME, 100.0)
            allowed += 1
    assert allowed == LOGIN_TRIES


def test_concurrent_right_passwords_leave_nothing_counted() -> None:
    throttle = LoginThrottle()
    for attempt in [throttle.begin("ada", HOME, 100.0) for _ in range(LOGIN_TRIES)]:
        throttle.succeeded(attempt, 100.0)
    assert guess_wrong(throttle, "eve", HOME, 100.0, LOGIN_TRIES) == 100.0
    assert throttle.wait("eve", HOME, 100.0) == 1, "as if there had been no attempt before"


def test_wrong_passwords_are_forgotten_after_an_hour() -> None:
    throttle = LoginThrottle()
    now = guess_wrong(throttle, "ada", HOME, 100.0, 20)
    assert throttle.wait("ada", HOME, now + LOGIN_FORGOTTEN + 1) == 0
    assert guess_wrong(throttle, "ada", HOME, now + LOGIN_FORGOTTEN + 1, LOGIN_TRIES) == (
        now + LOGIN_FORGOTTEN + 1
    )


def test_no_wait_is_longer_after_the_clock_was_set_back() -> None:
    throttle = LoginThrottle()
    now = guess_wrong(throttle, "ada", HOME, 1e9, LOGIN_TRIES + 2)
    back = now - 1e6
    assert throttle.wait("ada", HOME, back) == 4
    assert throttle.wait("ada", HOME, back + 3) == 1
    assert throttle.wait("ada", HOME, back + 4) == 0
    rates = PerAddressRate(Rate(1, 1.0))
    assert rates.wait(HOME, 1e9) == 0
    assert rates.wait(HOME, 1e9 - 1e6) == 1
    assert rates.wait(HOME, 1e9 - 1e6 + 1) == 0


def test_wrong_passwords_before_the_clock_was_set_back_are_forgotten_too() -> None:
    throttle = LoginThrottle()
    guess_wrong(throttle, "ada", HOME, 1e9 + 1e8, 20)
    assert throttle.wait("ada", HOME, 1e9) > 0
    assert throttle.wait("ada", HOME, 1e9 + LOGIN_FORGOTTEN + 1) == 0
    assert guess_wrong(throttle, "ada", HOME, 1e9 + LOGIN_FORGOTTEN + 1, LOGIN_TRIES) == (
        1e9 + LOGIN_FORGOTTEN + 1
    )


def test_a_unix_socket_has_no_address_that_is_delayed_or_known() -> None:
    throttle = LoginThrottle()
    now = guess_wrong(throttle, "ada", "", 100.0, 10)
    assert throttle.wait("ada", "", now) == LOGIN_WAIT_OF_ACCOUNT
    assert throttle.wait("bob", "", now) == 0
    throttle.succeeded(throttle.begin("bob", "", now), now)
    assert not throttle.is_known("bob", "")


def test_ipv6_addresses_count_by_their_64_bit_prefix() -> None:
    throttle = LoginThrottle()
    now = guess_wrong(throttle, "ada", "2001:db8::1", 100.0, 10)
    assert throttle.wait("bob", "2001:db8::ffff", now) > 0
    assert throttle.wait("bob", "2001:db8:0:1::1", now) == 0
    throttle.owner_logged_in("cy", "2001:db8::1")
    assert throttle.is_known("cy", "2001:db8::2")
    assert prefix("::ffff:192.0.2.1") == HOME


def test_the_last_few_addresses_of_an_owner_are_known() -> None:
    throttle = LoginThrottle()
    for number in range(KNOWN_ADDRESSES):
        throttle.owner_logged_in("ada", f"192.0.2.{number}")
    throttle.owner_logged_in("ada", "192.0.2.0"), throttle.owner_logged_in("ada", AWAY)
    known = [n for n in range(KNOWN_ADDRESSES) if throttle.is_known("ada", f"192.0.2.{n}")]
    assert known == [0, *range(2, KNOWN_ADDRESSES)]


def test_each_table_drops_its_oldest_entry_past_the_bound() -> None:
    backoff = Backoff(60.0)
    for number in range(THROTTLE_ENTRIES + 1):
        for _ in range(LOGIN_TRIES):
            backoff.count(str(number), 100.0)
    assert len(backoff) == THROTTLE_ENTRIES
    assert backoff.wait("0", 100.0) == 0
    assert backoff.wait("1", 100.0) == 1
    backoff.withdraw("0", 100.0)
    throttle = LoginThrottle()
    for number in range(THROTTLE_ENTRIES + 1):
        throttle.owner_logged_in(str(number), HOME)
    assert not throttle.is_known("0", HOME)
    assert throttle.is_known("1", HOME)
    rates = PerAddressRate(Rate(1, 0.001))
    for number in range(THROTTLE_ENTRIES + 1):
        assert rates.wait(str(number), 100.0) == 0
    assert rates.wait("1", 100.0) > 0
    assert rates.wait("0", 100.0) == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 100)), max_size=60))
def test_an_address_that_observes_its_waits_makes_few_guesses(
    guesses: list[tuple[int, float]],
) -> None:
    """It does not matter how the guesses are spread over accounts and over the hour."""
    throttle, now, made = LoginThrottle(), 0.0, 0
    for account, pause in guesses:
        now += pause
        if throttle.wait(str(account), HOME, now) == 0:
            throttle.begin(str(account), HOME, now)
            made += 1
    doubled = 0
    while 2**doubled - 1 <= now:
        doubled += 1
    assert made <= LOGIN_TRIES + min(doubled, 10) + now / LOGIN_WAIT_OF_ADDRESS


ACCOUNTS = st.sampled_from(["ada", "bob"])
ADDRESSES = st.sampled_from([HOME, AWAY, "2001:db8::1", ""])


class ThrottleModel(RuleBasedStateMachine):
    """The model keeps wrong passwords in a list, from which it computes every wait anew."""

    def __init__(self) -> None:
        super().__init__()
        self.throttle = LoginThrottle()
        self.now = 1000.0
        self.known: set[tuple[str, str]] = set()
        #: The times of the wrong passwords of each source, and when it may try again.
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

    @rule(account=ACCOUNTS, address=ADDRESSES, right=st.booleans(), impatient=st.booleans())
    def attempt(self, account: str, address: str, right: bool, impatient: bool) -> None:
        wait = self.wait(account, address)
        assert self.throttle.wait(account, address, self.now) == pytest.approx(wait)
        if wait > 0 and not impatient:
            return
        sources = self.sources(account, address)
        attempt = self.throttle.begin(account, address, self.now)
        for source in sources:
            wrong = self.wrong.setdefault(source, [])
            if wrong and self.now - wrong[-1] > LOGIN_FORGOTTEN:
                wrong.clear()
            wrong.append(self.now)
            longest = LOGIN_WAIT_OF_ADDRESS if source[0] == "address" else LOGIN_WAIT_OF_ACCOUNT
            over = len(wrong) - LOGIN_TRIES
            self.until[source] = self.now + (min(2**over, longest) if over >= 0 else 0)
        if right:
            self.throttle.succeeded(attempt, self.now)
            for source in sources:
                self.wrong[source] = self.wrong[source][1:]  # the time of the last one stays
                if self.wrong[source]:
                    self.wrong[source][-1] = self.now
                self.until[source] = self.now
            if address:
                self.known.add((account, prefix(address)))

    @invariant()
    def every_wait_is_that_of_the_model(self) -> None:
        for account in ("ada", "bob"):
            for address in (HOME, AWAY, "2001:db8::2", ""):
                wait = self.throttle.wait(account, address, self.now)
                assert wait == pytest.approx(self.wait(account, address))


TestThrottleModel = ThrottleModel.TestCase
