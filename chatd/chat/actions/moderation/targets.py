"""Targets of bans: whom a text names, and everything by which a ban covers a person.

A ban of a person covers what they have proved (their account, and the ssh keys of their
connections), the nick and, for a time, their addresses.  It leaves out what would cover others who
are not meant: an address that many share, or one of those who look after the room or the server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from chatd.chat.chat import Chat
from chatd.chat.events import Refused
from chatd.chat.limits import BAN_ADDRESS_SECONDS, SHARED_ADDRESS
from chatd.chat.model.bans import Kind, Mark, Target, of_address, read_target
from chatd.chat.model.entities import Person
from chatd.chat.ratelimit.addresses import is_shared, prefix
from chatd.chat.text.names import fold

#: The beginning of a target that is the address of a person, whoever else has it.
ADDRESS_OF = "address:"
#: The end of the reason for which an address is left out that may be banned all the same.
OTHERS_HAVE_IT = "others here have it too"


def find_target(chat: Chat, text: str) -> tuple[Target | Person, str]:
    """Return the person, account or target that a text names, and its label for sentences.

    :raises Refused: ``bad-target``, ``bad-nick`` or ``nobody``.
    """
    if text.lower().startswith(ADDRESS_OF):
        person = chat.find_person(text[len(ADDRESS_OF) :])
        address = of_address(person.address)
        if address is None:
            raise Refused("bad-target", f"{person.nick} has no address.")
        return address, f"{ADDRESS_OF}{person.nick}"
    target = read_target(text)
    if target is not None:
        return target, str(target)
    found = chat.people.find(text)
    if found is not None:
        return found, found.nick
    account = chat.accounts.get(fold(text))
    if account is not None:
        return Target(Kind.ACCOUNT, account.name.key), account.name.shown
    return chat.find_person(text), text


def matching(chat: Chat, target: Target) -> list[Person]:
    """Return all people whom a target covers."""
    return [person for person in chat.people.everyone() if target.covers(person.identity)]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a ban of a person covers, and in ``left_out`` why not their address, if not."""

    marks: tuple[Mark, ...]
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class Spared:
    """Those whom a ban must not cover: moderators of a room, or operators.

    ``one`` is one of them in a sentence.
    """

    one: str
    looks_after: Callable[[Person], bool]


def coverage(
    chat: Chat, people: Collection[Person], until: float | None, now: float, spared: Spared
) -> list[Coverage]:
    """Return what bans of some people, who need not be spared, cover until ``until``.

    ``until`` is None for good.  A generated nick, which goes to a stranger next, is covered only if
    nothing else is left.
    """
    others = _others(chat, people)
    a_day = now + BAN_ADDRESS_SECONDS
    shorter = a_day if until is None else min(until, a_day)
    return [_coverage_of(person, until, shorter, now, spared, others) for person in people]


def _coverage_of(
    person: Person,
    until: float | None,
    shorter: float,
    now: float,
    spared: Spared,
    others: Mapping[Target, list[Person]],
) -> Coverage:
    marks = [
        Mark(target, until)
        for target in _proofs(person)
        if not any(map(spared.looks_after, others[target]))
    ]
    nick = Mark(Target(Kind.NICK, person.name.key), until)
    if not person.is_guest_nick:
        marks.append(nick)
    left_out = ""
    for target, address in _addresses(person).items():
        guests = sum(not other.identity.is_established(now) for other in others[target])
        if is_shared(address):
            left_out = "it is this machine's own"
        elif any(map(spared.looks_after, others[target])):
            left_out = f"{spared.one} has it too"
        elif guests > SHARED_ADDRESS:
            left_out = f"{guests} {OTHERS_HAVE_IT}"
        else:
            marks.append(Mark(target, shorter))
    return Coverage(tuple(marks or [nick]), left_out)


def _others(chat: Chat, people: Collection[Person]) -> Mapping[Target, list[Person]]:
    """Return all other people, here or elsewhere, by the proofs and addresses of these."""
    others: dict[Target, list[Person]] = {}
    by_prefix: dict[str, list[Person]] = {}
    for person in people:
        others.update((target, []) for target in _proofs(person))
        for target, address in _addresses(person).items():
            others[target] = by_prefix.setdefault(prefix(address), [])
    meant = set(people)
    for other in chat.people.everyone():
        if other not in meant:
            for target in _proofs(other):
                if target in others:
                    others[target].append(other)
            if other.address:
                by_prefix.get(prefix(other.address), []).append(other)
    return others


def _proofs(person: Person) -> Iterator[Target]:
    """Return what a person has proved: their account, and the ssh keys of their connections."""
    account = person.effective_account
    if account is not None:
        yield Target(Kind.ACCOUNT, account)
    keys = [person.fingerprint, *(session.fingerprint for session in person.sessions)]
    for key in dict.fromkeys(keys):
        if key is not None:
            yield Target(Kind.KEY, key)


def _addresses(person: Person) -> dict[Target, str]:
    """Return the addresses of a person's connections, by the targets that cover them."""
    addresses = (person.address, *(session.address for session in person.sessions))
    found = ((of_address(address), address) for address in addresses)
    return {target: address for target, address in found if target is not None}
