"""Streams: what the cluster asks of the connections that one server accepts and another one runs."""

from __future__ import annotations

from typing import Any, Protocol

from chatd.chat.model.entities import Person


class StreamRouter(Protocol):
    """The streams between servers, as far as the cluster hears of them."""

    def heard(self, server: str, said: dict[str, Any]) -> None:
        """Take what another server says on a stream."""

    def asked(self, server: str, said: dict[str, Any]) -> dict[str, Any]:
        """Answer what another server asks about its streams."""

    def gather(self, person: Person, server: str) -> None:
        """Relay a person's connections to ``server``: they came to it and to this one at once."""

    def gone(self, server: str) -> None:
        """Drop every stream to a server that is gone."""

    def hang_up(self, sentence: str) -> None:
        """End every stream, as this server lets go of everybody, with these words."""
