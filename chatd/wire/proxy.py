"""PROXY protocol codec, versions 1 and 2: the client's address behind a proxy.

It knows haproxy's specification (proxy-protocol.txt) but not which peers to trust: the caller must
use it only for the listed proxies.

A header may arrive in any pieces, and the bytes after it are returned unchanged.  Bytes that are
not a header are reported at the first byte that shows it, with a sentence for the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

#: The most bytes of a version 1 header, CR LF included (section 2.1).
V1_BYTES = 107
#: The most bytes of a version 2 header after its fixed part: haproxy itself sends at most 536 bytes
#: in all unless it is configured to add TLVs (section 2.2), and a certificate's names fit in this.
V2_BYTES = 4096

_V1: Final = b"PROXY "
_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
#: The signature, version and command, family and transport, and two bytes of length.
_V2_FIXED: Final = len(_V2) + 4
_LOCAL, _PROXY = 0x20, 0x21
#: The size of the addresses of a family: unspecified, IPv4, IPv6, Unix.
_ADDRESS_BYTES: Final = {0: 0, 1: 12, 2: 36, 3: 216}
_TRANSPORTS: Final = (0, 1, 2)
_IPV4_BYTES = 4
_V1_FIELDS, _V1_PORT_DIGITS, _MOST_PORT = 6, 5, 65535


#: The beginnings of a version 1 header, whose first word alone is one of English.
_V1_BEGINNINGS: Final = (b"PROXY TCP4 ", b"PROXY TCP6 ", b"PROXY UNKNOWN")
#: The beginning of the signature of version 2 that somebody may type: Enter, twice.
_V2_TYPED: Final = b"\r\n\r\n"


def begins_header(data: bytes) -> bool | None:
    """Return whether a connection's first bytes begin a header; None when more are needed.

    It is for connections from which no header is expected: line ends alone do not count as one.
    """
    if data.startswith((*_V1_BEGINNINGS, _V2)):
        return True
    if _V2_TYPED.startswith(data):
        return False
    return None if any(each.startswith(data) for each in (*_V1_BEGINNINGS, _V2)) else False


def may_continue_header(data: bytes) -> bool:
    """Return whether these line ends, which `begins_header` let pass, may yet become a header."""
    return bool(data) and _V2_TYPED.startswith(data)


@dataclass(frozen=True, slots=True)
class Address:
    """One end of a TCP connection; ``host`` is an IPv4 or IPv6 address in its shortest form."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Proxied:
    """A header, and the bytes after it.

    Both addresses are None if the proxy connects for itself (a health check) or for a client
    without an IP address: the connection's own address then counts.
    """

    source: Address | None
    destination: Address | None
    rest: bytes


@dataclass(frozen=True, slots=True)
class NotProxy:
    """The bytes are not a PROXY header; ``reason`` says why."""

    reason: str


def _host(packed: bytes) -> str:
    """Return an address of 4 or 16 bytes as text; an IPv4-mapped IPv6 address as IPv4."""
    if len(packed) == _IPV4_BYTES:
        return str(IPv4Address(packed))
    address = IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _v1_host(family: str, text: str) -> str:
    """Return an address of a version 1 header.

    :raises ValueError: when it is not an address of that family.
    """
    if family == "TCP4":
        return _host(IPv4Address(text).packed)
    if "%" in text:
        raise ValueError("a scope is only valid on its own host")
    return _host(IPv6Address(text).packed)


def _v1_port(text: str) -> int:
    """Return a port of a version 1 header.

    :raises ValueError: when it is not a port, or has leading zeros.
    """
    plain = text.isascii() and text.isdigit() and len(text) <= _V1_PORT_DIGITS
    if not plain or (text[0] == "0" and text != "0") or int(text) > _MOST_PORT:
        raise ValueError("not a port")
    return int(text)


def _v1(line: bytes, rest: bytes) -> Proxied | NotProxy:
    """Parse a version 1 header, given without its CR LF."""
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


def _v2_error(length: int, family: int, transport: int) -> str:
    """Return the error in the fixed part of a version 2 header, or an empty string."""
    if length > V2_BYTES:
        return "A PROXY header is longer than the 4096 bytes it may have here."
    if family not in _ADDRESS_BYTES or transport not in _TRANSPORTS:
        return "A PROXY header names an address family that is none."
    if length < _ADDRESS_BYTES[family]:
        return "A PROXY header is too short for its addresses."
    return ""


def _v2_addresses(family: int, body: bytes) -> tuple[Address | None, Address | None]:
    """Return source and destination, which begin the body of a version 2 header."""
    if family not in (1, 2):
        return None, None
    length = (_ADDRESS_BYTES[family] - 4) // 2
    ports = body[2 * length : 2 * length + 4]
    return (
        Address(_host(body[:length]), int.from_bytes(ports[:2], "big")),
        Address(_host(body[length : 2 * length]), int.from_bytes(ports[2:], "big")),
    )


class ProxyCodec:
    """The decoder of one header; after its first result it is not used again.

    It holds at most one header and the last piece it was given.
    """

    __slots__ = ("_held",)

    def __init__(self) -> None:
        """Start at the first byte of a connection."""
        self._held = b""

    def receive_data(self, data: bytes) -> Proxied | NotProxy | None:
        """Decode bytes; None means that the header is not complete."""
        self._held += data
        held = self._held
        if held[: len(_V1)] == _V1[: len(held)]:
            return self._read_v1(held) if len(held) >= len(_V1) else None
        if held[: len(_V2)] == _V2[: len(held)]:
            return self._read_v2(held)
        return NotProxy("A listed proxy did not begin with a PROXY header.")

    def _read_v1(self, held: bytes) -> Proxied | NotProxy | None:
        """Decode a version 1 header (section 2.1) once its line has ended."""
        end = held.find(b"\r\n", 0, V1_BYTES)
        if end >= 0:
            return _v1(held[:end], held[end + 2 :])
        if len(held) >= V1_BYTES:
            return NotProxy("A PROXY header is longer than the 107 bytes it may have.")
        return None

    def _read_v2(self, held: bytes) -> Proxied | NotProxy | None:
        """Decode a version 2 header (section 2.2) once it is complete."""
        command = held[len(_V2) : len(_V2) + 1]
        if command and command[0] not in (_LOCAL, _PROXY):
            return NotProxy("A PROXY header has a version or a command that is none.")
        if len(held) < _V2_FIXED:
            return None
        family, transport = divmod(held[_V2_FIXED - 3], 16)
        length = int.from_bytes(held[_V2_FIXED - 2 : _V2_FIXED], "big")
        local = command[0] == _LOCAL
        # The family of a LOCAL header is ignored (section 2.2).
        error = _v2_error(length, 0, 0) if local else _v2_error(length, family, transport)
        if error:
            return NotProxy(error)
        end = _V2_FIXED + length
        if len(held) < end:
            return None
        ends = (None, None) if local else _v2_addresses(family, held[_V2_FIXED:end])
        return Proxied(*ends, held[end:])
