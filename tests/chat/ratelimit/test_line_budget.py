"""Line budgets: a person's lines, and those of an address, over any number of connections."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import LINE_BUDGETS, Rate
from chatd.chat.ratelimit.addresses import parse, prefix
from chatd.chat.ratelimit.bucket import BucketTable, TokenBucket
from chatd.chat.ratelimit.line_budget import (
    LineBudget,
    LineBudgets,
    Sender,
    Standing,
    rate_of_address,
)

HOME = "192.0.2.1"


def sent_at_once(budget: LineBudget, sender: Sender, now: float, tries: int = 100) -> int:
    """Return how many of some lines go out at once; the others give their tokens back."""
    sent = 0
    for _ in range(tries):
        reservation = budget.reserve(sender, now)
        if reservation.wait:
            reservation.give_back()
        else:
            sent += 1
    return sent


def default() -> LineBudgets:
    return LineBudgets(Rate(10, 2), rate_of_address(Rate(10, 2)))


def test_an_address_may_send_four_times_what_a_person_may() -> None:
    assert rate_of_address(Rate(10, 2)) == Rate(40, 8)
    assert rate_of_address(None) is None
    budgets = default()
    guests = [LineBudget(budgets) for _ in range(99)]
    assert sum(sent_at_once(each, Sender(address=HOME), 0.0, 10) for each in guests) == 40
    assert sum(sent_at_once(each, Sender(address=HOME), 1.0, 10) for each in guests) == 8
    elsewhere = Sender(address="192.0.2.2")
    assert sent_at_once(LineBudget(budgets), elsewhere, 1.0) == 10, "others are not delayed"


def test_an_account_has_one_budget_over_all_its_connections_and_addresses() -> None:
    budgets = default()
    sent = [
        sent_at_once(LineBudget(budgets), Sender("ada", f"192.0.2.{number}"), 0.0)
        for number in range(3)
    ]
    assert sent == [10, 0, 0]


def test_a_guest_has_one_budget_over_all_channels_of_a_connection() -> None:
    budget = LineBudget(default())
    guest = Sender(address=HOME)
    assert [sent_at_once(budget, guest, 0.0), sent_at_once(budget, guest, 0.0)] == [10, 0]


def test_guests_cannot_use_up_what_accounts_and_operators_of_their_address_may_send() -> None:
    budgets = default()
    for _ in range(10):
        sent_at_once(LineBudget(budgets), Sender(address=HOME), 0.0)
    assert sent_at_once(LineBudget(budgets), Sender(address=HOME), 0.0) == 0
    for number in range(6):
        owner = Sender(f"owner{number}", HOME, Standing.ACCOUNT)
        sent = sent_at_once(LineBudget(budgets), owner, 0.0)
        assert sent == (10 if number < 4 else 0), "accounts have a bound of their own"
    operator = Sender("root", HOME, Standing.OPERATOR)
    assert sent_at_once(LineBudget(budgets), operator, 0.0) == 10


def test_a_unix_socket_and_a_server_without_limits_hold_nobody_back() -> None:
    budgets = default()
    sent = [sent_at_once(LineBudget(budgets), Sender(), 0.0) for _ in range(20)]
    assert sent == [10] * 20
    unlimited = LineBudget(LineBudgets(None, None))
    assert sent_at_once(unlimited, Sender(address=HOME), 0.0, 1000) == 1000


def test_lines_that_wait_go_out_in_the_order_in_which_they_came() -> None:
    budgets = LineBudgets(None, Rate(1, 2.0))
    waits = [LineBudget(budgets).reserve(Sender(address=HOME), 0.0).wait for _ in range(4)]
    assert waits == pytest.approx([0, 0.5, 1, 1.5])


def test_a_line_that_is_not_sent_gives_its_tokens_back() -> None:
    budgets = LineBudgets(Rate(1, 1.0), Rate(1, 1.0))
    budget, guest = LineBudget(budgets), Sender(address=HOME)
    assert budget.reserve(guest, 0.0).wait == 0
    for _ in range(100):
        reservation = budget.reserve(guest, 0.0)
        assert reservation.wait == pytest.approx(1), "no debt grows from lines that are not sent"
        reservation.give_back()


def test_each_table_drops_its_least_recent_entry_past_the_bound() -> None:
    table = BucketTable(Rate(1, 0.001), LINE_BUDGETS)
    for number in range(LINE_BUDGETS):
        assert table.get(str(number), 0.0).wait(0.0) == 0
    assert table.get("0", 0.0).wait(0.0) > 0
    assert len(table) == LINE_BUDGETS
    table.get("another", 0.0)
    assert len(table) == LINE_BUDGETS
    assert table.get("0", 0.0).wait(0.0) > 0
    assert table.get("1", 0.0).wait(0.0) == 0, "it was dropped, and begins anew"


@given(st.lists(st.floats(0, 3), max_size=50))
def test_reserving_lets_as_much_through_as_waiting_does(pauses: list[float]) -> None:
    waiting, reserving, now = TokenBucket(Rate(3, 2), 0.0), TokenBucket(Rate(3, 2), 0.0), 0.0
    for pause in pauses:
        now += pause
        wait = waiting.wait(now)
        assert reserving.reserve(now) == pytest.approx(wait)
        if wait:
            reserving.give_back()


def test_a_clock_that_is_set_back_costs_no_tokens() -> None:
    bucket = TokenBucket(Rate(2, 1.0), 1000.0)
    assert bucket.reserve(10.0) == 0
    assert bucket.wait(10.0) == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("64:ff9b::192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:0db8:0000:0000"),
        ("2001:db8::2", "2001:0db8:0000:0000"),
        ("2001:db8:0:1::2", "2001:0db8:0000:0001"),
        ("fe80::1%eth0", "fe80:0000:0000:0000"),
        ("", ""),
        ("/run/chatd.sock", "/run/chatd.sock"),
    ],
)
def test_a_prefix_is_what_one_household_has(address: str, network: str) -> None:
    assert prefix(address) == network


def test_text_that_is_no_address_is_none() -> None:
    assert parse("somewhere") is None
