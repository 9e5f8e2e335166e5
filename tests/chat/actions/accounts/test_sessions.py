"""Sessions and proofs of an account: a thief cannot stay, and the owner is told of everything."""

import pytest

from chatd.chat.actions.accounts.proofs import reset_password
from chatd.chat.actions.login import end_if_outdated, log_in
from chatd.chat.commands import receive
from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Refused
from chatd.chat.limits import CHANGES_TOLD_SECONDS, LOGIN_PLACES
from chatd.chat.model.entities import Person
from chatd.chat.records.logins import Login, Logins
from chatd.chat.records.writing import Records
from chatd.chat.text.names import Name
from chatd.store.memory import MemoryStore
from tests.chat.records.test_accounts import ADA, OTHER, PUBLIC
from tests.support.passwords import HASHED
from tests.support.people import Client, Server, User, records, result_of
from tests.support.steps import finished, started

SECRET = "correct horse"
THIEF = "203.0.113.66"


def owner(server: Server, password: str = "") -> User:
    """Let the owner of ada enter, by a key and perhaps a password."""
    ada = server.enters("ada", fingerprint=ADA)
    ada.types(f"/register {password}")
    assert "is yours now" in ada.sees()[-1]
    return ada


def beside(server: Server, fingerprint: str = ADA) -> User:
    """Let a command that reads enter beside the owner."""
    client = Client()
    visitor = Visitor("ada", THIEF, fingerprint, as_guest=True)
    entered = result_of(server.chat.enter(visitor, client, server.now))
    assert isinstance(entered, tuple)
    return User(server, entered[0], client)


def posting(server: Server, fingerprint: str = ADA) -> User:
    """Let a command that only posts enter as the owner."""
    client = Client()
    visitor = Visitor("ada", THIEF, fingerprint)
    entered = result_of(server.chat.enter(visitor, client, server.now, listens=False))
    assert isinstance(entered, tuple)
    return User(server, entered[0], client)


# Changing what proves an account ------------------------------------------------------------------


def test_a_stolen_session_changes_nothing_without_the_password() -> None:
    server = Server()
    ada = owner(server, SECRET)
    thief = server.enters("x", fingerprint=ADA, address=THIEF)
    before = server.chat.accounts.get("ada")
    for line in (
        "/password my own secret",
        "/password",
        "/password off",
        f"/keys add {PUBLIC}",
        "/keys remove 1",
    ):
        server.now += 10_000
        thief.client.now = server.now
        thief.client.answers = ["guess one", "guess two", "guess three", "my own secret"]
        thief.client.asked.clear(), thief.sees()
        thief.types(line)
        assert thief.client.asked == ["Current password of ada, secretly"] * 3, line
        assert thief.sees() == [
            *["-- That is not the password of ada."] * 3,
            "-- You are asked no more; what you type now is a message again.",
        ]
    assert server.chat.accounts.get("ada") == before
    assert not ada.client.closed


def test_wrong_current_passwords_are_throttled_as_at_a_login() -> None:
    server = Server()
    owner(server, SECRET)
    thief = server.enters("x", fingerprint=ADA, address=THIEF)
    for _ in range(2):
        thief.client.answers = ["guess one", "guess two", "guess three"]
        thief.types("/password off")
    assert "-- There were too many wrong passwords; try again in 1 s." in thief.sees()


def test_a_new_password_ends_all_other_connections_and_says_why() -> None:
    server = Server()
    ada = owner(server, SECRET)
    stranger = server.enters("bob", fingerprint=OTHER)
    others = [
        server.enters("x", fingerprint=ADA, address=THIEF),
        beside(server),
        posting(server),
    ]
    guest = server.enters(address=THIEF)
    guest.types(f"/login ada {SECRET}")
    others.append(guest)
    ada.client.answers = [SECRET]
    ada.sees(), guest.sees(), others[0].sees()
    ada.types("/password something else")
    assert ada.sees()[-1] == (
        "-- That is the password of ada now; your other connections are ended."
    )
    assert [each.client.closed for each in others] == [True] * 4
    told = (
        f"-- ada: the password was changed, by the key {ADA}, from 192.0.2.1; this connection ends."
    )
    assert others[0].sees()[-1] == guest.sees()[-1] == told
    assert not ada.client.closed
    assert not stranger.client.closed
    assert ada.session.person.sessions == [ada.session]


def test_an_old_password_that_is_being_checked_opens_nothing() -> None:
    server = Server()
    ada = owner(server, SECRET)
    thief = server.enters(address=THIEF)
    server.hasher.is_slow = True
    login = started(log_in(server.chat, thief.session, "ada", SECRET, server.now))
    server.hasher.is_slow = False
    ada.client.answers = [SECRET]
    ada.types("/password something else")
    with pytest.raises(Refused, match="That is not the password of ada"):
        finished(login)
    assert thief.session.person is not ada.session.person


