"""Prompts for passwords: they ask again, tell nothing of accounts, and no password is posted."""

import pytest

from chatd.chat.commands.accounts import may_hold_secret
from chatd.chat.limits import (
    GUARDED_LINES,
    GUARDED_PASSWORDS,
    PASSWORD_PROMPTS,
    TYPED_AHEAD_SECONDS,
    WARY_SECONDS,
)
from chatd.chat.text.names import nick
from tests.chat.records.test_accounts import ADA
from tests.support.passwords import Checker, Hasher
from tests.support.people import Server, User

SECRET = "correct horse"
HELD = (
    "-- That was not posted, as it may be a password, and none is asked for now; "
    "type it again to say it."
)
TRIED = "-- That is a password that you tried; it was not posted."
ENOUGH = "-- You are asked no more; what you type now is a message again."


def asked(user: User, line: str, *answers: str) -> list[str]:
    """Type a command whose prompts get these answers; return what is shown."""
    user.client.asked.clear(), user.sees()
    user.client.answers, user.client.now = list(answers), user.server.now
    user.types(line)
    return user.sees()


def with_ada() -> tuple[Server, User, User]:
    """Return a server with the account ada, a guest, and a witness of what is posted."""
    server = Server()
    ada = server.enters("ada")
    ada.types(f"/register {SECRET}"), ada.leaves()
    guest, witness = server.enters(), server.enters("witness")
    return server, guest, witness


# Asking again -------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["", " wrong one"])
def test_a_wrong_password_is_asked_for_again(given: str) -> None:
    _, guest, _ = with_ada()
    wrong = ["wrong two"] if given else ["wrong one", "wrong two"]
    shown = asked(guest, f"/login ada{given}", *wrong, SECRET)
    assert guest.client.asked == ["Password of ada, secretly"] * (len(wrong) + 1)
    assert shown == [
        *["-- That is not the password of ada."] * 2,
        "-- You are now known as ada.",
        "-- You are logged in as ada.",
    ]


def test_after_the_last_try_users_are_told_and_no_try_is_posted() -> None:
    _, guest, witness = with_ada()
    tries = [f"wrong {number}" for number in range(PASSWORD_PROMPTS)]
    assert asked(guest, "/login ada", *tries) == [
        *["-- That is not the password of ada."] * PASSWORD_PROMPTS,
        ENOUGH,
    ]
    witness.sees()
    for line in (tries[0], f" {tries[-1]} ", f"/{tries[0]}"[:0] + tries[1]):
        guest.types(line)
        assert guest.sees() == [TRIED]
    guest.types("correct horze")
    assert guest.sees() == [HELD], "a fourth try"
    guest.types("hello"), guest.types(tries[0]), guest.types("/topic"), guest.types(tries[0])
    assert witness.sees() == ["guest1: hello"], "a password is none less after a message"


def test_a_new_password_that_was_given_with_the_command_is_not_posted() -> None:
    _, guest, witness = with_ada()
    guest.types(f"/login ada {SECRET}"), witness.sees()
    asked(guest, "/password my new secret", "wrong one", "wrong two", "wrong three")
    for _ in range(3):
        guest.types("my new secret")
    assert guest.sees() == [TRIED] * 3
    assert witness.sees() == []


def test_what_was_tried_before_is_guarded_as_well_and_bounded() -> None:
    server, guest, witness = with_ada()
    for number in range(GUARDED_PASSWORDS + 1):
        server.now += 10_000
        asked(guest, "/login ada", f"wrong {number}", "")
    witness.sees(), guest.types("wrong 1")
    assert guest.sees()[-1] == TRIED
    guest.types("wrong 0")
    assert witness.sees() == ["guest1: wrong 0"]


def test_a_held_line_is_posted_when_it_is_typed_again_or_later() -> None:
    server, guest, witness = with_ada()
    asked(guest, "/login ada", "one", "two", "three"), witness.sees()
    guest.types("hello"), guest.types("hello")
    assert guest.sees() == [HELD]
    assert witness.sees() == ["guest1: hello"]
    server.now += 10_000
    asked(guest, "/login ada", "one", "two", "three"), witness.sees()
    server.now += WARY_SECONDS
    guest.types("hello"), guest.types("again")
    assert witness.sees() == ["guest1: hello", "guest1: again"]


def test_a_login_that_is_refused_while_it_asks_lets_no_password_out() -> None:
    _, guest, witness = with_ada()
    for _ in range(2):
        shown = asked(guest, "/login ada", "one", "two", "three", SECRET)
    assert shown == ["-- There were too many wrong passwords; try again in 1 s."]
    assert guest.client.asked == []
    witness.sees()
    guest.types(SECRET)
    assert guest.sees() == [HELD], "it was typed for the prompt"
    assert witness.sees() == []


