"""Arrival: a connection as the gate hands it to a way in, and what the gate still does for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chatd.transport.conversation.conversation import Conversation


class Doorkeeper(Protocol):
    """The gate, as far as a way in needs it after the connection has been handed over."""

    def reached(self) -> tuple[str, int]:
        """Return the address and port of this server (or the proxy) as the client sees them."""

    def become(self, name: str, conversation: Conversation, data: bytes) -> None:
        """Hand a conversation, with bytes not yet taken, to the way in called ``name``."""

    def admit(self, operator: bool) -> str | None:
        """Return a sentence if a client must not stay, with or without an operator's key."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new connection.

    ``address`` is the client's, also behind a proxy.  ``probed`` says that the gate has asked the
    client for its terminal type already (telnet).
    """

    address: str
    door: Doorkeeper
    probed: bool = False
