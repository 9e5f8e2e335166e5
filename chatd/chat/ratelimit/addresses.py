"""Address prefixes: the units in which connections, lines and wrong passwords are counted.

They are whole addresses in IPv4 and /64 networks in IPv6: what a household or a server has.  An
IPv4 address in the form of an IPv6 one is that IPv4 address.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

#: The prefix under which a NAT64 gateway shows IPv6 hosts the addresses of IPv4 (RFC 6052, 2.1).
NAT64 = IPv6Network("64:ff9b::/96")


def ipv4_inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for: a mapped one, or one of NAT64."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped


@lru_cache(maxsize=4096)
def parse(address: str) -> IPv4Address | IPv6Address | None:
    """Return an address, without its zone; None for text that is no address."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address):
        return ipv4_inside(parsed) or parsed
    return parsed


@lru_cache(maxsize=4096)
def prefix(address: str) -> str:
    """Return the prefix of an address; text that is not an address is returned unchanged."""
    parsed = parse(address)
    if parsed is None:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else str(parsed)
