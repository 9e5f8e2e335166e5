"""What the chat asks of whoever connects it with the other servers of its cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

#: Told what another server says: its name, and the text.
Hear = Callable[[str, str], None]
#: Asked something by another server, by its name; what it returns is the answer.
Asked = Callable[[str, str], Awaitable[str]]


class Bus(Protocol):
    """The way to the other servers; called, and calling back, in the thread of the chat.

    What one server tells arrives in its order, or not at all.
    """

    @property
    def name(self) -> str:
        """What this server is known by among them; another name each time it starts."""

    @property
    def display_name(self) -> str:
        """What who runs this server calls it, for people; safe to show."""

    @property
    def replicas(self) -> tuple[int, int]:
        """How many machines keep what is said, 0 while that is not known, and how many are away."""

    def hear(self, hear: Hear, asked: Asked) -> None:
        """Let these functions hear what the others say, and answer what they ask."""

    def broadcast(self, text: str) -> None:
        """Say something to every other server."""

    def send(self, server: str, text: str) -> None:
        """Say something to one of them."""

    async def request(self, server: str, text: str) -> str:
        """Ask one of them, and return the answer.

        :raises Refused: ``away`` when there is none; at once ``gone`` when there is no such server.
        """

    def hand_over_nick(self, nick: str, server: str) -> None:
        """Let the claim on a nick that is claimed here be another server's."""
