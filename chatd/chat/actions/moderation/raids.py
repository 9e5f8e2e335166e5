"""Raids: locking the server for guests, and banning everybody who entered lately.

Operators, and accounts that are no new ones (`chatd.chat.limits.ESTABLISHED_SECONDS`), are never
covered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from chatd.chat.actions.moderation import removal
from chatd.chat.actions.moderation.operators import OPERATORS, check_bans_fit
from chatd.chat.actions.moderation.targets import coverage
from chatd.chat.chat import Chat
from chatd.chat.events import Notice, Refused
from chatd.chat.limits import LISTED, RAID_BANS, REASON_LENGTH
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Kind, Target, read_target
from chatd.chat.model.entities import Actor, Person
from chatd.chat.peers import Notify
from chatd.chat.records.server_access import Lock
from chatd.chat.text.durations import duration, split_duration, term
from chatd.chat.text.sanitizing import cut

#: The target that is everybody who entered lately.
EVERYONE = "everyone"


# The lock -----------------------------------------------------------------------------------------


async def lock(chat: Chat, by: Actor, words: str, now: float) -> Lock:
    """Let only users enter who prove an account, until the server is unlocked; return the lock.

    ``words`` are the duration, if it ends by itself, and the reason.  Who is here may stay.

    :raises Refused: ``bad-duration`` or ``not-kept``.
    """
    seconds, reason = split_duration(words)
    time = chat.believed.at(now)
    until = time + seconds if seconds is not None else None
    made = Lock(by.person.nick, time, until, rules.reason(reason))
    await chat.records.keep(lambda: chat.access.set_lock(made))
    how_long = f"guests {term(time, until)}" if until is not None else "guests"
    chat.audit.add(now, by.person, "server lock", how_long, reason=reason)
    _tell_operators(chat, by, f"{by.person.nick} locked this server for guests{made.rest(time)}.")
    return made


async def unlock(chat: Chat, by: Actor, now: float) -> None:
    """Let guests enter again.

    :raises Refused: ``no-change`` or ``not-kept``.
    """
    if chat.access.lock(now) is None:
        raise Refused("no-change", "This server is not locked.")
    await chat.records.keep(lambda: chat.access.set_lock(None))
    chat.audit.add(now, by.person, "server unlock", "guests")
    _tell_operators(chat, by, f"{by.person.nick} unlocked this server: guests may enter again.")


def _tell_operators(chat: Chat, by: Actor, text: str) -> None:
    """Tell the other operators, on all servers of a cluster."""
    for person in chat.people.everyone():
        others = person.operator and person is not by.person
        if others and not chat.peers.forward(person, by.person, Notify(text)):
            chat.deliver(person, Notice(text))


# Everybody who entered lately ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Raid:
    """The people whom a ban of everybody who entered lately covers, with a ban for each.

    ``left_out`` are the addresses that the bans leave out, with the reason; ``spared`` is how many
    entered in that time and are not covered.
    """

    people: tuple[Person, ...]
    bans: tuple[Ban, ...]
    left_out: dict[str, str]
    spared: int
    seconds: float
    until: float | None


def find_raid(chat: Chat, by: Actor, text: str, seconds: float, words: str, now: float) -> Raid:
    """Return the people who entered during the last ``seconds``, from anywhere or a network.

    ``words`` are the duration of their bans and the reason.  Nothing has changed yet.

    :raises Refused: ``bad-target``, ``bad-duration``, ``nobody`` or ``too-many``.
    """
    network = _network(text)
    ban_seconds, reason = split_duration(words)
    time = chat.believed.at(now)
    until = time + ban_seconds if ban_seconds is not None else None
    entered = [
        person
        for person in chat.people.everyone()
        if 0 <= now - person.since <= seconds  # not who came before the clock was set back
        and (network is None or network.covers(person.identity))
        and person is not by.person
    ]
    spared = {
        person for person in entered if person.operator or person.identity.is_established(time)
    }
    people = tuple(person for person in entered if person not in spared)
    if not people:
        raise Refused("nobody", f"No guest and no new account entered in {_lately(seconds)}.")
    if len(people) > RAID_BANS:
        raise Refused(
            "too-many",
            f"{len(people)} people entered in {_lately(seconds)}, more than the {RAID_BANS} that "
            "one ban covers: name a shorter time or a network.",
        )
    bans, left_out = [], {}
    covered = coverage(chat, people, until, time, OPERATORS)
    for person, covers in zip(people, covered, strict=True):
        first, *others = covers.marks
        reason = rules.reason(reason)
        made = Ban(
            first.target, person.nick, by.person.nick, time, first.until, reason, tuple(others)
        )
        bans.append(made)
        if covers.left_out:
            left_out[person.address] = covers.left_out
    check_bans_fit(chat, (made.target for made in bans), now)
    return Raid(people, tuple(bans), left_out, len(spared), seconds, until)


def _network(text: str) -> Target | None:
    """Return the network from which people entered; None for everyone.

    :raises Refused: ``bad-target``.
    """
    target = read_target(text) if text.lower() != EVERYONE else None
    if text.lower() != EVERYONE and (target is None or target.kind is not Kind.ADDRESS):
        raise Refused("bad-target", "Say whom: everyone, or a network such as 203.0.113.0/24.")
    return target


def _lately(seconds: float) -> str:
    return f"the last {duration(seconds)}"


def preview(raid: Raid, now: float) -> tuple[str, list[str]]:
    """Return the heading and the rows that show an operator whom a ban would cover."""
    count = len(raid.people)
    heading = (
        f"{_counted(count)} entered in {_lately(raid.seconds)}, and would be banned "
        f"{term(raid.bans[0].made, raid.until)}:"
    )
    rows = [
        f"{person.nick}, {'new account' if person.account else 'guest'}, "
        f"{person.address or 'no address'}, here for {duration(now - person.since)}"
        for person in raid.people[:LISTED]
    ]
    if count > LISTED:
        rows.append(f"… and {count - LISTED} more")
    rows += [f"not the address {each}: {why}" for each, why in raid.left_out.items()]
    if raid.spared:
        rows.append(f"not {_counted(raid.spared)}: operators, or accounts of a day and more")
    return heading, rows


def _counted(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


async def ban_raid(chat: Chat, by: Actor, raid: Raid, now: float) -> int:
    """Ban the people of a raid from the server, those who have left meanwhile too.

    Who has changed nick since the operator was shown them is banned under the new one.  Return how
    many people and connections are disconnected.

    :raises Refused: ``too-many`` or ``not-kept``.
    """
    time, server_bans = chat.believed.at(now), chat.access.bans
    current = [*map(_with_nick, raid.bans, raid.people)]
    check_bans_fit(chat, (made.target for made in current), now)
    bans = await chat.records.keep(lambda: [server_bans.extend(made, time) for made in current])
    nicks = ", ".join(made.label for made in bans)
    who = f"{_counted(len(bans))} of {_lately(raid.seconds)}"
    chat.audit.add(
        now,
        by.person,
        "server ban",
        f"{who} {term(raid.bans[0].made, raid.until)}",
        reason=bans[0].reason,
        covered=cut(nicks, REASON_LENGTH),
    )
    remote = sum(
        chat.peers.is_remote(person) and chat.people.get(person.name.key) is person
        for person in raid.people
    )
    count = removal.enforce_server_bans(chat, bans, now) + remote
    for person, made in zip(raid.people, bans, strict=True):  # those who were renamed just now
        if not made.covers(person.identity, time):
            count += removal.put_out(chat, person, by.person, made, now)
    return count


def _with_nick(made: Ban, person: Person) -> Ban:
    """Return the ban of a person with the nick that they have now."""
    [before] = {each.target.value for each in made.marks if each.target.kind is Kind.NICK} or {""}
    old, new = Target(Kind.NICK, before), Target(Kind.NICK, person.name.key)
    return replace(made.moved({old: new}), label=person.nick)
