"""Commands for the user themselves: nick, away, ignored users, preferences, resuming, quitting."""

from __future__ import annotations

from chatd.chat.actions.ignoring import ignore, unignore
from chatd.chat.actions.resume import resume
from chatd.chat.commands.command import ArgumentKind, Call, Command, need
from chatd.chat.commands.describe import resume_hint
from chatd.chat.events import Notice
from chatd.chat.limits import REASON_LENGTH
from chatd.chat.model import rules
from chatd.chat.text.sanitizing import cut


async def _nick(call: Call) -> None:
    name, operator = need(call, call.words, "NAME"), call.session.operator
    await call.chat.rename(call.person, name, call.now, operator=operator)


def _away(call: Call) -> None:
    call.person.away = rules.reason(call.words)
    call.chat.peers.person_changed(call.person)
    call.answer("You are away now; /back when you are here again.")


def _back(call: Call) -> None:
    was, call.person.away = call.person.away, None
    call.chat.peers.person_changed(call.person)
    call.answer("Welcome back." if was is not None else "You were not away.")


def _ignore(call: Call) -> None:
    if call.words:
        other = ignore(call.chat, call.person, call.words)
        call.answer(
            f"You are shown nothing of {other.nick} any more; /unignore {other.nick} ends it."
        )
    elif call.person.ignored:
        call.list("You ignore:", sorted(call.person.ignored))
    else:
        call.answer("You ignore nobody.")


def _unignore(call: Call) -> None:
    nick = unignore(call.chat, call.person, need(call, call.words, "NICK"))
    call.answer(f"You are shown {nick} again.")


async def _set(call: Call) -> None:
    name, _, value = call.words.partition(" ")
    session = call.session
    if not name:
        call.list("Your preferences:", session.preferences.rows())
        return
    if not value.strip():
        call.answer(f"{name} is {session.preferences.value(name)}.")
        return
    preferences, profiles = session.preferences.changed(name, value.strip()), call.chat.profiles
    await call.chat.records.keep(lambda: profiles.set_preferences(call.person, preferences))
    session.preferences = preferences
    session.restyle()
    call.answer(f"{name} is {session.preferences.value(name)} now.")


async def _resume(call: Call) -> None:
    chat, token = call.chat, call.words.strip()
    if token:
        await resume(chat, call.session, token, call.now)
    hint = resume_hint(chat, call.person)
    call.answer(hint or "You need no token: whoever comes as you do now is you.")


def _quit(call: Call) -> None:
    call.chat.leave(call.session, cut(call.words, REASON_LENGTH), call.now)
    call.session.deliver(Notice("Goodbye."))
    call.session.client.close()


COMMANDS = (
    Command("nick", "NAME", "carry another nick", _nick),
    Command("away", "[REASON]", "tell who writes to you that you are away", _away),
    Command("back", "", "be here again", _back),
    Command("ignore", "[NICK]", "be shown nothing of somebody", _ignore),
    Command(
        "unignore",
        "NICK",
        "be shown somebody again",
        _unignore,
        argument_kinds=(ArgumentKind.IGNORED,),
    ),
    Command(
        "set",
        "[NAME VALUE]",
        "your preferences",
        _set,
        argument_kinds=(ArgumentKind.PREFERENCE, ArgumentKind.VALUE),
    ),
    Command(
        "resume",
        "[TOKEN]",
        "take your place back after the connection was lost",
        _resume,
        more="Without a token you are given one, which proves that the place is yours; a key or a "
        "login does as well.",
    ),
    Command("quit", "[WORDS]", "leave; !leave does it too", _quit, ("exit", "bye")),
)
