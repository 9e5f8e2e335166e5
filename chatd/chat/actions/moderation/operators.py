"""Actions of operators on the whole server.  Operators outrank everyone; none can be banned."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.chat.actions.moderation import removal
from chatd.chat.actions.moderation.banning import drop_all
from chatd.chat.actions.moderation.targets import (
    Coverage,
    Spared,
    coverage,
    find_target,
    matching,
)
from chatd.chat.chat import Chat
from chatd.chat.events import Announced, Notice, PutOut, Refused
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Kind, Mark, Target
from chatd.chat.model.entities import Actor, Person, Room
from chatd.chat.peers import Announce, Disconnect, Rename
from chatd.chat.text import names
from chatd.chat.text.durations import duration, split_duration, term
from chatd.chat.text.sanitizing import cut


def _check_may_act_on(by: Actor, other: Person) -> None:
    if other is by.person:
        raise Refused("yourself", "You cannot do that to yourself.")
    if other.operator:
        raise Refused("outranked", f"{other.nick} is an operator of this server.")


def kick(chat: Chat, by: Actor, nick: str, reason: str, now: float) -> Person:
    """Disconnect the person with a nick; return them.

    :raises Refused: ``nobody``, ``yourself``, ``outranked``.
    """
    other = chat.find_person(nick)
    _check_may_act_on(by, other)
    reason = rules.reason(reason)
    chat.audit.add(now, by.person, "server kick", other.nick, reason=reason)
    if not chat.peers.forward(other, by.person, Disconnect(reason, now)):
        removal.disconnect(chat, other, PutOut(now, None, by.person.nick, reason))
    return other


async def ban(chat: Chat, by: Actor, text: str, words: str, now: float) -> tuple[Ban, str, int]:
    """Ban a person, an account or a target from the server.

    Return the ban, why it leaves out the person's address, if it does, and how many people and
    connections it disconnects.  An operator's address may be banned, since operators may enter from
    a banned address.  Other servers of a cluster disconnect their own people when the record of the
    ban reaches them.

    :raises Refused: ``bad-target``, ``bad-duration``, ``nobody``, ``yourself``, ``outranked``,
        ``too-many``, ``not-kept``.
    """
    found, label = find_target(chat, text)
    seconds, reason = split_duration(words)
    made = chat.believed.at(now)
    until = made + seconds if seconds is not None else None
    if isinstance(found, Person):
        _check_may_act_on(by, found)
        [covers] = coverage(chat, (found,), until, made, OPERATORS)
    else:
        if found.kind is not Kind.ADDRESS:
            for other in matching(chat, found):
                _check_may_act_on(by, other)
        covers = Coverage((Mark(found, until),))
    first, *others = covers.marks
    reason = rules.reason(reason)
    new = Ban(first.target, label, by.person.nick, made, first.until, reason, tuple(others))
    check_bans_fit(chat, (new.target,), now)
    await chat.records.keep(lambda: chat.access.bans.extend(new, now))
    covered = ", ".join(str(mark.target) for mark in new.marks) if new.is_named else ""
    subject = f"{label} {term(made, until)}"
    chat.audit.add(now, by.person, "server ban", subject, reason=new.reason, covered=covered)
    everyone = chat.people.everyone()
    banned = [each for each in everyone if new.covers(each.identity, made) and not each.operator]
    remote = sum(map(chat.peers.is_remote, banned))
    count = removal.enforce_server_ban(chat, new, now) + remote
    if isinstance(found, Person) and found not in banned:
        count += removal.put_out(chat, found, by.person, new, now)
    return new, covers.left_out, count


#: Those whom no ban from the server covers.
OPERATORS = Spared("an operator", lambda person: person.operator)


def check_bans_fit(chat: Chat, targets: Iterable[Target], now: float) -> None:
    """Check that bans of these targets fit into the bound.

    :raises Refused: ``too-many``.
    """
    bans = chat.access.bans
    if not bans.has_room_for_all(targets, now):
        raise Refused(
            "too-many", f"This server has {bans.limit} bans; /server unban somebody first."
        )


async def unban(chat: Chat, by: Person, text: str, now: float) -> list[Ban]:
    """Lift the bans from the server that a text names; return them.

    :raises Refused: ``bad-target``, ``no-change`` or ``not-kept``.
    """
    bans = chat.access.bans
    bans.expire(now)
    ended = bans.named(text)
    if not ended:
        raise Refused("no-change", f"{cut(text, 80)} is not banned from this server.")
    await chat.records.keep(lambda: drop_all(bans, ended))
    chat.audit.add(now, by, "server unban", ended[0].label)
    return ended


def announce(chat: Chat, by: Person, text: str, now: float) -> None:
    """Show everyone an announcement, on all servers of a cluster.

    :raises Refused: ``invisible``.
    """
    rules.check_visible(text)
    chat.audit.add(now, by, "server say", reason=text)
    chat.peers.broadcast(by, Announce(now, text))
    show_announcement(chat, Announced(now, by.nick, text))


def show_announcement(chat: Chat, announced: Announced) -> None:
    """Show an announcement to everyone on this server."""
    for person in chat.people.here():
        chat.deliver(person, announced)


def statistics(chat: Chat, now: float) -> list[str]:
    """Return the lines that /server stats shows."""
    people = chat.people.everyone()
    connections = sum(len(person.sessions) for person in people)
    owners = sum(person.account is not None for person in people)
    persistent = sum(room.settings.lasting for room in chat.rooms.values())
    since = chat.opened if chat.opened is not None else now
    return [
        f"people {len(people)}, {owners} of them with an account",
        f"connections {connections}{' on this server' * chat.peers.is_clustered}",
        f"rooms {len(chat.rooms)}, {persistent} of them lasting",
        f"bans {len(chat.access.bans)}",
        *_locked(chat, now),
        f"open for {duration(now - since)}",
        *([] if chat.peers.is_clustered else [f"disk {chat.health.status()}"]),
        *([doubt] if (doubt := chat.believed.doubt(now)) else []),
    ]


def _locked(chat: Chat, now: float) -> list[str]:
    """Return a line about the lock, if the server is locked for guests."""
    lock = chat.access.lock(now)
    return [f"locked for guests by {lock.by}{lock.rest(now)}"] if lock is not None else []


async def unban_since(chat: Chat, by: Actor, seconds: float, now: float) -> int:
    """Lift the bans from the server that were set during the last ``seconds``; return how many.

    :raises Refused: ``no-change`` or ``not-kept``.
    """
    bans = chat.access.bans
    ended = [each for each in bans if chat.believed.at(now) - each.made <= seconds]
    if not ended:
        raise Refused("no-change", f"Nobody was banned in the last {duration(seconds)}.")
    await chat.records.keep(lambda: drop_all(bans, ended))
    chat.audit.add(now, by.person, "server unban", f"{len(ended)} of the last {duration(seconds)}")
    return len(ended)


async def rename(chat: Chat, by: Actor, nick: str, new: str, now: float) -> None:
    """Give the person with a nick another one.

    :raises Refused: ``nobody``, ``yourself``, ``outranked``, ``bad-nick``, ``nick-taken``,
        ``banned``, ``away``.
    """
    other = chat.find_person(nick)
    _check_may_act_on(by, other)
    name = names.existing(new)
    if name == other.name:
        raise Refused("no-change", f"{name} is called that already.")
    old = other.nick
    answering = chat.peers.request(other, by.person, Rename(new, now))
    if answering is not None:
        await answering
    else:
        await rename_here(chat, other, by.person, new, now)
    chat.audit.add(now, by.person, "server rename", f"{old} {name}")


async def rename_here(chat: Chat, other: Person, by: Person, new: str, now: float) -> None:
    """Give a person on this server another nick, on behalf of an operator, and tell them.

    :raises Refused: as `chatd.chat.chat.Chat.rename`.
    """
    await chat.rename(other, new, now)
    chat.deliver(other, Notice(f"{by.nick} gave you that nick."))


async def close(chat: Chat, by: Person, room: Room, reason: str, now: float) -> int:
    """Close a room for good and remove all members; return how many there were.

    :raises Refused: ``no-change`` for the lobby; ``not-kept``.
    """
    if room.permanent:
        raise Refused("no-change", f"{room} is the lobby, and stays.")
    shown = rules.reason(reason) or "the room is closed"
    count = await removal.close(chat, room, by, shown, now)
    chat.audit.add(now, by, "server close", room.name.shown, room=room, reason=reason)
    return count
