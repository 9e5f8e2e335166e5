"""Handlers of remote calls: what other servers ask to be done to people on this server.

A call is made on behalf of a person there, whose rights were checked there.
"""

from __future__ import annotations

from typing import Any

from chatd.chat.actions.accounts.sessions import end_sessions_here
from chatd.chat.actions.direct_messages import leave_for_later, receive
from chatd.chat.actions.moderation.operators import rename_here, show_announcement
from chatd.chat.actions.moderation.removal import disconnect, empty_room, kick
from chatd.chat.chat import Chat
from chatd.chat.events import Announced, Invited, Notice, PutOut, Refused
from chatd.chat.model.bans import Ban
from chatd.chat.model.entities import Person
from chatd.chat.peers import (
    Announce,
    CloseRoom,
    Disconnect,
    EndSessions,
    Invite,
    Kick,
    LastActive,
    Notify,
    RemoteCall,
    Rename,
    SendDirect,
    SetRole,
)


def handle(chat: Chat, person: Person, by: Person | None, call: RemoteCall) -> None:
    """Carry out a remote call on a local person."""
    match call:
        case Notify(text=text):
            for session in person.sessions:
                session.deliver(Notice(text))
        case Kick():
            _kick(chat, person, by, call)
        case SetRole():
            _set_role(chat, person, call)
        case Invite() if by is not None and by.name.key not in person.ignored:
            for session in person.sessions:
                session.deliver(Invited(call.time, by.nick, call.room))
        case Disconnect() if by is not None:
            disconnect(chat, person, PutOut(call.time, None, by.nick, call.reason))
        case _:
            pass


def handle_broadcast(chat: Chat, by: Person | None, call: RemoteCall) -> None:
    """Carry out a call that another server has broadcast."""
    match call:
        case Announce(time=time, text=text) if by is not None:
            show_announcement(chat, Announced(time, by.nick, text))
        case CloseRoom() if by is not None:
            room = chat.rooms.get(call.room)
            if room is not None and not room.permanent:
                empty_room(chat, room, by, call.reason, call.time)
        case EndSessions():
            end_sessions_here(chat, call)
        case _:
            pass


async def answer(
    chat: Chat, person: Person, by: Person | None, call: RemoteCall | None
) -> dict[str, Any]:
    """Carry out a remote call on a local person, and return the answer.

    :raises Refused: when it cannot be done; ``not-known`` when the request is not known here.
    """
    match call:
        case SendDirect(time=now, text=text) if by is not None:
            return await _receive(chat, person, by, now, text)
        case Rename(nick=nick, time=now) if by is not None:
            await rename_here(chat, person, by, nick, now)
            return {}
        case LastActive():
            return {"active": person.last_active}
        case _:
            sentence = "The server where they are does not know how to do that."
            raise Refused("not-known", sentence)


async def _receive(chat: Chat, person: Person, by: Person, now: float, text: str) -> dict[str, Any]:
    """Show a direct message, or leave it for an account owner whose connection is lost.

    The owner is shown it when they enter next, on any server.
    """
    account = chat.accounts.get(person.account or "")
    if account is not None and not person.sessions:
        return {"waits": await leave_for_later(chat, by, account, text, now)}
    receive(chat, by, person, text, now)
    return {}


def _kick(chat: Chat, person: Person, by: Person | None, call: Kick) -> None:
    room = chat.rooms.get(call.room)
    if room is not None and person in room.members:
        ban = Ban.decoded(*call.ban) if call.ban is not None else None
        kick(chat, person, room, by, call.reason, call.time, ban)


def _set_role(chat: Chat, person: Person, call: SetRole) -> None:
    room = chat.rooms.get(call.room)
    if room is not None and person in room.members:
        room.members[person].role = call.role
        chat.peers.person_changed(person)
