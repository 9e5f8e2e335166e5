"""Direct messages: from one person to another, now or when the addressee is here again."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any

from chatd.chat.chat import Chat
from chatd.chat.events import Notice, PrivateMessage, Recipient, Refused
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Session
from chatd.chat.peers import SendDirect
from chatd.chat.records.accounts import Account
from chatd.chat.text.names import fold


def send(chat: Chat, session: Session, nick: str, text: str, now: float) -> Awaitable[None] | None:
    """Send a message to the person with a nick, or leave it for the owner of an account.

    Return None, or an awaitable for the store or for the answer of the addressee's server.

    :raises Refused: ``nobody``, ``not-reading``, ``not-kept``, ``invisible`` or ``away``.
    """
    rules.check_visible(text)
    person, other = session.person, _find_addressee(chat, nick)
    chat.accounts.note_use(person.account, now)
    if isinstance(other, Account):
        return _send_later(chat, session, other, text, now)
    person.last_active = now
    answering = chat.peers.request(other, person, SendDirect(now, text))
    if answering is not None:
        return _finish_sending(session, other, text, now, answering)
    receive(chat, person, other, text, now)
    _show_sent(session, other.nick, text, now)
    _show_away(session, other)
    return None


async def _send_later(
    chat: Chat, session: Session, account: Account, text: str, now: float
) -> None:
    """Leave a message for the owner of an account, and show it to its sender."""
    notice = await leave_for_later(chat, session.person, account, text, now)
    _show_sent(session, account.name.shown, text, now)
    session.deliver(Notice(notice))


async def _finish_sending(
    session: Session, other: Person, text: str, now: float, answering: Awaitable[Mapping[str, Any]]
) -> None:
    """Show the sender a message to a person on another server, once that server has answered."""
    answer = await answering
    _show_sent(session, other.nick, text, now)
    if "waits" in answer:
        session.deliver(Notice(answer["waits"]))
    else:
        _show_away(session, other)


def _show_sent(session: Session, addressee: str, text: str, now: float) -> None:
    """Show a message that was sent to each session of its sender."""
    person = session.person
    sent = PrivateMessage(now, person.nick, addressee, text, Recipient.SENDER)
    for each in person.sessions:
        each.deliver(sent)


def _show_away(session: Session, other: Person) -> None:
    """Tell the sender that the addressee is away, if they are."""
    if other.away is not None:
        session.deliver(Notice(f"{other.nick} is away: {other.away or 'no reason given'}"))


def receive(chat: Chat, person: Person, other: Person, text: str, now: float) -> None:
    """Show a person on this server a message from another, unless they ignore the sender.

    :raises Refused: ``not-reading``.
    """
    if person.name.key in other.ignored:
        return
    message = PrivateMessage(now, person.nick, other.nick, text, Recipient.ADDRESSEE)
    reached = sum(each.deliver(message) for each in other.sessions)
    queued = chat.detached.queue(other, message)  # even when a program of theirs was reached
    if not (reached or queued):
        raise Refused("not-reading", f"{other.nick} is not reading now; try again later.")
    other.last_correspondent = person


async def leave_for_later(
    chat: Chat, person: Person, account: Account, text: str, now: float
) -> str:
    """Store a message until the owner of an account enters; return a notice for its sender.

    :raises Refused: ``not-reading``, ``too-many`` or ``not-kept``.
    """
    owner = chat.entrance.owner_here(account)  # here without a connection, or not at all
    if owner is None or person.name.key not in owner.ignored:
        await chat.records.keep(lambda: chat.offline.add(account, person, text, now))
        owner = chat.entrance.owner_here(account)  # they may have come while the store wrote it
        for session in owner.sessions if owner is not None else ():
            chat.offline.deliver(account.name.key, session)
    return f"{account.name} is not here now, and will be shown it then."


def _find_addressee(chat: Chat, nick: str) -> Person | Account:
    """Return the person who can be sent a message under a nick, else the account that owns it.

    The account is returned for an owner who is not here, or has lost their connection.  An owner
    with another nick is found by the name of the account as well.

    :raises Refused: ``nobody``.
    """
    person = chat.people.find(nick)
    account = chat.accounts.get(person.account or "" if person else fold(nick))
    if account is None or (
        person is not None and (person.sessions or chat.peers.is_remote(person))
    ):
        return chat.find_person(nick)
    owner = chat.entrance.owner_here(account)
    if owner is not None and owner.sessions:
        return owner
    return chat.peers.owner(account.name.key) or account
