"""Who may be banned from a room, and muted in it, by whom, and what becomes of it.

Somebody who is named is held by the surest thing that is known of them: their account, else the key
they came with, else their address; by their nick where that is also somebody's who may not be held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chatd.chat.actions.removal import kick
from chatd.chat.actions.room_settings import a, target_in
from chatd.chat.chat import Chat
from chatd.chat.events import Muted, Refused, Role
from chatd.chat.limits import REASON_LENGTH
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Bans, Kind, Target, of_address, read_target
from chatd.chat.model.entities import Person, Room
from chatd.chat.model.rules import outranks
from chatd.chat.text.durations import split_duration, term
from chatd.chat.text.names import fold
from chatd.chat.text.sanitizing import cut


@dataclass(frozen=True, slots=True)
class ModeratorAct:
    """What somebody does who looks after a room: in which chat, who, where and when."""

    chat: Chat
    person: Person
    room: Room
    now: float


def targets_of(person: Person) -> Iterator[Target]:
    """What may cover somebody, the surest first."""
    known = person.identity
    if known.account is not None:
        yield Target(Kind.ACCOUNT, known.account)
        return
    address = of_address(known.address)
    if known.key is not None:
        yield Target(Kind.KEY, known.key)
    elif address is not None:
        yield address
    yield Target(Kind.NICK, known.nick)


def find(chat: Chat, text: str) -> tuple[Target | Person, str]:
    """Whom some words name, and what they are called: somebody here, an account, or a target.

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
    """Everybody here whom a target covers."""
    return [person for person in chat.people.everyone() if target.covers(person.identity)]


def _caretakers(act: ModeratorAct, target: Target) -> Iterator[Person]:
    """Those here whom a target covers and who look after the room; all others are many."""
    for person in act.chat.people.everyone():
        if act.room.role_of(person) is not Role.MEMBER and target.covers(person.identity):
            yield person


def _is_safe(act: ModeratorAct, target: Target, named: Person) -> bool:
    """Whether a target covers nobody but whom was named that may not be held with them."""
    if target.kind is Kind.ADDRESS and act.room.role_of(named) is not Role.MEMBER:
        return False  # an address does not hold who looks after the room
    return all(other is named for other in _caretakers(act, target))


def _target_of(act: ModeratorAct, named: Person) -> Target:
    """What holds somebody, and nobody who may not be held."""
    *surer, last = targets_of(named)
    return next((target for target in surer if _is_safe(act, target, named)), last)


def _check_person(act: ModeratorAct, other: Person) -> None:
    """Nobody bans themselves, the owner, or who is as high as they are."""
    room = act.room
    role = room.role_of(other)
    if other is act.person:
        raise Refused("yourself", "You cannot do that to yourself.")
    if role is Role.OWNER:
        raise Refused("outranked", f"{other.nick} is the owner of {room}, and remains it.")
    if role is not Role.MEMBER and not outranks(room.role_of(act.person), role):
        raise Refused("outranked", f"{other.nick} is {a(role)} of {room}; that is not yours to do.")


def _account_of(chat: Chat, target: Target) -> str | None:
    """The account whose owner a target covers, here or not; that of a nick is called the same."""
    if target.kind is Kind.KEY:
        owner = chat.accounts.of_key(target.value)
        return owner.name.key if owner is not None else None
    return None if target.kind is Kind.ADDRESS else target.value


def _check_target(act: ModeratorAct, target: Target, label: str) -> None:
    """What was written may cover nobody who may not be banned, here or (an account) elsewhere."""
    room, account = act.room, _account_of(act.chat, target)
    if account is not None:
        role = room.roles.get(account, Role.MEMBER)
        if account == act.person.account:
            raise Refused("yourself", "You cannot do that to yourself.")
        if role is Role.OWNER:
            raise Refused("outranked", f"{label} is the owner of {room}, and remains it.")
        if role is not Role.MEMBER and not outranks(room.role_of(act.person), role):
            raise Refused("outranked", f"{label} is {a(role)} of {room}; that is not yours to do.")
    for other in _caretakers(act, target):
        if target.kind is Kind.ADDRESS and other is not act.person:
            told = f"{label} is also the address of somebody who looks after {room}."
            raise Refused("outranked", told)
        _check_person(act, other)


