"""Bans: whom one covers, how long it holds, and which one covers somebody.

They are values that know no room and no person: a mute of a room and a ban from the server are the
same thing as a ban from a room.  Times are seconds since the epoch.
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

from chatd.chat.events import Refused
from chatd.chat.text import names
from chatd.chat.text.durations import rest
from chatd.chat.text.sanitizing import cut

#: What one household or one server has of IPv6 (RFC 6177): a ban of less would be no ban.
IPV6_PREFIX = 64
_MAPPED_BITS = 96

_FINGERPRINT = re.compile(r"sha256:([A-Za-z0-9+/]{1,64})=*", re.IGNORECASE)


class Kind(Enum):
    """By what somebody is known, the surest first."""

    ACCOUNT = "account"
    KEY = "key"
    ADDRESS = "address"
    NICK = "nick"


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of somebody: folded nick, account, fingerprint of a key, address."""

    nick: str = ""
    account: str | None = None
    key: str | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a ban covers; `read_target` reads what ``str`` gives."""

    kind: Kind
    value: str

    def __str__(self) -> str:
        if self.kind in (Kind.ACCOUNT, Kind.NICK):
            return f"{self.kind.value}:{self.value}"
        return self.value

    def covers(self, known: Identity) -> bool:
        """Whether this is somebody of whom that is known."""
        match self.kind:
            case Kind.ACCOUNT:
                return known.account == self.value
            case Kind.KEY:
                return known.key == self.value
            case Kind.NICK:
                return known.nick == self.value
            case Kind.ADDRESS:
                address = _address(known.address)
                return address is not None and address in _parsed(self.value)


def read_target(text: str) -> Target | None:
    """Read ``account:NICK``, ``nick:NICK``, ``SHA256:…``, an address or a CIDR; None: a word.

    What reads as an address is one, although a nick may look like it.

    :raises Refused: ``bad-target`` or ``bad-nick``.
    """
    word, colon, nick = text.partition(":")
    if colon and word.lower() in (Kind.ACCOUNT.value, Kind.NICK.value):
        return Target(Kind(word.lower()), names.nick(nick).key)
    fingerprint = _FINGERPRINT.fullmatch(text)
    if fingerprint is not None:
        return Target(Kind.KEY, f"SHA256:{fingerprint[1]}")
    try:
        return Target(Kind.ADDRESS, _shown(_network(text)))
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
    """What covers who comes from an address: it, or its /64; None when it is none."""
    parsed = _address(address)
    return Target(Kind.ADDRESS, _shown(_network(str(parsed)))) if parsed is not None else None


def _network(text: str) -> IPv4Network | IPv6Network:
    """:raises ValueError: when it is none."""
    network = ip_network(text, strict=False)
    if isinstance(network, IPv4Network):
        return network
    mapped = network.network_address.ipv4_mapped
    if mapped is not None and network.prefixlen >= _MAPPED_BITS:
        return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network if "/" in text else network.supernet(new_prefix=IPV6_PREFIX)


def _shown(network: IPv4Network | IPv6Network) -> str:
    alone = isinstance(network, IPv4Network) and network.prefixlen == network.max_prefixlen
    return str(network.network_address if alone else network)


@lru_cache(maxsize=256)
def _parsed(text: str) -> IPv4Network | IPv6Network:
    """A network, read once although everybody who is here is compared with it."""
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
    """One ban: of whom, what they are called, by whom, since when, until when (None: for good)."""

    target: Target
    label: str
    by: str
    made: float
    until: float | None
    reason: str

    def holds(self, now: float) -> bool:
        """Whether it is not over."""
        return self.until is None or now < self.until

    def rest(self, now: float) -> str:
        """How long it holds still, and why, as the end of a sentence."""
        return f"{rest(self.until, now)}{f' ({self.reason})' * bool(self.reason)}"

    @property
    def is_named(self) -> bool:
        """Whether somebody was named, of whom others need not know what else is covered."""
        return self.label != str(self.target)

    def encoded(self) -> str:
        """The ban as it is kept, under its target."""
        fields = asdict(self)
        del fields["target"]
        return json.dumps(fields)

    @classmethod
    def decoded(cls, target: str, value: str) -> Ban:
        """Read a ban that was kept."""
        read = read_target(target)
        if read is None:
            raise ValueError(f"not a target: {target}")
        found = json.loads(value)  # a newer server may write down more
        return cls(read, **{name: found[name] for name in cls.__slots__ if name != "target"})


#: Told of every change: the target, and the ban of it that there is now, if any.
Keep = Callable[[Target, Ban | None], object]


class Bans:
    """Bans by whom they cover, one of each target and at most ``most``.

    Finding the one that covers somebody takes as long for ten thousand as for one: a look for each
    thing that is known of them, and for each length of prefix that any network has.
    """

    __slots__ = ("_bans", "_networks", "keep", "most")

    def __init__(self, most: int, keep: Keep | None = None) -> None:
        self.most = most
        self.keep = keep
        self._bans: dict[Target, Ban] = {}
        self._networks: dict[tuple[int, int], dict[int, Ban]] = {}

    def __len__(self) -> int:
        return len(self._bans)

    def __iter__(self) -> Iterator[Ban]:
        return iter(tuple(self._bans.values()))

    def has_room_for(self, target: Target, now: float) -> bool:
        """Whether another one fits, once those that are over are gone."""
        self.expire(now)
        return target in self._bans or len(self._bans) < self.most

    def put(self, ban: Ban) -> None:
        """Let a ban hold, in the place of one of the same target."""
        self.restore(ban)
        if self.keep is not None:
            self.keep(ban.target, ban)

    def restore(self, ban: Ban) -> None:
        """Let a ban hold that is kept already."""
        self._bans[ban.target] = ban
        if ban.target.kind is Kind.ADDRESS:
            prefix, place = _place(ban.target)
            self._networks.setdefault(prefix, {})[place] = ban

    def drop(self, target: Target) -> None:
        """Let a ban hold no longer."""
        if self._bans.pop(target, None) is None:
            return
        if target.kind is Kind.ADDRESS:
            prefix, place = _place(target)
            del self._networks[prefix][place]
            if not self._networks[prefix]:
                del self._networks[prefix]
        if self.keep is not None:
            self.keep(target, None)

    def learn(self, target: str, value: str | None) -> None:
        """Let a ban be as another server has kept it; None when it holds no longer."""
        keep, self.keep = self.keep, None
        read = read_target(target)
        if value is not None:
            self.restore(Ban.decoded(target, value))
        elif read is not None:
            self.drop(read)
        self.keep = keep

    def encoded(self) -> dict[str, str]:
        """All of them as they are kept, by their targets."""
        return {str(ban.target): ban.encoded() for ban in self}

    def expire(self, now: float) -> None:
        """Forget what is over."""
        for ban in self:
            if not ban.holds(now):
                self.drop(ban.target)

    def covering(self, known: Identity, now: float, *, by_address: bool = True) -> Ban | None:
        """The ban that somebody is held by, if any; perhaps not one of an address."""
        if not self._bans:
            return None
        for kind, value in (
            (Kind.ACCOUNT, known.account),
            (Kind.KEY, known.key),
            (Kind.NICK, known.nick),
        ):
            ban = self._bans.get(Target(kind, value)) if value else None
            if ban is not None and ban.holds(now):
                return ban
        return self.of_address(known.address, now) if by_address else None

    def of_address(self, address: str, now: float) -> Ban | None:
        """The ban that an address is held by, if any."""
        parsed = _address(address) if self._networks else None
        if parsed is None:
            return None
        for (version, length), networks in self._networks.items():
            if version == parsed.version:
                ban = networks.get(int(parsed) >> (parsed.max_prefixlen - length))
                if ban is not None and ban.holds(now):
                    return ban
        return None

    def named(self, text: str) -> list[Ban]:
        """The bans of whoever was called that, or that are written so."""
        target, word = read_target(text), text.casefold()
        return [ban for ban in self if ban.target == target or ban.label.casefold() == word]

    def renamed(self, old: str, new: str) -> None:
        """Let what covers a folded nick follow whoever carries it; the longer one holds."""
        ban, target = self._bans.get(Target(Kind.NICK, old)), Target(Kind.NICK, new)
        if ban is not None:
            self.drop(ban.target)
            other = self._bans.get(target)
            if other is None or _end(other) < _end(ban):
                self.put(replace(ban, target=target))


def _end(ban: Ban) -> float:
    return inf if ban.until is None else ban.until


def _place(target: Target) -> tuple[tuple[int, int], int]:
    """Where a network is looked up: by the length of its prefix, and by that prefix."""
    network = ip_network(target.value)
    bits = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
    return (network.version, network.prefixlen), bits
