"""Lending: a session runs on the server where its person is; another only lends its line.

The chat knows nothing of lines but this: a connection may be one that can be lent, and then there
is nothing left to do for it here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from chatd.chat.model.people import Person

#: Lets a server run a connection for the owner of an account, by its folded nick, who is there;
#: says whether it does.  Nothing has changed when it does not.
RelayTo = Callable[[str, str], Awaitable[bool]]


class Relayed(Exception):  # noqa: N818 - a no, not an error
    """A connection is run by another server from now on."""


class StreamRouter(Protocol):
    """The lines between servers, as far as the chat hears of them."""

    def heard(self, server: str, said: dict[str, Any]) -> None:
        """Another server says something on a line."""

    def asked(self, server: str, said: dict[str, Any]) -> dict[str, Any]:
        """Another server asks something about its lines; return the answer."""

    def gather(self, person: Person, server: str) -> None:
        """Somebody came here and to another server at once: it is to run what can be lent."""

    def gone(self, server: str) -> None:
        """Another server is gone, and with it every line to it."""

    def hang_up(self, sentence: str) -> None:
        """This server lets go of everybody, with these words."""
