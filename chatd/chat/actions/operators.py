"""What operators do with the whole server; they are above everyone, and nobody bans one."""

from __future__ import annotations

from chatd.chat.actions import removal
from chatd.chat.actions.banning import find, matching, targets_of
from chatd.chat.chat import Chat
from chatd.chat.events import Announced, Notice, PutOut, Refused
from chatd.chat.limits import REASON_LENGTH
from chatd.chat.model.bans import Ban, Kind, Target
from chatd.chat.model.entities import Person, Room
from chatd.chat.peers import Announce, Disconnect, Rename
from chatd.chat.text import names
from chatd.chat.text.durations import duration, split_duration, term
from chatd.chat.text.sanitizing import cut


def check_operator(person: Person) -> None:
    """Whether somebody may do what only operators may.

    :raises Refused: ``not-operator``.
    """
    if not person.operator:
        raise Refused("not-operator", "Only an operator of this server may do that.")


def _check_other(person: Person, other: Person) -> None:
    if other is person:
        raise Refused("yourself", "You cannot do that to yourself.")
    if other.operator:
        raise Refused("outranked", f"{other.nick} is an operator of this server.")


def kick(chat: Chat, person: Person, nick: str, reason: str, now: float) -> Person:
    """Disconnect somebody; return whom.

    :raises Refused: ``nobody``, ``yourself``, ``outranked``.
    """
    other = chat.find_person(nick)
    _check_other(person, other)
    why = cut(reason, REASON_LENGTH)
    chat.audit.add(now, person, "server kick", other.nick, reason=why)
    if not chat.peers.forward(other, person, Disconnect(why, now)):
        removal.disconnect(chat, other, PutOut(now, None, person.nick, why))
    return other


def _target_of(chat: Chat, named: Person) -> Target:
    """What covers somebody, and no operator who is here."""
    *surer, last = targets_of(named)
    return next(
        (target for target in surer if not any(other.operator for other in matching(chat, target))),
        last,
    )


def ban(chat: Chat, person: Person, text: str, words: str, now: float) -> tuple[Ban, int]:
    """Keep somebody out of the server; return what does, and how many were disconnected.

    An address is let be of operators too: their key opens all the same.  Other servers of a cluster
    disconnect their own people when they learn of the ban.

    :raises Refused: ``bad-target``, ``bad-duration``, ``nobody``, ``yourself``, ``outranked``,
        ``too-many``.
    """
    found, label = find(chat, text)
    if isinstance(found, Person):
        _check_other(person, found)
        target = _target_of(chat, found)
    else:
        target = found
        if target.kind is not Kind.ADDRESS:
            for other in matching(chat, target):
                _check_other(person, other)
    seconds, reason = split_duration(words)
    until = now + seconds if seconds is not None else None
    made = Ban(target, label, person.nick, now, until, cut(reason, REASON_LENGTH))
    bans = chat.access.bans
    if not bans.has_room_for(target, now):
        raise Refused(
            "too-many", f"This server has {bans.limit} bans; /server unban somebody first."
        )
    bans.put(made)
    known = str(target) if made.is_named else ""
    whom = f"{label} {term(now, until)}"
    chat.audit.add(now, person, "server ban", whom, reason=made.reason, covered=known)
    covered = [other for other in matching(chat, target) if not other.operator]
    remote = sum(map(chat.peers.is_remote, covered))
    return made, removal.enforce_server_ban(chat, made, now) + remote


def unban(chat: Chat, person: Person, text: str, now: float) -> list[Ban]:
    """Let somebody come into the server again; return what held them.

    :raises Refused: ``bad-target`` or ``no-change``.
    """
    bans = chat.access.bans
    bans.expire(now)
    ended = bans.named(text)
    if not ended:
        raise Refused("no-change", f"{cut(text, 80)} is not banned from this server.")
    for each in ended:
        bans.drop(each.target)
    chat.audit.add(now, person, "server unban", ended[0].label)
    return ended


def announce(chat: Chat, person: Person, text: str, now: float) -> None:
    """Tell everyone something."""
    chat.audit.add(now, person, "server say", reason=text)
    chat.peers.broadcast(person, Announce(now, text))
    show_announcement(chat, Announced(now, person.nick, text))


def show_announcement(chat: Chat, announced: Announced) -> None:
    """Show an announcement to everyone on this server."""
    for person in chat.people.here():
        chat.deliver(person, announced)


def statistics(chat: Chat, now: float) -> list[str]:
    """How many people, connections and rooms there are, and for how long there have been any."""
    people = chat.people.everyone()
    connections = sum(len(person.sessions) for person in people)
    own = sum(person.account is not None for person in people)
    lasting = sum(room.settings.lasting for room in chat.rooms.values())
    since = chat.opened if chat.opened is not None else now
    return [
        f"people {len(people)}, {own} of them with an account",
        f"connections {connections}{' on this server' * chat.peers.is_clustered}",
        f"rooms {len(chat.rooms)}, {lasting} of them lasting",
        f"bans {len(chat.access.bans)}",
        f"open for {duration(now - since)}",
    ]


async def rename(chat: Chat, person: Person, nick: str, new: str, now: float) -> None:
    """Give somebody another nick.

    :raises Refused: ``nobody``, ``yourself``, ``outranked``, ``bad-nick``, ``nick-taken``,
        ``banned``, ``away``.
    """
    other = chat.find_person(nick)
    _check_other(person, other)
    name = names.nick(new)
    if name == other.name:
        raise Refused("no-change", f"{name} is called that already.")
    old = other.nick
    answering = chat.peers.request(other, person, Rename(new, now))
    if answering is not None:
        await answering
    else:
        await rename_here(chat, other, person, new, now)
    chat.audit.add(now, person, "server rename", f"{old} {name}")


async def rename_here(chat: Chat, other: Person, by: Person, new: str, now: float) -> None:
    """Give a person on this server another nick, in the name of an operator, and tell them.

    :raises Refused: as `Chat.rename`.
    """
    await chat.rename(other, new, now)
    chat.deliver(other, Notice(f"{by.nick} gave you that nick."))


def close(chat: Chat, person: Person, room: Room, reason: str, now: float) -> int:
    """Take everybody out of a room and let it be gone for good; return how many that were.

    :raises Refused: ``no-change`` for the lobby.
    """
    if room.permanent:
        raise Refused("no-change", f"{room} is the lobby, and stays.")
    count = len(room.members)
    why = cut(reason, REASON_LENGTH) or "the room is closed"
    chat.audit.add(now, person, "server close", room.name.shown, room=room, reason=reason)
    removal.close(chat, room, person, why, now)
    return count
