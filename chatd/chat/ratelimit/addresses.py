"""Addresses: what counts as one.

Addresses count by /32 in IPv4 and by /64 in IPv6, which is what one household or one server has.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def prefix(address: str) -> str:
    """What an address counts as: itself, or its /64."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return parsed.exploded[:19]
    return str(parsed)
