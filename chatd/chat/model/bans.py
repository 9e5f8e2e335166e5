"""Bans: the users that each covers, how long it holds, and which of many covers a user.

A ban of a person covers several parts of their identity, each for a time of its own.  Bans are
values that know neither rooms nor people: mutes in a room and bans from the server have the same
form as bans from a room.  Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from math import inf
from typing import Protocol

from chatd.chat.events import Refused
from chatd.chat.limits import BAN_MARKS, ESTABLISHED_SECONDS
from chatd.chat.ratelimit.addresses import EMBEDDING_BITS, embedded, parse
from chatd.chat.text import names
from chatd.chat.text.durations import rest
from chatd.chat.text.sanitizing import cut

#: The IPv6 network of one household or server (RFC 6177), whose addresses its users choose freely:
#: a ban of a smaller network would have no effect.
IPV6_PREFIX = 64

_FINGERPRINT = re.compile(r"sha256:([A-Za-z0-9+/]{1,64})=*", re.IGNORECASE)


class Kind(Enum):
    """The parts of an identity that a ban may cover, the most reliable first."""

    ACCOUNT = "account"
    KEY = "key"
    ADDRESS = "address"
    NICK = "nick"


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies a user: folded nick, account, fingerprint of an ssh key, address.

    ``registered`` is when their account was made.
    """

    nick: str = ""
    account: str | None = None
    key: str | None = None
    address: str = ""
    registered: float | None = None

    def is_established(self, now: float) -> bool:
        """Whether the user has an account that is no new one, so that more than chance knows it."""
        return self.registered is not None and now - self.registered >= ESTABLISHED_SECONDS


@dataclass(frozen=True, slots=True)
class Target:
    """The target of a ban; `read_target` parses the result of ``str``."""

    kind: Kind
    value: str

    def __str__(self) -> str:
        if self.kind in (Kind.ACCOUNT, Kind.NICK):
            return f"{self.kind.value}:{self.value}"
        return self.value

    def covers(self, identity: Identity) -> bool:
        """Whether the target covers the user with this identity."""
        match self.kind:
            case Kind.ACCOUNT:
                return identity.account == self.value
            case Kind.KEY:
                return identity.key == self.value
            case Kind.NICK:
                return identity.nick == self.value
            case Kind.ADDRESS:
                address = parse(identity.address)
                return address is not None and address in _parsed(self.value)


def read_target(text: str) -> Target | None:
    """Parse ``account:NICK``, ``nick:NICK``, ``SHA256:…``, an address or a CIDR; None for a bare
    word.

    Text that can be parsed as an address is one, although it may be a nick as well.

    :raises Refused: ``bad-target`` or ``bad-nick``.
    """
    word, colon, nick = text.partition(":")
    if colon and word.lower() in (Kind.ACCOUNT.value, Kind.NICK.value):
        return Target(Kind(word.lower()), names.existing(nick).key)
    fingerprint = _FINGERPRINT.fullmatch(text)
    if fingerprint is not None:
        return Target(Kind.KEY, f"SHA256:{fingerprint[1]}")
    try:
        return Target(Kind.ADDRESS, _text_of(_network(text)))
    except ValueError:
        pass
    if colon or "/" in text:
        raise Refused(
            "bad-target",
            "Name somebody by a nick, account:NICK, SHA256:… of a key, an address or a network "
            f"such as 192.0.2.0/24, not {cut(text, 40)}.",
        )
    return None


def of_address(address: str) -> Target | None:
    """Return the target for an address: itself, or its /64; None if the text is no address."""
    parsed = parse(address)
    return Target(Kind.ADDRESS, _text_of(_network(str(parsed)))) if parsed is not None else None


def _network(text: str) -> IPv4Network | IPv6Network:
    """Parse an address or a network.

    :raises ValueError: when it is neither.
    """
    network = ip_network(text, strict=False)
    if isinstance(network, IPv4Network):
        return network
    inside = embedded(network.network_address)
    if inside is not None and network.prefixlen >= EMBEDDING_BITS:
        if network.prefixlen == EMBEDDING_BITS:
            raise ValueError("it contains every IPv4 address")
        return IPv4Network((inside, network.prefixlen - EMBEDDING_BITS))
    return network if "/" in text else network.supernet(new_prefix=IPV6_PREFIX)


def _text_of(network: IPv4Network | IPv6Network) -> str:
    alone = isinstance(network, IPv4Network) and network.prefixlen == network.max_prefixlen
    return str(network.network_address if alone else network)


@lru_cache(maxsize=256)
def _parsed(text: str) -> IPv4Network | IPv6Network:
    """Return a network; cached, as it is compared with every user who is here."""
    return ip_network(text)


