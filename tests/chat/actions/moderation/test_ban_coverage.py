"""What a ban of a person covers: everything that is known of them, and nobody else for long."""

from __future__ import annotations

import json

import pytest

from chatd.chat.events import Refused
from chatd.chat.limits import BAN_ADDRESS_SECONDS, BAN_MARKS, ESTABLISHED_SECONDS, SHARED_ADDRESS
from chatd.chat.model.bans import Ban, read_target
from chatd.store.memory import MemoryStore
from tests.support.people import Server, User, records

ADA, BOB, CY = "SHA256:ada", "SHA256:bob", "SHA256:cy"
HOME, CAFE, OFFICE = "192.0.2.10", "198.51.100.20", "2001:db8:1:2::30"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server(store: MemoryStore) -> Server:
    return Server(store)


@pytest.fixture
def op(server: Server) -> User:
    return server.enters("op", operator=True, address=HOME, fingerprint="SHA256:op")


def last(user: User) -> str:
    return user.sees()[-1]


def registered(server: Server, nick: str, key: str, address: str) -> User:
    user = server.enters(nick, fingerprint=key, address=address)
    if user.session.person.account is None:
        user.types("/register")
    return user


def may_enter(server: Server, nick: str = "", **known: str) -> bool:
    """Whether somebody may enter the server; they leave again."""
    try:
        server.enters(nick, **known).leaves()  # type: ignore[arg-type]
    except Refused:
        return False
    return True


def may_join(server: Server, nick: str = "", **known: str) -> bool:
    """Whether somebody may join attic; they leave again."""
    user = server.enters(nick, lobby=False, **known)  # type: ignore[arg-type]
    user.types("/join attic")
    joined = "attic" in user.session.person.rooms
    user.leaves()
    return joined


@pytest.mark.parametrize("way", [may_enter, may_join])
@pytest.mark.parametrize("has_account", [False, True])
def test_a_banned_user_comes_back_by_no_part_of_what_is_known(
    server: Server, op: User, way: object, has_account: bool
) -> None:
    assert callable(way)
    op.types("/join attic")
    bob = server.enters("bob", fingerprint=BOB, address=CAFE)
    if has_account:
        bob.types("/register")
    bob.types("/join attic"), op.sees()
    op.types("/server ban bob" if way is may_enter else "/ban bob")
    if way is may_join:
        bob.leaves()
    assert not way(server, "bob", fingerprint=BOB, address=OFFICE)
    assert not way(server, "x", fingerprint=BOB, address=OFFICE)
    assert not way(server, "x", address=CAFE)
    assert way(server, "x", address=OFFICE)
    if not has_account:  # else the nick is registered
        assert not way(server, "bob", address=OFFICE)
    server.now += BAN_ADDRESS_SECONDS
    assert way(server, "x", address=CAFE), "others may have the address by now"
    assert not way(server, "x", fingerprint=BOB, address=CAFE)
    op.types("/server unban bob" if way is may_enter else "/unban bob")
    assert way(server, "bob", fingerprint=BOB, address=CAFE)
    assert way(server, "x", address=CAFE)


def test_a_short_ban_covers_the_address_no_longer_than_the_rest(server: Server, op: User) -> None:
    server.enters("bob", address=CAFE)
    op.types("/server ban bob 1h")
    assert last(op) == (
        f"-- The ban of bob from this server covers the nick bob and {CAFE}, for 1 hour; "
        "1 was disconnected."
    )
    server.now += 3600
    assert may_enter(server, "bob", address=CAFE)


def test_all_screens_of_a_banned_account_are_covered(server: Server, op: User) -> None:
    registered(server, "bob", BOB, CAFE)
    server.enters("bob", fingerprint=BOB, address=OFFICE)
    op.types("/server ban bob")
    assert not may_enter(server, "x", address=CAFE)
    assert not may_enter(server, "x", address=OFFICE)


def test_an_established_account_may_come_from_the_address_of_a_banned_user(
    server: Server, op: User
) -> None:
    ada = registered(server, "ada", ADA, CAFE)
    ada.types("/join attic"), ada.leaves()
    server.now += ESTABLISHED_SECONDS
    ada, cy = registered(server, "ada", ADA, CAFE), registered(server, "cy", CY, CAFE)
    ada.types("/register"), ada.types("/join attic"), server.enters("bob", address=CAFE)
    op.sees()
    op.types("/server ban bob 2h")
    assert not ada.client.closed
    assert cy.client.closed, "a new account may be the same user's"
    assert not may_enter(server, "x", address=CAFE)
    assert may_enter(server, "ada", fingerprint=ADA, address=CAFE)
    op.types(f"/server ban {CAFE}")
    assert ada.client.closed, "who names an address means everybody"


def test_an_address_that_many_share_is_left_out_unless_it_is_asked_for(
    server: Server, op: User
) -> None:
    pupils = [server.enters(f"pupil{n}", address=CAFE) for n in range(SHARED_ADDRESS)]
    server.enters("bob", address=CAFE), op.sees()
    op.types("/server ban bob")
    assert "2 were" not in last(op)
    op.types("/server unban bob"), op.sees()
    assert all(each.client.closed for each in pupils), "a few are a banned user's other screens"
    pupils = [server.enters(f"pupil{n}", address=CAFE) for n in range(SHARED_ADDRESS + 1)]
    server.enters("bob", address=CAFE), op.sees()
    op.types("/server ban bob")
    assert last(op) == (
        "-- The ban of bob from this server covers the nick bob alone, for good; "
        "1 was disconnected. Their address is left out: 4 others here have it too; "
        "ban address:bob to cover it."
    )
    assert not any(each.client.closed for each in pupils)
    op.types("/server ban address:pupil0 1h")
    assert last(op) == (
        f"-- The ban of address:pupil0 from this server covers {CAFE}, for 1 hour; "
        "4 were disconnected."
    )


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", ""])
def test_an_address_of_this_machine_is_no_mark_of_a_person(
    server: Server, op: User, address: str
) -> None:
    server.enters("bob", address=address), op.sees()
    op.types("/server ban bob")
    assert "the nick bob alone" in last(op)
    assert may_enter(server, "x", address=address)


