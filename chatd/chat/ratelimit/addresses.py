"""Addresses of clients, and address prefixes: the units in which clients are counted and throttled.

Prefixes are whole addresses in IPv4 and /64 networks in IPv6: what a household or a server has.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: The IPv6 networks whose last 32 bits are the IPv4 address of the client: IPv4-mapped addresses
#: (RFC 4291, 2.5.5.2), and the prefix of NAT64 translators (RFC 6052, 2.1).
EMBEDDING_IPV4 = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
#: The length of those networks' prefixes in bits.
EMBEDDING_BITS = 96


@lru_cache(maxsize=4096)
def parse(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, or None; an IPv6 address that contains an IPv4 address counts as that."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return embedded(address) or address


def embedded(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address inside an IPv6 address, or None."""
    if isinstance(address, IPv6Address) and any(address in each for each in EMBEDDING_IPV4):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def prefix(address: str) -> str:
    """Return the prefix of an address; text that is not an address is returned unchanged."""
    parsed = parse(address)
    if parsed is None:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else str(parsed)


def is_shared(address: str) -> bool:
    """Whether an address says nothing about the client: of a Unix socket, or of this machine.

    Clients behind a proxy or a tunnel on this machine, for example, have it in common.
    """
    parsed = parse(address)
    return parsed is None or parsed.is_loopback