@dataclass(frozen=True, slots=True)
class Mark:
    """One part of an identity that a ban covers, until ``until`` (None: for good)."""

    target: Target
    until: float | None

    def holds(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Ban:
    """One ban, set by ``by`` at ``made``, which holds until ``until`` (None: for good).

    ``label`` names the target as the moderator did: by a nick, or as ``str(target)``.  ``also`` is
    what it covers beside the target, none of it for longer.
    """

    target: Target
    label: str
    by: str
    made: float
    until: float | None
    reason: str
    also: tuple[Mark, ...] = ()

    @property
    def marks(self) -> tuple[Mark, ...]:
        """Everything that it covers, the most reliable first."""
        return (Mark(self.target, self.until), *self.also)

    def holds(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until

    def covers(self, identity: Identity, now: float) -> bool:
        """Whether it covers the user with this identity now."""
        return self.mark_of(identity, now) is not None

    def mark_of(self, identity: Identity, now: float) -> Mark | None:
        """Return the first mark that covers the user with this identity now, or None."""
        for mark in self.marks:
            covers = mark.holds(now) and mark.target.covers(identity)
            if covers and not self.spares(mark.target, identity, now):
                return mark
        return None

    def spares(self, target: Target, identity: Identity, now: float) -> bool:
        """Whether it does not mean a user although a target of it covers them.

        The address of a person who was named is that of others as well, of whom those with an
        established account are known to be somebody else.
        """
        return self.is_named and target.kind is Kind.ADDRESS and identity.is_established(now)

    def rest(self, now: float) -> str:
        """Return how long it still holds, and why, as the end of a sentence."""
        return f"{rest(self.until, now)}{f' ({self.reason})' * bool(self.reason)}"

    @property
    def is_named(self) -> bool:
        """Whether the moderator named a user: the address it covers need not be shown to others."""
        return self.label != str(self.target)

    def only(self, mark: Mark) -> Ban:
        """Return the ban as it is for a user whom only this mark of it covers."""
        return replace(self, target=mark.target, until=mark.until, also=())

    def with_marks(self, marks: Iterable[Mark]) -> Ban | None:
        """Return the ban with these marks instead of its own; None when there are none."""
        kept = tuple(marks)
        if not kept:
            return None
        return replace(self, target=kept[0].target, until=kept[0].until, also=kept[1:])

    def moved(self, moves: Mapping[Target, Target]) -> Ban:
        """Return the ban with other targets in the place of some; so named, it has their names."""
        marks = [replace(mark, target=moves.get(mark.target, mark.target)) for mark in self.marks]
        label = self.label
        if self.target in moves and not self.is_named:
            label = str(moves[self.target])
        first, *others = marks
        return replace(self, target=first.target, label=label, also=tuple(others))

    def extending(self, earlier: Ban | None, now: float) -> Ban:
        """Return the ban with what an earlier one of the same target still covers beside it.

        Of everything that it covers, at most `BAN_MARKS` remain.
        """
        if earlier is None:
            return self
        known = {mark.target for mark in self.marks}
        more = tuple(
            Mark(mark.target, min(mark.until or inf, self.until or inf))
            for mark in earlier.also
            if mark.holds(now) and mark.target not in known
        )
        more = tuple(replace(mark, until=None) if mark.until == inf else mark for mark in more)
        return replace(self, also=(*self.also, *more)[: BAN_MARKS - 1])

    def encoded(self) -> str:
        """Return the record of the ban, which is stored under its target."""
        fields: dict[str, object] = {name: getattr(self, name) for name in _STORED}
        if self.also:
            fields["also"] = [[str(mark.target), mark.until] for mark in self.also]
        return json.dumps(fields)

    @classmethod
    def decoded(cls, target: str, value: str) -> Ban:
        """Return the ban of a stored record."""
        read = read_target(target)
        if read is None:
            raise ValueError(f"not a target: {target}")
        found = json.loads(value)  # a newer server may store more fields, an older one stored fewer
        pairs = ((_known(text), until) for text, until in found.get("also", ()))
        also = tuple(Mark(each, until) for each, until in pairs if each is not None)
        return cls(read, **{name: found[name] for name in _STORED}, also=also)


def _known(text: str) -> Target | None:
    """Return a stored target; None for one of a kind that only a newer server knows."""
    try:
        return read_target(text)
    except Refused:
        return None


#: The fields of a ban that are stored under their names.
_STORED = ("label", "by", "made", "until", "reason")


def _any(now: float) -> float:
    return now


class OnChange(Protocol):
    """Called for every change of a ban."""

    def __call__(self, before: Ban | None, after: Ban | None, *, quietly: bool) -> object:
        """Store a change; at least one of the bans before and after it is there.

        A change is made ``quietly`` when nobody asked for it: the ban has expired, for example.
        """


class Bans:
    """Bans by target: at most one for each, and at most ``limit`` in all.

    ``believed`` returns the time of day by which they end, as it is now
    (`chatd.chat.believed_time.BelievedTime.at`).

    Finding the ban that covers a user takes as long among ten thousand as among ten: one lookup for
    each part of the user's identity, and one for each prefix length that any banned network has.
    """

    __slots__ = ("_bans", "_by_mark", "_networks", "believed", "limit", "on_change")

    def __init__(self, limit: int, on_change: OnChange | None = None) -> None:
        self.limit = limit
        self.on_change = on_change
        self.believed: Callable[[float], float] = _any
        self._bans: dict[Target, Ban] = {}
        self._by_mark: dict[Target, tuple[Ban, ...]] = {}
        self._networks: dict[tuple[int, int], dict[int, Target]] = {}

    def __len__(self) -> int:
        return len(self._bans)

    def __iter__(self) -> Iterator[Ban]:
        return iter(tuple(self._bans.values()))

    @property
    def prefix_lengths(self) -> int:
        """How many prefix lengths the banned networks have: the lookups that an address takes."""
        return len(self._networks)

    def get(self, target: Target) -> Ban | None:
        """Return the ban of a target, or None."""
        return self._bans.get(target)

    def has_room_for(self, target: Target, now: float) -> bool:
        """Drop expired bans; return whether a ban of this target fits."""
        return self.has_room_for_all((target,), now)

    def has_room_for_all(self, targets: Iterable[Target], now: float) -> bool:
        """Drop expired bans; return whether bans of all these targets fit."""
        self.expire(now)
        return len(self._bans.keys() | set(targets)) <= max(self.limit, len(self._bans))

    def extend(self, ban: Ban, now: float) -> Ban:
        """Add a ban as `put` does; one of the same target becomes part of it.  Return the result.

        So somebody who is banned again from another address has both banned.
        """
        extended = ban.extending(self._bans.get(ban.target), now) if ban.is_named else ban
        self.put(extended)
        return extended

    def put(self, ban: Ban, *, quietly: bool = False) -> None:
        """Add a ban, replacing one of the same target, as part of a change of records.

        A change ``quietly`` is none that anybody waits for.
        """
        before = self._bans.get(ban.target)
        self.restore(ban)
        if self.on_change is not None:
            self.on_change(before, ban, quietly=quietly)

    def restore(self, ban: Ban) -> None:
        """Add a ban that is already stored."""
        self._take_out(ban.target)
        self._bans[ban.target] = ban
        for mark in ban.marks:
            self._by_mark[mark.target] = (*self._by_mark.get(mark.target, ()), ban)
            if mark.target.kind is Kind.ADDRESS:
                length, prefix = _bucket(mark.target)
                self._networks.setdefault(length, {})[prefix] = mark.target

    def drop(self, target: Target, *, quietly: bool = False) -> None:
        """Remove the ban of a target, if there is one; as `put`."""
        before = self._take_out(target)
        if before is not None and self.on_change is not None:
            self.on_change(before, None, quietly=quietly)

    def _take_out(self, target: Target) -> Ban | None:
        """Remove the ban of a target from every table; return it."""
        ban = self._bans.pop(target, None)
        if ban is None:
            return None
        for mark in ban.marks:
            others = tuple(each for each in self._by_mark.get(mark.target, ()) if each is not ban)
            if others:
                self._by_mark[mark.target] = others
            elif self._by_mark.pop(mark.target, None) and mark.target.kind is Kind.ADDRESS:
                length, prefix = _bucket(mark.target)
                del self._networks[length][prefix]
                if not self._networks[length]:
                    del self._networks[length]
        return ban

    def apply_change(self, target: str, value: str | None) -> None:
        """Apply the record of a ban that another server has stored, or (None) dropped."""
        on_change, self.on_change = self.on_change, None
        read = read_target(target)
        if value is not None:
            self.restore(Ban.decoded(target, value))
        elif read is not None:
            self.drop(read)
        self.on_change = on_change

    def encoded(self) -> dict[str, str]:
        """Return the records of all bans, by target."""
        return {str(ban.target): ban.encoded() for ban in self}

    def expire(self, now: float) -> None:
        """Drop expired bans, and stop looking for expired parts of the others."""
        now = self.believed(now)
        for ban in self:
            if not ban.holds(now):
                self.drop(ban.target, quietly=True)
            elif not all(mark.holds(now) for mark in ban.also):
                also = tuple(mark for mark in ban.also if mark.holds(now))
                self.restore(replace(ban, also=also))

    def covering(self, identity: Identity, now: float, *, by_address: bool = True) -> Ban | None:
        """Return a ban that covers a user, as it is for them (`Ban.only`), if there is one.

        Without ``by_address`` bans of addresses are left out.
        """
        if not self._bans:
            return None
        now = self.believed(now)
        for kind, value in (
            (Kind.ACCOUNT, identity.account),
            (Kind.KEY, identity.key),
            (Kind.NICK, identity.nick),
        ):
            if value:
                ban = next(self._holding(Target(kind, value), identity, now), None)
                if ban is not None:
                    return ban
        if not by_address:
            return None
        return next(self._of_address(identity, now), None)

    def of_address(self, address: str, now: float) -> Ban | None:
        """Return a ban of an address, whoever comes from it, if there is one.

        Bans of people who were named do not count: they spare others who come from there.
        """
        found = self._of_address(Identity(address=address), self.believed(now))
        return next((ban for ban in found if not ban.is_named), None)

    def _of_address(self, identity: Identity, now: float) -> Iterator[Ban]:
        parsed = parse(identity.address) if self._networks else None
        if parsed is None:
            return
        for (version, length), networks in self._networks.items():
            if version == parsed.version:
                target = networks.get(int(parsed) >> (parsed.max_prefixlen - length))
                if target is not None:
                    yield from self._holding(target, identity, now)

    def _holding(self, target: Target, identity: Identity, now: float) -> Iterator[Ban]:
        """Yield the bans that cover a user by this target of theirs."""
        for ban in self._by_mark.get(target, ()):
            for mark in ban.marks:
                covers = mark.target == target and mark.holds(now)
                if covers and not ban.spares(target, identity, now):
                    yield ban if mark.target == ban.target else ban.only(mark)

    def rest(self, ban: Ban, now: float) -> str:
        """Return how long a ban still holds, and why, as the end of a sentence."""
        return ban.rest(self.believed(now))

    def named(self, text: str) -> list[Ban]:
        """Return the bans that have this text as their label, or cover what it names.

        :raises Refused: ``bad-target`` or ``bad-nick`` when it can be neither.
        """
        word = text.casefold()
        labelled = [ban for ban in self if ban.label.casefold() == word]
        if labelled and word.startswith(f"{Kind.ADDRESS.value}:"):
            return labelled
        target = read_target(text) or Target(Kind.NICK, names.fold(text))
        covering = self._by_mark.get(target, ())
        return [ban for ban in self if ban.label.casefold() == word or ban in covering]

    def renamed(self, old: str, new: str) -> None:
        """Let bans of a folded nick follow its user to another nick.

        If the new nick is banned as well, the longer ban remains.
        """
        nick, followed = Target(Kind.NICK, old), Target(Kind.NICK, new)
        for ban in self._by_mark.get(nick, ()):
            self.drop(ban.target, quietly=True)
            self._put_unless_longer(ban.moved({nick: followed}), quietly=True)

    def account_renamed(self, old: str, new: str) -> bool:
        """Let bans of an account follow it to another nick; return whether there are any.

        It is part of a change of records, if the bans are stored.
        """
        account = Target(Kind.ACCOUNT, old)
        covering = self._by_mark.get(account, ())
        moves = {Target(kind, old): Target(kind, new) for kind in (Kind.ACCOUNT, Kind.NICK)}
        for ban in covering:
            self.drop(ban.target)
            self._put_unless_longer(ban.moved(moves))
        return bool(covering)

    def forget_nick(self, nick: str) -> None:
        """Let no ban cover a folded nick any more, whose next user is somebody else."""
        target = Target(Kind.NICK, nick)
        for ban in self._by_mark.get(target, ()):
            self.drop(ban.target, quietly=True)
            marks = [mark for mark in ban.marks if mark.target != target]
            self._put_unless_longer(ban.with_marks(marks), quietly=True)

    def _put_unless_longer(self, ban: Ban | None, *, quietly: bool = False) -> None:
        other = self._bans.get(ban.target) if ban is not None else None
        if ban is not None and (other is None or _end(other) < _end(ban)):
            self.put(ban, quietly=quietly)


def _end(ban: Ban) -> float:
    return inf if ban.until is None else ban.until


def _bucket(target: Target) -> tuple[tuple[int, int], int]:
    """Return the keys under which a network is looked up: (IP version, prefix length), prefix."""
    network = ip_network(target.value)
    bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return (network.version, network.prefixlen), bits