def test_an_old_password_that_was_checked_a_moment_ago_opens_nothing() -> None:
    """While a login waits for other servers, the owner sets another password."""
    server = Server()
    ada = owner(server, SECRET)
    before = server.chat.accounts.get("ada")
    assert before is not None
    late = server.enters(address=THIEF)
    late.types(f"/login ada {SECRET}")
    end_if_outdated(server.chat, late.session, before, server.now)
    assert not late.client.closed
    server.chat.accounts.apply_change("ada", before.encoded().replace(SECRET, "something else"))
    end_if_outdated(server.chat, late.session, before, server.now)
    assert late.client.closed
    assert late.sees()[-1] == "-- That password is an old one; this connection ends."
    assert ada.session.person.sessions == [ada.session]


def test_removing_a_key_ends_the_connections_that_used_it_and_no_other() -> None:
    server = Server()
    ada = owner(server, SECRET)
    laptop = server.enters("laptop", fingerprint=OTHER, address=THIEF)
    laptop.types(f"/login ada {SECRET}")
    laptop.client.answers = [SECRET]
    laptop.types("/keys add this")
    again = server.enters("x", fingerprint=OTHER, address=THIEF)
    tail, say = beside(server, OTHER), posting(server, OTHER)
    phone = server.enters(address=THIEF)
    phone.types(f"/login ada {SECRET}")
    ada.sees(), again.sees(), laptop.sees()
    ada.client.answers = [SECRET]
    ada.types("/keys remove 2")
    assert ada.sees()[-1] == f"-- {OTHER} is no key of ada any more."
    assert again.client.closed
    assert tail.client.closed
    assert say.client.closed
    assert again.sees()[-1] == (
        f"-- ada: key {OTHER} was removed, by the key {ADA}, from 192.0.2.1; this connection came "
        "with it, and ends."
    )
    assert laptop.client.closed, "it gave the password as well, but came with the key"
    assert not phone.client.closed
    told = f"-- ada: key {OTHER} was removed, by the key {ADA}, from 192.0.2.1."
    assert phone.sees()[-1] == told


def test_a_key_that_is_removed_while_its_connection_enters_opens_nothing() -> None:
    store = MemoryStore()
    server = Server(store)
    ada = owner(server, SECRET)
    ada.leaves()
    account = server.chat.accounts.get("ada")
    assert account is not None
    changed = account.encoded().replace(ADA, "SHA256:new")

    async def claim_own(name: Name, by: Person | None = None) -> bool:
        server.chat.accounts.apply_change("ada", changed)
        return True

    server.chat.nicks.claim_own = claim_own  # type: ignore[method-assign]
    with pytest.raises(Refused, match="Your key is none of ada any more"):
        server.enters("late", fingerprint=ADA)
    assert len(server.chat.people) == 0


def test_removing_the_own_key_without_a_password_ends_this_connection_too() -> None:
    server = Server()
    ada = owner(server)
    ada.types(f"/keys add {PUBLIC}")
    new = ada.sees()[-1].split()[1]
    laptop = server.enters("x", fingerprint=new)
    laptop.types("/keys accept"), ada.sees()
    ada.types("/keys remove 1")
    assert ada.sees() == [
        f"-- {ADA} is no key of ada any more.",
        f"-- ada: key {ADA} was removed, by the key {ADA}, from 192.0.2.1; this connection came "
        "with it, and ends.",
    ]
    assert ada.client.closed
    assert not laptop.client.closed


def test_removing_the_password_ends_the_connections_that_used_it() -> None:
    server = Server()
    ada = owner(server, SECRET)
    thief, key = server.enters(address=THIEF), server.enters("x", fingerprint=ADA)
    thief.types(f"/login ada {SECRET}")
    ada.client.answers = [SECRET]
    ada.types("/password off")
    assert ada.sees()[-1] == "-- ada has no password any more."
    assert thief.client.closed
    assert not ada.client.closed
    assert not key.client.closed


def test_every_screen_and_the_next_login_are_told_who_changed_what_from_where() -> None:
    store = MemoryStore()
    server = Server(store)
    ada, thief = owner(server), server.enters("x", fingerprint=ADA, address=THIEF)
    ada.sees(), thief.sees()
    server.now += 10
    thief.types(f"/keys add {PUBLIC}")
    new = thief.sees()[-1].split()[1]
    what = (
        f"key {new} ada@laptop was added and waits for its holder, by the key {ADA}, from {THIEF}"
    )
    assert ada.sees() == [f"-- ada: {what}."]
    ada.leaves(), thief.leaves()
    server.now += 3600
    thief = server.enters("x", fingerprint=ADA, address=THIEF)  # takes nobody's notice away
    thief.leaves()
    again = Server(store)
    again.now = server.now + 3600
    back = again.enters("ada", fingerprint=ADA)
    assert back.sees() == [
        f"-- Your last login: 1970-01-12 14:46, by the key {ADA}, from {THIEF}.",
        "-- Changes of your account; if one was not yours, /sessions and /keys help:",
        f"   1970-01-12 13:46 {what}",
    ]
    back.leaves()
    again.now += 3600
    assert again.enters("ada", fingerprint=ADA).sees() == [
        f"-- Your last login: 1970-01-12 15:46, by the key {ADA}, from 192.0.2.1."
    ]


