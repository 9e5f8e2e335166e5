"""Login and registration: proving an account by its password, and creating one."""

from __future__ import annotations

from chatd.chat.actions.moderation.removal import kick
from chatd.chat.chat import Chat
from chatd.chat.entry.authentication import is_proved_as
from chatd.chat.events import Notice, Refused, Role
from chatd.chat.model import rules
from chatd.chat.model.bans import Identity
from chatd.chat.model.entities import Outsider, Person, Session
from chatd.chat.records.accounts import Account


async def log_in(chat: Chat, session: Session, nick: str, password: str, now: float) -> Account:
    """Make a session the account owner's, if the password is right.

    :raises Refused: ``no-change``, ``banned``, ``not-invited`` and as
        `chatd.chat.entry.authentication.Authenticator.authenticate`.
    :raises Relayed: when the owner's server runs the connection from now on.
    """
    check_no_account(session.person)
    account = await chat.authentication.authenticate(
        nick, password, session.address, now, session.person, session.way
    )
    check_access(chat, session, account, now)
    if session in session.person.sessions:  # the connection was not lost meanwhile
        check_no_account(session.person)
        await become_owner(chat, session, account, now, by_password=True)
        chat.accounts.note_use(account.name.key, now)
        if account.password_until is not None:
            text = "An operator has set that password: choose your own with /password."
            session.deliver(Notice(text))
        end_if_outdated(chat, session, account, now)
    return account


def check_access(chat: Chat, session: Session, account: Account, now: float) -> None:
    """Check that a session may become that of an account's owner.

    :raises Refused: ``banned`` or ``not-invited``.
    """
    owner = account.name.key
    identity = Identity(owner, owner, session.fingerprint, session.address, account.created)
    chat.access.check(identity, now, operator=session.operator)


def end_if_outdated(chat: Chat, session: Session, account: Account, now: float) -> None:
    """End a session whose password is an old one by now.

    While servers and the store were awaited, the owner may have set another, and ended all the
    sessions that there were.

    :param account: The account as it was when the password was checked.
    """
    if not is_proved_as(chat.accounts.get(account.name.key), account):
        chat.leave(session, "", now)
        session.deliver(Notice("That password is an old one; this connection ends."))
        session.client.close()


def check_no_account(person: Person) -> None:
    """Check that a person has no account.

    :raises Refused: ``no-change``.
    """
    if person.account is not None:
        raise Refused("no-change", f"You have an account: {person.account}.")


async def become_owner(
    chat: Chat, session: Session, account: Account, now: float, *, by_password: bool = False
) -> None:
    """Make a session the owner's: add it to an owner who is here, or make its guest the owner.

    The guest then takes the nick of the account.  While peers and the store are awaited, the owner
    may enter by another connection, or this one may be lost: both are checked again afterwards.

    :raises Relayed: when the owner's server runs the connection from now on.
    """
    guest = session.person
    claimed, stays_at = False, ""
    if chat.entrance.owner_here(account) is None:
        stays_at = await chat.entrance.fetch_owner(account, session.relay_to)
    if not stays_at and chat.entrance.owner_here(account) is None:
        claimed = await chat.nicks.claim_own(account.name, guest)
    owner = chat.entrance.owner_here(account)
    gone = session not in guest.sessions
    if claimed and guest.name.key != account.name.key and (gone or owner is not None):
        chat.nicks.release(account.name)
    if gone:
        return
    session.by_password = by_password
    if owner is not None:
        await _join_owner(chat, session, owner, now)
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
    chat.authentication.owner_logged_in(account.name.key, session.address)
    if session.listens:
        chat.owner_logged_in(session, account.name.key, now)


async def _join_owner(chat: Chat, session: Session, owner: Person, now: float) -> None:
    """Add a session to an owner who is here, or let it resume the one that they have lost."""
    detached = chat.detached.reclaim(owner) if session.listens else None
    chat.become(session, owner, now, listens=detached is None)
    if detached is not None:
        await chat.detached.resume(session, detached)


def _take_out_of_banned(chat: Chat, person: Person, now: float) -> None:
    """Remove a new owner from rooms from which the account is banned, though the guest was not."""
    for room in tuple(person.rooms.values()):
        ban = rules.ban_of(room, Outsider(person, person.operator), now)
        if ban is not None:
            kick(chat, person, room, None, ban.reason, now, ban)


def _give_roles(chat: Chat, person: Person, account: Account, now: float) -> None:
    """Give a new owner the roles of the account in the persistent rooms where the guest was."""
    for room in person.rooms.values():
        role = room.roles.get(account.name.key, Role.MEMBER)
        member = room.members[person]
        if role is not Role.MEMBER and member.role is not role:
            chat.give_role(person, room, role, None, now)


async def register(chat: Chat, session: Session, password: str, now: float) -> Account:
    """Register the nick of a person as their account, proved by ssh key, password or both.

    :raises Refused: ``no-key``, ``too-fast``, ``cancelled`` and as
        `chatd.chat.entry.entrance.Entrance.register` and
        `chatd.chat.entry.authentication.Authenticator.hash`.
    """
    person = session.person
    chat.entrance.check_register(person)
    password_hash = ""
    if password:
        password_hash = await chat.authentication.hash(password, person.nick, session.address, now)
    elif session.fingerprint is None:
        raise Refused(
            "no-key", "Choose a password, or come with an ssh key: one of them proves it."
        )
    if session not in person.sessions:  # they have left meanwhile, and another may have the nick
        raise Refused("cancelled", "This connection has ended, so nothing has changed.")
    if not session.operator:
        chat.authentication.check_registration(session.address, now)
    account = await chat.entrance.register(person, session.fingerprint, now, password=password_hash)
    session.by_password = session.fingerprint is None
    chat.authentication.owner_logged_in(account.name.key, session.address)
    chat.owner_logged_in(session, account.name.key, now)
    chat.peers.person_changed(person)
    for room in person.rooms.values():  # a guest may have been made moderator of a persistent one
        if room.members[person].role is Role.MODERATOR:
            chat.persistent.give_role(room, account.name.key, Role.MODERATOR, quietly=True)
    return account
