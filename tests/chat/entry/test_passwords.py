"""Passwords: which are valid, and registering and logging in with one."""

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.actions.login import log_in
from chatd.chat.commands import receive
from chatd.chat.commands.accounts import may_hold_secret
from chatd.chat.entry.entrance import Visitor
from chatd.chat.entry.passwords import check_new, prepared
from chatd.chat.events import Refused
from chatd.chat.limits import LOGIN_TRIES, NEW_PASSWORDS, PASSWORD_BYTES, PENDING_PASSWORD_CHECKS
from chatd.chat.model.client import DeliveryReport
from chatd.chat.records.accounts import Account
from chatd.store.memory import MemoryStore
from tests.chat.records.test_accounts import ADA, OTHER, PUBLIC
from tests.support.passwords import HASHED, Checker
from tests.support.people import Client, Server, User, result_of
from tests.support.steps import finished, started

SECRET = "correct horse"


def registered(server: Server, nick: str = "ada", password: str = SECRET) -> User:
    """Let a user enter who has registered a nick with a password."""
    someone = server.enters(nick)
    someone.types(f"/register {password}")
    assert someone.sees()[-1] == (
        f"-- {nick} is yours now: who says /login {nick} and your password is {nick},"
        " and nobody else can be."
    )
    return someone


def account(server: Server, nick: str = "ada") -> Account:
    found = server.chat.accounts.get(nick)
    assert found is not None
    return found


# Valid passwords ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("correct horse", "correct horse"),
        ("  correct horse ", "correct horse"),
        ("correct\u3000horse", "correct horse"),
        ("cafe\u0301 au lait", "café au lait"),
        ("Großes Pferd", "Großes Pferd"),
        ("😀 smile 😀 smile", "😀 smile 😀 smile"),
    ],
)
def test_ways_of_typing_a_password_have_one_form(typed: str, same: str) -> None:
    assert prepared(typed) == same
    assert check_new(typed, "ada") == same


def test_case_and_accents_matter() -> None:
    assert len({prepared(each) for each in ("Secretly", "secretly", "sécretly", "ſecretly")}) == 4


@given(st.text())
def test_the_form_of_any_password_is_stable(text: str) -> None:
    once = prepared(text)
    if once is not None:
        assert prepared(once) == once
        assert prepared(f"  {text} ") == once
        assert len(once.encode()) <= PASSWORD_BYTES


