"""Commands that prove who a user is by a password: registering, logging in, changing it."""

from __future__ import annotations

from chatd.chat.actions.accounts.proofs import account_of, remove_password, set_password
from chatd.chat.actions.login import check_no_account, log_in, register
from chatd.chat.commands.accounts.prompts import ask_new, confirm, prove, typed_ahead
from chatd.chat.commands.command import Call, Command
from chatd.chat.records.accounts import Account, check_password_change

_LOGIN = "NICK [PASSWORD]"

#: Commands that may be followed by a password.
WITH_PASSWORD = ("register", "password", "login")


def may_hold_secret(line: str) -> bool:
    """Whether a line may contain a password, and has to be kept out of any input history."""
    words = line.split(None, 1)
    name = words[0].lower() if len(words) == 2 else ""
    return name[:1] in ("/", "\uff0f") and name[1:] in WITH_PASSWORD


async def _register(call: Call) -> None:
    with typed_ahead(call, 2):
        call.chat.entrance.check_register(call.person)
    password, now = call.words, call.now
    if password or call.session.fingerprint is None:
        password, now = await ask_new(call, call.person.nick, password)
    account = await register(call.chat, call.session, password, now)
    if not account.keys:
        proof, more = f"says /login {account.name} and your password", ""
    elif account.password:
        proof, more = "comes with your ssh key, or knows your password,", ""
    else:
        proof = "comes with your ssh key"
        more = " /keys tells which keys prove it."
    call.answer(
        f"{account.name} is yours now: who {proof} is {account.name}, and nobody else can be.{more}"
    )


async def _login(call: Call) -> None:
    chat, session = call.chat, call.session
    with typed_ahead(call, 1):
        nick, password = call.split(_LOGIN)
        check_no_account(call.person)
        name = await chat.authentication.check_attempt(nick, session.address, call.now, session.way)

    async def attempt(password: str, now: float) -> Account:
        return await log_in(chat, session, nick, password, now)

    account = await prove(call, f"Password of {name}", attempt, password)
    sentence = f"You are logged in as {account.name}"
    if call.person.name.key != account.name.key:
        sentence += f", and called {call.person.nick}"
    fingerprint = session.fingerprint
    if fingerprint is not None and chat.accounts.of_key(fingerprint) is None:
        sentence += "; /keys add this lets your ssh key do it next time"
    call.answer(f"{sentence}.")


async def _password(call: Call) -> None:
    is_removed = call.words.lower() == "off"
    with typed_ahead(call, 3):
        account = account_of(call.chat, call.session)
        if is_removed:
            check_password_change(account, "")
    now = await confirm(call, account, "" if is_removed else call.words)
    if is_removed:
        await remove_password(call.chat, call.session, now)
        call.answer(f"{account.name} has no password any more.")
        return
    password, now = await ask_new(call, account.name.shown, call.words)
    count = await set_password(call.chat, call.session, password, now)
    ended = "; your other connections are ended" if count else ""
    call.answer(f"That is the password of {account.name} now{ended}.")


COMMANDS = (
    Command(
        "register",
        "[PASSWORD]",
        "make your nick your own, by your ssh key or a password",
        _register,
        more="Without a key and without words you are asked for a password.",
    ),
    Command(
        "login",
        _LOGIN,
        "log in to your account with its password",
        _login,
        more="You are asked for the password unless you give it, three times at most.",
    ),
    Command(
        "password",
        "[NEW|off]",
        "change your password, or remove it",
        _password,
        more="You are asked for the current one, if there is one, and for the new one unless you "
        "give it; your other connections are ended.  off needs an ssh key that proves you.  An "
        "operator can reset a password that you have forgotten.",
    ),
)
