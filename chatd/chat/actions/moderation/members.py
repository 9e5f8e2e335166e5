"""Moderating a room: kicks, roles, invitations, the topic and the settings.

A moderator must outrank the member that they act on; an operator outranks everyone, in every room.
Bans and mutes are in `chatd.chat.actions.moderation.banning`.
"""

from __future__ import annotations

from chatd.chat.actions.moderation import removal
from chatd.chat.chat import Chat
from chatd.chat.delivery.history import read_limit
from chatd.chat.events import Invited, Refused, Role, RoomSet, TopicSet
from chatd.chat.limits import KEY_LENGTH, NICK_LENGTH, REASON_LENGTH, SLOW_SECONDS, TOPIC_LENGTH
from chatd.chat.model import rules
from chatd.chat.model.entities import Person, Room
from chatd.chat.model.preferences import as_typed, on_or_off
from chatd.chat.model.rules import outranks
from chatd.chat.peers import Invite
from chatd.chat.text.names import fold
from chatd.chat.text.sanitizing import cut

SHOUTING = ("allow", "warn", "kick")
SETTINGS = ("private", "topic", "slow", "shouting", "lasting", "history", "key")


def kick(chat: Chat, person: Person, room: Room, nick: str, reason: str, now: float) -> None:
    """Kick a member from a room.

    :raises Refused: ``not-moderator``, ``nobody``, ``not-in-room``, ``outranked``, ``yourself``.
    """
    other = member_to_act_on(chat, person, room, nick, Role.MODERATOR)
    chat.audit.add(now, person, "kick", other.nick, room=room, reason=reason)
    removal.kick(chat, other, room, person, cut(reason, REASON_LENGTH), now)


def give_role(chat: Chat, person: Person, room: Room, nick: str, role: Role, now: float) -> None:
    """Make a member a moderator, or a moderator a member again; the owner stays the owner.

    :raises Refused: ``not-owner``, ``nobody``, ``not-in-room``, ``outranked``, ``no-change``.
    """
    other = member_to_act_on(chat, person, room, nick, Role.OWNER)
    member = room.members[other]
    if member.role is Role.OWNER:
        raise Refused("outranked", f"{other.nick} is the owner of {room}, and remains it.")
    if member.role is role:
        raise Refused("no-change", f"{other.nick} is a {role.value} of {room} already.")
    chat.persistent.give_role(room, other, role)
    command = "op" if role is Role.MODERATOR else "deop"
    chat.audit.add(now, person, command, other.nick, room=room)
    chat.give_role(other, room, role, person, now)


def member_to_act_on(chat: Chat, person: Person, room: Room, nick: str, least: Role) -> Person:
    """Return the member with a nick, once it is checked that a person may act on them.

    ``least`` is the role that is needed for it.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``not-owner``, ``nobody``, ``yourself``,
        ``outranked``.
    """
    rules.check_membership(room, person)
    rules.check_role(room, person, least)
    other = chat.find_person(nick)
    if other is person:
        raise Refused("yourself", "You cannot do that to yourself.")
    if other not in room.members:
        raise Refused("not-in-room", f"{other.nick} is not in {room}.")
    if not outranks(room.role_of(person), room.role_of(other)):
        role = role_phrase(room.role_of(other))
        raise Refused("outranked", f"{other.nick} is {role} of {room}; that is not yours to do.")
    return other


def role_phrase(role: Role) -> str:
    """Return a role with its article, for a sentence."""
    return {Role.OWNER: "the owner", Role.OPERATOR: "an operator"}.get(role, f"a {role.value}")


def invite(chat: Chat, person: Person, room: Room, nick: str, now: float) -> Person:
    """Invite the person with a nick into a room, and tell them; return them.

    :raises Refused: ``not-in-room``, ``nobody``, ``no-change``; for a room that is private or has a
        key ``not-moderator`` as well.
    """
    rules.check_membership(room, person)
    if room.is_guarded:
        rules.check_role(room, person, Role.MODERATOR)
    other = chat.find_person(nick)
    if other in room.members:
        raise Refused("no-change", f"{other.nick} is in {room} already.")
    if room.is_guarded:
        room.invite(other)
        chat.persistent.changed(room)
        chat.audit.add(now, person, "invite", other.nick, room=room)
        chat.peers.room_changed(room)
    forwarded = chat.peers.forward(other, person, Invite(now, room.name.shown))
    if not forwarded and person.name.key not in other.ignored:
        for session in other.sessions:
            session.deliver(Invited(now, person.nick, room.name.shown))
    return other


