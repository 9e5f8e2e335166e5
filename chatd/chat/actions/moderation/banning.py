"""Bans and mutes of a room: the right to set them, and whom they remove.

What they cover is in `chatd.chat.actions.moderation.targets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chatd.chat.actions.moderation.members import member_to_act_on, role_phrase
from chatd.chat.actions.moderation.removal import kick
from chatd.chat.actions.moderation.targets import Coverage, Spared, coverage, find_target
from chatd.chat.chat import Chat
from chatd.chat.events import Muted, Refused, Role
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Bans, Kind, Mark, Target
from chatd.chat.model.entities import Actor, Person, Room
from chatd.chat.model.rules import outranks
from chatd.chat.text.durations import split_duration, term
from chatd.chat.text.sanitizing import cut


@dataclass(frozen=True, slots=True)
class ModeratorAct:
    """The context of a moderator's action: the chat, the moderator, the room, and the time.

    ``now`` is in seconds since the epoch.
    """

    chat: Chat
    moderator: Actor
    room: Room
    now: float


def _moderators_covered(act: ModeratorAct, target: Target) -> Iterator[Person]:
    """Return the moderators, owners and operators whom a target covers."""
    for person in act.chat.people.everyone():
        if act.room.role_of(person) is not Role.MEMBER and target.covers(person.identity):
            yield person


def _coverage(act: ModeratorAct, named: Person, until: float | None) -> Coverage:
    """Return what a ban of a person covers, but for what moderators of the room have too."""
    room = act.room
    spared = Spared(f"a moderator of {room}", lambda other: room.role_of(other) is not Role.MEMBER)
    [covers] = coverage(act.chat, (named,), until, act.chat.believed.at(act.now), spared)
    return covers


def _check_may_ban(act: ModeratorAct, other: Person) -> None:
    """Check that a moderator may ban a person: not themselves, the owner, or an equal in rank.

    :raises Refused: ``yourself`` or ``outranked``.
    """
    role = act.room.role_of(other)
    if other is act.moderator.person:
        raise Refused("yourself", "You cannot do that to yourself.")
    _check_rank(act, role, other.nick)


def _check_rank(act: ModeratorAct, role: Role, label: str) -> None:
    """Check that a moderator may ban a user with a role; ``label`` is their name in the refusal.

    :raises Refused: ``outranked``.
    """
    room = act.room
    if role is Role.OWNER:
        raise Refused("outranked", f"{label} is the owner of {room}, and remains it.")
    if role is not Role.MEMBER and not outranks(room.role_by(act.moderator), role):
        what = role_phrase(role)
        raise Refused("outranked", f"{label} is {what} of {room}; that is not yours to do.")


def _account_of(chat: Chat, target: Target) -> str | None:
    """Return the account whose owner a target covers; a nick covers the account of that name."""
    if target.kind is Kind.KEY:
        owner = chat.accounts.of_key(target.value)
        return owner.name.key if owner is not None else None
    return None if target.kind is Kind.ADDRESS else target.value


def _check_target(act: ModeratorAct, target: Target, label: str) -> None:
    """Check that a target covers no user whom the moderator may not ban.

    All people who are here are checked, and the owner of an account even when they are not here.

    :raises Refused: ``yourself`` or ``outranked``.
    """
    room, account = act.room, _account_of(act.chat, target)
    if account is not None:
        role = room.roles.get(account, Role.MEMBER)
        if account == act.moderator.person.account:
            raise Refused("yourself", "You cannot do that to yourself.")
        _check_rank(act, role, label)
    for other in _moderators_covered(act, target):
        if target.kind is Kind.ADDRESS and other is not act.moderator.person:
            sentence = f"{label} is also the address of somebody who looks after {room}."
            raise Refused("outranked", sentence)
        _check_may_ban(act, other)


def _check_targets(act: ModeratorAct, ban: Ban, *, of_person: bool) -> None:
    """Check that a ban covers no user whom the moderator may not ban.

    That of a person has left out their address if a moderator has it.

    :raises Refused: ``yourself`` or ``outranked``.
    """
    for mark in ban.marks:
        if mark.target.kind is not Kind.ADDRESS or not of_person:
            _check_target(act, mark.target, ban.label)


async def ban(act: ModeratorAct, text: str, words: str) -> tuple[Ban, str]:
    """Ban a person, an account or a target from a room.

    Return the ban, and why it leaves out the person's address, if it does.  ``words`` are the
    duration (for good if there is none) and the reason.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-target``, ``bad-duration``,
        ``nobody``, ``yourself``, ``outranked``, ``too-many``, ``not-kept``.
    """
    room = act.room
    _check_moderator(act)
    found, label = find_target(act.chat, text)
    if isinstance(found, Person):
        _check_may_ban(act, found)
    new, left_out = _make_ban(act, found, label, words)
    # A key may be that of an owner who is not here.
    _check_targets(act, new, of_person=isinstance(found, Person))
    if not room.bans.has_room_for(new.target, act.now):
        raise Refused("too-many", f"{room} has {room.bans.limit} bans; /unban somebody first.")
    covered = [
        other for other in room.members if other is found or new.covers(other.identity, act.now)
    ]
    follows = [*covered, found] if isinstance(found, Person) else covered
    await act.chat.records.keep(lambda: _put_ban(act, new, follows))
    banned = [
        other for other in room.members if other in covered or new.covers(other.identity, act.now)
    ]
    _audit(act, "ban", new)
    act.chat.peers.room_changed(room)
    for other in banned:
        kick(act.chat, other, room, act.moderator.person, new.reason, act.now, new)
    return new, left_out


def _put_ban(act: ModeratorAct, new: Ban, follows: Iterable[Person]) -> None:
    """Add a ban, as part of a change of records, and let it follow the nicks of some people.

    It revokes the roles and the invitations of the accounts that it covers.
    """
    act.room.bans.extend(new, act.now)
    _follow_nicks(act.room, new, follows)
    accounts = {_account_of(act.chat, mark.target) for mark in new.marks} - {None}
    for account in accounts:
        act.room.roles.pop(account or "", None)
        act.room.invited_accounts.pop(account or "", None)
    if accounts:
        act.chat.persistent.changed(act.room)


def _follow_nicks(room: Room, ban: Ban, people: Iterable[Person]) -> None:
    """Let a ban or a mute follow those of some people whose nick it covers."""
    nicks = {mark.target.value for mark in ban.marks if mark.target.kind is Kind.NICK}
    for person in people:
        if person.name.key in nicks:
            room.follow_nick(person)


def _check_moderator(act: ModeratorAct) -> None:
    rules.check_membership(act.room, act.moderator.person)
    rules.check_role(act.room, act.moderator, Role.MODERATOR)


def _make_ban(act: ModeratorAct, found: Target | Person, label: str, words: str) -> tuple[Ban, str]:
    """Make a ban; return it, and why it leaves out a person's address, if it does."""
    seconds, reason = split_duration(words)
    made = act.chat.believed.at(act.now)
    until = made + seconds if seconds is not None else None
    if isinstance(found, Person):
        covers = _coverage(act, found, until)
    else:
        covers = Coverage((Mark(found, until),))
    first, *others = covers.marks
    reason = rules.reason(reason)
    by = act.moderator.person.nick
    ban = Ban(first.target, label, by, made, first.until, reason, tuple(others))
    return ban, covers.left_out