def test_a_detached_owner_is_told_when_they_are_back() -> None:
    server = Server()
    ada, thief = owner(server), server.enters("x", fingerprint=ADA, address=THIEF)
    thief.leaves(), ada.loses_connection()
    say = posting(server)
    say.types(f"/keys add {PUBLIC}")
    back = server.enters("ada", fingerprint=ADA, lobby=False)
    assert any("waits for its holder, by the key" in line for line in back.sees())


def test_an_operator_gives_a_new_password_to_an_owner_who_was_locked_out() -> None:
    server = Server()
    ada = owner(server, SECRET)
    root = server.enters("chief", operator=True)
    server.chat.authentication.make_password = lambda: "a word to pass on"
    server.now += 10
    reset = result_of(reset_password(server.chat, root.session, "Ada", server.now))
    assert isinstance(reset, tuple)
    account, password = reset
    assert ada.client.closed
    assert ada.sees()[-1] == (
        "-- ada: the password was reset by the operator chief; this connection ends."
    )
    stored = server.chat.accounts.get("ada")
    assert stored is not None
    assert stored.password == HASHED + password
    assert account.name.key == "ada"
    back = server.enters()
    back.types(f"/login ada {password}")
    assert back.session.person.account == "ada"
    assert any("was reset by the operator chief" in line for line in back.sees())
    [entry] = server.chat.audit.last(1)
    assert (entry.nick, entry.what, entry.whom) == ("chief", "server reset", "ada")


# Keys of others -----------------------------------------------------------------------------------


def test_a_key_that_somebody_else_added_changes_nothing_for_its_holder() -> None:
    server = Server()
    key = PUBLIC
    mallory = server.enters("mallory", fingerprint=OTHER)
    mallory.types("/register"), mallory.types(f"/keys add {key}")
    fingerprint = mallory.sees()[-1].split()[1]
    bob = server.enters("bob", fingerprint=fingerprint)
    assert bob.nick == "bob"
    assert bob.session.person is not mallory.session.person
    assert bob.sees() == [
        "-- mallory says that your key is theirs: /keys accept mallory if you are mallory, or else "
        "/keys decline mallory."
    ]
    bob.types("/register")
    assert "bob is yours now" in bob.sees()[-1]
    bob.types("/keys accept mallory")
    assert bob.sees()[-1] == "-- That key is one of bob already."
    assert server.enters("x", fingerprint=fingerprint).session.person is bob.session.person
    bob.types("/keys decline")
    assert "-- Your key is not waiting to be one of mallory any more." in bob.sees()
    assert any("was declined by its holder" in line for line in mallory.sees())
    bob.types("/keys decline mallory")
    assert bob.sees()[-1] == "-- No such account is waiting for your key."
    assert server.chat.accounts.claiming(fingerprint) == []


def test_many_who_claim_one_key_are_counted() -> None:
    server = Server()
    for number in range(5):
        each = server.enters(f"m{number}ry", fingerprint=f"SHA256:{number}")
        each.types("/register"), each.types(f"/keys add {PUBLIC}")
        fingerprint = each.sees()[-1].split()[1]
    bob = server.enters("bob", fingerprint=fingerprint)
    assert bob.sees() == [
        "-- m2ry, m3ry, m4ry and 2 more say that your key is theirs: /keys accept m4ry if you are "
        "m4ry, or else /keys decline m4ry."
    ]
    bob.types("/keys accept")
    assert bob.sees() == ["-- Several accounts are waiting for your key; name one of them."]
    bob.types("/keys accept m0ry")
    assert bob.session.person.account == "m0ry"


def test_an_account_does_not_tell_whose_key_another_one_is() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=OTHER)
    ada.types("/register"), ada.types(f"/keys add {PUBLIC}")
    fingerprint = ada.sees()[-1].split()[1]
    bob = server.enters("bob", fingerprint=fingerprint)
    bob.types("/register")
    mallory = server.enters("mallory", fingerprint=ADA)
    mallory.types("/register"), mallory.sees()
    mallory.types(f"/keys add {PUBLIC}")
    assert "waits to be a key of mallory" in mallory.sees()[-1]


# /sessions ----------------------------------------------------------------------------------------


