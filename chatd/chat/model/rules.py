"""Rules: permissions to enter a room, speak in it and change it.

Each ``check_…`` raises `Refused`, with a sentence for the user, and changes nothing.
Times are seconds since the epoch.
"""

from __future__ import annotations

from math import ceil

from chatd.chat.events import Refused, Role
from chatd.chat.limits import REASON_LENGTH
from chatd.chat.model.bans import Ban, Bans
from chatd.chat.model.entities import Actor, Member, Outsider, Person, Room
from chatd.chat.text.sanitizing import cut, is_invisible, is_shouting

_RANK = {role: rank for rank, role in enumerate(Role)}


def outranks(role: Role, other: Role) -> bool:
    """Whether the first role is the stronger one."""
    return _RANK[role] > _RANK[other]


# Entering -----------------------------------------------------------------------------------------


def check_entry(room: Room, actor: Actor, now: float, key: str = "") -> None:
    """Check that somebody may enter a room.

    :raises Refused: ``banned``, ``private``, ``key-needed`` or ``wrong-key``.
    """
    ban = ban_of(room, actor, now)
    if ban is not None:
        raise Refused("banned", f"You are banned from {room} {room.bans.rest(ban, now)}.")
    if not room.is_guarded or is_admitted(room, actor):
        return
    if not room.settings.key:
        raise Refused("private", f"{room} is private; its moderators can /invite you.")
    if not key:
        raise Refused("key-needed", f"{room} needs a key: /join {room} KEY.")
    if key != room.settings.key:
        raise Refused("wrong-key", f"That is not the key of {room}.")


def is_open_to(room: Room, actor: Actor, now: float) -> bool:
    """Whether somebody might enter without a key."""
    try:
        check_entry(room, actor, now)
    except Refused:
        return False
    return True


def is_admitted(room: Room, actor: Actor) -> bool:
    """Whether somebody may enter although the room is private or has a key."""
    if actor.operator or actor.person.name.key in room.invited:
        return True
    account = actor.person.effective_account
    return account in room.roles or account in room.invited_accounts


def ban_of(room: Room, actor: Actor, now: float) -> Ban | None:
    """Return the ban that keeps somebody out of the room; None for the room's owner."""
    ban = _covering(room, room.bans, actor, now)
    return None if room.role_by(actor) is Role.OWNER else ban


def mute_of(room: Room, person: Person, now: float) -> Ban | None:
    """Return the mute of a person in the room, as others see it."""
    return _covering(room, room.mutes, Outsider(person, person.operator), now)


def _covering(room: Room, bans: Bans, actor: Actor, now: float) -> Ban | None:
    """Return the first of a room's bans or mutes that covers somebody.

    A ban of an address does not cover moderators and owners, who may share it with others.
    """
    if not len(bans) or actor.operator:
        return None
    by_address = room.role_by(actor) is Role.MEMBER
    return bans.covering(actor.person.identity, now, by_address=by_address)


# Acting in a room ---------------------------------------------------------------------------------


def check_membership(room: Room, person: Person) -> Member:
    """Return the membership of a person.

    :raises Refused: ``not-in-room``.
    """
    member = room.members.get(person)
    if member is None:
        raise Refused("not-in-room", f"You are not in {room}; /join {room} takes you there.")
    return member


def check_role(room: Room, actor: Actor, least: Role) -> None:
    """Check that somebody has at least a role, by the connection that they use.

    :raises Refused: ``not-moderator`` or ``not-owner``.
    """
    if not outranks(least, room.role_by(actor)):
        return
    who = "a moderator" if least is Role.MODERATOR else "the owner"
    if _is_operator_elsewhere(actor):
        raise Refused(
            f"not-{least.value}",
            f"Only {who} of {room} may do that; you are an operator only on the connection that "
            "came with your key.",
        )
    raise Refused(f"not-{least.value}", f"Only {who} of {room} may do that.")


def _is_operator_elsewhere(actor: Actor) -> bool:
    """Whether another connection of the same person is an operator's, and this one is not."""
    return actor.person.operator and not actor.operator


def check_operator(actor: Actor) -> None:
    """Check that a connection is an operator's.

    :raises Refused: ``not-operator``.
    """
    if _is_operator_elsewhere(actor):
        raise Refused(
            "not-operator",
            "Not by this connection: you are an operator only on the one that came with your key.",
        )
    if not actor.operator:
        raise Refused("not-operator", "Only an operator of this server may do that.")


def check_not_muted(room: Room, actor: Actor, now: float) -> None:
    """Check that somebody's own words may be shown to others.

    :raises Refused: ``muted``.
    """
    mute = _covering(room, room.mutes, actor, now)
    if mute is not None:
        rest = room.mutes.rest(mute, now)
        how = "" if rest == "for good" else f" {rest}"
        raise Refused("muted", f"You are muted in {room}{how}; nobody was shown that.")


def check_voice(room: Room, actor: Actor) -> None:
    """Check that somebody is one of those who may speak in the room.

    :raises Refused: ``no-voice``.
    """
    speak, person = room.settings.speak, actor.person
    if speak == "everyone" or room.role_by(actor) is not Role.MEMBER or room.has_voice(person):
        return
    if speak == "registered":
        if person.effective_account is None:
            raise Refused(
                "no-voice",
                f"Only users with an account may speak in {room}; /register makes you one.",
            )
    else:
        raise Refused(
            "no-voice",
            f"Only users with a voice may speak in {room}; a moderator can give you one.",
        )


def check_speech(room: Room, actor: Actor, now: float) -> Member:
    """Return the membership of somebody who may speak now.

    :raises Refused: ``not-in-room``, ``muted``, ``no-voice`` or ``slow``.
    """
    member = check_membership(room, actor.person)
    check_not_muted(room, actor, now)
    check_voice(room, actor)
    if room.settings.slow and not outranks(room.role_by(actor), Role.MEMBER):
        wait = member.last_said + room.settings.slow - now
        if 0 < wait <= room.settings.slow:  # else the clock was set back since
            raise Refused("slow", f"{room} is in slow mode; you may speak in {ceil(wait)} s.")
    return member


def check_speech_from_outside(room: Room, actor: Actor, now: float) -> None:
    """Check that somebody who is not a member may post into the room.

    :raises Refused: as `check_entry`, ``muted``, ``no-voice`` or ``slow``.
    """
    check_entry(room, actor, now)
    check_not_muted(room, actor, now)
    check_voice(room, actor)
    if room.settings.slow:
        raise Refused("slow", f"{room} is in slow mode; only who is in it may speak.")


def check_visible(text: str) -> None:
    """Check that readers would see something of a text, unless it is empty.

    :raises Refused: ``invisible``.
    """
    if text and is_invisible(text):
        raise Refused("invisible", "Nobody could see that: it has only invisible characters.")


def reason(text: str) -> str:
    """Return a reason as it is shown, cut to its bound.

    :raises Refused: ``invisible``.
    """
    check_visible(text)
    return cut(text, REASON_LENGTH)


def is_too_loud(room: Room, text: str) -> bool:
    """Whether the room does not deliver a line because it is shouted."""
    return room.settings.shouting != "allow" and is_shouting(text)


def leave_message(room: Room, person: Person, text: str, now: float) -> str:
    """Return a person's leave message, or an empty one if they may not speak here.

    It is not known which of their connections gave it: an operator counts as one.
    """
    try:
        check_speech(room, Outsider(person, person.operator), now)
    except Refused:
        return ""
    return "" if is_invisible(text) or is_too_loud(room, text) else text


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