def ban(act: ModeratorAct, text: str, words: str) -> Ban:
    """Keep somebody out of a room, for a time or for good; return what holds them.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-target``, ``bad-duration``,
        ``nobody``, ``yourself``, ``outranked``, ``too-many``.
    """
    room = act.room
    _check_act(act)
    found, label = find(act.chat, text)
    if isinstance(found, Person):
        _check_person(act, found)
        target = _target_of(act, found)
    else:
        target = found
    _check_target(act, target, label)  # a key may be that of an owner who is not here
    made = _made(act, target, label, words)
    if not room.bans.has_room_for(target, act.now):
        raise Refused("too-many", f"{room} has {room.bans.limit} bans; /unban somebody first.")
    out = [other for other in room.members if other is found or target.covers(other.identity)]
    room.bans.put(made)
    _note(act, "ban", made)
    _forget(act, target)
    act.chat.peers.room_changed(room)
    for other in out:
        if target.kind is Kind.NICK:
            room.follow_nick(other)
        kick(act.chat, other, room, act.person, made.reason, act.now, made)
    if isinstance(found, Person) and target.kind is Kind.NICK:
        room.follow_nick(found)
    return made


def _forget(act: ModeratorAct, target: Target) -> None:
    """Who is banned looks after the room no more, and is invited no more."""
    account = _account_of(act.chat, target)
    if account is not None:
        act.room.roles.pop(account, None)
        act.room.invited_accounts.pop(account, None)
        act.chat.persistent.changed(act.room)


def _check_act(act: ModeratorAct) -> None:
    rules.check_membership(act.room, act.person)
    rules.check_role(act.room, act.person, Role.MODERATOR)


def _made(act: ModeratorAct, target: Target, label: str, words: str) -> Ban:
    seconds, reason = split_duration(words)
    until = act.now + seconds if seconds is not None else None
    return Ban(target, label, act.person.nick, act.now, until, cut(reason, REASON_LENGTH))


def _note(act: ModeratorAct, what: str, made: Ban) -> None:
    whom = f"{made.label} {term(act.now, made.until)}"
    act.chat.audit.add(
        act.now,
        act.person,
        what,
        whom,
        room=act.room,
        reason=made.reason,
        covered=str(made.target) if made.is_named else "",
    )


def unban(act: ModeratorAct, text: str) -> list[Ban]:
    """Let somebody come into a room again; return what held them.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-target``, ``no-change``.
    """
    _check_act(act)
    ended = _ending(act.chat, act.room.bans, text, act.now)
    if not ended:
        raise Refused("no-change", f"{cut(text, 80)} is not banned from {act.room}.")
    for each in ended:
        act.room.bans.drop(each.target)
    act.chat.peers.room_changed(act.room)
    act.chat.audit.add(act.now, act.person, "unban", ended[0].label, room=act.room)
    return ended


def _ending(chat: Chat, bans: Bans, text: str, now: float) -> list[Ban]:
    """The bans that some words name: as they are written, or of who is called that."""
    bans.expire(now)
    named = bans.named(text)
    person = chat.people.find(text)
    if named or person is None:
        return named
    return [each for each in bans if each.target.covers(person.identity)]


def mute(act: ModeratorAct, nick: str, words: str) -> None:
    """Let somebody speak no more in a room, for a time or for good.

    :raises Refused: ``not-moderator``, ``nobody``, ``not-in-room``, ``outranked``, ``yourself``,
        ``no-change``, ``bad-duration``, ``too-many``.
    """
    room = act.room
    other = target_in(act.chat, act.person, room, nick, Role.MODERATOR)
    if rules.mute_of(room, other, act.now) is not None:
        raise Refused("no-change", f"{other.nick} is muted in {room}.")
    target = _target_of(act, other)
    if not act.person.operator:  # who may mute an owner, too
        _check_target(act, target, other.nick)
    made = _made(act, target, other.nick, words)
    if not room.mutes.has_room_for(target, act.now):
        raise Refused("too-many", f"{room} has {room.mutes.limit} mutes; /unmute somebody first.")
    room.mutes.put(made)
    if target.kind is Kind.NICK:
        room.follow_nick(other)
    _note(act, "mute", made)
    muted = Muted(act.now, other.nick, act.person.nick, True, made.until, made.reason)
    act.chat.post(room, muted, act.person)


def unmute(act: ModeratorAct, text: str) -> None:
    """Let somebody speak again in a room, here or not.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-target``, ``outranked``,
        ``yourself``, ``nobody``, ``no-change``.
    """
    room = act.room
    _check_act(act)
    other = act.chat.people.find(text)
    if other is not None and other in room.members:
        target_in(act.chat, act.person, room, text, Role.MODERATOR)
        room.mutes.expire(act.now)
        ended = [each for each in room.mutes if each.target.covers(other.identity)]
        nick = other.nick
    else:
        ended = _ending(act.chat, room.mutes, text, act.now)
        nick = ended[0].label if ended else act.chat.find_person(text).nick
    if not ended:
        raise Refused("no-change", f"{nick} is not muted in {room}.")
    for each in ended:
        room.mutes.drop(each.target)
    act.chat.audit.add(act.now, act.person, "unmute", nick, room=room)
    act.chat.post(room, Muted(act.now, nick, act.person.nick, False), act.person)
