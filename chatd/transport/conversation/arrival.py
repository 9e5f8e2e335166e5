"""Arrival: a new connection that the gate hands to a way in, and the gate's interface to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from chatd.chat.ratelimit.line_budget import Standing
from chatd.transport.conversation.connection import Input
from chatd.transport.conversation.conversation import Conversation


class Doorkeeper(Input, Protocol):
    """The gate's interface to a way in, once the connection has been handed over."""

    def reached(self) -> tuple[str, int]:
        """Return the address and port of this server (or the proxy) as the client sees them."""

    def become(self, name: str, conversation: Conversation, data: bytes) -> None:
        """Hand a conversation, with the unread bytes, to the way in called ``name``."""

    def admit(self, standing: Standing) -> str | None:
        """Return a sentence if a client of this standing may not stay, else None."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new connection.

    ``address`` is the client's, even behind a proxy.  ``probed`` means that the gate has already
    asked the client for its terminal type (telnet).
    """

    address: str
    door: Doorkeeper
    probed: bool = False