def _audit(act: ModeratorAct, what: str, ban: Ban) -> None:
    subject = f"{ban.label} {term(ban.made, ban.until)}"
    act.chat.audit.add(
        act.now,
        act.moderator.person,
        what,
        subject,
        room=act.room,
        reason=ban.reason,
        covered=", ".join(str(mark.target) for mark in ban.marks) if ban.is_named else "",
    )


async def unban(act: ModeratorAct, text: str) -> list[Ban]:
    """Lift the bans from a room that a text names; return them.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-target``, ``no-change``,
        ``not-kept``.
    """
    _check_moderator(act)
    ended = _find_bans(act.chat, act.room.bans, text, act.now)
    if not ended:
        raise Refused("no-change", f"{cut(text, 80)} is not banned from {act.room}.")
    await act.chat.records.keep(lambda: drop_all(act.room.bans, ended))
    act.chat.peers.room_changed(act.room)
    act.chat.audit.add(act.now, act.moderator.person, "unban", ended[0].label, room=act.room)
    return ended


def drop_all(bans: Bans, ended: Iterable[Ban]) -> None:
    """Lift bans, as part of a change of records."""
    for each in ended:
        bans.drop(each.target)


def _find_bans(chat: Chat, bans: Bans, text: str, now: float) -> list[Ban]:
    """Return the bans with a target or label as written, else those that cover the person named."""
    bans.expire(now)
    found = bans.named(text)
    person = chat.people.find(text)
    if found or person is None:
        return found
    return [each for each in bans if each.covers(person.identity, now)]


async def mute(act: ModeratorAct, nick: str, words: str) -> None:
    """Mute a member of a room; ``words`` as for `ban`.

    :raises Refused: ``not-moderator``, ``nobody``, ``not-in-room``, ``outranked``, ``yourself``,
        ``no-change``, ``bad-duration``, ``too-many``, ``not-kept``.
    """
    room = act.room
    other = member_to_act_on(act.chat, act.moderator, room, nick, Role.MODERATOR)
    if rules.mute_of(room, other, act.now) is not None:
        raise Refused("no-change", f"{other.nick} is muted in {room}.")
    new, _ = _make_ban(act, other, other.nick, words)
    if not act.moderator.operator:  # operators may mute an owner, too
        _check_targets(act, new, of_person=True)
    if not room.mutes.has_room_for(new.target, act.now):
        raise Refused("too-many", f"{room} has {room.mutes.limit} mutes; /unmute somebody first.")
    await act.chat.records.keep(lambda: _put_mute(act, new, other))
    _audit(act, "mute", new)
    muted = Muted(act.now, other.nick, act.moderator.person.nick, True, new.until, new.reason)
    act.chat.post(room, muted, act.moderator.person)


def _put_mute(act: ModeratorAct, new: Ban, other: Person) -> None:
    """Add a mute, as part of a change of records, and let it follow a person's nick."""
    act.room.mutes.extend(new, act.now)
    _follow_nicks(act.room, new, (other,))


async def unmute(act: ModeratorAct, text: str) -> None:
    """Lift the mutes of a person, or those that a text names, in a room.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-target``, ``outranked``,
        ``yourself``, ``nobody``, ``no-change``, ``not-kept``.
    """
    room = act.room
    _check_moderator(act)
    other = act.chat.people.find(text)
    if other is not None and other in room.members:
        member_to_act_on(act.chat, act.moderator, room, text, Role.MODERATOR)
        room.mutes.expire(act.now)
        ended = [each for each in room.mutes if each.covers(other.identity, act.now)]
        nick = other.nick
    else:
        ended = _find_bans(act.chat, room.mutes, text, act.now)
        nick = ended[0].label if ended else act.chat.find_person(text).nick
    if not ended:
        raise Refused("no-change", f"{nick} is not muted in {room}.")
    await act.chat.records.keep(lambda: drop_all(room.mutes, ended))
    by = act.moderator.person
    act.chat.audit.add(act.now, by, "unmute", nick, room=room)
    act.chat.post(room, Muted(act.now, nick, by.nick, False), by)
