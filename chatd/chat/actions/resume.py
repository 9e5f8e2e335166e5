"""Resume: detaches a session when its connection is lost, and resumes it by a token.

Detached sessions are in `chatd.chat.entry.detached`; a user who connects with an ssh key resumes
through `chatd.chat.entry.entrance`.
"""

from __future__ import annotations

from chatd.chat.chat import Chat
from chatd.chat.entry.detached import DetachedSession
from chatd.chat.events import Notice, Refused
from chatd.chat.model.entities import Session
from chatd.chat.peers import Proof


def connection_lost(chat: Chat, session: Session, now: float) -> DetachedSession | None:
    """Detach a session whose connection is lost; return the detached session.

    The caller has to let it expire in time (`chatd.chat.chat.Chat.expire`).  Return None when the
    session has left instead: if its person could not prove later that it is theirs, or has another
    connection.
    """
    person, detached = session.person, chat.detached
    if session not in person.sessions:
        return None
    others = any(other.listens for other in person.sessions if other is not session)
    if others or not detached.is_resumable(person):
        chat.leave(session, "", now)
        return None
    excess = detached.add(session)
    session.detach()
    chat.peers.person_changed(person)
    for each in excess:
        chat.expire(each, now)
    return detached.get(person)


async def resume(chat: Chat, session: Session, token: str, now: float) -> None:
    """Resume the session that a token is for; a connection that it still has is closed.

    :raises Refused: ``no-place`` or ``no-change``.
    """
    if chat.detached.person_of_token(token) is None:
        await chat.peers.fetch(Proof(token=token))
    person = chat.detached.person_of_token(token)
    if person is None:
        raise Refused("no-place", "There is no place with that token any more.")
    if person is session.person:
        raise Refused("no-change", "That is your own place, and you are in it.")
    detached = chat.detached.take(person) or DetachedSession(person, {})
    for old in tuple(person.sessions):
        old.deliver(Notice("Another connection has taken your place."))
        old.detach()
        old.client.close()
    chat.become(session, person, now, listens=False)
    await chat.detached.resume(session, detached)
