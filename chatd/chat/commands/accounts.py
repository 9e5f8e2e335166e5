"""Commands for accounts: registering, logging in, passwords and ssh keys."""

from __future__ import annotations

from datetime import UTC, datetime

from chatd.chat.actions.login import check_no_account, log_in, register
from chatd.chat.commands.command import Call, Command
from chatd.chat.events import Refused
from chatd.chat.records.accounts import Account, Key, read_key

_KEYS = "[add|remove X]"
_LOGIN = "NICK [PASSWORD]"

#: Commands that may be followed by a password.
_WITH_PASSWORD = ("/register ", "/password ", "/login ")


def may_hold_secret(line: str) -> bool:
    """Whether a line may contain a password, and has to be kept out of any input history."""
    return line.lower().startswith(_WITH_PASSWORD)


async def _ask_new(call: Call) -> tuple[str, float]:
    """Ask for a new password twice; return it, and when it was entered.

    :raises Refused: ``cancelled``, ``bad-password``.
    """
    first, _ = await call.ask("New password", secret=True)
    again, now = await call.ask("The same again", secret=True)
    if first != again:
        raise Refused("bad-password", "Those were two passwords; nothing has changed.")
    return first, now


async def _register(call: Call) -> None:
    call.chat.entrance.check_register(call.person)
    password, now = call.words, call.now
    if not password and call.session.fingerprint is None:
        password, now = await _ask_new(call)
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


def _account(call: Call) -> Account:
    account = call.person.account and call.chat.accounts.get(call.person.account)
    if not account:
        raise Refused("no-account", "You have no account; /register makes your nick your own.")
    return account


async def _login(call: Call) -> None:
    nick, password = call.split(_LOGIN)
    check_no_account(call.person)
    now = call.now
    if not password:
        name = await call.chat.authentication.check_attempt(
            nick, call.session.address, now, call.session.way
        )
        password, now = await call.ask(f"Password of {name}", secret=True)
    account = await log_in(call.chat, call.session, nick, password, now)
    sentence = f"You are logged in as {account.name}"
    if call.person.name.key != account.name.key:
        sentence += f", and called {call.person.nick}"
    fingerprint = call.session.fingerprint
    if fingerprint is not None and call.chat.accounts.of_key(fingerprint) is None:
        sentence += "; /keys add this lets your ssh key do it next time"
    call.answer(f"{sentence}.")


async def _password(call: Call) -> None:
    account = _account(call)
    if call.words.lower() == "off":
        await call.chat.accounts.set_password(account, "")
        call.answer(f"{account.name} has no password any more.")
        return
    password, now = call.words, call.now
    if not password:
        password, now = await _ask_new(call)
    password_hash = await call.chat.authentication.hash(
        password, account.name.key, call.session.address, now
    )
    await call.chat.accounts.set_password(_account(call), password_hash)
    call.answer(f"That is the password of {account.name} now.")


async def _keys(call: Call) -> None:
    account = _account(call)
    name, _, rest = call.words.partition(" ")
    match name.lower():
        case "":
            _list_keys(call, account)
        case "add" if rest:
            key = _own_key(call) if rest.lower() == "this" else read_key(rest, call.now)
            await call.chat.accounts.add_key(account, key)
            call.answer(f"{key.fingerprint} is a key of {account.name} now.")
        case "remove" if rest.isascii() and rest.isdigit():
            number = int(rest[:9])
            await call.chat.accounts.remove_key(account, number)
            removed = account.keys[number - 1].fingerprint
            call.answer(f"{removed} is no key of {account.name} any more.")
        case _:
            raise Refused("usage", f"How to use it: /{call.name} {_KEYS}")


def _list_keys(call: Call, account: Account) -> None:
    rows = [
        f"{number}. {key.fingerprint} {key.comment}".rstrip() + f", since {_day(key.added)}"
        for number, key in enumerate(account.keys, 1)
    ]
    if account.password:
        rows.append("a password, which /password changes")
    if account.external:
        rows.append("a password that is kept elsewhere")
    call.list(f"The keys of {account.name}:", rows)


def _own_key(call: Call) -> Key:
    """Return the ssh key with which the user has logged in.

    :raises Refused: ``no-key``.
    """
    if call.session.fingerprint is None:
        raise Refused("no-key", "You came without an ssh key.")
    return Key(call.session.fingerprint, "", call.now, proved=True)


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


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
        "be who you are, by your password",
        _login,
        more="You are asked for the password unless you give it.",
    ),
    Command(
        "password",
        "[NEW|off]",
        "have another password, or none",
        _password,
        more="You are asked for it unless you give it; off needs an ssh key that proves you.",
    ),
    Command(
        "keys",
        _KEYS,
        "the ssh keys that prove who you are",
        _keys,
        more="add KEY, a line of the .pub file of another machine, or add this, the key with which "
        "you came; remove NUMBER, one of the list.",
    ),
)
