"""Commands that say something, and the one that shows what was said."""

from __future__ import annotations

from chatd.chat.commands.command import Call, Command, need
from chatd.chat.events import Entry, Recalled, Refused
from chatd.chat.limits import HISTORY_SHOWN, HISTORY_SHOWN_AT_MOST, PERSONAL_BYTES


def _unquoted(text: str) -> str:
    """Text without the quotes that may stand around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _dm(call: Call) -> None:
    nick, text = call.split("NICK TEXT")
    call.chat.whisper(call.session, nick, need(call, _unquoted(text), "NICK TEXT"), call.now)


def _reply(call: Call) -> None:
    text = need(call, _unquoted(call.words), "TEXT")
    other = call.person.told_by
    if other is None:
        raise Refused("nobody", "Nobody has written to you alone yet.")
    if call.chat.people.get(other.name.key) is not other:
        raise Refused("nobody", f"{other.nick} is gone.")
    call.chat.whisper(call.session, other.nick, text, call.now)


def _bc(call: Call) -> None:
    text = need(call, _unquoted(call.words), "TEXT")
    people = call.chat.say_everywhere(call.session, text, call.now)
    rooms = len(call.person.rooms)
    others = "1 other person" if people == 1 else f"{people} other people"
    call.answer(f"Said in {rooms} room{'s' * (rooms != 1)}, to {others}.")


def _me(call: Call) -> None:
    call.chat.say(call.session, need(call, call.words, "TEXT"), call.now, act=True)


async def _history(call: Call) -> None:
    count, room = HISTORY_SHOWN, ""
    for word in call.words.split():
        if word.isascii() and word.isdigit():
            count = max(1, min(int(word[:9]), HISTORY_SHOWN_AT_MOST))
        else:
            room = word
    where = call.room(room)
    where.check_membership(call.person)
    entries = await call.chat.history(where, count)
    wanted = [entry for entry in entries if call.session.wants(entry)]
    if wanted:
        call.session.deliver(Recalled(where.name.shown, _that_fit(wanted)))
    else:
        call.answer(f"Nothing was said in {where} yet.")


def _that_fit(entries: list[Entry]) -> tuple[Entry, ...]:
    """The newest of some entries that may wait for a slow connection."""
    size = 0
    for count, entry in enumerate(reversed(entries)):
        size += len(repr(entry.event).encode())
        if size > PERSONAL_BYTES:
            return tuple(entries[len(entries) - count :])
    return tuple(entries)


COMMANDS = (
    Command(
        "dm",
        "NICK TEXT",
        "say something to one person alone",
        _dm,
        ("msg", "w", "tell", "whisper"),
    ),
    Command("reply", "TEXT", "answer who wrote to you alone last", _reply, ("r",)),
    Command("me", "TEXT", "say what you do: * ada waves", _me, ("action",)),
    Command("bc", "TEXT", "say something in every room you are in, to each person once", _bc),
    Command(
        "history",
        "[N] [ROOM]",
        "what was said before",
        _history,
        more=f"{HISTORY_SHOWN} messages unless you say how many, at most {HISTORY_SHOWN_AT_MOST}.",
    ),
)
