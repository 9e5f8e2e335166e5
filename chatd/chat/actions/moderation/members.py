"""Actions on the members of a room by moderators and owners: kicks, roles and invitations.

A moderator must outrank the member they act on; an operator outranks everyone, in every room.
Bans and mutes are in `chatd.chat.actions.moderation.banning`.
"""

from __future__ import annotations

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


def kick(chat: Chat, by: Actor, room: Room, nick: str, reason: str, now: float) -> None:
    """Kick a member from a room.

    :raises Refused: ``not-moderator``, ``nobody``, ``not-in-room``, ``outranked``, ``yourself``,
        ``invisible``.
    """
    other = member_to_act_on(chat, by, room, nick, Role.MODERATOR)
    shown = rules.reason(reason)
    chat.audit.add(now, by.person, "kick", other.nick, room=room, reason=reason)
    removal.kick(chat, other, room, by.person, shown, now)


def give_role(chat: Chat, by: Actor, room: Room, nick: str, role: Role, now: float) -> None:
    """Make a member a moderator, or a moderator a member again; the owner stays the owner.

    :raises Refused: ``not-owner``, ``nobody``, ``not-in-room``, ``outranked``, ``no-change``.
    """
    other = member_to_act_on(chat, by, room, nick, Role.OWNER)
    member = room.members[other]
    if member.role is Role.OWNER:
        raise Refused("outranked", f"{other.nick} is the owner of {room}, and remains it.")
    if member.role is role:
        raise Refused("no-change", f"{other.nick} is a {role.value} of {room} already.")
    chat.persistent.give_role(room, other, role)
    command = "op" if role is Role.MODERATOR else "deop"
    chat.audit.add(now, by.person, command, other.nick, room=room)
    chat.give_role(other, room, role, by.person, now)


def give_voice(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> None:
    """Let a member speak where only some may (``/room speak``).

    :raises Refused: as `member_to_act_on`, and ``no-change``.
    """
    other = member_to_act_on(chat, by, room, nick, Role.MODERATOR)
    if room.has_voice(other):
        raise Refused("no-change", f"{other.nick} has a voice in {room} already.")
    room.give_voice(other)
    _voice_changed(chat, by, room, other.nick, now, has_voice=True)


def take_voice(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> None:
    """Take away the voice of a member, or of an account whose owner is not here.

    :raises Refused: as `member_to_act_on`, and ``no-change``.
    """
    rules.check_membership(room, by.person)
    rules.check_role(room, by, Role.MODERATOR)
    account = f"account:{fold(nick)}"
    if account in room.voices and chat.people.find(nick) is None:
        del room.voices[account]
        shown = cut(nick, NICK_LENGTH)
    else:
        other = member_to_act_on(chat, by, room, nick, Role.MODERATOR)
        shown = other.nick
        if not room.take_voice(other):
            raise Refused("no-change", f"{shown} has no voice in {room}.")
    _voice_changed(chat, by, room, shown, now, has_voice=False)


def _voice_changed(
    chat: Chat, by: Actor, room: Room, nick: str, now: float, *, has_voice: bool
) -> None:
    chat.persistent.changed(room)
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
        raise Refused("not-in-room", f"{other.nick} is not in {room}.")
    if not outranks(room.role_by(by), room.role_of(other)):
        role = role_phrase(room.role_of(other))
        raise Refused("outranked", f"{other.nick} is {role} of {room}; that is not yours to do.")
    return other


def role_phrase(role: Role) -> str:
    """Return a role with its article, for a sentence."""
    return {Role.OWNER: "the owner", Role.OPERATOR: "an operator"}.get(role, f"a {role.value}")


def invite(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> Person:
    """Invite the person with a nick into a room, and tell them; return them.

    :raises Refused: ``not-in-room``, ``nobody``, ``no-change``; for a room that is private or has a
        key ``not-moderator`` as well.
    """
    rules.check_membership(room, by.person)
    if room.is_guarded:
        rules.check_role(room, by, Role.MODERATOR)
    other = chat.find_person(nick)
    if other in room.members:
        raise Refused("no-change", f"{other.nick} is in {room} already.")
    if room.is_guarded:
        room.invite(other)
        chat.persistent.changed(room)
        chat.audit.add(now, by.person, "invite", other.nick, room=room)
        chat.peers.room_changed(room)
    forwarded = chat.peers.forward(other, by.person, Invite(now, room.name.shown))
    if not forwarded and by.person.name.key not in other.ignored:
        for session in other.sessions:
            session.deliver(Invited(now, by.person.nick, room.name.shown))
    return other


def uninvite(chat: Chat, by: Actor, room: Room, nick: str, now: float) -> str:
    """Revoke the invitation of a person, or of an account whose owner is not here.

    Return the nick as it is shown.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``nobody``, ``no-change``.
    """
    rules.check_membership(room, by.person)
    rules.check_role(room, by, Role.MODERATOR)
    account = fold(nick)
    if account in room.invited_accounts:
        del room.invited_accounts[account]
        shown = cut(nick, NICK_LENGTH)
        here = chat.people.find(nick)
        if here is not None:  # they may have been invited as a guest as well
            room.uninvite(here)
    else:
        other = chat.find_person(nick)
        shown = other.nick
        if not room.uninvite(other):
            raise Refused("no-change", f"{shown} is not invited into {room}.")
    chat.persistent.changed(room)
    chat.peers.room_changed(room)
    chat.audit.add(now, by.person, "uninvite", shown, room=room)
    return shown
