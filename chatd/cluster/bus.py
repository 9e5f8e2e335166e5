"""Bus: publish/subscribe and request/reply between the servers of a cluster.

The chat knows nothing of it: it asks `chatd.chat.peers.Peers`, which the cluster implements on top
of a bus.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

#: A JSON object, as servers send it to each other: a message, or a part of one.
State = dict[str, Any]

#: Called with a message of another server: the name of that server, and the text.
OnMessage = Callable[[str, str], None]
#: Called with a request of another server, likewise; returns the reply.
OnRequest = Callable[[str, str], Awaitable[str]]


class Bus(Protocol):
    """The bus as one server has it; it is called, and calls back, in the thread of the chat.

    The messages of one server arrive in the order in which it sent them, or not at all.
    """

    @property
    def name(self) -> str:
        """The name of this server on the bus; another one each time that it starts."""

    @property
    def display_name(self) -> str:
        """The name of this server for people, which its operator chose; safe to show."""

    @property
    def replicas(self) -> tuple[int, int]:
        """How many machines keep what is said, 0 while that is not known, and how many are away."""

    def listen(self, on_message: OnMessage, on_request: OnRequest) -> None:
        """Call these functions with the messages and the requests of the other servers."""

    def broadcast(self, text: str) -> None:
        """Send a message to every other server."""

    def send(self, server: str, text: str) -> None:
        """Send a message to one other server."""

    async def request(self, server: str, text: str) -> str:
        """Send a request to one other server, and return its reply.

        :raises Refused: ``away`` when there is none; at once ``gone`` when there is no such server.
        """

    def hand_over_nick(self, nick: str, server: str) -> None:
        """Let another server have the claim on a nick, by its folded form, that this one has."""
