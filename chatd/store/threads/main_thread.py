"""How the threads of a store meet the thread of the chat.

A store that waits for a disk has threads of its own; what it has to say it says in the thread of
the chat.  It must not know Twisted: whoever makes it hands in a `MainThread`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol


class Promise(Awaitable[Any], Protocol):
    """What is waited for in the chat's thread; it is given, or fails, there as well, once."""

    def resolve(self, value: object) -> None:
        """Here it is."""

    def fail(self, error: Exception) -> None:
        """It cannot be had."""


class MainThread(Protocol):
    """The thread of the chat."""

    def call_soon(self, step: Callable[[], None]) -> None:
        """Run something in the chat's thread; from any thread, in the order of the calls."""

    def promise(self) -> Promise:
        """Something new to wait for."""

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on in the chat's thread that may wait for answers; from that thread."""
