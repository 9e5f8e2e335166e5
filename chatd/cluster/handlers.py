"""Errands: what another server asks to be done here, to somebody or to everybody.

It is asked in the name of somebody there; whether they may was looked at there.  An errand that is
not known here is of a newer server, and left, and so are values that are more than is known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatd.chat.actions.direct_messages import leave_for_later, receive
from chatd.chat.actions.removal import disconnect, empty_room, kick
from chatd.chat.events import Announced, Invited, Notice, PutOut, Refused
from chatd.chat.model.bans import Ban
from chatd.chat.model.entities import Person
from chatd.chat.peers import Errand
from chatd.cluster.replication.room_state import role_of

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


def handle(chat: Chat, person: Person, by: Person | None, errand: str, values: list[Any]) -> None:
    """Do an errand to somebody who is here."""
    if errand in _IN_A_NAME and by is not None:
        _IN_A_NAME[errand](chat, person, by, *values)
    elif errand in _IN_ANY:
        _IN_ANY[errand](chat, person, by, *values)


def handle_broadcast(chat: Chat, by: Person | None, errand: str, values: list[Any]) -> None:
    """Do an errand to everybody who is here."""
    if errand == Errand.ANNOUNCE and by is not None:
        now, text, *_ = values
        announce(chat, Announced(now, by.nick, text))
    elif errand == Errand.CLOSE and by is not None:
        key, why, now, *_ = values
        room = chat.rooms.get(key)
        if room is not None and not room.permanent:
            empty_room(chat, room, by, why, now)


async def answer(
    chat: Chat, person: Person, by: Person | None, errand: str, values: list[Any]
) -> dict[str, Any]:
    """Do an errand to somebody who is here, and say what came of it.

    :raises Refused: when it cannot be done.
    """
    if errand == Errand.WHISPER and by is not None:
        now, text, *_ = values
        return _whisper(chat, person, by, now, text)
    if errand == Errand.RENAME and by is not None:
        new, now, *_ = values
        await chat.rename(person, new, now)
        chat.tell(person, Notice(f"{by.nick} gave you that nick."))
    elif errand == Errand.SEEN:
        return {"active": person.last_active}
    else:
        raise Refused("not-known", "The server where they are does not know how to do that.")
    return {}


def announce(chat: Chat, announced: Announced) -> None:
    """Tell everyone who is here something."""
    for person in chat.people.here():
        chat.tell(person, announced)


def _whisper(chat: Chat, person: Person, by: Person, now: float, text: str) -> dict[str, Any]:
    """Who has an account, and has lost their connection, is shown it when they come, anywhere."""
    account = chat.accounts.get(person.account or "")
    if account is not None and not person.sessions:
        return {"waits": leave_for_later(chat, by, account, text, now)}
    receive(chat, by, person, text, now)
    return {}


def _kick(
    chat: Chat,
    person: Person,
    by: Person | None,
    key: str,
    why: str,
    now: float,
    ban: tuple[str, str] | None,
    *_: Any,
) -> None:
    room = chat.rooms.get(key)
    if room is not None and person in room.members:
        kick(chat, person, room, by, why, now, Ban.decoded(*ban) if ban else None)


def _role(chat: Chat, person: Person, by: Person | None, key: str, role: str, *_: Any) -> None:
    room = chat.rooms.get(key)
    if room is not None and person in room.members:
        room.members[person].role = role_of(role)
        chat.elsewhere.touched(None, person)


def _invite(chat: Chat, person: Person, by: Person, now: float, shown: str, *_: Any) -> None:
    if by.name.key not in person.ignored:
        for session in person.sessions:
            session.deliver(Invited(now, by.nick, shown))


def _notice(chat: Chat, person: Person, by: Person | None, text: str, *_: Any) -> None:
    for session in person.sessions:
        session.deliver(Notice(text))


def _disconnect(chat: Chat, person: Person, by: Person, why: str, now: float, *_: Any) -> None:
    disconnect(chat, person, PutOut(now, None, by.nick, why))


_IN_ANY: dict[str, Callable[..., None]] = {
    Errand.NOTICE: _notice,
    Errand.KICK: _kick,
    Errand.ROLE: _role,
}
_IN_A_NAME: dict[str, Callable[..., None]] = {
    Errand.INVITE: _invite,
    Errand.DISCONNECT: _disconnect,
}
