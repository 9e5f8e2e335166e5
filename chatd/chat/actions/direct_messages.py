"""Private messages: from one person to one other, who may be here or come later."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any

from chatd.chat.events import Notice, PrivateMessage, Recipient, Refused
from chatd.chat.model.entities import Person, Session
from chatd.chat.peers import SendDirect
from chatd.chat.records.accounts import Account
from chatd.chat.text.names import fold

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


def send(chat: Chat, session: Session, nick: str, text: str, now: float) -> Awaitable[None] | None:
    """Say something to one person alone; for who has an account it waits until they are here.

    What this returns, if anything, is to be awaited: the answer of the addressee's server.

    :raises Refused: ``nobody``, ``not-reading`` or ``away``.
    """
    person, other = session.person, _addressee(chat, nick)
    if isinstance(other, Account):
        told = leave_for_later(chat, person, other, text, now)
        _echo(session, other.name.shown, text, now)
        session.deliver(Notice(told))
        return None
    person.last_active = now
    answering = chat.peers.request(other, person, SendDirect(now, text))
    if answering is not None:
        return _sent(session, other, text, now, answering)
    receive(chat, person, other, text, now)
    _echo(session, other.nick, text, now)
    _tell_away(session, other)
    return None


async def _sent(
    session: Session, other: Person, text: str, now: float, answering: Awaitable[Mapping[str, Any]]
) -> None:
    """Show a sender what became of a message to a person on another server, once that answers."""
    answer = await answering
    _echo(session, other.nick, text, now)
    if "waits" in answer:
        session.deliver(Notice(answer["waits"]))
    else:
        _tell_away(session, other)


def _echo(session: Session, addressee: str, text: str, now: float) -> None:
    """Show on each screen of somebody what they have said on one."""
    person = session.person
    echo = PrivateMessage(now, person.nick, addressee, text, Recipient.SENDER)
    for each in person.sessions:
        each.deliver(echo)


def _tell_away(session: Session, other: Person) -> None:
    if other.away is not None:
        session.deliver(Notice(f"{other.nick} is away: {other.away or 'no reason given'}"))


def receive(chat: Chat, person: Person, other: Person, text: str, now: float) -> None:
    """Show somebody here what another says to them alone, unless they ignore them.

    :raises Refused: ``not-reading``.
    """
    if person.name.key in other.ignored:
        return
    message = PrivateMessage(now, person.nick, other.nick, text, Recipient.ADDRESSEE)
    reached = sum(each.deliver(message) for each in other.sessions)
    waits = chat.detached.queue(other, message)  # beside a program of theirs, too
    if not (reached or waits):
        raise Refused("not-reading", f"{other.nick} is not reading now; try again later.")
    other.last_correspondent = person


def leave_for_later(chat: Chat, person: Person, account: Account, text: str, now: float) -> str:
    """Let what somebody says to the owner of an account wait; return what they are told of that.

    :raises Refused: ``not-reading``.
    """
    owner = chat.entrance.owner_here(account)  # who has lost their connection
    if owner is None or person.name.key not in owner.ignored:
        chat.offline.add(account, person.nick, text, now)
    return f"{account.name} is not here now, and will be shown it then."


def _addressee(chat: Chat, nick: str) -> Person | Account:
    """Who carries a nick, or else whose it is."""
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
