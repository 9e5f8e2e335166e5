"""Rules: permissions to enter a room, speak in it and change it.

Each ``check_…`` raises `Refused`, with a sentence for the user, and changes nothing.
Times are seconds since the epoch.
"""

from __future__ import annotations

from math import ceil

from chatd.chat.events import Refused, Role
from chatd.chat.model.bans import Ban, Bans
from chatd.chat.model.entities import Member, Person, Room
from chatd.chat.text.sanitizing import is_shouting

_RANK = {role: rank for rank, role in enumerate(Role)}


def outranks(role: Role, other: Role) -> bool:
    """Whether the first role is the stronger one."""
    return _RANK[role] > _RANK[other]


# Entering -----------------------------------------------------------------------------------------


def check_entry(room: Room, person: Person, now: float, key: str = "") -> None:
    """Check that a person may enter a room.

    :raises Refused: ``banned``, ``private``, ``key-needed`` or ``wrong-key``.
    """
    ban = ban_of(room, person, now)
    if ban is not None:
        raise Refused("banned", f"You are banned from {room} {ban.rest(now)}.")
    if not room.is_guarded or is_admitted(room, person):
        return
    if not room.settings.key:
        raise Refused("private", f"{room} is private; its moderators can /invite you.")
    if not key:
        raise Refused("key-needed", f"{room} needs a key: /join {room} KEY.")
    if key != room.settings.key:
        raise Refused("wrong-key", f"That is not the key of {room}.")


def is_open_to(room: Room, person: Person, now: float) -> bool:
    """Whether a person might enter without a key."""
    try:
        check_entry(room, person, now)
    except Refused:
        return False
    return True


def is_admitted(room: Room, person: Person) -> bool:
    """Whether a person may enter although the room is private or has a key."""
    if person.operator or person.name.key in room.invited:
        return True
    account = person.effective_account
    return account in room.roles or account in room.invited_accounts


def ban_of(room: Room, person: Person, now: float) -> Ban | None:
    """Return the ban that keeps a person out of the room; None for the room's owner."""
    ban = covering(room, room.bans, person, now)
    return None if room.role_of(person) is Role.OWNER else ban


def mute_of(room: Room, person: Person, now: float) -> Ban | None:
    """Return the mute of a person in the room."""
    return covering(room, room.mutes, person, now)


def covering(room: Room, bans: Bans, person: Person, now: float) -> Ban | None:
    """Return the first of a room's bans or mutes that covers a person.

    A ban of an address does not cover moderators and owners, who may share it with others.
    """
    if not len(bans) or person.operator:
        return None
    by_address = room.role_of(person) is Role.MEMBER
    return bans.covering(person.identity, now, by_address=by_address)


# Acting in a room ---------------------------------------------------------------------------------


def check_membership(room: Room, person: Person) -> Member:
    """Return the membership of a person.

    :raises Refused: ``not-in-room``.
    """
    member = room.members.get(person)
    if member is None:
        raise Refused("not-in-room", f"You are not in {room}; /join {room} takes you there.")
    return member


def check_role(room: Room, person: Person, least: Role) -> None:
    """Check that a person has at least a role.

    :raises Refused: ``not-moderator`` or ``not-owner``.
    """
    if outranks(least, room.role_of(person)):
        who = "a moderator" if least is Role.MODERATOR else "the owner"
        raise Refused(f"not-{least.value}", f"Only {who} of {room} may do that.")


def check_not_muted(room: Room, person: Person, now: float) -> None:
    """Check that a person's own words may be shown to others.

    :raises Refused: ``muted``.
    """
    mute = mute_of(room, person, now)
    if mute is not None:
        rest = mute.rest(now)
        how = "" if rest == "for good" else f" {rest}"
        raise Refused("muted", f"You are muted in {room}{how}; nobody was shown that.")


def check_voice(room: Room, person: Person) -> None:
    """Check that a person is one of those who may speak in the room.

    :raises Refused: ``no-voice``.
    """
    speak = room.settings.speak
    if speak == "everyone" or room.role_of(person) is not Role.MEMBER or room.has_voice(person):
        return
    if speak == "registered":
        if person.effective_account is None:
            sentence = f"Only users with an account may speak in {room}; /register makes you one."
            raise Refused("no-voice", sentence)
    else:
        sentence = f"Only users with a voice may speak in {room}; a moderator can give you one."
        raise Refused("no-voice", sentence)


def check_speech(room: Room, person: Person, now: float) -> Member:
    """Return the membership of a person who may speak now.

    :raises Refused: ``not-in-room``, ``muted``, ``no-voice`` or ``slow``.
    """
    member = check_membership(room, person)
    check_not_muted(room, person, now)
    check_voice(room, person)
    if room.settings.slow and not outranks(room.role_of(person), Role.MEMBER):
        wait = member.last_said + room.settings.slow - now
        if wait > 0:
            raise Refused("slow", f"{room} is in slow mode; you may speak in {ceil(wait)} s.")
    return member


def check_speech_from_outside(room: Room, person: Person, now: float) -> None:
    """Check that a person who is not a member may post into the room.

    :raises Refused: as `check_entry`, ``muted``, ``no-voice`` or ``slow``.
    """
    check_entry(room, person, now)
    check_not_muted(room, person, now)
    check_voice(room, person)
    if room.settings.slow:
        raise Refused("slow", f"{room} is in slow mode; only who is in it may speak.")


def is_too_loud(room: Room, text: str) -> bool:
    """Whether the room does not deliver a line because it is shouted."""
    return room.settings.shouting != "allow" and is_shouting(text)


def leave_message(room: Room, person: Person, text: str, now: float) -> str:
    """Return a person's leave message, or an empty one if they may not speak here."""
    try:
        check_speech(room, person, now)
    except Refused:
        return ""
    return "" if is_too_loud(room, text) else text


def successor(room: Room) -> Person | None:
    """Return the next owner of a room without one: its first moderator, else its first member.

    None for a persistent room, whose owners are stored with it.
    """
    if room.is_persistent:
        return None
    if any(member.role is Role.OWNER for member in room.members.values()):
        return None
    moderators = (p for p, member in room.members.items() if member.role is Role.MODERATOR)
    return next(moderators, None) or next(iter(room.members), None)
