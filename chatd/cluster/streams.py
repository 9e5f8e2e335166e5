"""Streams: the flow-controlled streams between servers, as far as the cluster knows them.

A connection that was accepted on one server and runs on another is relayed over a stream.  The
cluster only passes the messages of streams on; see `chatd.transport.relay.streams`.
"""

from __future__ import annotations

from typing import Protocol

from chatd.chat.model.entities import Person
from chatd.cluster.bus import State


class StreamRouter(Protocol):
    """This server's streams to the others."""

    def received(self, server: str, said: State) -> None:
        """Pass a message from another server to its stream."""

    def answer(self, server: str, said: State) -> State:
        """Answer a request from another server about its streams."""

    def merge_connections(self, person: Person, server: str) -> None:
        """Let another server, which a person entered simultaneously, run their connections.

        Connections that cannot be relayed stay here.
        """

    def server_gone(self, server: str) -> None:
        """Drop every stream to a server that is gone."""

    def hang_up(self, sentence: str) -> None:
        """End every stream, with a sentence for the users at the other end."""