@pytest.mark.parametrize(
    "line",
    [
        f"witness: /register {SECRET}",  # a Tab on an empty line puts the nick there
        f"witness, /password {SECRET}",
        f"witness: /LOGIN ada {SECRET}",
        f"//login ada {SECRET}\nhello",  # a paste of several lines
        f"look:\n  /login ada {SECRET}",
        f"//nick lola\n/register\n{SECRET}\n{SECRET}",
        f"look:\n\uff0flogin ada {SECRET}",
    ],
)
def test_a_command_with_a_password_within_a_message_is_held_back_once(line: str) -> None:
    held = "-- That was not posted, as there may be a password in it; send it again to say it."
    _, guest, witness = with_ada()
    asked(guest, "/login ada", "one", ""), witness.sees()
    for _ in range(2):
        guest.sees(), guest.types(f"{line}!"), guest.types(line)
        assert guest.sees() == [held, held]
        assert witness.sees() == []
        guest.types(line)
        assert witness.sees()


@pytest.mark.parametrize(
    "line",
    ["witness: /login ada", "witness: /register", "witness: /help login", "//login ada x", "a\n/x"],
)
def test_a_message_about_commands_is_posted_at_once(line: str) -> None:
    _, guest, witness = with_ada()
    witness.sees(), guest.types(line)
    assert witness.sees()


@pytest.mark.parametrize("line", ["/keys add this", "/keys add ssh-rsa x", "/keys remove 7"])
def test_the_password_typed_ahead_for_a_refused_change_of_keys_is_not_posted(line: str) -> None:
    _, guest, witness = with_ada()
    asked(guest, "/login ada", SECRET), witness.sees()
    assert len(asked(guest, line)) == 1
    assert guest.client.asked == []
    guest.types(SECRET)
    assert guest.sees() == [HELD]
    assert witness.sees() == []


@pytest.mark.parametrize(
    ("line", "secrets"),
    [
        ("/register", 2),
        ("/login", 1),
        ("/login a/b", 1),
        ("/password", 3),
        ("/password off", 3),
    ],
)
def test_what_was_typed_ahead_for_a_refused_command_is_not_posted(line: str, secrets: int) -> None:
    """A guest pastes the command and the answers; guest1 can do neither of this."""
    server, guest, witness = with_ada()
    witness.sees(), guest.types(line), guest.sees()
    for _ in range(secrets):
        guest.types(SECRET)
    assert guest.sees() == [HELD] * secrets
    guest.types("hello")
    assert witness.sees() == ["guest1: hello"]
    guest.types(line), guest.sees()
    server.now += TYPED_AHEAD_SECONDS
    guest.types("hello again")
    assert witness.sees() == ["guest1: hello again"]
    assert secrets <= GUARDED_LINES


def test_a_cancelled_prompt_holds_nothing_back_but_what_was_tried() -> None:
    _, guest, witness = with_ada()
    assert asked(guest, "/login ada", "wrong one", "")[-1] == (
        "-- You said nothing, so nothing has changed."
    )
    witness.sees(), guest.types("wrong one"), guest.types("hello")
    assert guest.sees() == [TRIED]
    assert witness.sees() == ["guest1: hello"]


def test_a_right_password_ends_the_guard() -> None:
    _, guest, witness = with_ada()
    asked(guest, "/login ada", "wrong one", SECRET), witness.sees()
    guest.types("hello")
    assert witness.sees() == ["ada: hello"]


# New passwords ------------------------------------------------------------------------------------


def test_the_length_is_checked_after_the_first_entry_and_asked_again() -> None:
    server = Server()
    bob = server.enters("bob")
    shown = asked(bob, "/register", "short", "long enough", "long enougj", SECRET, SECRET)
    assert bob.client.asked == [
        "New password, secretly",
        "New password, secretly",
        "The same again, secretly",
        "New password, secretly",
        "The same again, secretly",
    ]
    assert shown[:2] == [
        "-- A password has at least 8 characters.",
        "-- Those were two passwords; nothing has changed.",
    ]
    assert bob.session.person.account == "bob"