def uninvite(chat: Chat, person: Person, room: Room, nick: str, now: float) -> str:
    """Take back the invitation of a person, or of an account whose owner is not here.

    Return the nick as it is shown.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``nobody``, ``no-change``.
    """
    rules.check_membership(room, person)
    rules.check_role(room, person, Role.MODERATOR)
    account = fold(nick)
    if room.invited_accounts.pop(account, room) is None:
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
    chat.audit.add(now, person, "uninvite", shown, room=room)
    return shown


def set_topic(chat: Chat, person: Person, room: Room, text: str, now: float) -> None:
    """Set the topic of a room; an empty text removes it.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``muted``.
    """
    rules.check_membership(room, person)
    rules.check_role(room, person, Role.MODERATOR)
    rules.check_not_muted(room, person, now)
    room.settings.topic = cut(text, TOPIC_LENGTH)
    chat.persistent.changed(room)
    chat.audit.add(now, person, "topic", room.settings.topic, room=room)
    chat.post(room, TopicSet(now, person.nick, room.settings.topic), person)


def set_room(chat: Chat, person: Person, room: Room, name: str, value: str, now: float) -> None:
    """Change one setting of a room.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-setting``; for ``lasting`` also
        ``not-owner``, ``no-account``, ``no-change``, ``too-many``.
    """
    rules.check_membership(room, person)
    rules.check_role(room, person, Role.MODERATOR)
    settings = room.settings
    if name == "topic":
        set_topic(chat, person, room, value, now)
        return
    if name == "private":
        settings.private = on_or_off(value)
    elif name == "slow":
        settings.slow = _read_seconds(value)
    elif name == "shouting":
        if value not in SHOUTING:
            raise Refused("bad-setting", f"shouting is one of {', '.join(SHOUTING)}.")
        settings.shouting = value
    elif name == "history":
        settings.history = read_limit(value)
        chat.history.limit(room)
    elif name == "lasting":
        _set_persistent(chat, person, room, on_or_off(value))
    elif name == "key":
        settings.key = _read_key(value)
    else:
        raise Refused(
            "bad-setting", f"There is no setting {cut(name, 40)}; there are {', '.join(SETTINGS)}."
        )
    chat.persistent.changed(room)
    shown = setting(room, name)
    chat.audit.add(now, person, "room", f"{name} {shown}", room=room)
    chat.post(room, RoomSet(now, person.nick, name, shown), person)


def _set_persistent(chat: Chat, person: Person, room: Room, persistent: bool) -> None:
    """Make a room persistent, with the roles of its members, or temporary again.

    :raises Refused: ``not-owner``, ``no-account``, ``no-change``, ``too-many``.
    """
    rules.check_role(room, person, Role.OWNER)
    if persistent == room.settings.lasting:
        raise Refused("no-change", f"lasting is {as_typed(persistent)} in {room} already.")
    if not persistent:
        chat.persistent.make_temporary(room)
        return
    chat.persistent.make_persistent(room, person)
    for other, member in room.members.items():
        if member.role is not Role.MEMBER:
            chat.persistent.give_role(room, other, member.role)


def setting(room: Room, name: str) -> str:
    """Return a setting as a user would type it; of the key only whether there is one."""
    value = getattr(room.settings, name)
    if name == "history":
        return str(value or "off")
    if name == "key":
        value = bool(value)
    return f"{value:g}" if isinstance(value, float) else as_typed(value)


def setting_for(person: Person, room: Room, name: str) -> str:
    """Return a setting as a person may see it: moderators see the key."""
    if name == "key" and room.settings.key and room.role_of(person) is not Role.MEMBER:
        return room.settings.key
    return setting(room, name)


def _read_key(value: str) -> str:
    key = " ".join(value.split())
    if len(key) > KEY_LENGTH or not key:
        raise Refused("bad-setting", f"A key has 1 to {KEY_LENGTH} characters; off takes it away.")
    return "" if key.lower() == "off" else key


def _read_seconds(value: str) -> float:
    try:
        seconds = 0.0 if value.lower() == "off" else float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= SLOW_SECONDS:
        raise Refused(
            "bad-setting", f"slow takes seconds, 0 to {SLOW_SECONDS}, not {value or 'nothing'}."
        )
    return seconds
