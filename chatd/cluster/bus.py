"""Bus: publish/subscribe and request/reply between the servers of a cluster.

The chat knows nothing of it: it asks `chatd.chat.peers.Peers`, which the cluster implements on top
of a bus.

Messages and requests are JSON objects.  Servers of several versions understand each other by the
words in them, which therefore stay although the code has other names for most of them.

Replication (`chatd.cluster.replication.outgoing`):

- ``hello``: a heartbeat of a server that has just started; ``bye``: it stops
- ``again``: a request for the full state (`Outgoing.request_full_state`)
- ``n``: the number of a message, by which gaps are noticed
- ``first``, ``last``, ``part``: the first or last batch of a full state, and the batch's index
- ``called``: the sender's `display_name`
- ``people``, ``rooms``: states of people and rooms

The state of a person (`chatd.cluster.replication.local.LocalPeople.state`):

- ``number``: the person's number on their server; ``from``: the server they came from, and their
  number there
- ``nick``, ``key``: the nick as shown, and folded; ``print``: `Person.fingerprint`
- ``came``: `Person.since`; ``active``: `Person.last_active`; ``beside``: `Person.on_behalf_of`
- ``lost``: `Person.is_detached`; ``gone``: they left that server; ``moved``: for another one

The state of a room (`chatd.cluster.replication.room_state`):

- ``at``: the Lamport clock's number
- ``keepers``: `Room.roles`; ``invited``: `Room.invited` (guests); ``guests``:
  `Room.invited_accounts`

Remote calls (`chatd.cluster.calls`):

- ``errand``: the call, as one of `chatd.cluster.calls.Word`: ``whisper`` is `SendDirect`, ``seen``
  is `LastActive`, ``notice`` is `Notify`, ``role`` is `SetRole`, ``close`` is `CloseRoom`
- ``to``, ``by``: the numbers of the addressee and of the caller; ``with``: the call's values
- ``sender``, ``key``: in a forwarded call, the caller's server and the addressee's folded nick
- in replies ``done``, ``refused`` and ``moved`` (the addressee's new server and folded nick);
  ``waits``: the notice that a direct message was left for later

Migration (`chatd.cluster.migration`):

- ``fetch``: asks for the person that a `Proof` is for; the reply is their state, or ``here`` if
  they stay
- ``keep``: hands a person over; the reply is ``kept`` if they were taken
- ``place``: a `DetachedSession`; ``saw_own``: its ``echoed_input``; ``held``: the rooms that have a
  ban or mute of the nick (`Person.named_in_bans`)

Streams (`chatd.transport.relay`):

- ``line``: the name of the stream that a message belongs to; ``took``: how many bytes from the
  other end have been consumed
- ``open``: asks for a new stream; ``roll``: asks which of these streams are unknown
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

#: A JSON object, as servers send it to each other: a message, or a part of one.
State = dict[str, Any]

#: Called with a message from another server: the name of that server, and the text.
OnMessage = Callable[[str, str], None]
#: Called with a request from another server, likewise; returns the reply.
OnRequest = Callable[[str, str], Awaitable[str]]


class Bus(Protocol):
    """One server's view of the bus; all calls and callbacks run in the chat's thread.

    Messages from one server arrive in the order in which it sent them, or not at all.
    """

    @property
    def name(self) -> str:
        """The name of this server on the bus; different after every restart."""

    @property
    def display_name(self) -> str:
        """The display name of this server, which its operator chose; safe to show."""

    @property
    def replicas(self) -> tuple[int, int]:
        """How many machines store messages (0 while unknown), and how many of those are away."""

    def listen(self, on_message: OnMessage, on_request: OnRequest) -> None:
        """Call these functions with messages and requests from the other servers."""

    def broadcast(self, text: str) -> None:
        """Send a message to every other server."""

    def send(self, server: str, text: str) -> None:
        """Send a message to one other server."""

    async def request(self, server: str, text: str) -> str:
        """Send a request to one other server, and return its reply.

        :raises Refused: ``away`` when no reply comes; ``gone``, immediately, when there is no such
            server.
        """

    def hand_over_nick(self, nick: str, server: str) -> None:
        """Hand over this server's claim on a nick, by its folded form, to another server."""
