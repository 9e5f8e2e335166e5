"""The command for operators: ``/server`` and its subcommands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatd.chat.actions.accounts.proofs import reset_password
from chatd.chat.actions.moderation import accounts, operators, raids
from chatd.chat.commands.command import Call, Command
from chatd.chat.commands.moderating import ban_rows, covers, leaves_out
from chatd.chat.events import Refused, Role
from chatd.chat.limits import ACCOUNT_PAGES
from chatd.chat.model import rules
from chatd.chat.text import names
from chatd.chat.text.durations import split_duration, term
from chatd.chat.text.query import midnight, read_page

#: The word before a time in which people entered, or were banned.
_LAST = "last"
#: Runs a subcommand, given the first word after its name and the rest.
_Run = Callable[[Call, str, str], Awaitable[None] | None]


def _kick(call: Call, nick: str, reason: str) -> None:
    other = operators.kick(call.chat, call.session, nick, reason, call.now)
    call.answer(f"{other.nick} is disconnected.")


async def _ban(call: Call, target: str, words: str) -> None:
    last, _, more = words.partition(" ")
    if last.lower() == _LAST:
        seconds, more = split_duration(more)
        if seconds is None:
            raise _usage(call, f"ban {raids.EVERYONE}|NETWORK {_LAST} TIME [TIME] [REASON]")
        await _ban_last(call, target, seconds, more)
        return
    made, left_out, count = await operators.ban(call.chat, call.session, target, words, call.now)
    how_long = term(made.made, made.until)
    out = "nobody here was" if not count else f"{count} {'was' if count == 1 else 'were'}"
    call.answer(
        f"The ban of {made.label} from this server covers "
        f"{covers(made, call.session)}, {how_long}; {out} disconnected."
        + leaves_out(made, left_out)
    )


async def _ban_last(call: Call, target: str, seconds: float, words: str) -> None:
    """Ban those who entered lately, once the operator has seen whom that covers."""
    chat, by = call.chat, call.session
    raid = raids.find_raid(chat, by, target, seconds, words, call.now)
    call.list(*raids.preview(raid, call.now))
    answer, now = await call.ask("Ban them (yes)", secret=False)
    if answer.strip().lower() != "yes":
        raise Refused("cancelled", "Nobody was banned.")
    rules.check_operator(by)
    count = await raids.ban_raid(chat, by, raid, now)
    people = "1 person is" if len(raid.bans) == 1 else f"{len(raid.bans)} people are"
    call.answer(
        f"{people} banned from this server; {count} {'was' if count == 1 else 'were'} "
        f"disconnected. /server unban {_LAST} TIME lifts all bans of that time."
    )


async def _lock(call: Call, first: str, rest: str) -> None:
    lock = await raids.lock(call.chat, call.session, f"{first} {rest}".strip(), call.now)
    ends = "" if lock.until is not None else "; /server unlock lets them in again"
    call.answer(f"Guests may not enter this server{lock.rest(call.now)}{ends}.")


async def _unlock(call: Call, _: str, __: str) -> None:
    await raids.unlock(call.chat, call.session, call.now)
    call.answer("Guests may enter this server again.")


async def _unban(call: Call, target: str, words: str) -> None:
    seconds, _ = split_duration(words) if target.lower() == _LAST else (None, "")
    if seconds is not None:
        count = await operators.unban_since(call.chat, call.session, seconds, call.now)
        call.answer(f"{count} {'ban is' if count == 1 else 'bans are'} lifted.")
        return
    ended = await operators.unban(call.chat, call.person, target, call.now)
    call.answer(f"{ended[0].label} may come into this server again.")


def _bans(call: Call, _: str, __: str) -> None:
    lines = ban_rows(call.chat.access.bans, call)
    heading = "Banned from this server:" if lines else "Nobody is banned from this server."
    call.list(heading, lines)


def _say(call: Call, first: str, rest: str) -> None:
    operators.announce(call.chat, call.person, f"{first} {rest}".strip(), call.now)


def _stats(call: Call, _: str, __: str) -> None:
    call.list("This server:", operators.statistics(call.chat, call.now))


async def _rename(call: Call, nick: str, new: str) -> None:
    account = call.chat.accounts.get(names.fold(nick))
    if account is None:
        await operators.rename(call.chat, call.session, nick, new, call.now)
        return
    name = names.nick(new)
    found = accounts.find_account(call.chat, call.session, nick)
    await accounts.rename(call.chat, call.session, found, name, call.now)
    call.answer(f"The account {found.name} is called {name} now; its owner has to come again.")


def _accounts(call: Call, _: str, __: str) -> None:
    since, page = 0.0, 1
    for word in call.words.split()[1:]:
        name, colon, value = word.partition(":")
        if colon and name.lower() == "since":
            since = midnight(value, call.session.preferences.timezone)
        elif colon and name.lower() == "page":
            page = read_page(value, ACCOUNT_PAGES)
        else:
            raise _usage(call, "accounts [since:DAY] [page:N]")
    call.list(*accounts.page_of(call.chat, since, page, call.now))


async def _forget(call: Call, nick: str, _: str) -> None:
    account = accounts.find_account(call.chat, call.session, nick)
    question = f"Delete the account {account.name} for good (type its name)"
    answer, now = await call.ask(question, secret=False)
    if names.fold(answer.strip()) != account.name.key:
        raise Refused("cancelled", "Nothing was deleted.")
    rules.check_operator(call.session)
    account = accounts.find_account(call.chat, call.session, nick)
    await accounts.forget(call.chat, call.session, account, now)
    call.answer(f"The account {account.name} is deleted; what was said stays.")


async def _suspend(call: Call, nick: str, words: str) -> None:
    account = accounts.find_account(call.chat, call.session, nick)
    ban = await accounts.suspend(call.chat, call.session, account, words, call.now)
    call.answer(f"The account {account.name} is suspended {term(ban.made, ban.until)}.")


async def _unsuspend(call: Call, nick: str, _: str) -> None:
    account = accounts.find_account(call.chat, call.session, nick)
    await accounts.unsuspend(call.chat, call.session, account, call.now)
    call.answer(f"The account {account.name} may be used again.")


async def _reset(call: Call, nick: str, words: str) -> None:
    if words.lower() not in ("", "keys"):
        raise _usage(call, "reset NICK [keys]")
    account, password = await reset_password(
        call.chat, call.session, nick, call.now, without_keys=bool(words)
    )
    call.answer(
        f"The password of {account.name} is {password} for a day; "
        "tell nobody but its owner, who sets another one with /password."
    )


async def _close(call: Call, name: str, reason: str) -> None:
    room = call.chat.find_room(name, call.session)
    count = await operators.close(call.chat, call.person, room, reason, call.now)
    people = "1 person was" if count == 1 else f"{count} people were"
    call.answer(f"{room} is closed; {people} in it.")


#: The subcommands: the function, the least number of words after the name, and the usage.
SUBCOMMANDS: dict[str, tuple[_Run, int, str]] = {
    "ban": (_ban, 1, "TARGET [last TIME] [TIME] [REASON]"),
    "unban": (_unban, 1, "TARGET|last TIME"),
    "bans": (_bans, 0, ""),
    "lock": (_lock, 0, "[TIME] [REASON]"),
    "unlock": (_unlock, 0, ""),
    "kick": (_kick, 1, "NICK [REASON]"),
    "rename": (_rename, 2, "NICK NEW"),
    "accounts": (_accounts, 0, "[since:DAY] [page:N]"),
    "forget": (_forget, 1, "NICK"),
    "suspend": (_suspend, 1, "NICK [TIME] [REASON]"),
    "unsuspend": (_unsuspend, 1, "NICK"),
    "reset": (_reset, 1, "NICK [keys]"),
    "close": (_close, 1, "ROOM [REASON]"),
    "say": (_say, 1, "TEXT"),
    "stats": (_stats, 0, ""),
    "status": (_stats, 0, ""),
}


def _server(call: Call) -> Awaitable[None] | None:
    rules.check_operator(call.session)
    name, _, words = call.words.partition(" ")
    found = SUBCOMMANDS.get(name.lower())
    if found is None:
        raise _usage(call, f"{'|'.join(SUBCOMMANDS)} …")
    run, least, arguments = found
    first, _, rest = words.strip().partition(" ")
    if len([word for word in (first, rest) if word]) < least:
        raise _usage(call, f"{name.lower()} {arguments}")
    return run(call, first, rest.strip())


def _usage(call: Call, usage: str) -> Refused:
    return Refused("usage", f"How to use it: /{call.name} {usage}")


COMMANDS = (
    Command(
        "server",
        "WHAT …",
        "look after the whole server",
        _server,
        least=Role.OPERATOR,
        more="; ".join(
            f"{name} {arguments}".rstrip() for name, (_, _, arguments) in SUBCOMMANDS.items()
        )
        + ".  Only a connection that came with an operator's key may do that.",
    ),
)
