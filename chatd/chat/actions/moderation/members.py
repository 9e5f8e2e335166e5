"""Actions on the members of a room by moderators and owners: kicks, roles and invitations.

A moderator must outrank the member they act on; an operator outranks everyone, in every room.
Bans and mutes are in `chatd.chat.actions.moderation.banning`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from chatd.chat.actions.moderation import removal
from chatd.chat.chat import Chat
from chatd.chat.events import Invited, Refused, Role, RoomSet
from chatd.chat.limits import NICK_LENGTH
from chatd.chat.model import rules
from chatd.chat.model.entities import Actor, Person, Room
from chatd.chat.model.rules import outranks
from chatd.chat.peers import Invite
from chatd.chat.text.names import fold
from chatd.chat.text.sanitizing import cut


async def kick(chat: Chat, by: Actor, room: Room, nick: str, reason: str, now: float) -> None:
    """Kick a member from a room, and take back the invitation of their account.

    :raises Refused: ``not-moderator``, ``nobody``, ``not-in-room``, ``outranked``, ``yourself``,
        ``invisible``, ``not-kept``.
    """
    other = member_to_act_on(chat, by, room, nick, Role.MODERATOR)
    shown = rules.reason(reason)
    if other.account in room.invited_accounts:
        await chat.records.keep(lambda: _drop_invitation(chat, room, other.account))
    if other not in room.members:  # they have left meanwhile
        raise _not_in_room(other, room)
    chat.audit.add(now, by.person, "kick", other.nick, room=room, reason=reason)
    removal.kick(chat, other, room, by.person, shown, now)


async def give_role(chat: Chat, by: Actor, room: Room, nick: str, role: Role, now: float) -> None:
    """Make a member a moderator, or a moderator a member again; the owner stays the owner.

    :raises Refused: ``not-owner``, ``nobody``, ``not-in-room``, ``outranked``, ``no-change``,
        ``not-kept``.
    """
    other = member_to_act_on(chat, by, room, nick, Role.OWNER)
    member = room.members[other]
    if member.role is Role.OWNER:
        raise Refused("outranked", f"{other.nick} is the owner of {room}, and remains it.")
    if member.role is role:
        raise Refused("no-change", f"{other.nick} is a {role.value} of {room} already.")
    await chat.records.keep(lambda: chat.persistent.give_role(room, other.account, role))
    command = "op" if role is Role.MODERATOR else "deop"
    chat.audit.add(now, by.person, command, other.nick, room=room)
    if other in room.members:  # else they have left meanwhile
        chat.give_role(other, room, role, by.person, now)


async def give_voice(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> None:
    """Let a member speak where only some may (``/room speak``).

    :raises Refused: as `member_to_act_on`, ``no-change`` and ``not-kept``.
    """
    other = member_to_act_on(chat, by, room, nick, Role.MODERATOR)
    if room.has_voice(other):
        raise Refused("no-change", f"{other.nick} has a voice in {room} already.")
    await chat.records.keep(lambda: _change_voice(chat, room, partial(room.give_voice, other)))
    _voice_changed(chat, by, room, other.nick, now, has_voice=True)


async def take_voice(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> None:
    """Take away the voice of a member, or of an account whose owner is not here.

    :raises Refused: as `member_to_act_on`, ``no-change`` and ``not-kept``.
    """
    rules.check_membership(room, by.person)
    rules.check_role(room, by, Role.MODERATOR)
    account = f"account:{fold(nick)}"
    if account in room.voices and chat.people.find(nick) is None:
        shown = cut(nick, NICK_LENGTH)
        take: Callable[[], object] = partial(room.voices.pop, account)
    else:
        other = member_to_act_on(chat, by, room, nick, Role.MODERATOR)
        shown, take = other.nick, partial(room.take_voice, other)
        if not room.has_voice(other):
            raise Refused("no-change", f"{shown} has no voice in {room}.")
    await chat.records.keep(lambda: _change_voice(chat, room, take))
    _voice_changed(chat, by, room, shown, now, has_voice=False)


def _change_voice(chat: Chat, room: Room, change: Callable[[], object]) -> None:
    """Change the voices of a room, as part of a change of records: those of accounts are kept."""
    change()
    chat.persistent.changed(room)


def _voice_changed(
    chat: Chat, by: Actor, room: Room, nick: str, now: float, *, has_voice: bool
) -> None:
    person, value = by.person, f"{nick} {'on' if has_voice else 'off'}"
    chat.audit.add(now, person, "voice" if has_voice else "devoice", nick, room=room)
    chat.post(room, RoomSet(now, person.nick, "voice", value), person)


def member_to_act_on(chat: Chat, by: Actor, room: Room, nick: str, least: Role) -> Person:
    """Return the member with a nick, after checking that ``by`` may act on them.

    ``least`` is the role required for that.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``not-owner``, ``nobody``, ``yourself``,
        ``outranked``.
    """
    rules.check_membership(room, by.person)
    rules.check_role(room, by, least)
    other = chat.find_person(nick)
    if other is by.person:
        raise Refused("yourself", "You cannot do that to yourself.")
    if other not in room.members:
        raise _not_in_room(other, room)
    if not outranks(room.role_by(by), room.role_of(other)):
        role = role_phrase(room.role_of(other))
        raise Refused("outranked", f"{other.nick} is {role} of {room}; that is not yours to do.")
    return other


def _not_in_room(person: Person, room: Room) -> Refused:
    return Refused("not-in-room", f"{person.nick} is not in {room}.")


def _add_invitation(chat: Chat, room: Room, person: Person) -> None:
    """Invite a person, as part of a change of records: the invitation of an account is kept."""
    room.invite(person)
    chat.persistent.changed(room)


def _drop_invitation(chat: Chat, room: Room, account: str | None) -> None:
    """Take back the invitation of an account, as part of a change of records."""
    room.invited_accounts.pop(account or "", None)
    chat.persistent.changed(room)


def role_phrase(role: Role) -> str:
    """Return a role with its article, for a sentence."""
    return {Role.OWNER: "the owner", Role.OPERATOR: "an operator"}.get(role, f"a {role.value}")


async def invite(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> Person:
    """Invite the person with a nick into a room, and tell them; return them.

    :raises Refused: ``not-in-room``, ``nobody``, ``no-change``; for a room that is private or has a
        key ``not-moderator`` and ``not-kept`` as well.
    """
    rules.check_membership(room, by.person)
    if room.is_guarded:
        rules.check_role(room, by, Role.MODERATOR)
    other = chat.find_person(nick)
    if other in room.members:
        raise Refused("no-change", f"{other.nick} is in {room} already.")
    if room.is_guarded:
        await chat.records.keep(lambda: _add_invitation(chat, room, other))
        chat.audit.add(now, by.person, "invite", other.nick, room=room)
        chat.peers.room_changed(room)
    forwarded = chat.peers.forward(other, by.person, Invite(now, room.name.shown))
    if not forwarded and by.person.name.key not in other.ignored:
        for session in other.sessions:
            session.deliver(Invited(now, by.person.nick, room.name.shown))
    return other


async def uninvite(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> str:
    """Revoke the invitation of a person, or of an account whose owner is not here.

    Return the nick as it is shown.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``nobody``, ``no-change``, ``not-kept``.
    """
    rules.check_membership(room, by.person)
    rules.check_role(room, by, Role.MODERATOR)
    account: str | None = fold(nick)
    if account in room.invited_accounts:
        shown, here = cut(nick, NICK_LENGTH), chat.people.find(nick)
    else:
        here = chat.find_person(nick)
        shown, account = here.nick, here.account
        if here.name.key not in room.invited and account not in room.invited_accounts:
            raise Refused("no-change", f"{shown} is not invited into {room}.")
    await chat.records.keep(lambda: _drop_invitation(chat, room, account))
    if here is not None:  # they may have been invited as a guest as well
        room.uninvite(here)
    chat.peers.room_changed(room)
    chat.audit.add(now, by.person, "uninvite", shown, room=room)
    return shown