def test_connections_are_listed_with_proof_and_address_and_ended() -> None:
    server = Server()
    ada = owner(server, SECRET)
    phone = server.enters(address=THIEF)
    phone.types(f"/login ada {SECRET}"), ada.sees()
    say, tail = posting(server), beside(server)
    ada.types("/sessions")
    rows = [
        "-- Your connections:",
        f"   1. this one, since 1970-01-12 13:46, by the key {ADA}, from 192.0.2.1",
        f"   2. since 1970-01-12 13:46, by the password, from {THIEF}",
        f"   3. only posting, since 1970-01-12 13:46, by the key {ADA}, from {THIEF}",
        f"   ada2: a command beside you, since 1970-01-12 13:46, by the key {ADA}, from {THIEF}",
    ]
    assert ada.sees() == rows
    for wrong, answer in (
        ("end 1", "That is this connection; /quit ends it."),
        ("end 9", "You have no connection 9; /sessions lists them."),
        ("end bob", "You have no connection bob; /sessions lists them."),
        ("end", "How to use it: /sessions [end N|others]"),
        ("stop 1", "How to use it: /sessions [end N|others]"),
    ):
        ada.types(f"/sessions {wrong}")
        assert ada.sees() == [f"-- {answer}"]
    ada.types("/sessions end 2"), ada.types("/sessions end ADA2")
    assert ada.sees() == ["-- Connection 2 is ended.", "-- Connection ada2 is ended."]
    assert phone.client.closed
    assert tail.client.closed
    assert (
        phone.sees()[-1]
        == f"-- Another connection of yours, by the key {ADA}, from 192.0.2.1, has ended this one."
    )
    third = server.enters("x", fingerprint=ADA)
    ada.types("/sessions"), ada.types("/sessions end others"), ada.types("/sessions end others")
    assert ada.sees()[1:] == [
        rows[1],
        rows[3],
        f"   4. since 1970-01-12 13:46, by the key {ADA}, from 192.0.2.1",
        "-- 2 other connections are ended.",
        "-- You have no other connection.",
    ]
    assert third.client.closed
    assert say.client.closed
    assert not ada.client.closed


def test_a_guest_sees_their_connection() -> None:
    server = Server()
    guest = server.enters(fingerprint=OTHER)
    plain = server.enters(address="")
    guest.types("/sessions"), plain.types("/sessions"), plain.types("/sessions end others")
    assert guest.sees()[-1] == (
        f"   1. this one, since 1970-01-12 13:46, by the key {OTHER}, from 192.0.2.1"
    )
    assert plain.sees()[-2:] == [
        "   1. this one, since 1970-01-12 13:46, without a key, from this machine",
        "-- You have no other connection.",
    ]


# The last login -----------------------------------------------------------------------------------


def test_a_second_window_and_a_lost_connection_are_not_told_of_the_first() -> None:
    server = Server()
    ada = owner(server)
    server.now += 60
    assert server.enters("x", fingerprint=ADA).sees() == []
    server.now += 10_000
    window = server.enters("x", fingerprint=ADA)
    assert any("Your last login: 1970-01-12 13:47" in line for line in window.sees())
    assert ada.session.person is window.session.person


def test_the_places_of_logins_are_bounded_and_unknown_ones_are_told_of_the_last_month() -> None:
    store = MemoryStore()
    logins = Logins(Records(store))
    for number in range(LOGIN_PLACES + 1):
        logins.add("ada", Login(1000.0 * number, ADA, f"192.0.2.{number}"))
    again = Logins(Records(store))
    result_of(again.load())
    for each in (logins, again):
        now = 10_000_000.0
        assert each.told_until("ada", Login(now, ADA, "192.0.2.0")) == now - CHANGES_TOLD_SECONDS
        assert each.told_until("ada", Login(now, ADA, "192.0.2.1")) == 1000.0
        assert each.last("ada") == Login(1000.0 * LOGIN_PLACES, ADA, f"192.0.2.{LOGIN_PLACES}")
    assert logins.last("bob") is None
    logins.forget("ada"), logins.forget("bob")
    assert records(store, "logins") == {}


def test_a_program_that_reconnects_all_the_time_is_stored_once_a_minute() -> None:
    store = MemoryStore()
    logins = Logins(Records(store))
    stored: set[str] = set()
    for second in range(120):
        logins.add("ada", Login(1000.0 + second, "", "192.0.2.1"))
        stored.add(records(store, "logins")["ada"])
    assert len(stored) == 2
    logins.add("ada", Login(1120.0, "", "192.0.2.2"))
    assert records(store, "logins")["ada"] not in stored


def test_a_line_is_received_after_a_command_of_an_account() -> None:
    server = Server()
    ada, bob = owner(server), server.enters("bob")
    assert receive(server.chat, ada.session, "hello", server.now) is None
    assert bob.sees()[-1] == "ada: hello"
