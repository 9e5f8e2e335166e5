"""Removal: kicks people from rooms and disconnects them; the caller has checked who may."""

from __future__ import annotations

from collections.abc import Collection

from chatd.chat.chat import Chat
from chatd.chat.events import Kicked, PutOut
from chatd.chat.model.bans import Ban, Bans, Identity
from chatd.chat.model.entities import Person, Room, Session
from chatd.chat.peers import CloseRoom, Disconnect, Kick


def kick(
    chat: Chat,
    other: Person,
    room: Room,
    by: Person | None,
    reason: str,
    now: float,
    ban: Ban | None = None,
) -> None:
    """Kick a person from a room, on behalf of ``by``, or of the server if None.

    A person on another server is kicked there: the call is only forwarded.  ``ban`` is the ban that
    caused it, if there is one.
    """
    encoded = (str(ban.target), ban.encoded()) if ban is not None else None
    if chat.peers.forward(other, by, Kick(room.name.key, reason, now, encoded)):
        return
    chat.remove_from_room(other, room)
    had_voice = room.take_voice(other)
    if room.uninvite(other) or had_voice:
        chat.persistent.changed(room, quietly=True)
    by_nick, term = by.nick if by else None, (ban is not None, ban.until if ban else None)
    chat.post(room, Kicked(now, other.nick, by_nick, reason, *term), by or other)
    chat.deliver(other, PutOut(now, room.name.shown, by_nick, reason, *term))
    chat.after_leaving(room, now)


async def close(chat: Chat, room: Room, by: Person, reason: str, now: float) -> int:
    """Close a room for good, on all servers of a cluster, and remove all members.

    Return how many there were.

    :raises Refused: ``not-kept``.
    """
    await chat.records.keep(lambda: chat.persistent.make_temporary(room))
    count = len(room.members)
    chat.peers.broadcast(by, CloseRoom(room.name.key, reason, now))
    empty_room(chat, room, by, reason, now)
    return count


def empty_room(chat: Chat, room: Room, by: Person, reason: str, now: float) -> None:
    """Remove all members from a room that is closed, and tell those on this server.

    Each other server tells its own people.
    """
    for person in tuple(room.members):
        chat.remove_from_room(person, room)
        chat.deliver(person, PutOut(now, room.name.shown, by.nick, reason))
    chat.peers.room_changed(room)
    chat.after_leaving(room, now)


def disconnect(chat: Chat, person: Person, notice: PutOut) -> None:
    """End all connections of a person on this server, and tell them why."""
    sessions = tuple(person.sessions)
    for session in sessions:
        chat.leave(session, notice.reason, notice.time)
    detached = chat.detached.get(person)
    if detached is not None:
        chat.expire(detached, notice.time)
    for session in sessions:
        session.deliver(notice)
        session.client.close()


def put_out(chat: Chat, person: Person, by: Person, ban: Ban, now: float) -> bool:
    """Disconnect a person who was named in a ban from the server, if they are still here.

    They may have another nick by now, and nothing else that it covers.
    """
    if chat.people.get(person.name.key) is not person or person.operator:
        return False
    if not chat.peers.forward(person, by, Disconnect(ban.reason, now)):
        disconnect(chat, person, PutOut(now, None, ban.by, ban.reason, True, ban.until))
    return True


def enforce_server_ban(chat: Chat, ban: Ban, now: float) -> int:
    """Disconnect the people and connections on this server that a ban covers; return how many."""
    return enforce_server_bans(chat, (ban,), now)


def enforce_server_bans(chat: Chat, bans: Collection[Ban], now: float) -> int:
    """Disconnect the people and connections on this server that bans cover; return how many.

    Operators may stay, even when they share a banned address; their other connections from there
    may not.
    """
    made = Bans(len(bans))
    made.believed = chat.believed.at
    for each in bans:
        made.restore(each)
    count = 0
    for person in chat.people.here():
        ban = made.covering(person.identity, now) if not person.operator else None
        if ban is not None:
            disconnect(chat, person, PutOut(now, None, ban.by, ban.reason, True, ban.until))
            count += 1
            continue
        for session in tuple(person.sessions):  # their user may have others
            count += _end_if_banned(chat, session, made, now)
    return count


def _end_if_banned(chat: Chat, session: Session, bans: Bans, now: float) -> bool:
    """End a connection if a ban covers its key or its address; return whether one does."""
    if session.operator:
        return False
    registered = session.person.registered
    identity = Identity(key=session.fingerprint, address=session.address, registered=registered)
    ban = bans.covering(identity, now)
    if ban is None:
        return False
    chat.leave(session, ban.reason, now)
    session.deliver(PutOut(now, None, ban.by, ban.reason, True, ban.until))
    session.client.close()
    return True
