"""Commands that show or search the history of rooms."""

from __future__ import annotations

from chatd.chat.chat import Chat
from chatd.chat.commands.command import ArgumentKind, Call, Command, need
from chatd.chat.delivery.history import newest_that_fit
from chatd.chat.events import Found, Recalled
from chatd.chat.limits import HISTORY_PAGED, HISTORY_SHOWN, HISTORY_SHOWN_AT_MOST
from chatd.chat.model import rules
from chatd.chat.model.entities import Actor, Room
from chatd.chat.text.query import EVERYWHERE, read_page, read_query


async def _history(call: Call) -> None:
    count, page, room, numbered = HISTORY_SHOWN, 1, "", False
    for word in call.words.split():
        if word.isascii() and word.isdigit():
            count = max(1, min(int(word[:9]), HISTORY_SHOWN_AT_MOST))
        elif word.startswith("page:"):
            page = read_page(word.removeprefix("page:"), HISTORY_PAGED // HISTORY_SHOWN_AT_MOST)
        elif word == "#":
            numbered = True
        else:
            room = word
    where = call.room(room)
    rules.check_membership(where, call.person)
    last = await call.chat.history.last(where, count + 1, count * (page - 1))
    shown, more = last[-count:], len(last) > count
    fitting = newest_that_fit([entry for entry in shown if call.session.wants(entry)])
    if fitting:
        recalled = Recalled(where.name.shown, fitting, page=page, more=more, numbered=numbered)
        call.session.deliver(recalled)
    elif page > 1:
        call.answer(f"Nothing was said in {where} before that.")
    else:
        call.answer(f"Nothing was said in {where} yet.")


async def _search(call: Call) -> None:
    words = need(call, call.words, _SEARCH.arguments)
    query = read_query(words, call.session.preferences.timezone)
    if query.room == EVERYWHERE:
        rooms = readable(call.chat, call.session, call.now)
    else:
        where = call.room(query.room)
        if call.person not in where.members:
            rules.check_entry(where, call.session, call.now)
        rooms = [where]
    entries, more = await call.chat.history.search(rooms, query.search, query.page, call.person)
    wanted = newest_that_fit([entry for entry in entries if call.session.wants(entry)])
    if wanted or more:
        call.session.deliver(Found(wanted, query.page, more))
    else:
        call.answer("Nothing was found." if query.page == 1 else "Nothing more was found.")


def readable(chat: Chat, actor: Actor, now: float) -> list[Room]:
    """Return the rooms whose history somebody may read."""
    return [
        room
        for room in chat.rooms.values()
        if actor.person in room.members or actor.operator or _is_public(room, actor, now)
    ]


def _is_public(room: Room, actor: Actor, now: float) -> bool:
    return not room.is_guarded and rules.is_open_to(room, actor, now)


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
        more=f"{HISTORY_SHOWN} messages unless you say how many, at most {HISTORY_SHOWN_AT_MOST};"
        " page:2 shows those before them; with # the number of each.",
        argument_kinds=(ArgumentKind.OWN_ROOM, ArgumentKind.OWN_ROOM),
    ),
    _SEARCH,
)
