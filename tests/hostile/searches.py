"""Floods of searches: what they cost those who join and read a room's history."""

from __future__ import annotations

import random
import socket
import time
from contextlib import ExitStack, suppress
from itertools import cycle

from tests.hostile.flood import Flood, Target

#: Searches that are asked for at once, each by a user at an address of their own.
SEARCHERS = 100
_ADDRESSES = [f"127.0.1.{number}" for number in range(1, SEARCHERS + 1)]
#: Seconds between two searches of one of them: what flood control allows by default.
_SECONDS = 0.5
#: Messages that are searched, and bytes of them that are sent at a time.
MESSAGES, _PIECE = 20_000, 1 << 16
#: Words that every message has, in an order that none has.
_WORDS = ("the", "of", "and", "cat")
_PHRASE = b'/search "the cat of the and cat of and the"\n'


def _fill(target: Target) -> None:
    """Fill the lobby with messages, and wait until they are stored."""
    words = random.Random(1)
    texts = (f"{number} {' '.join(words.choices(_WORDS, k=24))}\n" for number in range(MESSAGES))
    data = b"/join lobby\n" + "".join(texts).encode() + b"/history 1\n"
    last = f" {MESSAGES - 1} ".encode()
    with socket.create_connection(("127.0.0.1", target.port), 60) as writer:
        received = b""
        writer.settimeout(60)
        for at in range(0, len(data), _PIECE):
            writer.sendall(data[at : at + _PIECE])
        while last not in received:
            piece = writer.recv(_PIECE)
            if not piece:
                raise ConnectionResetError("the lobby could not be filled")
            received = received[-1000:] + piece


def _search(target: Target) -> None:
    """Let each search again and again, as fast as flood control lets one user by default."""
    with ExitStack() as stack:
        searchers = []
        for address in _ADDRESSES:
            made = socket.create_connection(("127.0.0.1", target.port), 60, (address, 0))
            searchers.append(stack.enter_context(made))
            made.setblocking(False)
        for searcher in cycle(searchers):
            if time.monotonic() >= target.until:
                return
            with suppress(BlockingIOError):
                searcher.send(_PHRASE)
                searcher.recv(_PIECE)
            time.sleep(_SECONDS / SEARCHERS)


#: Without flood control, as filling the lobby would take hours.
_OPTIONS = ("--flood", "none", "--per-address", "none")

FLOODS = (
    Flood(
        "searches",
        f"{SEARCHERS} users at as many addresses who search for a phrase; joins and /history",
        _search,
        _fill,
        _OPTIONS,
        "history",
    ),
    Flood(
        "searches-ping",
        "the same, and pings",
        _search,
        _fill,
        _OPTIONS,
    ),
)