def test_the_moderators_of_a_room_do_not_see_the_address_that_is_banned(server: Server) -> None:
    ada, bob = registered(server, "ada", ADA, HOME), server.enters("bob", address=CAFE)
    ada.types("/join attic"), bob.types("/join attic"), ada.sees()
    ada.types("/ban address:bob 1h")
    assert last(ada) == "-- The ban of address:bob covers their address, for 1 hour."
    ada.types("/bans"), ada.types("/audit 1")
    assert not any(CAFE in line for line in ada.sees())
    ada.types("/unban address:bob")
    assert last(ada) == "-- address:bob may come into attic again."


def test_who_is_banned_again_from_another_address_has_both_banned(server: Server, op: User) -> None:
    for address in (CAFE, OFFICE):
        registered(server, "bob", BOB, address)
        op.types("/server ban bob"), op.types("/server bans"), op.sees()
        if address == CAFE:
            server.chat.access.bans.limit = 1  # the second one replaces the first
            ban = next(iter(server.chat.access.bans))
            server.chat.access.bans.drop(ban.target, quietly=True)
            bob = registered(server, "bob", BOB, OFFICE)
            server.chat.access.bans.put(ban, quietly=True)
            assert not bob.client.closed
            op.types("/server ban bob")
            break
    assert not may_enter(server, "x", address=CAFE)
    assert not may_enter(server, "x", address=OFFICE)
    op.types("/server unban bob")
    assert may_enter(server, "x", address=CAFE)


def test_what_one_ban_covers_is_bounded() -> None:
    target = read_target("account:bob")
    assert target is not None
    ban = Ban(target, "bob", "op", 0.0, None, "")
    for number in range(BAN_MARKS + 5):
        address = read_target(f"192.0.2.{number}")
        assert address is not None
        again = ban.with_marks([*ban.marks[:1], type(ban.marks[0])(address, 100.0)])
        assert again is not None
        ban = again.extending(ban, 1.0)
    assert len(ban.marks) == BAN_MARKS
    assert str(ban.marks[1].target) == "192.0.2.24", "the newest remain"


# NAT64 and IPv4-mapped addresses ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("banned", "comes_from"),
    [
        (CAFE, "64:ff9b::c633:6414"),
        (CAFE, "::ffff:198.51.100.20"),
        ("64:ff9b::198.51.100.20", CAFE),
        ("64:ff9b::198.51.100.0/120", CAFE),
        ("198.51.100.0/24", "64:ff9b::198.51.100.99"),
    ],
)
def test_an_ipv4_address_within_an_ipv6_address_is_that_address(
    server: Server, op: User, banned: str, comes_from: str
) -> None:
    op.types(f"/server ban {banned}")
    with pytest.raises(Refused):
        server.chat.access.check_address(comes_from, server.now)
    assert not may_enter(server, "x", address=comes_from)
    assert may_enter(server, "x", address="64:ff9b::203.0.113.1"), "its neighbours in NAT64 may"


def test_all_of_ipv4_is_not_banned_by_its_prefix_in_ipv6(server: Server, op: User) -> None:
    op.types("/server ban 64:ff9b::/96")
    assert last(op).startswith("-- Name somebody by a nick")
    assert len(server.chat.access.bans) == 0


# Records ------------------------------------------------------------------------------------------


def test_a_ban_with_several_parts_outlives_a_restart(
    server: Server, op: User, store: MemoryStore
) -> None:
    server.enters("bob", fingerprint=BOB, address=CAFE)
    op.types("/server ban bob 2h spam")
    [(key, value)] = records(store, "server ban").items()
    assert key == BOB, "an older server knows the surest part of it"
    assert {"label", "by", "made", "until", "reason", "also"} == json.loads(value).keys()
    again = Server(store)
    again.now = server.now + 60
    for known in ({"address": CAFE}, {"fingerprint": BOB}):
        assert not may_enter(again, "x", **known)
    assert not may_enter(again, "bob")
    again.enters("op", operator=True).types("/server unban bob")
    assert records(store, "server ban") == {}


def test_a_record_of_an_older_server_is_read() -> None:
    old = {"label": "bob", "by": "op", "made": 1.0, "until": None, "reason": ""}
    ban = Ban.decoded("192.0.2.1", json.dumps(old))
    assert ban.also == ()
    newer = {**old, "also": [["nick:bob", 5.0], ["word:new", None]], "more": 1}
    with pytest.raises(Refused):
        read_target("word:new")
    assert [str(mark.target) for mark in Ban.decoded("192.0.2.1", json.dumps(newer)).also] == [
        "nick:bob"
    ]


def test_a_generated_nick_is_not_banned_for_the_next_guest_who_has_it(
    server: Server, op: User, store: MemoryStore
) -> None:
    op.types("/join attic")
    guest = server.enters("", fingerprint=CY, address=HOME)
    guest.types("/join attic")
    assert guest.nick == "guest1"
    op.types("/ban guest1")
    assert [str(mark.target) for mark in next(iter(server.chat.rooms["attic"].bans)).marks] == [CY]
    guest.leaves()
    assert may_join(server, "", address=CAFE)
