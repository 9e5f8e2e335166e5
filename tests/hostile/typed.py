"""Floods of what is typed: by telnet clients in character mode, on plain lines, and by programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.hostile.flood import Flood, Target
from tests.hostile.sockets import endless, flood

#: A telnet client in character mode, which has told its terminal's name and size.
_TERMINAL = (
    b"\xff\xfd\x01\xff\xfd\x03\xff\xfb\x18\xff\xfa\x18\x00xterm\xff\xf0"
    b"\xff\xfb\x1f\xff\xfa\x1f\0%c\0\x18\xff\xf0"
)
_CHARACTERS = _TERMINAL % 80
#: Screens of one address, one fewer than a server admits, each of a width of its own.
_WIDTHS = range(20, 119)
_PILE = "a" + "\u0301\u0327" * 1000


def _sends(opening: bytes, *pieces: bytes) -> Callable[[Target], None]:
    return lambda target: flood(target, opening, endless(*pieces))


def _widths(target: Target) -> None:
    """Say long lines of many words to screens of which no two wrap them alike."""
    everybody = replace(target, connections=len(_WIDTHS))
    openings = endless(*(_TERMINAL % width for width in _WIDTHS))
    flood(everybody, openings, endless("א ".encode() * 1365 + b"\r"))


def _chat(number: int) -> bytes:
    return b"CHAT: 1\nJOIN_ID: %d\nCLIENT_NAME: eve\nMESSAGE: x\n\n" % number


FLOODS = (
    Flood(
        "keys-moves",
        "keys that go to and fro in a long line",
        _sends(_CHARACTERS, "क्षि".encode() * 300, b"\x01\x05\x1b[D\x1b[C" * 4000, b"\x15"),
    ),
    Flood("keys-redraw", "Ctrl-L", _sends(_CHARACTERS, b"x" * 4000, b"\x0c" * 60_000)),
    Flood("keys-tab", "completion", _sends(_CHARACTERS, b"/\t\t\t\x15\t" * 10_000)),
    Flood("keys-interrupt", "Ctrl-C", _sends(_CHARACTERS, b"\x03" * 60_000)),
    Flood(
        "keys-paste",
        "bracketed pastes",
        _sends(_CHARACTERS, b"\x1b[200~" + b"line\r" * 3000 + b"\x1b[201~\r"),
    ),
    Flood("keys-escape", "sequences of no key", _sends(_CHARACTERS, b"\x1b[1;99999x" * 6000)),
    Flood("keys-lines", "lines on a terminal", _sends(_CHARACTERS, b"hello\r" * 10_000)),
    Flood("keys-widths", f"long lines to {len(_WIDTHS)} screens of as many widths", _widths),
    Flood("lines-marks", "lines of combining marks", _sends(b"\n", _PILE.encode() + b"\n")),
    Flood("lines-unknown", "commands that do not exist", _sends(b"\n", b"/frobnicate\n" * 5000)),
    Flood("lines-history", "much history", _sends(b"\n", b"/history 200\n/search a\n" * 100)),
    Flood("lines-long", "a line without an end", _sends(b"hello\n", b"x" * 60_000)),
    Flood("lines-invalid", "bytes that are not UTF-8", _sends(b"\n", b"\xc3\x28\xe2\x82\n" * 9000)),
    Flood("tcd-helo", "HELO", _sends(b"HELO x\n", b"HELO x\n" * 8000)),
    Flood("tcd-chat", "messages of somebody who has joined nothing", _sends(b"HELO x\n", _chat(7))),
    Flood("tcd-junk", "lines that are no request", _sends(b"HELO x\n", b":\n" * 30_000)),
    Flood("first-bytes", "connections that come and go", _sends(b"GET / HTTP/1.1\r\n", b"\r\n")),
)
