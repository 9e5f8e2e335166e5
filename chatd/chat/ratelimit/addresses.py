"""Address prefixes: the units in which connections are counted and throttled.

They are whole addresses in IPv4 and /64 networks in IPv6: what a household or a server has.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def prefix(address: str) -> str:
    """Return the prefix of an address; text that is not an address is returned unchanged."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return parsed.exploded[:19]
    return str(parsed)
