"""Commands that show what was said before."""

from __future__ import annotations

from chatd.chat.chat import Chat
from chatd.chat.commands.command import Call, Command, Takes, need
from chatd.chat.events import Entry, Found, Recalled
from chatd.chat.limits import HISTORY_SHOWN, HISTORY_SHOWN_AT_MOST, PERSONAL_BYTES
from chatd.chat.people import Person
from chatd.chat.room import Room
from chatd.chat.search import EVERYWHERE, read_query


async def _history(call: Call) -> None:
    count, room = HISTORY_SHOWN, ""
    for word in call.words.split():
        if word.isascii() and word.isdigit():
            count = max(1, min(int(word[:9]), HISTORY_SHOWN_AT_MOST))
        else:
            room = word
    where = call.room(room)
    where.check_membership(call.person)
    entries = await call.chat.archive.last(where, count)
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


async def _search(call: Call) -> None:
    words = need(call, call.words, _SEARCH.arguments)
    query = read_query(words, call.session.preferences.timezone)
    if query.room == EVERYWHERE:
        rooms = readable(call.chat, call.person)
    else:
        where = call.room(query.room)
        where.check_entry(call.person)
        rooms = [where]
    entries, more = await call.chat.archive.search(rooms, query.search, query.page)
    wanted = _that_fit([entry for entry in entries if call.session.wants(entry)])
    if wanted or more:
        call.session.deliver(Found(wanted, query.page, more))
    else:
        call.answer("Nothing was found." if query.page == 1 else "Nothing more was found.")


def readable(chat: Chat, person: Person) -> list[Room]:
    """Every room in which somebody may read what was said."""
    return [
        room
        for room in chat.rooms.values()
        if person in room.members or person.operator or not room.settings.private
    ]


_SEARCH = Command(
    "search",
    "WORDS",
    "find what was said, newest page first",
    _search,
    ("find",),
    more="in:ROOM (in:* is every room), from:NICK, since:2030-12-31, until:2030-12-31, page:2; "
    '"words in quotes" follow each other.',
)

COMMANDS = (
    Command(
        "history",
        "[N] [ROOM]",
        "what was said before",
        _history,
        more=f"{HISTORY_SHOWN} messages unless you say how many, at most {HISTORY_SHOWN_AT_MOST}.",
        takes=(Takes.OWN_ROOM, Takes.OWN_ROOM),
    ),
    _SEARCH,
)
