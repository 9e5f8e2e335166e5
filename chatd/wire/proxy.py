"""The PROXY protocol, versions 1 and 2: who is behind the proxy that opened a connection.

It knows haproxy's specification (proxy-protocol.txt) and nothing of who may be believed: only a
proxy that is listed may be read by it.

A header may come in any pieces, and what follows it is handed back untouched.  What is no header
is said so at the first byte that shows it, with a sentence for the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

#: A version 1 header, CR LF included (section 2.1).
V1_BYTES = 107
#: What a version 2 header may hold beside its addresses: haproxy itself sends at most 536 bytes in
#: all unless it was told to add TLVs (section 2.2), and a certificate's names fit in this.
V2_BYTES = 4096

_V1: Final = b"PROXY "
_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
#: The signature, version and command, family and transport, and two bytes of length.
_V2_FIXED: Final = len(_V2) + 4
_LOCAL, _PROXY = 0x20, 0x21
#: The bytes that the addresses of a family take: unspecified, IPv4, IPv6, Unix.
_ADDRESS_BYTES: Final = {0: 0, 1: 12, 2: 36, 3: 216}
_TRANSPORTS: Final = (0, 1, 2)
_IPV4_BYTES = 4
_V1_FIELDS, _V1_PORT_DIGITS, _MOST_PORT = 6, 5, 65535


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a TCP connection; ``host`` is an IPv4 or IPv6 address in its shortest spelling."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Proxied:
    """A header, and what came after it.

    Both addresses are None when the proxy speaks for itself (a health check) or for somebody
    who has no address: the connection's own then counts.
    """

    source: Address | None
    destination: Address | None
    rest: bytes


@dataclass(frozen=True, slots=True)
class NotProxy:
    """What came is no PROXY header, because of this."""

    reason: str


def _host(packed: bytes) -> str:
    """Return an address of 4 or 16 bytes in words; an IPv4 one in IPv6's clothes is an IPv4 one."""
    if len(packed) == _IPV4_BYTES:
        return str(IPv4Address(packed))
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _v1_host(family: str, written: str) -> str:
    """Return an address of a version 1 header; raises ValueError when it is none."""
    if family == "TCP4":
        return _host(IPv4Address(written).packed)
    if "%" in written:
        raise ValueError("a scope means nothing elsewhere")
    return _host(IPv6Address(written).packed)


def _v1_port(written: str) -> int:
    """Return a port of a version 1 header; raises ValueError when it is none."""
    plain = written.isascii() and written.isdigit() and len(written) <= _V1_PORT_DIGITS
    if not plain or (written[0] == "0" and written != "0") or int(written) > _MOST_PORT:
        raise ValueError("no port")
    return int(written)


def _v1(line: bytes, rest: bytes) -> Proxied | NotProxy:
    """Read a version 1 header without its CR LF."""
    fields = line.decode("ascii", "replace").split(" ")
    family = fields[1]
    if family == "UNKNOWN":
        return Proxied(None, None, rest)
    if family not in ("TCP4", "TCP6"):
        return NotProxy("A PROXY header names a protocol other than TCP4, TCP6 and UNKNOWN.")
    if len(fields) != _V1_FIELDS:
        return NotProxy("A PROXY header does not have two addresses and two ports.")
    try:
        source = Address(_v1_host(family, fields[2]), _v1_port(fields[4]))
        destination = Address(_v1_host(family, fields[3]), _v1_port(fields[5]))
    except ValueError:
        return NotProxy("A PROXY header has an address or a port that is none.")
    return Proxied(source, destination, rest)


def _v2_fault(length: int, family: int, transport: int) -> str:
    """Return what is wrong with the fixed part of a version 2 header, or nothing."""
    if length > V2_BYTES:
        return "A PROXY header is longer than the 4096 bytes it may have here."
    if family not in _ADDRESS_BYTES or transport not in _TRANSPORTS:
        return "A PROXY header names an address family that is none."
    if length < _ADDRESS_BYTES[family]:
        return "A PROXY header is too short for its addresses."
    return ""


def _v2_ends(family: int, body: bytes) -> tuple[Address | None, Address | None]:
    """Return source and destination out of a version 2 header's body; they lead it."""
    if family not in (1, 2):
        return None, None
    length = (_ADDRESS_BYTES[family] - 4) // 2
    ports = body[2 * length : 2 * length + 4]
    return (
        Address(_host(body[:length]), int.from_bytes(ports[:2], "big")),
        Address(_host(body[length : 2 * length]), int.from_bytes(ports[2:], "big")),
    )


class ProxyCodec:
    """Reads one header; once it has answered it has done its work.

    Holds at most one header and the last piece it was given.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        """Begin at the first byte of a connection."""
        self._held = b""

    def receive_data(self, data: bytes) -> Proxied | NotProxy | None:
        """Take bytes in; None means that the header goes on."""
        self._held += data
        held = self._held
        if held[: len(_V1)] == _V1[: len(held)]:
            return self._read_v1(held) if len(held) >= len(_V1) else None
        if held[: len(_V2)] == _V2[: len(held)]:
            return self._read_v2(held)
        return NotProxy("A listed proxy did not begin with a PROXY header.")

    def _read_v1(self, held: bytes) -> Proxied | NotProxy | None:
        """Look for the end of a version 1 header (section 2.1)."""
        end = held.find(b"\r\n", 0, V1_BYTES)
        if end >= 0:
            return _v1(held[:end], held[end + 2 :])
        if len(held) >= V1_BYTES:
            return NotProxy("A PROXY header is longer than the 107 bytes it may have.")
        return None

    def _read_v2(self, held: bytes) -> Proxied | NotProxy | None:
        """Read a version 2 header (section 2.2) as far as it is there."""
        command = held[len(_V2) : len(_V2) + 1]
        if command and command[0] not in (_LOCAL, _PROXY):
            return NotProxy("A PROXY header has a version or a command that is none.")
        if len(held) < _V2_FIXED:
            return None
        family, transport = divmod(held[_V2_FIXED - 3], 16)
        length = int.from_bytes(held[_V2_FIXED - 2 : _V2_FIXED], "big")
        local = command[0] == _LOCAL
        fault = _v2_fault(length, 0, 0) if local else _v2_fault(length, family, transport)
        if fault:
            return NotProxy(fault)
        end = _V2_FIXED + length
        if len(held) < end:
            return None
        ends = (None, None) if local else _v2_ends(family, held[_V2_FIXED:end])
        return Proxied(*ends, held[end:])
