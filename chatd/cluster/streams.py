"""Streams: the flow-controlled streams between servers, as far as the cluster knows of them.

A connection that was accepted on one server and runs on another goes over a stream.  The cluster
only passes their messages on; see `chatd.transport.relay.streams`.
"""

from __future__ import annotations

from typing import Protocol

from chatd.chat.model.entities import Person
from chatd.cluster.bus import State


class StreamRouter(Protocol):
    """The streams of this server to the others."""

    def received(self, server: str, said: State) -> None:
        """Pass a message of another server to its stream."""

    def answer(self, server: str, said: State) -> State:
        """Answer a request of another server about its streams."""

    def merge_connections(self, person: Person, server: str) -> None:
        """Let another server, to which a person came at the same time, run their connections.

        Those that cannot be relayed stay here.
        """

    def server_gone(self, server: str) -> None:
        """Another server is gone, and with it every stream to it."""

    def hang_up(self, sentence: str) -> None:
        """End every stream, with a sentence for the people at their ends."""
