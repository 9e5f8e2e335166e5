"""The command for operators: ``/server`` and its subcommands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatd.chat.actions.moderation import operators
from chatd.chat.commands.command import Call, Command
from chatd.chat.commands.moderating import ban_rows, covers, leaves_out
from chatd.chat.events import Refused, Role
from chatd.chat.text.durations import term

#: Runs a subcommand, given the first word after its name and the rest.
_Run = Callable[[Call, str, str], Awaitable[None] | None]


def _kick(call: Call, nick: str, reason: str) -> None:
    other = operators.kick(call.chat, call.person, nick, reason, call.now)
    call.answer(f"{other.nick} is disconnected.")


def _ban(call: Call, target: str, words: str) -> None:
    made, left_out, count = operators.ban(call.chat, call.person, target, words, call.now)
    how_long = term(call.now, made.until)
    out = "nobody here was" if not count else f"{count} {'was' if count == 1 else 'were'}"
    call.answer(
        f"The ban of {made.label} from this server covers "
        f"{covers(made, call.person, call.now)}, {how_long}; {out} disconnected."
        + leaves_out(made, left_out)
    )


def _unban(call: Call, target: str, _: str) -> None:
    ended = operators.unban(call.chat, call.person, target, call.now)
    call.answer(f"{ended[0].label} may come into this server again.")


def _bans(call: Call, _: str, __: str) -> None:
    lines = ban_rows(call.chat.access.bans, call)
    heading = "Banned from this server:" if lines else "Nobody is banned from this server."
    call.list(heading, lines)


def _say(call: Call, first: str, rest: str) -> None:
    operators.announce(call.chat, call.person, f"{first} {rest}".strip(), call.now)


def _stats(call: Call, _: str, __: str) -> None:
    call.list("This server:", operators.statistics(call.chat, call.now))


def _rename(call: Call, nick: str, new: str) -> Awaitable[None]:
    return operators.rename(call.chat, call.person, nick, new, call.now)


def _close(call: Call, name: str, reason: str) -> None:
    room = call.chat.find_room(name, call.person)
    count = operators.close(call.chat, call.person, room, reason, call.now)
    people = "1 person was" if count == 1 else f"{count} people were"
    call.answer(f"{room} is closed; {people} in it.")


#: The subcommands: the function, the least number of words after the name, and the usage.
_SUBCOMMANDS: dict[str, tuple[_Run, int, str]] = {
    "ban": (_ban, 1, "TARGET [TIME] [REASON]"),
    "unban": (_unban, 1, "TARGET"),
    "bans": (_bans, 0, ""),
    "kick": (_kick, 1, "NICK [REASON]"),
    "rename": (_rename, 2, "NICK NEW"),
    "close": (_close, 1, "ROOM [REASON]"),
    "say": (_say, 1, "TEXT"),
    "stats": (_stats, 0, ""),
}


def _server(call: Call) -> Awaitable[None] | None:
    operators.check_operator(call.person)
    name, _, words = call.words.partition(" ")
    found = _SUBCOMMANDS.get(name.lower())
    if found is None:
        raise _usage(call, f"{'|'.join(_SUBCOMMANDS)} …")
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
            f"{name} {arguments}".rstrip() for name, (_, _, arguments) in _SUBCOMMANDS.items()
        )
        + ".",
    ),
)
