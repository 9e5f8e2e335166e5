"""Returning: what becomes of somebody whose connection is lost, and how they take their place back.

The places themselves are in `chatd.chat.entry.detached`; who comes back by a key is let in by
`chatd.chat.entry.entrance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.chat.entry.detached import DetachedSession
from chatd.chat.events import Notice, Refused
from chatd.chat.model.entities import Session
from chatd.chat.peers import Proof

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


def connection_lost(chat: Chat, session: Session, now: float) -> DetachedSession | None:
    """A connection is lost: who can prove that it was theirs keeps their place, and returns it.

    Whoever else had it leaves.  It is for who calls this to `Chat.expire` the place in time.
    """
    person, places = session.person, chat.detached
    if session not in person.sessions:
        return None
    others = any(other.listens for other in person.sessions if other is not session)
    if others or not places.is_resumable(person):
        chat.leave(session, "", now)
        return None
    gives_way = places.add(session)
    session.detach()
    chat.peers.person_changed(person)
    for place in gives_way:
        chat.expire(place, now)
    return places.get(person)


async def resume(chat: Chat, session: Session, token: str, now: float) -> None:
    """Let a connection have the place that a token proves, whether its own is lost or not.

    :raises Refused: ``no-place`` or ``no-change``.
    """
    if chat.detached.person_of_token(token) is None:
        await chat.peers.fetch(Proof(token=token))
    person = chat.detached.person_of_token(token)
    if person is None:
        raise Refused("no-place", "There is no place with that token any more.")
    if person is session.person:
        raise Refused("no-change", "That is your own place, and you are in it.")
    place = chat.detached.take(person) or DetachedSession(person, {})
    for old in tuple(person.sessions):
        old.deliver(Notice("Another connection has taken your place."))
        old.detach()
        old.client.close()
    chat.become(session, person, now, listens=False)
    await chat.detached.resume(session, place)
