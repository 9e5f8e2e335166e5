"""Listener: what the audience of a room asks of each connection that it sends to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from chatd.chat.events import Entry


class Listener(Protocol):
    """The receiving end of one connection."""

    #: Take bytes and return how many were taken: see `chatd.chat.model.client.Client`.
    send: Callable[[bytes], int]

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""

    @property
    def filters(self) -> bool:
        """Whether there are authors whose events it does not want."""

    def wants(self, entry: Entry) -> bool:
        """Whether it wants this event."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep the rest of ``data`` after a short ``send``, and be full from now on."""

    def broken(self, bug: Exception) -> None:
        """End this connection: ``send`` has raised what it never should."""

    def missed(self, room: str, count: int) -> None:
        """Say that ``count`` events of the room were forgotten before they could be sent."""


#: Listeners of one style, and the function that sends to each.
Group = dict[Listener, Callable[[bytes], int]]
