"""Peers: the chat's interface to the other servers of its cluster.

`Alone` is the null implementation, for a server without a cluster.  An action on a person on
another server is a `RemoteCall`, a value; `chatd.cluster.calls` sends it.  Times are in seconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from chatd.chat.events import Role
from chatd.chat.model.entities import Person, Room


@dataclass(frozen=True, slots=True)
class Proof:
    """Proof of identity: an account, the fingerprint of a key, or the token of a session."""

    account: str = ""
    fingerprint: str = ""
    token: str = ""


# Remote calls: rooms go by their folded names unless stated otherwise -----------------------------


@dataclass(frozen=True, slots=True)
class Kick:
    """Kick a person from a room; ``ban`` is the target and the encoded ban that goes with it."""

    room: str
    reason: str
    time: float
    ban: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Invite:
    """Show a person an invitation into a room; ``room`` is its name as shown."""

    time: float
    room: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Show a person a notice."""

    text: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Disconnect a person from the server."""

    reason: str
    time: float


@dataclass(frozen=True, slots=True)
class SetRole:
    """Give a person a role in a room."""

    room: str
    role: Role


@dataclass(frozen=True, slots=True)
class Announce:
    """Show everyone an operator's announcement."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class CloseRoom:
    """Close a room and remove all members."""

    room: str
    reason: str
    time: float


@dataclass(frozen=True, slots=True)
class SendDirect:
    """Show a person a direct message; the answer has ``waits`` if it is left for later."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a person another nick, chosen by an operator."""

    nick: str
    time: float


@dataclass(frozen=True, slots=True)
class LastActive:
    """Ask when a person was last active; the answer has it as ``active``."""


@dataclass(frozen=True, slots=True)
class EndSessions:
    """End connections of an account's owner, and of commands beside them, with a sentence.

    ``proof`` is the fingerprint of the key that they used, ``PASSWORD`` for a password, or empty
    for all.
    """

    account: str
    proof: str
    sentence: str
    time: float


#: The proof of connections that used a password.
PASSWORD = "password"


RemoteCall = (
    Kick
    | Invite
    | Notify
    | Disconnect
    | SetRole
    | Announce
    | CloseRoom
    | SendDirect
    | Rename
    | LastActive
    | EndSessions
)


class Peers(Protocol):
    """The other servers of a cluster, as the chat needs them."""

    @property
    def is_clustered(self) -> bool:
        """Whether there may be other servers."""

    @property
    def display_name(self) -> str:
        """The display name of this server; empty when it is alone."""

    def is_remote(self, person: Person) -> bool:
        """Whether a person is on another server."""

    def owner(self, account: str) -> Person | None:
        """Return the owner of an account, by its folded nick, if they are on another server."""

    # Changes on this server, for the others

    def person_changed(self, *people: Person) -> None:
        """Schedule people on this server, who may have changed, for replication after the turn."""

    def room_changed(self, room: Room, *, closed: bool = False) -> None:
        """Schedule a changed room for replication after the turn; send it now if ``closed``.

        Otherwise a user could reopen a closed room before the other servers know.
        """

    def displaced(self, person: Person, by: Person) -> None:
        """Remove a person on another server, who may be gone, as their nick has gone to ``by``."""

    # Calls

    def forward(self, to: Person, by: Person | None, call: RemoteCall) -> bool:
        """Forward a call to a person's server on behalf of ``by``; return whether it was forwarded.

        It is not when the person is here: then the caller carries it out.
        """

    def request(
        self, to: Person, by: Person, call: RemoteCall
    ) -> Awaitable[Mapping[str, Any]] | None:
        """Forward a call and return an awaitable for its answer; None when the person is here.

        :raises Refused: when awaited: that server's refusal, ``nobody`` or ``away``.
        """

    def broadcast(self, by: Person, call: RemoteCall) -> None:
        """Send a call to every other server, on behalf of ``by``."""

    async def fetch(self, proof: Proof) -> str:
        """Fetch the detached session that a proof is for from another server, if there is one.

        Return the server where that person has a working connection; they stay there.
        """

    # Records, rooms and status

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Apply a record that another server has written, or (None) deleted."""

    def may_drop(self, room: Room) -> bool:
        """Whether the store may drop a room that is empty as far as this server knows."""

    def status(self, now: float) -> list[str]:
        """Return the lines that /status shows about the other servers."""


class Alone:
    """The null implementation: no other servers to call or to replicate to."""

    is_clustered = False
    display_name = ""

    def is_remote(self, person: Person) -> bool:
        """Return False: every person is on this server."""
        return False

    def owner(self, account: str) -> Person | None:
        """Return None: no person is on another server."""
        return None

    def person_changed(self, *people: Person) -> None:
        """Do nothing, as there is nowhere to replicate to."""

    def room_changed(self, room: Room, *, closed: bool = False) -> None:
        """Do nothing, as there is nowhere to replicate to."""

    def displaced(self, person: Person, by: Person) -> None:
        """Do nothing: it happens only to people on other servers."""

    def forward(self, to: Person, by: Person | None, call: RemoteCall) -> bool:
        """Return False: the person is here."""
        return False

    def request(
        self, to: Person, by: Person, call: RemoteCall
    ) -> Awaitable[Mapping[str, Any]] | None:
        """Return None: the person is here."""
        return None

    def broadcast(self, by: Person, call: RemoteCall) -> None:
        """Do nothing, as there is no server to call."""

    async def fetch(self, proof: Proof) -> str:
        """Return an empty string: every detached session is here."""
        return ""

    def record_changed(self, kind: str, key: str, value: str | None) -> None:
        """Do nothing: no other server writes records."""

    def may_drop(self, room: Room) -> bool:
        """Return True: a room without members here has none."""
        return True

    def status(self, now: float) -> list[str]:
        """Return no lines."""
        return []


#: `Alone` has no state, so one instance is enough.
ALONE = Alone()
