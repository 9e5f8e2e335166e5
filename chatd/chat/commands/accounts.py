"""Commands about one's account: make one's nick one's own, and say which keys prove it."""

from __future__ import annotations

from datetime import UTC, datetime

from chatd.chat.accounts import Account, read_key
from chatd.chat.commands.command import Call, Command
from chatd.chat.events import Refused

_KEYS = "[add|remove X]"


async def _register(call: Call) -> None:
    account = await call.chat.register(call.person, call.now)
    call.answer(
        f"{account.name} is yours now: who comes with your ssh key is {account.name}, and nobody"
        " else can be. /keys tells which keys prove it."
    )


def _account(call: Call) -> Account:
    account = call.person.account and call.chat.accounts.get(call.person.account)
    if not account:
        raise Refused("no-account", "You have no account; /register makes your nick your own.")
    return account


async def _keys(call: Call) -> None:
    account = _account(call)
    name, _, rest = call.words.partition(" ")
    match name.lower():
        case "":
            rows = [
                f"{number}. {key.fingerprint} {key.comment}".rstrip() + f", since {_day(key.added)}"
                for number, key in enumerate(account.keys, 1)
            ]
            call.list(f"The keys of {account.name}:", rows)
        case "add" if rest:
            key = read_key(rest, call.now)
            await call.chat.accounts.add_key(account, key)
            call.answer(f"{key.fingerprint} is a key of {account.name} now.")
        case "remove" if rest.isascii() and rest.isdigit():
            number = int(rest[:9])
            await call.chat.accounts.remove_key(account, number)
            removed = account.keys[number - 1].fingerprint
            call.answer(f"{removed} is no key of {account.name} any more.")
        case _:
            raise Refused("usage", f"How to use it: /{call.name} {_KEYS}")


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


COMMANDS = (
    Command("register", "", "make your nick your own, by your ssh key", _register),
    Command(
        "keys",
        _KEYS,
        "the ssh keys that prove who you are",
        _keys,
        more="add KEY, a line of the .pub file of another machine; remove NUMBER, one of the list.",
    ),
)
