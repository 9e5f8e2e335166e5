"""Listener: the interface of a connection to which a room's audience sends."""

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
        """Whether the connection takes no more data now."""

    @property
    def filters(self) -> bool:
        """Whether it ignores any authors, so that `wants` has to be called for each event."""

    def wants(self, entry: Entry) -> bool:
        """Whether to send it this event."""

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep the part of ``data`` that ``send`` did not take, and be full from now on."""

    def broken(self, bug: Exception) -> None:
        """End this connection: a bug of ours occurred in rendering for it or sending to it."""

    def missed(self, room: str, count: int) -> None:
        """Note that ``count`` events of the room were dropped before they could be sent."""


#: The listeners of one style, each with its bound ``send``.
Group = dict[Listener, Callable[[bytes], int]]