@pytest.mark.parametrize("line", ["/register", "/register short"])
def test_after_the_last_bad_password_none_is_posted(line: str) -> None:
    server = Server()
    bob, witness = server.enters("bob"), server.enters("witness")
    shown = asked(bob, line, "short", "long enough", "another one", "bob")
    assert shown[-1] in (ENOUGH, "-- You said nothing, so nothing has changed.")
    witness.sees()
    for typed in ("short", "long enough", "another one"):
        bob.types(typed)
    assert witness.sees() == []
    assert bob.session.person.account is None


def test_two_forms_of_one_password_are_the_same() -> None:
    server = Server()
    bob = server.enters("bob")
    asked(bob, "/register", "cafe\u0301 au lait", " café au lait ")
    assert bob.session.person.account == "bob"


# Nothing tells of accounts ------------------------------------------------------------------------


class _Counting(Hasher):
    """A hasher that counts its work."""

    def __init__(self) -> None:
        super().__init__()
        self.work = 0

    async def hash(self, password: str) -> str:
        self.work += 1
        return await super().hash(password)

    async def matches(self, password_hash: str, password: str) -> bool:
        self.work += 1
        return await super().matches(password_hash, password)


@pytest.mark.parametrize("checker", [None, Checker(dee="from outside")])
def test_a_login_is_the_same_with_and_without_an_account(
    checker: Checker | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account with a password, one with a key alone, and none: the same lines, the same work."""
    hasher = _Counting()
    monkeypatch.setattr("tests.support.people.Hasher", lambda: hasher)
    server = Server(checker=checker)
    for name, fingerprint, words in (("ada", None, SECRET), ("key", ADA, "")):
        owner = server.enters(name, fingerprint=fingerprint)
        owner.types(f"/register {words}"), owner.leaves()
    seen = set()
    for number, name in enumerate(("ada", "key", "ann", "ADA", "dee")):
        for given in ("", " wrong one"):
            guest = server.enters(address=f"203.0.113.{10 * number + bool(given)}")
            hasher.work = 0
            shown = asked(guest, f"/login {name}{given}", "wrong two", "wrong three", "wrong four")
            guest.types(f"/login {name} again"), guest.leaves()
            server.now += 10_000
            told = "\n".join([*shown, *guest.client.asked, *guest.sees()])
            seen.add((bool(given), told.replace(name, "NAME"), hasher.work))
    assert len(seen) == 2, "one with and one without a password in the command"


def test_a_nick_that_is_registered_does_not_tell_what_proves_it() -> None:
    server = Server()
    for name, fingerprint, words in (("ada", None, SECRET), ("key", ADA, "")):
        owner = server.enters(name, fingerprint=fingerprint)
        owner.types(f"/register {words}"), owner.leaves()
    guest = server.enters()
    for name in ("ada", "key"):
        guest.types(f"/nick {name}")
        assert guest.sees()[-1] == f"-- {name} is registered; /login {name} if it is yours."
    assert nick("key").shown == "key"


# Blanks before a command --------------------------------------------------------------------------


@pytest.mark.parametrize("blank", [" ", "\t", "   ", "\u3000", "\u00a0", "\u200b", " \u2060"])
@pytest.mark.parametrize("line", ["/login ada secret words", "/register secret", "/dm bob x", "/h"])
def test_a_command_after_blanks_is_neither_posted_nor_done(blank: str, line: str) -> None:
    server, guest, witness = with_ada()
    witness.sees(), guest.sees()
    guest.types(blank + line)
    assert guest.sees() == [
        "-- A command begins with a /, and nothing before it; // says it as it is."
    ]
    assert witness.sees() == []
    assert len(server.chat.accounts.get("ada").keys) == 0  # type: ignore[union-attr]


def test_a_slash_of_a_wide_keyboard_and_a_typing_error_count_too() -> None:
    _, guest, witness = with_ada()
    witness.sees()
    for line in ("\uff0flogin ada secret", " \uff0fregister x", " /logni ada secret", " /LOGIN a"):
        guest.types(line)
    assert witness.sees() == []


def test_what_is_no_command_is_posted_with_its_blanks() -> None:
    _, guest, witness = with_ada()
    witness.sees()
    lines = [" /usr/bin/env", " / or not", "  //login", " and/or", "see /login", "// /login"]
    for line in lines:
        guest.types(line)
    assert witness.sees() == [f"guest1: {line.replace('// ', '/ ')}" for line in lines]


def test_lines_with_passwords_after_blanks_are_kept_out_of_the_input_history() -> None:
    for line in (" /login ada secret", "\t/register secret", "/password\tx y", "\uff0flogin ada x"):
        assert may_hold_secret(line)
    for line in ("login ada x", " //login ada x", "", " "):
        assert not may_hold_secret(line)
