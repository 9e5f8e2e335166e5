"""Floods of telnet commands and of line ends, from clients that never log in."""

from __future__ import annotations

from tests.hostile.flood import Flood, Target
from tests.hostile.sockets import endless, flood

_AYT = b"\xff\xf6"
_WILL_ECHO_ON_OFF = b"\xff\xfb\x01\xff\xfc\x01"
_NAWS = b"\xff\xfa\x1f\0%c\0%c\xff\xf0"
_CHARACTER_MODE = b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x18\xff\xfb\x1f"


def _are_you_there(target: Target) -> None:
    flood(target, _AYT, endless(_AYT * 30_000))


def _negotiation(target: Target) -> None:
    flood(target, _WILL_ECHO_ON_OFF, endless(_WILL_ECHO_ON_OFF * 10_000))


def _sizes(target: Target) -> None:
    sizes = b"".join(_NAWS % (20 + step % 200, 5 + step % 90) for step in range(6000))
    flood(target, _CHARACTER_MODE, endless(sizes))


def _line_feeds(target: Target) -> None:
    flood(target, b"\n", endless(b"\n" * 60_000))


def _returns(target: Target) -> None:
    flood(target, b"\r", endless(b"\r" * 60_000))


def _subnegotiations(target: Target) -> None:
    flood(target, _AYT, endless(b"\xff\xfa\x2a\xff\xf0" * 12_000))


FLOODS = (
    Flood("telnet-ayt", "Are You There", _are_you_there),
    Flood("telnet-options", "an option that is negotiated on and off", _negotiation),
    Flood("telnet-sizes", "window sizes of a terminal", _sizes),
    Flood("telnet-empty", "empty subnegotiations", _subnegotiations),
    Flood("line-feeds", "bare LFs on plain lines", _line_feeds),
    Flood("returns", "bare CRs on plain lines", _returns),
)