@pytest.mark.parametrize(
    ("password", "sentence"),
    [
        ("", "A password has at most 256 bytes, and only characters that can be seen."),
        ("7 chars", "A password has at least 8 characters."),
        ("x      ", "A password has at least 8 characters."),
        ("x" * (PASSWORD_BYTES + 1), "A password has at most 256 bytes"),
        ("é" * (PASSWORD_BYTES // 2 + 1), "A password has at most 256 bytes"),
        ("a\u200db\u200dc\u200dd\u200de", "only characters that can be seen."),
        ("Lovelace", "Your nick is the first password that somebody would try."),
    ],
)
def test_an_invalid_password_is_refused_with_the_reason(password: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence) as refused:
        check_new(password, "lovelace")
    assert refused.value.code == "bad-password"


def test_the_longest_and_the_shortest_password_are_valid() -> None:
    for password in ("x" * PASSWORD_BYTES, "é" * (PASSWORD_BYTES // 2), "8 chars!"):
        assert check_new(password, "ada") == password


# Registering --------------------------------------------------------------------------------------


def test_a_user_without_a_key_registers_with_a_password() -> None:
    store = MemoryStore()
    server = Server(store)
    ada = registered(server)
    ada.leaves()
    again = Server(store)
    guest = again.enters()
    guest.types("/nick ada")
    assert guest.sees()[-1] == "-- ada is registered; /login ada if it is yours."
    guest.types(f"/login ada {SECRET}")
    assert guest.sees() == ["-- You are now known as ada.", "-- You are logged in as ada."]
    assert guest.session.person.account == "ada"


def test_a_new_password_is_asked_for_twice() -> None:
    server = Server()
    ada = server.enters("ada")
    ada.client.answers = [SECRET, SECRET]
    ada.types("/register")
    assert ada.client.asked == ["New password, secretly", "The same again, secretly"]
    assert account(server).password == HASHED + SECRET
    ada.sees()
    for answers in ([SECRET, "another one"], ["", SECRET], [SECRET, ""]):
        bob = server.enters("bob")
        bob.client.answers = answers
        bob.types("/register")
        assert bob.sees()[-1].endswith("nothing has changed.")
        assert bob.session.person.account is None
        bob.leaves()


def test_a_user_who_may_not_register_is_not_asked_for_a_password() -> None:
    server = Server()
    registered(server)
    guest, ada = server.enters(), server.enters("ada2", fingerprint=OTHER)
    for someone in (guest, ada):
        someone.types("/register")
        assert someone.client.asked == []
    guest.types(f"/register {SECRET}")
    assert guest.sees()[-1] == "-- Choose a nick first: /nick NAME."


def test_an_account_may_have_keys_and_a_password() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types(f"/register {SECRET}")
    assert "who comes with your ssh key, or knows your password, is ada" in ada.sees()[-1]
    ada.types("/keys")
    assert ada.sees()[1:] == [
        f"   1. {ADA}, since 1970-01-12",
        "   a password, which /password changes",
    ]
    ada.client.answers = [SECRET, SECRET, SECRET]
    ada.types("/keys remove 1"), ada.types("/password off")
    assert ada.client.asked == ["Current password of ada, secretly"]
    assert ada.sees() == [
        f"-- {ADA} is no key of ada any more.",
        "-- You have no key: without a password nothing proves you.",
    ]
    ada.types("/keys add this"), ada.types("/password OFF"), ada.types("/password off")
    assert ada.sees() == [
        f"-- {ADA} is a key of ada now.",
        "-- ada has no password any more.",
        "-- You have no password here.",
    ]
    ada.types("/keys remove 1")
    assert ada.sees() == ["-- That is your only key: without it you could not come back."]


def test_an_owner_changes_the_password() -> None:
    server = Server()
    ada = registered(server)
    ada.client.answers = [SECRET]
    ada.types("/password something else")
    changed = "-- That is the password of ada now."
    assert ada.sees() == [changed]
    ada.client.answers = ["something else", "a third one", "a third one"]
    ada.types("/password")
    assert account(server).password == HASHED + "a third one"
    for wrong in ("/password short", "/password ada"):
        ada.client.answers = ["a third one"]
        ada.types(wrong)
    assert account(server).password == HASHED + "a third one"
    guest = server.enters()
    guest.types("/password something")
    assert guest.sees()[-1].startswith("-- You have no account;")


def test_new_passwords_from_one_address_are_limited() -> None:
    server = Server()
    ada = registered(server)
    for _ in range(NEW_PASSWORDS.burst - 1):
        ada.client.answers = [account(server).password.removeprefix(HASHED)]
        ada.types("/password another one")
    ada.sees()
    ada.client.answers = ["another one"]
    ada.types("/password another one")
    answer = "-- Many passwords were set from your address; try again in 10 s."
    assert ada.sees() == [answer]
    bob = server.enters("bob", address="203.0.113.5")
    bob.types(f"/register {SECRET}")
    assert "bob is yours now" in bob.sees()[-1]


# Logging in ---------------------------------------------------------------------------------------


def test_an_owner_who_logs_in_again_is_one_person_with_two_sessions() -> None:
    server = Server()
    ada, bob = registered(server), server.enters("bob")
    ada.types("/join attic"), ada.sees()
    guest = server.enters()
    bob.sees(), ada.sees()
    guest.client.answers = [SECRET]
    guest.types("/login Ada")
    assert guest.client.asked == ["Password of Ada, secretly"], "as typed: it tells nothing"
    assert guest.sees()[-1] == "-- You are logged in as ada."
    assert guest.session.person is ada.session.person
    assert bob.sees() == ["-- guest1 left"]
    guest.types("from here")
    assert ada.sees() == ["-- guest1 left", "ada: from here"]


def test_a_login_brings_the_offline_messages_and_the_roles_of_the_account() -> None:
    store = MemoryStore()
    server = Server(store)
    ada, bob = registered(server), server.enters("bob")
    ada.types("/join attic"), ada.leaves(), bob.sees()
    bob.types("/dm ada are you there?"), bob.sees()
    guest = server.enters()
    guest.types("/join attic"), bob.types("/join attic"), bob.sees(), guest.sees()
    guest.types(f"/login ada {SECRET}")
    assert guest.sees() == [
        "-- You are now known as ada.",
        "-- ada is the owner of attic now",
        "[bob -> you] are you there?",
        "-- You are logged in as ada.",
    ]
    assert bob.sees() == ["-- guest1 is now known as ada", "-- ada is the owner of attic now"]


def test_a_login_restores_the_capitals_of_the_registered_nick() -> None:
    server = Server(checker=Checker(ada=SECRET))
    guest = server.enters("ADA")
    guest.types(f"/login ada {SECRET}")
    assert guest.sees()[-2:] == ["-- You are now known as ada.", "-- You are logged in as ada."]


def test_a_login_joins_the_owner_under_the_nick_that_they_have_now() -> None:
    server = Server()
    ada = registered(server)
    ada.types("/nick lovelace"), ada.sees()
    guest = server.enters()
    guest.types(f"/login ada {SECRET}")
    assert guest.sees()[-1] == "-- You are logged in as ada, and called lovelace."


def test_a_login_brings_the_preferences_of_the_account() -> None:
    server = Server()
    ada = registered(server)
    ada.types("/set theme mono"), ada.leaves()
    guest = server.enters()
    guest.types(f"/login ada {SECRET}")
    assert guest.session.preferences.theme == "mono"
    also = server.enters()
    also.types(f"/login ada {SECRET}")
    assert also.session.preferences.theme == "mono"


def test_a_login_over_ssh_with_another_key_tells_how_to_add_it() -> None:
    server = Server()
    ada = registered(server)
    laptop = server.enters("ada", fingerprint=OTHER)
    assert laptop.nick == "ada2"
    laptop.types(f"/login ada {SECRET}")
    assert laptop.sees()[-1] == (
        "-- You are logged in as ada; /keys add this lets your ssh key do it next time."
    )
    laptop.client.answers = [SECRET]
    laptop.types("/keys add this")
    assert laptop.sees()[-1] == f"-- {OTHER} is a key of ada now."
    assert server.enters("x", fingerprint=OTHER).session.person is ada.session.person
    ada.types("/keys add this")
    assert ada.sees()[-1] == "-- You came without an ssh key."


def test_a_user_who_asks_for_a_registered_nick_is_told_of_login() -> None:
    server = Server()
    registered(server, "lola").leaves()
    guest = server.enters()
    guest.types("/nick 1ola")
    answer = "-- 1ola looks like a nick that is registered; /login lola if it is yours."
    assert guest.sees()[-1] == answer
    entered = result_of(server.chat.enter(Visitor("Lola"), Client(), server.now))
    assert isinstance(entered, tuple)
    assert entered[1] == "Lola is registered; you are Lola2. /login lola if it is yours."


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("/login", "-- How to use it: /login NICK [PASSWORD]"),
        ("/login bob", "-- You said nothing, so nothing has changed."),
        ("/login bob secret", "-- That is not the password of bob."),
        ("/login a/b secret", "-- A nick has letters and digits"),
        ("/login key x", "-- That is not the password of key."),
        ("/login ada", "-- You said nothing, so nothing has changed."),
        ("/login ada wrong", "-- That is not the password of ada."),
        (f"/login ada {'x' * 500}", "-- That is not the password of ada."),
        ("/login ada \u200d", "-- That is not the password of ada."),
    ],
)
def test_a_login_is_refused_with_the_reason(line: str, answer: str) -> None:
    server = Server()
    registered(server).leaves()
    key = server.enters("key", fingerprint=ADA)
    key.types("/register")
    guest = server.enters()
    guest.types(line)
    assert any(shown.startswith(answer) for shown in guest.sees()[-2:])
    assert guest.session.person.account is None
    ada = server.enters()
    ada.types(f"/login ada {SECRET}"), ada.sees()
    ada.types(f"/login ada {SECRET}")
    assert ada.sees() == ["-- You have an account: ada."]


def test_after_wrong_passwords_a_login_has_to_wait_before_the_password_is_asked_for() -> None:
    server = Server()
    registered(server).leaves()
    eve = server.enters(address="203.0.113.5")
    for _ in range(LOGIN_TRIES):
        eve.types("/login ada wrong")
    eve.sees()
    for line in ("/login ada", f"/login ada {SECRET}"):
        eve.types(line)
        assert eve.sees() == ["-- There were too many wrong passwords; try again in 1 s."]
    assert len(eve.client.asked) == LOGIN_TRIES, "after each one that was given with the command"
    ada = server.enters()
    ada.types(f"/login ada {SECRET}")
    assert ada.sees()[-1] == "-- You are logged in as ada.", "from where she registered"
    server.now += 1
    eve.types(f"/login ada {SECRET}")
    assert eve.sees()[-2:] == [
        "-- You are logged in as ada.",
        "-- Your last login: 1970-01-12 13:46, by the password, from 192.0.2.1.",
    ]


def test_an_attempt_counts_from_the_time_of_the_answer() -> None:
    server = Server()
    registered(server).leaves()
    eve = server.enters(address="203.0.113.5")
    for _ in range(LOGIN_TRIES - 1):
        eve.types("/login ada wrong")
    eve.client.answers, eve.client.now = ["wrong"], server.now + 100
    eve.types("/login ada"), eve.sees()
    server.now += 100
    eve.types("/login ada")
    assert eve.sees() == ["-- There were too many wrong passwords; try again in 1 s."]


def test_pending_checks_are_bounded_and_known_owners_have_twice_the_bound() -> None:
    server = Server()
    registered(server).leaves()
    server.hasher.is_slow = True
    authentication = server.chat.authentication
    pending: list[Generator[Any, Any, Account]] = []

    def begin(address: str) -> None:
        now = server.now + len(pending) * 100
        pending.append(started(authentication.authenticate("ada", SECRET, address, now)))

    for number in range(PENDING_PASSWORD_CHECKS):
        begin(f"198.51.100.{number}")
    with pytest.raises(Refused, match="Many people are logging in now"):
        begin("203.0.113.1")
    begin("192.0.2.1")
    assert all(finished(steps) == account(server) for steps in pending)
    pending.clear()
    server.now += 10_000
    begin("203.0.113.1")
    pending[0].close()
    assert authentication.pending_checks == 0


def test_a_user_who_leaves_while_the_password_is_checked_leaves_nothing_behind() -> None:
    server = Server()
    registered(server).leaves()
    server.hasher.is_slow = True
    guest = server.enters()
    login = started(log_in(server.chat, guest.session, "ada", SECRET, server.now))
    guest.leaves()
    finished(login)
    assert len(server.chat.people) == 0
    assert server.chat.entrance.owner_here(account(server)) is None
    assert server.chat.people.is_free(account(server).name)


def test_a_key_that_is_added_while_a_password_is_hashed_is_kept() -> None:
    server = Server()
    ada = server.enters("ada", fingerprint=ADA)
    ada.types("/register"), ada.sees()
    server.hasher.is_slow = True
    change = receive(server.chat, ada.session, f"/password {SECRET}", server.now)
    assert change is not None
    steps = started(change)
    also = server.enters("x", fingerprint=ADA)
    also.types(f"/keys add {PUBLIC}")
    finished(steps)
    assert len(account(server).listed) == 2
    assert account(server).password == HASHED + SECRET


def test_a_login_resumes_the_session_of_a_lost_connection() -> None:
    server = Server()
    ada, bob = registered(server), server.enters("bob")
    ada.types("/join attic"), bob.types("/join attic"), bob.sees(), ada.sees()
    assert ada.loses_connection() is not None
    bob.types("are you there?"), bob.types("/dm ada hello")
    bob.sees()
    guest = server.enters()
    bob.sees(), guest.sees()
    guest.types(f"/login ada {SECRET}")
    assert guest.sees() == [
        "-- Welcome back, ada.",
        "-- attic, 1 new:",
        "   13:46 bob: are you there?",
        "[bob -> you] hello",
        "-- You are logged in as ada.",
    ]
    assert bob.sees() == ["-- guest1 left"]
    guest.types("I am")
    assert bob.sees() == ["ada: I am"]
    assert guest.session.focus is not None


def test_a_login_takes_over_from_a_dead_connection() -> None:
    server = Server()
    ada = registered(server)
    ada.client.report = DeliveryReport(owing=1000.0)
    guest = server.enters()
    guest.sees(), guest.types(f"/login ada {SECRET}")
    assert "-- Welcome back, ada." in guest.sees()
    assert ada.client.closed
    assert guest.session.person.sessions == [guest.session]


def test_a_token_of_a_guest_does_not_resume_the_session_of_an_account() -> None:
    server = Server()
    registered(server).leaves()
    guest, bob = server.enters(), server.enters("bob")
    tokens = [server.chat.detached.new_token(each.session.person) for each in (guest, bob)]
    guest.types(f"/login ada {SECRET}"), bob.types(f"/register {SECRET}")
    guest.loses_connection(), bob.loses_connection()
    eve = server.enters()
    for token in tokens:
        eve.types(f"/resume {token}")
        assert eve.sees()[-1] == "-- There is no place with that token any more."


def test_a_key_that_was_not_added_does_not_resume_the_session_of_an_account() -> None:
    server = Server()
    registered(server).leaves()
    laptop = server.enters("x", fingerprint=OTHER)
    laptop.types(f"/login ada {SECRET}"), laptop.loses_connection()
    assert server.enters("x", fingerprint=OTHER).session.person.account is None


# Passwords outside the chat -----------------------------------------------------------------------


def test_a_password_outside_the_chat_proves_the_account_of_that_name() -> None:
    server = Server(checker=Checker(ada="from outside"))
    guest = server.enters()
    guest.types("/login ada wrong")
    assert guest.sees()[-2] == "-- That is not the password of ada."
    guest.types("/login ada from outside")
    assert guest.sees() == ["-- You are now known as ada.", "-- You are logged in as ada."]
    assert account(server).external
    guest.types("/keys")
    assert guest.sees()[1:] == ["   a password that is kept elsewhere"]
    guest.client.answers = ["from outside"]
    guest.types("/password one of my own"), guest.sees(), guest.leaves()
    for password in ("one of my own", "from outside"):
        again = server.enters()
        again.types(f"/login ada {password}")
        assert again.sees()[-1] == "-- You are logged in as ada."
        again.types("/password off" if password == "from outside" else "/away"), again.sees()
        again.leaves()
    assert account(server).has_password
    other = server.enters("ada")
    assert other.nick == "ada2"


def test_a_nick_that_is_taken_is_not_given_to_a_user_from_outside() -> None:
    server = Server(checker=Checker(ada="from outside", bob="from outside", guest9="long one"))
    registered(server)
    bob, guest = server.enters("bob"), server.enters()
    guest.types("/login ada from outside"), guest.types("/login bob from outside")
    guest.types("/login guest9 long one")
    assert guest.sees()[-3:] == [
        "-- ada is registered, or looks like a nick that is.",
        "-- bob is taken, or looks like a nick that is.",
        "-- guest9 is taken, or looks like a nick that is.",
    ]
    bob.types("/login bob from outside")
    assert bob.sees()[-1] == "-- You are logged in as bob."


def test_a_checker_that_fails_is_reported_and_own_passwords_still_work() -> None:
    checker = Checker(ada="from outside")
    server = Server(checker=checker)
    registered(server).leaves()
    checker.unavailable = True
    guest = server.enters()
    guest.types("/login bob something")
    answer = "-- Passwords cannot be checked now; who runs this server finds why in its log."
    assert guest.sees()[-1] == answer
    guest.types(f"/login ada {SECRET}")
    assert guest.sees()[-1] == "-- You are logged in as ada.", "she is known here"


# Secrets ------------------------------------------------------------------------------------------


def test_a_password_is_never_shown() -> None:
    server = Server()
    bob = server.enters("bob")
    ada = registered(server)
    ada.client.answers = [SECRET] * 2
    lines = (f"/register {SECRET}", f"/password {SECRET}", "/password", "/keys", "/whois ada")
    for line in (*lines, f"/login ada {SECRET}", "/history", "/search correct"):
        ada.types(line)
    for line in (*ada.sees(), *bob.sees()):
        assert "horse" not in line
        assert HASHED not in line


def test_lines_that_may_hold_a_password_are_recognized() -> None:
    for line in ("/login ada secret", "/LOGIN ada", "/password x", "/register x"):
        assert may_hold_secret(line)
    for line in ("/registers", "/keys add this", "hello", "/register", "/dm ada /login"):
        assert not may_hold_secret(line)


def test_a_right_password_for_a_taken_nick_is_not_throttled() -> None:
    server = Server(checker=Checker(ada=SECRET))
    server.enters("ada")
    user = server.enters("me", address="198.51.100.7")
    user.sees()
    for _ in range(2 * LOGIN_TRIES):
        user.types(f"/login ada {SECRET}")
        assert user.sees() == ["-- ada is taken, or looks like a nick that is."]
