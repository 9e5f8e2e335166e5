"""Bans: the users that each covers, how long it holds, and which of many covers a user.

They are values that know neither rooms nor people: mutes in a room and bans from the server have
the same form as bans from a room.  Times are seconds since the epoch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from enum import Enum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from math import inf
from typing import Protocol

from chatd.chat.events import Refused
from chatd.chat.text import names
from chatd.chat.text.durations import rest
from chatd.chat.text.sanitizing import cut

#: The IPv6 network of one household or server (RFC 6177), whose addresses its users choose freely:
#: a ban of a smaller network would have no effect.
IPV6_PREFIX = 64
_MAPPED_BITS = 96

_FINGERPRINT = re.compile(r"sha256:([A-Za-z0-9+/]{1,64})=*", re.IGNORECASE)


class Kind(Enum):
    """The parts of an identity that a ban may cover, the most reliable first."""

    ACCOUNT = "account"
    KEY = "key"
    ADDRESS = "address"
    NICK = "nick"


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies a user: folded nick, account, fingerprint of an ssh key, address."""

    nick: str = ""
    account: str | None = None
    key: str | None = None
    address: str = ""


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
                address = _address(identity.address)
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
    parsed = _address(address)
    return Target(Kind.ADDRESS, _text_of(_network(str(parsed)))) if parsed is not None else None


def _network(text: str) -> IPv4Network | IPv6Network:
    """Parse an address or a network.

    :raises ValueError: when it is neither.
    """
    network = ip_network(text, strict=False)
    if isinstance(network, IPv4Network):
        return network
    mapped = network.network_address.ipv4_mapped
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network if "/" in text else network.supernet(new_prefix=IPV6_PREFIX)


def _text_of(network: IPv4Network | IPv6Network) -> str:
    alone = isinstance(network, IPv4Network) and network.prefixlen == network.max_prefixlen
    return str(network.network_address if alone else network)


@lru_cache(maxsize=256)
def _parsed(text: str) -> IPv4Network | IPv6Network:
    """Return a network; cached, as it is compared with every user who is here."""
    return ip_network(text)


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


@dataclass(frozen=True, slots=True)
class Ban:
    """One ban, set by ``by`` at ``made``, which holds until ``until`` (None: for good).

    ``label`` names the target as the moderator did: by a nick, or as ``str(target)``.
    """

    target: Target
    label: str
    by: str
    made: float
    until: float | None
    reason: str

    def holds(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until

    def rest(self, now: float) -> str:
        """Return how long it still holds, and why, as the end of a sentence."""
        return f"{rest(self.until, now)}{f' ({self.reason})' * bool(self.reason)}"

    @property
    def is_named(self) -> bool:
        """Whether the moderator named a user: the address it covers need not be shown to others."""
        return self.label != str(self.target)

    def encoded(self) -> str:
        """Return the record of the ban, which is stored under its target."""
        fields = asdict(self)
        del fields["target"]
        return json.dumps(fields)

    @classmethod
    def decoded(cls, target: str, value: str) -> Ban:
        """Return the ban of a stored record."""
        read = read_target(target)
        if read is None:
            raise ValueError(f"not a target: {target}")
        found = json.loads(value)  # a newer server may store more fields
        return cls(read, **{name: found[name] for name in cls.__slots__ if name != "target"})


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

    __slots__ = ("_bans", "_networks", "believed", "limit", "on_change")

    def __init__(self, limit: int, on_change: OnChange | None = None) -> None:
        self.limit = limit
        self.on_change = on_change
        self.believed: Callable[[float], float] = _any
        self._bans: dict[Target, Ban] = {}
        self._networks: dict[tuple[int, int], dict[int, Ban]] = {}

    def __len__(self) -> int:
        return len(self._bans)

    def __iter__(self) -> Iterator[Ban]:
        return iter(tuple(self._bans.values()))

    @property
    def prefix_lengths(self) -> int:
        """How many prefix lengths the banned networks have: the lookups that an address takes."""
        return len(self._networks)

    def has_room_for(self, target: Target, now: float) -> bool:
        """Drop expired bans; return whether a ban of this target fits."""
        self.expire(now)
        return target in self._bans or len(self._bans) < self.limit

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
        self._bans[ban.target] = ban
        if ban.target.kind is Kind.ADDRESS:
            length, prefix = _bucket(ban.target)
            self._networks.setdefault(length, {})[prefix] = ban

    def drop(self, target: Target, *, quietly: bool = False) -> None:
        """Remove the ban of a target, if there is one; as `put`."""
        before = self._bans.pop(target, None)
        if before is None:
            return
        if target.kind is Kind.ADDRESS:
            length, prefix = _bucket(target)
            del self._networks[length][prefix]
            if not self._networks[length]:
                del self._networks[length]
        if self.on_change is not None:
            self.on_change(before, None, quietly=quietly)

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
        """Drop expired bans."""
        now = self.believed(now)
        for ban in self:
            if not ban.holds(now):
                self.drop(ban.target, quietly=True)

    def covering(self, identity: Identity, now: float, *, by_address: bool = True) -> Ban | None:
        """Return a ban that covers a user, if there is one.

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
            ban = self._bans.get(Target(kind, value)) if value else None
            if ban is not None and ban.holds(now):
                return ban
        return self.of_address(identity.address, now) if by_address else None

    def of_address(self, address: str, now: float) -> Ban | None:
        """Return a ban that covers an address, if there is one."""
        parsed = _address(address) if self._networks else None
        if parsed is None:
            return None
        now = self.believed(now)
        for (version, length), networks in self._networks.items():
            if version == parsed.version:
                ban = networks.get(int(parsed) >> (parsed.max_prefixlen - length))
                if ban is not None and ban.holds(now):
                    return ban
        return None

    def rest(self, ban: Ban, now: float) -> str:
        """Return how long a ban still holds, and why, as the end of a sentence."""
        return ban.rest(self.believed(now))

    def named(self, text: str) -> list[Ban]:
        """Return the bans whose target or label is this text."""
        target, word = read_target(text), text.casefold()
        return [ban for ban in self if ban.target == target or ban.label.casefold() == word]

    def renamed(self, old: str, new: str) -> None:
        """Let a ban of a folded nick follow its user to another nick.

        If the new nick is banned as well, the longer ban remains.
        """
        ban, target = self._bans.get(Target(Kind.NICK, old)), Target(Kind.NICK, new)
        if ban is not None:
            self.drop(ban.target, quietly=True)
            other = self._bans.get(target)
            if other is None or _end(other) < _end(ban):
                self.put(replace(ban, target=target), quietly=True)


def _end(ban: Ban) -> float:
    return inf if ban.until is None else ban.until


def _bucket(target: Target) -> tuple[tuple[int, int], int]:
    """Return the keys under which a network is looked up: (IP version, prefix length), prefix."""
    network = ip_network(target.value)
    bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return (network.version, network.prefixlen), bits
