"""Bans and mutes of a room: the right to set them, and the choice of their targets.

A ban of a person covers what identifies them most reliably: their account, else the ssh key they
connected with, else their address.  If that would cover a moderator as well, it covers their nick.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from chatd.chat.actions.moderation.members import member_to_act_on, role_phrase
from chatd.chat.actions.moderation.removal import kick
from chatd.chat.chat import Chat
from chatd.chat.events import Muted, Refused, Role
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Bans, Kind, Target, of_address, read_target
from chatd.chat.model.entities import Actor, Person, Room
from chatd.chat.model.rules import outranks
from chatd.chat.text.durations import split_duration, term
from chatd.chat.text.names import fold
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


def targets_of(person: Person) -> Iterator[Target]:
    """Return the possible targets for a ban of a person, the most reliable first."""
    identity = person.identity
    if identity.account is not None:
        yield Target(Kind.ACCOUNT, identity.account)
        return
    address = of_address(identity.address)
    if identity.key is not None:
        yield Target(Kind.KEY, identity.key)
    elif address is not None:
        yield address
    yield Target(Kind.NICK, identity.nick)


def find_target(chat: Chat, text: str) -> tuple[Target | Person, str]:
    """Return the person, account or target that a text names, and its label for sentences.

    :raises Refused: ``bad-target``, ``bad-nick`` or ``nobody``.
    """
    target = read_target(text)
    if target is not None:
        return target, str(target)
    person = chat.people.find(text)
    if person is not None:
        return person, person.nick
    account = chat.accounts.get(fold(text))
    if account is not None:
        return Target(Kind.ACCOUNT, account.name.key), account.name.shown
    return chat.find_person(text), text


def matching(chat: Chat, target: Target) -> list[Person]:
    """Return all people whom a target covers."""
    return [person for person in chat.people.everyone() if target.covers(person.identity)]


def _moderators_covered(act: ModeratorAct, target: Target) -> Iterator[Person]:
    """Return the moderators, owners and operators whom a target covers."""
    for person in act.chat.people.everyone():
        if act.room.role_of(person) is not Role.MEMBER and target.covers(person.identity):
            yield person


def _spares_other_moderators(act: ModeratorAct, target: Target, named: Person) -> bool:
    """Whether a target covers no moderator, owner or operator other than the named one."""
    if target.kind is Kind.ADDRESS and act.room.role_of(named) is not Role.MEMBER:
        return False  # a ban of an address does not cover moderators, see `rules.covering`
    return all(other is named for other in _moderators_covered(act, target))


def _choose_target(act: ModeratorAct, named: Person) -> Target:
    """Return the most reliable target for a ban of a person that spares other moderators."""
    *reliable, last = targets_of(named)
    sparing = (each for each in reliable if _spares_other_moderators(act, each, named))
    return next(sparing, last)


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


async def ban(act: ModeratorAct, text: str, words: str) -> Ban:
    """Ban a person, an account or a target from a room; return the ban.

    ``words`` are the duration (for good if there is none) and the reason.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-target``, ``bad-duration``,
        ``nobody``, ``yourself``, ``outranked``, ``too-many``, ``not-kept``.
    """
    room = act.room
    _check_moderator(act)
    found, label = find_target(act.chat, text)
    if isinstance(found, Person):
        _check_may_ban(act, found)
        target = _choose_target(act, found)
    else:
        target = found
    _check_target(act, target, label)  # a key may be that of an owner who is not here
    new = _make_ban(act, target, label, words)
    if not room.bans.has_room_for(target, act.now):
        raise Refused("too-many", f"{room} has {room.bans.limit} bans; /unban somebody first.")
    await act.chat.records.keep(lambda: _put_ban(act, new))
    banned = [other for other in room.members if other is found or target.covers(other.identity)]
    _audit(act, "ban", new)
    act.chat.peers.room_changed(room)
    for other in banned:
        if target.kind is Kind.NICK:
            room.follow_nick(other)
        kick(act.chat, other, room, act.moderator.person, new.reason, act.now, new)
    if isinstance(found, Person) and target.kind is Kind.NICK:
        room.follow_nick(found)
    return new


def _put_ban(act: ModeratorAct, new: Ban) -> None:
    """Add a ban, as part of a change of records.

    It revokes the role and the invitation of an account.
    """
    act.room.bans.put(new)
    account = _account_of(act.chat, new.target)
    if account is not None:
        act.room.roles.pop(account, None)
        act.room.invited_accounts.pop(account, None)
        act.chat.persistent.changed(act.room)


def _check_moderator(act: ModeratorAct) -> None:
    rules.check_membership(act.room, act.moderator.person)
    rules.check_role(act.room, act.moderator, Role.MODERATOR)


def _make_ban(act: ModeratorAct, target: Target, label: str, words: str) -> Ban:
    seconds, reason = split_duration(words)
    now = act.chat.believed.at(act.now)
    until = now + seconds if seconds is not None else None
    return Ban(target, label, act.moderator.person.nick, now, until, rules.reason(reason))


def _audit(act: ModeratorAct, what: str, ban: Ban) -> None:
    subject = f"{ban.label} {term(ban.made, ban.until)}"
    act.chat.audit.add(
        act.now,
        act.moderator.person,
        what,
        subject,
        room=act.room,
        reason=ban.reason,
        covered=str(ban.target) if ban.is_named else "",
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
    return [each for each in bans if each.target.covers(person.identity)]


async def mute(act: ModeratorAct, nick: str, words: str) -> None:
    """Mute a member of a room; ``words`` as for `ban`.

    :raises Refused: ``not-moderator``, ``nobody``, ``not-in-room``, ``outranked``, ``yourself``,
        ``no-change``, ``bad-duration``, ``too-many``, ``not-kept``.
    """
    room = act.room
    other = member_to_act_on(act.chat, act.moderator, room, nick, Role.MODERATOR)
    if rules.mute_of(room, other, act.now) is not None:
        raise Refused("no-change", f"{other.nick} is muted in {room}.")
    target = _choose_target(act, other)
    if not act.moderator.operator:  # operators may mute an owner, too
        _check_target(act, target, other.nick)
    new = _make_ban(act, target, other.nick, words)
    if not room.mutes.has_room_for(target, act.now):
        raise Refused("too-many", f"{room} has {room.mutes.limit} mutes; /unmute somebody first.")
    await act.chat.records.keep(lambda: room.mutes.put(new))
    if target.kind is Kind.NICK:
        room.follow_nick(other)
    _audit(act, "mute", new)
    muted = Muted(act.now, other.nick, act.moderator.person.nick, True, new.until, new.reason)
    act.chat.post(room, muted, act.moderator.person)


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
        ended = [each for each in room.mutes if each.target.covers(other.identity)]
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
