"""Accounts in the hands of operators, how many one address makes, and those that nobody uses."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import pytest

from chatd.chat.actions.moderation.accounts import forget_unused
from chatd.chat.believed_time import BelievedTime
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import (
    ACCOUNTS_SHOWN,
    NEW_ACCOUNTS,
    RESET_PASSWORD_SECONDS,
    ROOM_OWNER_SECONDS,
    UNUSED_LOOKED_AT,
    UNUSED_SECONDS,
)
from chatd.chat.store import Record
from chatd.store.memory import MemoryStore
from tests.support.people import Client, Server, User, records, result_of

ADA, BOB = "SHA256:ada", "SHA256:bob"
CAFE, OFFICE = "198.51.100.20", "203.0.113.30"


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def server(store: MemoryStore) -> Server:
    return Server(store)


@pytest.fixture
def op(server: Server) -> User:
    user = server.enters("op", operator=True, fingerprint="SHA256:op")
    user.sees()
    return user


def last(user: User) -> str:
    return user.sees()[-1]


def registered(server: Server, nick: str, key: str, address: str = CAFE) -> User:
    user = server.enters(nick, fingerprint=key, address=address)
    if user.session.person.account is None:
        user.types("/register")
    return user


def answers(user: User, *answers: str) -> None:
    assert isinstance(user.client, Client)
    user.client.answers[:] = answers
    user.client.now = user.server.now


# How many -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["", " a long secret"])
def test_one_address_registers_a_bounded_number_of_accounts(server: Server, password: str) -> None:
    for number in range(NEW_ACCOUNTS.burst + 1):
        user = server.enters(f"n{number}", fingerprint=f"SHA256:{number}", address=CAFE)
        user.types(f"/register{password}"), user.leaves()
    refused = server.enters("late", fingerprint="SHA256:late", address="64:ff9b::198.51.100.20")
    refused.types("/register")
    assert last(refused) == (
        "-- Many accounts were registered from your address; try again in 48 minutes."
    )
    assert len(list(server.chat.accounts)) == NEW_ACCOUNTS.burst
    other = registered(server, "other", "SHA256:other", OFFICE)
    assert other.session.person.account == "other"
    server.now += 86400
    for number in range(100):
        user = server.enters(f"d{number}", fingerprint=f"SHA256:d{number}", address=CAFE)
        user.types("/register"), user.leaves()
    assert len(list(server.chat.accounts)) == 2 * NEW_ACCOUNTS.burst + 1, "so many a day"


def test_a_new_account_owns_no_persistent_room(store: MemoryStore) -> None:
    server = Server(store, room_owner_seconds=ROOM_OWNER_SECONDS)
    ada = registered(server, "ada", ADA)
    ada.types("/join attic")
    assert not server.chat.rooms["attic"].settings.lasting
    assert last(ada) == (
        "-- You opened attic; it is yours, but it does not last: /room lasting on says why."
    )
    server.now += 60
    ada.types("/room lasting on")
    assert (
        last(ada) == "-- Your account is too new to own rooms that last; try again in 59 minutes."
    )
    server.now += ROOM_OWNER_SECONDS - 60
    ada.types("/room lasting on")
    assert server.chat.rooms["attic"].settings.lasting
    root = server.enters("root", operator=True, fingerprint="SHA256:root")
    root.types("/register"), root.types("/join vault")
    assert server.chat.rooms["vault"].settings.lasting, "who sets up a server need not wait"


# Unused accounts ----------------------------------------------------------------------------------


def test_an_account_that_was_never_used_is_deleted_after_a_while(
    server: Server, store: MemoryStore
) -> None:
    quiet, talks, back = (registered(server, nick, f"SHA256:{nick}") for nick in "abc")
    talks.types("hello")
    for each in (quiet, talks, back):
        each.leaves()
    registered(server, "c", "SHA256:c").leaves()
    stays = registered(server, "d", "SHA256:d")
    owner = registered(server, "e", "SHA256:e")
    owner.types("/join attic"), owner.leaves()
    again = Server(store)
    again.enters("x").leaves()
    for one in (server, again):
        one.now += UNUSED_SECONDS - 1
        assert result_of(forget_unused(one.chat, one.now)) == 0
        one.now += 1
    assert result_of(forget_unused(server.chat, server.now)) == 1
    assert [account.name.key for account in server.chat.accounts] == ["b", "c", "d", "e"]
    assert set(records(store, "account")) == {"b", "c", "d", "e"}
    assert "a" not in records(store, "profile")
    stays.leaves()
    assert result_of(forget_unused(server.chat, server.now)) == 1
    assert registered(server, "a", "SHA256:new").session.person.account == "a"


def test_an_account_whose_owner_only_runs_commands_beside_is_used(server: Server) -> None:
    """Such as ``ssh chat tail`` from cron."""
    registered(server, "ada", ADA).leaves()
    visitor = Visitor("ada", CAFE, ADA, as_guest=True)
    entered = result_of(server.chat.enter(visitor, Client(), server.now))
    assert isinstance(entered, tuple)
    server.chat.leave(entered[0], "", server.now)
    assert result_of(forget_unused(server.chat, server.now + UNUSED_SECONDS)) == 0


def test_accounts_of_an_older_version_count_as_used(store: MemoryStore) -> None:
    account = '{"nick": "ada", "keys": [], "created": 5.0, "password": "x"}'
    store.put_all([Record("account", "ada", account)])
    server = Server(store)
    server.enters("bob")
    assert result_of(forget_unused(server.chat, server.now + 10 * UNUSED_SECONDS)) == 0


def test_a_few_accounts_are_looked_at_each_time(server: Server) -> None:
    for number in range(UNUSED_LOOKED_AT + 10):
        address = f"203.{number // 250}.113.{number % 250}"
        registered(server, f"n{number}", f"SHA256:{number}", address).leaves()
    server.now += UNUSED_SECONDS
    assert result_of(forget_unused(server.chat, server.now)) == UNUSED_LOOKED_AT
    assert result_of(forget_unused(server.chat, server.now)) == 10


def test_no_account_is_deleted_while_the_clock_is_in_doubt(server: Server) -> None:
    elapsed = 0.0
    believed = BelievedTime(lambda: elapsed)
    believed.saw(server.now)
    server.chat.believed = believed
    registered(server, "ada", ADA).leaves()
    assert result_of(forget_unused(server.chat, server.now + 400 * 86400)) == 0
    elapsed = UNUSED_SECONDS
    assert result_of(forget_unused(server.chat, server.now + UNUSED_SECONDS)) == 1


# /server accounts, forget, suspend, rename, reset -------------------------------------------------


def test_accounts_are_listed_by_pages_the_newest_first(server: Server, op: User) -> None:
    for number in range(ACCOUNTS_SHOWN + 1):
        server.now += 86400
        registered(server, f"n{number:02}", f"SHA256:{number}").leaves()
    op.sees(), op.types("/server accounts")
    shown = op.sees()
    assert shown[0] == f"-- {ACCOUNTS_SHOWN + 1} accounts, page 1 of 2:"
    assert shown[1] == "   n20: made 1970-02-02, never used, 1 key"
    assert len(shown) == 1 + ACCOUNTS_SHOWN
    op.types("/server accounts page:2")
    assert op.sees() == [
        "-- 21 accounts, page 2 of 2:",
        "   n00: made 1970-01-13, never used, 1 key",
    ]
    registered(server, "n20", "SHA256:20").types("/password a long secret")
    op.sees()
    op.types("/server accounts since:1970-02-02")
    assert op.sees() == [
        "-- 1 account, page 1 of 1:",
        "   n20: made 1970-02-02, last here 1970-02-02, 1 key, password, here",
    ]
    op.types("/server accounts since:yesterday")
    assert last(op) == "-- A day is written 2030-12-31, not yesterday."
    op.types("/server accounts n20")
    assert last(op) == "-- How to use it: /server accounts [since:DAY] [page:N]"


def test_an_account_is_forgotten_with_everything_but_its_messages(
    server: Server, op: User, store: MemoryStore
) -> None:
    ada, bob = registered(server, "ada", ADA), registered(server, "bob", BOB, OFFICE)
    ada.types("/join attic"), bob.types("/join attic"), ada.types("/op bob")
    ada.types("/set theme light"), op.sees()
    answers(op, "no")
    op.types("/server forget ada")
    assert last(op) == "-- Nothing was deleted."
    answers(op, "Ada")
    op.types("/server forget ada")
    assert last(op) == ("-- The account ada is deleted; what was said stays.")
    assert ada.client.closed
    assert last(ada) == "-- You were kicked from this server by op (the account ada was deleted)."
    for kind in ("account", "profile", "mail"):
        assert "ada" not in records(store, kind)
    bob.types("/users")
    assert "   bob (owner)" in bob.sees() or server.chat.rooms["attic"].roles
    guest = server.enters("ada", fingerprint=ADA)
    assert guest.session.person.account is None
    op.types("/server forget zoe")
    assert last(op) == "-- There is no account zoe."
    op.types("/register"), op.sees()
    op.types("/server forget op")
    assert last(op) == "-- You cannot do that to yourself."
    root = server.enters("root", operator=True, fingerprint="SHA256:root")
    root.types("/register"), op.sees()
    op.types("/server forget root")
    assert last(op) == "-- root is an operator of this server."
    op.types("/audit 1")
    assert last(op).endswith("op: server forget ada")


def test_a_suspended_account_may_not_be_used(server: Server, op: User) -> None:
    ada = registered(server, "ada", ADA)
    op.sees()
    op.types("/server suspend ada 2h stolen?")
    assert last(op) == "-- The account ada is suspended for 2 hours."
    assert last(ada) == "-- You were banned from this server for 2 hours by op (stolen?)."
    with pytest.raises(Refused, match="Your account is suspended for another 2 hours"):
        server.enters("ada", fingerprint=ADA)
    op.types("/server accounts"), op.types("/server suspend ada")
    assert op.sees()[-2:] == [
        "   ada: made 1970-01-12, never used, 1 key, suspended for another 2 hours (stolen?)",
        "-- ada is banned from this server already.",
    ]
    assert server.enters("x", address=CAFE).nick == "x", "it is the account alone"
    op.types("/server unsuspend ada")
    assert last(op) == "-- The account ada may be used again."
    assert server.enters("ada", fingerprint=ADA).nick == "ada"
    op.types("/server unsuspend ada")
    assert last(op) == "-- ada is not suspended."
    op.types("/server ban ada"), op.types("/server unsuspend ada")
    assert last(op) == "-- ada is banned; /server unban ada lifts all of that."


def test_an_account_gets_another_nick_with_all_that_is_its(
    server: Server, op: User, store: MemoryStore
) -> None:
    ada = registered(server, "ada", ADA)
    ada.types("/join attic"), ada.types("/set theme light")
    server.enters("bob").types("/join attic")
    op.sees()
    op.types("/server rename ada bob")
    assert last(op) == "-- bob is taken, or looks like a nick that is."
    op.types("/server rename ada grace")
    assert last(op) == "-- The account ada is called grace now; its owner has to come again."
    assert last(ada) == (
        "-- You were kicked from this server by op (your account is called grace now)."
    )
    server.enters("cy").types("/dm grace psst")
    grace = server.enters("x", fingerprint=ADA)
    assert grace.nick == "grace"
    assert grace.session.preferences.theme == "light"
    assert any("psst" in line for line in grace.sees())
    assert list(server.chat.rooms["attic"].roles) == ["grace"]
    assert set(records(store, "account")) == {"grace"}
    guest = server.enters("ada")
    assert guest.nick == "ada", "the old nick is free"


class KilledError(Exception):
    """The server was killed."""


class DyingStore(MemoryStore):
    """A store without transactions, whose server is killed after ``left`` records; None: never."""

    left: int | None = None

    def put_all(self, records: Sequence[Record]) -> Awaitable[None]:
        if self.left is None:
            return super().put_all(records)
        super().put_all(records[: self.left])
        if len(records) > self.left:
            raise KilledError
        raise AssertionError("all is done: there is no moment left to kill it at")


@pytest.mark.parametrize("command", ["/server rename ada grace", "/server forget ada"])
def test_a_server_of_a_cluster_that_is_killed_meanwhile_loses_and_gives_away_nothing(
    command: str,
) -> None:
    """JetStream has no transactions, so each record may be the last that was stored."""
    for count in range(12):
        store = DyingStore()
        server = Server(store)
        op = server.enters("op", operator=True, fingerprint="SHA256:op")
        ada = registered(server, "ada", ADA)
        ada.types("/join attic"), ada.types("/set theme light"), ada.types("hello")
        ada.leaves()
        server.enters("cy").types("/dm ada psst")
        store.left = count
        answers(op, "ada")
        try:
            op.types(command)
        except AssertionError:
            break
        except KilledError:
            pass
        store.left = None
        again = Server(store)
        back = again.enters("x", fingerprint=ADA)
        if "rename" in command:
            assert back.nick in ("ada", "grace"), count
            back.leaves()
        if again.chat.accounts.get("ada") is None:
            stranger = registered(again, "ada", "SHA256:stranger")
            assert stranger.nick == "ada"
            assert not any("psst" in line for line in stranger.sees()), count
            assert stranger.session.preferences.theme != "light", count
            assert "ada" not in again.chat.rooms["attic"].roles, count
    else:
        raise AssertionError("it never ended")
    assert count > 4


def test_an_operator_resets_a_forgotten_password(server: Server, op: User) -> None:
    ada = server.enters("ada", address=CAFE)
    ada.types("/register a long secret")
    op.sees()
    server.chat.authentication.make_password = lambda: "a-word-for-once"
    op.types("/server reset ada")
    answer = last(op)
    assert "for a day; tell nobody but its owner" in answer
    password = answer.split(" is ")[1].split(" ")[0]
    assert ada.client.closed
    guest = server.enters("guest")
    guest.types("/login ada a long secret")
    assert guest.nick == "guest"
    server.now += 10
    guest.types(f"/login ada {password}")
    assert guest.nick == "ada"
    assert "-- An operator has set that password: choose your own with /password." in guest.sees()
    answers(guest, password)
    guest.types("/password another long secret"), guest.leaves()
    server.now += RESET_PASSWORD_SECONDS
    again = server.enters("guest")
    again.types("/login ada another long secret")
    assert again.nick == "ada"
    op.types("/audit 1")
    shown = last(op)
    assert shown.endswith("op: server reset ada")
    assert password not in shown


def test_a_password_that_an_operator_set_ends_by_itself(server: Server, op: User) -> None:
    registered(server, "ada", ADA).leaves()
    op.sees()
    server.chat.authentication.make_password = lambda: "a-word-for-once"
    op.types("/server reset ada keys")
    password = last(op).split(" is ")[1].split(" ")[0]
    assert server.enters("x", fingerprint=ADA).session.person.account is None, "no key is left"
    server.now += RESET_PASSWORD_SECONDS
    guest = server.enters("guest")
    guest.types(f"/login ada {password}")
    assert guest.nick == "guest"
