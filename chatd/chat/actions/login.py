"""Logging in: a connection goes on as the owner of an account, and so does making the account."""

from __future__ import annotations

from chatd.chat.actions.removal import kick
from chatd.chat.chat import Chat
from chatd.chat.events import Refused, Role
from chatd.chat.model import rules
from chatd.chat.model.bans import Identity
from chatd.chat.model.entities import Person, Session
from chatd.chat.records.accounts import Account


async def log_in(chat: Chat, session: Session, nick: str, password: str, now: float) -> Account:
    """Let a connection go on as the owner of an account, whose password that is.

    :raises Refused: ``no-change``, ``banned``, ``not-invited`` and as
        `chatd.chat.entry.authentication.Authenticator.prove`.
    :raises LentAway: when the server where the owner is runs the connection.
    """
    check_stranger(session.person)
    account = await chat.authentication.authenticate(
        nick, password, session.address, now, session.person
    )
    owner = account.name.key
    known = Identity(owner, owner, session.fingerprint, session.address)
    chat.access.check(known, now, operator=session.operator)
    if session in session.person.sessions:  # not gone meanwhile
        check_stranger(session.person)
        await _go_on(chat, session, account, now)
    return account


def check_stranger(person: Person) -> None:
    """Whether somebody has no account yet.

    :raises Refused: ``no-change``.
    """
    if person.account is not None:
        raise Refused("no-change", f"You have an account: {person.account}.")


async def _go_on(chat: Chat, session: Session, account: Account, now: float) -> None:
    """Let a connection go on as an owner: as who is here, or as who it was, under that nick."""
    guest = session.person
    claimed, stays_at = False, ""
    if chat.entrance.owner_here(account) is None:
        stays_at = await chat.entrance.fetch_owner(account, session.relay_to)
    if not stays_at and chat.entrance.owner_here(account) is None:
        claimed = await chat.nicks.claim_own(account.name, guest)
    owner = chat.entrance.owner_here(account)  # who may have come while we waited
    gone = session not in guest.sessions
    if claimed and guest.name.key != account.name.key and (gone or owner is not None):
        chat.nicks.release(account.name)
    if gone:
        return
    if owner is not None:
        await _join(chat, session, owner, now)
    else:
        chat.entrance.account_proved(guest, account)
        chat.peers.person_changed(guest)
        if claimed and guest.name != account.name:
            chat.set_nick(guest, account.name, now)
        _take_out_of_banned(chat, guest, now)
        _give_roles(chat, guest, account, now)
        for each in guest.sessions:
            each.preferences = chat.profiles.preferences(account.name.key)
            each.restyle()
    chat.offline.deliver(account.name.key, session)


async def _join(chat: Chat, session: Session, owner: Person, now: float) -> None:
    """Let a connection be one more of an owner who is here, or the one that they lost."""
    place = chat.detached.reclaim(owner) if session.listens else None
    chat.become(session, owner, now, listens=place is None)
    if place is not None:
        await chat.detached.resume(session, place)


def _take_out_of_banned(chat: Chat, person: Person, now: float) -> None:
    """Where an owner is banned they are not in the room, though as a guest they were."""
    for room in tuple(person.rooms.values()):
        ban = rules.ban_of(room, person, now)
        if ban is not None:
            kick(chat, person, room, None, ban.reason, now, ban)


def _give_roles(chat: Chat, person: Person, account: Account, now: float) -> None:
    """What an owner is in rooms that last, they are in those where they were a guest as well."""
    for room in person.rooms.values():
        role = room.roles.get(account.name.key, Role.MEMBER)
        member = room.members[person]
        if role is not Role.MEMBER and member.role is not role:
            chat.give_role(person, room, role, None, now)


async def register(chat: Chat, session: Session, password: str, now: float) -> Account:
    """Make the nick of somebody their own, by their ssh key, by a password, or by both.

    :raises Refused: ``no-key`` and as `chatd.chat.entry.entrance.Entrance.register` and
        `chatd.chat.entry.authentication.Authenticator.hash`.
    """
    person = session.person
    chat.entrance.check_register(person)
    kept = ""
    if password:
        kept = await chat.authentication.hash(password, person.nick, session.address, now)
    elif session.fingerprint is None:
        raise Refused(
            "no-key", "Choose a password, or come with an ssh key: one of them proves it."
        )
    account = await chat.entrance.register(person, session.fingerprint, now, password=kept)
    chat.authentication.owner_logged_in(account.name.key, session.address)
    chat.peers.person_changed(person)
    for room in person.rooms.values():  # a guest may moderate one that lasts
        if room.members[person].role is Role.MODERATOR:
            chat.persistent.give_role(room, person, Role.MODERATOR)
    return account
