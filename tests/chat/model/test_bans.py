"""Bans as values: whom they cover, how they are written, how long they hold."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.events import Refused
from chatd.chat.limits import BAN_SECONDS
from chatd.chat.model.bans import Ban, Bans, Identity, Kind, Target, of_address, read_target
from chatd.chat.text.durations import duration, remaining, rest, split_duration, term

ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
NICKS = st.sampled_from(["ada", "bob", "cy", "192.0.2.1", "grace"])
KEYS = st.text("ABab09+/", min_size=1, max_size=43).map("SHA256:{}".format)


@st.composite
def networks(draw: st.DrawFn) -> str:
    address = ip_address(draw(ADDRESSES))
    return str(ip_network((address, draw(st.integers(0, address.max_prefixlen))), strict=False))


@st.composite
def targets(draw: st.DrawFn) -> Target:
    text = draw(
        st.one_of(
            networks(),
            ADDRESSES,
            KEYS,
            NICKS.map("account:{}".format),
            NICKS.map("nick:{}".format),
        )
    )
    target = read_target(text)
    assert target is not None
    return target


KNOWN = st.builds(
    Identity,
    NICKS,
    st.one_of(st.none(), NICKS),
    st.one_of(st.none(), KEYS),
    st.just("") | ADDRESSES,
)


def ban(target: Target, until: float | None = None, label: str = "bob") -> Ban:
    return Ban(target, label, "ada", 100.0, until, "spam")


def read(text: str) -> Target:
    target = read_target(text)
    assert target is not None
    return target


# Whom one covers ----------------------------------------------------------------------------------


@given(targets())
def test_a_target_is_parsed_from_its_text(target: Target) -> None:
    assert read_target(str(target)) == target


@given(targets(), st.one_of(st.none(), st.floats(0, 1e10)), st.text())
def test_a_ban_is_decoded_from_its_record(target: Target, until: float | None, reason: str) -> None:
    made = Ban(target, "Bob", "ada", 1.5, until, reason)
    assert Ban.decoded(str(target), made.encoded()) == made


@given(st.lists(st.tuples(targets(), st.one_of(st.none(), st.integers(0, 9)))), KNOWN)
def test_a_lookup_finds_the_same_as_asking_every_ban(
    made: list[tuple[Target, int | None]], known: Identity
) -> None:
    bans, plain = Bans(1000), {}
    for target, until in made:
        bans.put(ban(target, until))
        plain[target] = until
    for dropped, _ in made[::3]:
        bans.drop(dropped)
        plain.pop(dropped, None)
    for by_address in (True, False):
        held = [
            target
            for target, until in plain.items()
            if target.covers(known)
            and (until is None or until > 5)
            and (by_address or target.kind is not Kind.ADDRESS)
        ]
        found = bans.covering(known, 5, by_address=by_address)
        assert (found is not None) == bool(held)
        assert found is None or found.target in held
    assert {each.target for each in bans} == plain.keys()


@given(ADDRESSES)
def test_an_address_is_covered_by_its_own_target(address: str) -> None:
    target = of_address(address)
    assert target is not None
    assert target.covers(Identity(address=address))
    assert read(address) == target


def test_an_ipv6_target_covers_a_64_bit_prefix_unless_a_length_is_given() -> None:
    assert str(read("2001:db8::1")) == "2001:db8::/64"
    assert read("2001:DB8::1").covers(Identity(address="2001:db8::ffff%eth0"))
    assert str(read("2001:db8::1/128")) == "2001:db8::1/128"
    assert not read("2001:db8::1/128").covers(Identity(address="2001:db8::2"))


def test_an_ipv4_mapped_ipv6_address_is_an_ipv4_address() -> None:
    assert read("::ffff:192.0.2.1") == read("192.0.2.1")
    assert str(read("::ffff:192.0.2.0/120")) == "192.0.2.0/24"
    assert read("192.0.2.0/24").covers(Identity(address="::ffff:192.0.2.7"))


def test_bits_beyond_the_prefix_make_no_difference() -> None:
    assert str(read("192.0.2.77/24")) == "192.0.2.0/24"
    assert isinstance(ip_address("192.0.2.77"), IPv4Address)
    assert isinstance(ip_address("2001:db8::1"), IPv6Address)


@pytest.mark.parametrize("text", ["bob", "bob.smith", "1.2.3", "sha256", "b0b-", "999.1.1.1"])
def test_a_bare_word_is_no_target(text: str) -> None:
    assert read_target(text) is None


@pytest.mark.parametrize("text", ["192.0.2.0/33", "a/b", "12:34", "SHA256:", "SHA256:no spaces"])
def test_text_that_looks_like_a_target_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="Name somebody by a nick") as refused:
        read_target(text)
    assert refused.value.code == "bad-target"


def test_names_of_accounts_and_nicks_are_folded() -> None:
    assert str(read("Account:Ada")) == "account:ada"
    assert str(read("NICK:Ada")) == "nick:ada"
    with pytest.raises(Refused, match="A nick has letters"):
        read_target("nick:no nick")


def test_an_unknown_part_of_an_identity_is_covered_by_no_ban() -> None:
    nobody = Identity()
    bans = Bans(10)
    for text in ("account:ada", "SHA256:abc", "0.0.0.0/0", "::/0", "nick:ada"):
        bans.put(ban(read(text)))
        assert not read(text).covers(nobody)
    assert bans.covering(nobody, 0) is None
    assert bans.of_address("/run/chatd.sock", 0) is None


# How many, how long -------------------------------------------------------------------------------


def test_an_expired_ban_is_dropped_when_room_is_needed() -> None:
    kept: list[tuple[str, bool]] = []

    def note(before: Ban | None, after: Ban | None, *, quietly: bool) -> None:
        changed = after or before
        assert changed is not None
        assert quietly is (after is None), "nobody asked for what expires"
        kept.append((str(changed.target), after is not None))

    bans = Bans(2, note)
    bans.put(ban(read("nick:ada"), until=10))
    bans.put(ban(read("192.0.2.1")))
    assert not bans.has_room_for(read("nick:cy"), 9.9)
    assert bans.has_room_for(read("nick:ada"), 9.9)
    assert bans.has_room_for(read("nick:cy"), 10)
    assert len(bans) == 1
    assert kept == [("nick:ada", True), ("192.0.2.1", True), ("nick:ada", False)]
    bans.drop(read("nick:zoe"))
    bans.restore(ban(read("nick:zoe")))
    assert len(kept) == 3


def test_a_ban_of_a_nick_follows_a_rename() -> None:
    bans = Bans(9)
    bans.put(ban(read("nick:bob")))
    bans.renamed("bob", "robert")
    bans.renamed("zoe", "ada")
    assert [str(each.target) for each in bans] == ["nick:robert"]
    assert [str(each.target) for each in bans.named("Bob")] == ["nick:robert"]
    assert bans.named("nick:robert") == list(bans)
    assert bans.named("robert") == list(bans)


@pytest.mark.parametrize(("first", "second", "holds"), [(5, 9, 9), (9, 5, 9), (None, 5, None)])
def test_the_longer_of_two_bans_of_one_nick_holds_after_a_rename(
    first: float | None, second: float | None, holds: float | None
) -> None:
    bans = Bans(9)
    bans.put(ban(read("nick:bob"), first)), bans.put(ban(read("nick:robert"), second))
    bans.renamed("bob", "robert")
    assert [each.until for each in bans] == [holds]


@given(st.integers(1, BAN_SECONDS))
def test_any_duration_within_the_bound_is_parsed(seconds: int) -> None:
    assert split_duration(f"{seconds}s and why") == (seconds, "and why")


@pytest.mark.parametrize(
    ("words", "seconds", "reason"),
    [
        ("", None, ""),
        ("for spam", None, "for spam"),
        ("30m", 1800, ""),
        ("2h  too loud", 7200, "too loud"),
        ("7d", 604800, ""),
        ("1w x", 604800, "x"),
        ("3650d", BAN_SECONDS, ""),
    ],
)
def test_a_duration_is_split_from_the_reason(
    words: str, seconds: float | None, reason: str
) -> None:
    assert split_duration(words) == (seconds, reason)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("30min", "A time is written 30m, 2h, 7d or 1w, not 30min."),
        ("2 days", "A time is written 30m, 2h, 7d or 1w, not 2."),
        ("0m", "A time is at most 3650d; without one it is for good."),
        ("3651d", "A time is at most 3650d; without one it is for good."),
        ("999999999w", "A time is at most 3650d; without one it is for good."),
        ("9999999999s", "A time is written 30m, 2h, 7d or 1w, not 9999999999s."),
        ("٣m", None),
    ],
)
def test_a_first_word_with_a_digit_first_has_to_be_a_duration(
    words: str, sentence: str | None
) -> None:
    if sentence is None:
        assert split_duration(words) == (None, words)
        return
    with pytest.raises(Refused) as refused:
        split_duration(words)
    assert (refused.value.code, refused.value.sentence) == ("bad-duration", sentence)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.1, "1 s"),
        (59.1, "1 minute"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (3599, "1 hour"),
        (5400, "1 hour 30 minutes"),
        (7200, "2 hours"),
        (86399, "1 day"),
        (90061, "1 day 1 hour"),
        (604800, "7 days"),
        (86400 + 300, "1 day"),
    ],
)
def test_a_remaining_time_is_shown_in_two_units_at_most(seconds: float, text: str) -> None:
    assert remaining(seconds) == text
    assert rest(50 + seconds, 50) == f"for another {text}"
    assert term(50, 50 + seconds) == f"for {text}"


@given(st.floats(0.001, 1e9))
def test_a_remaining_time_is_never_zero(seconds: float) -> None:
    assert remaining(seconds)[0] in "123456789"
    assert duration(seconds)[0] in "0123456789"


def test_a_term_without_an_end_is_for_good() -> None:
    assert (rest(None, 5), term(5, None)) == ("for good", "for good")
    assert ban(read("nick:bob")).rest(7) == "for good (spam)"
