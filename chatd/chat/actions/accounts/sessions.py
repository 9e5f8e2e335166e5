"""Sessions of an account: where its owner is connected, and ending connections.

Commands that read, such as ``ssh host tail``, are people beside the owner, perhaps on other
servers of a cluster; they count as connections, too.  Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator

from chatd.chat.chat import Chat
from chatd.chat.entry.owner_notices import described_origin, moment
from chatd.chat.events import Notice, Refused
from chatd.chat.limits import LISTED
from chatd.chat.model.entities import Person, Session
from chatd.chat.peers import PASSWORD, Disconnect, EndSessions, Notify
from chatd.chat.text.names import fold
from chatd.chat.text.sanitizing import cut


def origin_of(session: Session) -> str:
    """Say by which proof and from where a session came."""
    fingerprint = None if session.by_password else session.fingerprint
    if fingerprint is None and not session.by_password:
        return f"without a key, from {session.address or 'this machine'}"
    return described_origin(fingerprint, session.address)


def tell_owner(chat: Chat, account: str, text: str, *, except_to: Session | None = None) -> None:
    """Show a notice on every screen of an account's owner, on any server."""
    found = chat.accounts.get(account)
    here = chat.entrance.owner_here(found) if found is not None else None
    if here is not None:
        for session in here.sessions:
            if session is not except_to:
                session.deliver(Notice(text))
        chat.detached.queue(here, Notice(text))
    there = chat.peers.owner(account)
    if there is not None:
        chat.peers.forward(there, None, Notify(text))


# Listing ------------------------------------------------------------------------------------------


def listed(chat: Chat, session: Session) -> list[str]:
    """Return a row for each connection of a session's user: since when, by what, from where."""
    rows = []
    for each in session.person.sessions:
        one = "this one, " if each is session else "only posting, " if not each.listens else ""
        since = moment(session, each.since)
        rows.append(f"{each.number}. {one}since {since}, {origin_of(each)}")
    for other in _others_of(chat, session.person):
        where = "on another server" if other.account is not None else "a command beside you"
        origin = described_origin(other.fingerprint, other.address)
        rows.append(f"{other.nick}: {where}, since {moment(session, other.since)}, {origin}")
    return rows if len(rows) <= LISTED else [*rows[:LISTED], f"… and {len(rows) - LISTED} more"]


def _others_of(chat: Chat, person: Person) -> Iterator[Person]:
    """Return the other people with the same account: commands, and itself on a server apart."""
    if person.account is not None:
        for other in chat.people.everyone():
            if other is not person and other.effective_account == person.account:
                yield other


# Ending -------------------------------------------------------------------------------------------


def end_session(chat: Chat, session: Session, sentence: str, now: float) -> None:
    """End one session on this server, with a sentence."""
    chat.leave(session, "", now)
    session.deliver(Notice(sentence))
    session.client.close()


def end_sessions_here(chat: Chat, call: EndSessions, spare: Session | None = None) -> int:
    """End the sessions on this server that a call is for; return how many there were."""
    ended = [
        session
        for person in chat.people.here()
        if person.effective_account == call.account
        for session in person.sessions
        if session is not spare and _used(session, call.proof)
    ]
    for session in ended:
        end_session(chat, session, call.sentence, call.time)
    return len(ended)


def _used(session: Session, proof: str) -> bool:
    """Whether a session used a proof, or any; one that came with a key counts as having used it."""
    if proof in ("", PASSWORD):
        return not proof or session.by_password
    return session.fingerprint == proof


def end_sessions(chat: Chat, by: Person, call: EndSessions, spare: Session | None = None) -> int:
    """End sessions of an account on all servers, on behalf of ``by``; return how many were here.

    :param spare: The session that is not ended.
    """
    chat.peers.broadcast(by, call)
    return end_sessions_here(chat, call, spare)


def end_others(chat: Chat, session: Session, now: float) -> int:
    """End all connections of a session's user but this one; return how many there were."""
    person, sentence = (
        session.person,
        f"Another connection of yours, {origin_of(session)}, has ended this one.",
    )
    if person.account is None:
        others = [each for each in person.sessions if each is not session]
        for each in others:
            end_session(chat, each, sentence, now)
        return len(others)
    elsewhere = sum(map(chat.peers.is_remote, _others_of(chat, person)))
    call = EndSessions(person.account, "", sentence, now)
    return end_sessions(chat, person, call, session) + elsewhere


def end_named(chat: Chat, session: Session, name: str, now: float) -> None:
    """End the connection with a number, or a command beside the user by its nick.

    :raises Refused: ``no-such-session``, ``yourself``.
    """
    sentence = f"Another connection of yours, {origin_of(session)}, has ended this one."
    for each in session.person.sessions:
        if name.isascii() and name.isdigit() and each.number == int(name[:9]):
            if each is session:
                raise Refused("yourself", "That is this connection; /quit ends it.")
            end_session(chat, each, sentence, now)
            return
    for other in _others_of(chat, session.person):
        if other.name.key == fold(name):
            if not chat.peers.forward(other, session.person, Disconnect(sentence, now)):
                for each in tuple(other.sessions):
                    end_session(chat, each, sentence, now)
            return
    raise Refused(
        "no-such-session", f"You have no connection {cut(name, 40)}; /sessions lists them."
    )
