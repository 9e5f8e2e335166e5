"""The command for the ssh keys of an account."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

from chatd.chat.actions.accounts.proofs import (
    accept_key,
    account_of,
    add_own_key,
    claim_key,
    decline_key,
    own_key,
    remove_key,
)
from chatd.chat.commands.accounts.prompts import confirm, typed_ahead
from chatd.chat.commands.command import Call, Command
from chatd.chat.events import Refused
from chatd.chat.records.accounts import Account, Key, key_to_remove, read_key

_KEYS, _ALL = "[add|remove X]", "[add|remove|accept|decline X]"


async def _keys(call: Call) -> None:
    name, _, rest = call.words.partition(" ")
    rest = rest.strip()
    match name.lower():
        case "":
            _list_keys(call, account_of(call.chat, call.session))
        case "add" if rest.lower() == "this":
            await _add_this(call)
        case "add" if rest:
            await _add(call, rest)
        case "remove" if rest.isascii() and rest.isdigit():
            await _remove(call, int(rest[:9]))
        case "accept":
            await _accept(call, rest)
        case "decline":
            account = await decline_key(call.chat, call.session, rest, call.now)
            call.answer(f"Your key is not waiting to be one of {account.name} any more.")
        case _:
            raise Refused("usage", f"How to use it: /{call.name} {_ALL}")


def _password_typed_ahead(call: Call, account: Account) -> AbstractContextManager[None]:
    """Hold back the password of an account that has one, if a change is refused before it asks."""
    return typed_ahead(call, 1) if account.has_password else nullcontext()


async def _add_this(call: Call) -> None:
    account = account_of(call.chat, call.session)
    with _password_typed_ahead(call, account):
        key = own_key(call.session, call.now)
        call.chat.accounts.check_new_key(account, key.fingerprint)
    now = await confirm(call, account)
    key = await add_own_key(call.chat, call.session, now)
    call.answer(f"{key.fingerprint} is a key of {account.name} now.")


async def _add(call: Call, text: str) -> None:
    account = account_of(call.chat, call.session)
    with _password_typed_ahead(call, account):
        key = read_key(text, call.now)
        call.chat.accounts.check_claim(account, key.fingerprint)
    now = await confirm(call, account)
    await claim_key(call.chat, call.session, key, now)
    call.answer(
        f"{key.fingerprint} waits to be a key of {account.name}: connect with it once and say "
        f"/keys accept {account.name}."
    )


async def _remove(call: Call, number: int) -> None:
    account = account_of(call.chat, call.session)
    with _password_typed_ahead(call, account):
        key = key_to_remove(account, number)
    now = await confirm(call, account)
    account = account_of(call.chat, call.session)
    if number > len(account.listed) or account.listed[number - 1] != key:
        raise Refused("no-such-key", "Your keys have changed meanwhile; /keys lists them.")

    def removed(key: Key) -> None:
        call.answer(f"{key.fingerprint} is no key of {account.name} any more.")

    await remove_key(call.chat, call.session, number, now, removed)


async def _accept(call: Call, nick: str) -> None:
    account = await accept_key(call.chat, call.session, nick, call.now)
    if call.person.account == account.name.key:
        call.answer(f"Your key is one of {account.name} now, and so are you.")
    else:
        call.answer(f"Your key is one of {account.name} now: the next time it makes you that.")


def _list_keys(call: Call, account: Account) -> None:
    rows = [
        _row(number, key) + ", waits for its holder" * (key in account.pending)
        for number, key in enumerate(account.listed, 1)
    ]
    if account.password:
        rows.append("a password, which /password changes")
    if account.external:
        rows.append("a password that is kept elsewhere")
    call.list(f"The keys of {account.name}:", rows)


def _row(number: int, key: Key) -> str:
    row = f"{number}. {key.fingerprint} {key.comment}".rstrip()
    return f"{row}, since {datetime.fromtimestamp(key.added, UTC):%Y-%m-%d}"


COMMANDS = (
    Command(
        "keys",
        _KEYS,
        "the ssh keys that prove who you are",
        _keys,
        more="add this: the key of this connection; add KEY: a line of the .pub file of another "
        "machine, from which you connect once and say accept NICK; remove NUMBER: a key of the "
        "list, and the connections that used it end.  decline NICK if an account that is not yours "
        "waits for your key.  You are asked for your password, if you have one.",
    ),
)
