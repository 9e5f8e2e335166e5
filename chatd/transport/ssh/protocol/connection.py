"""The channels of one connection, and its requests: the service ``ssh-connection`` (RFC 4254).

The only kind of channel is a session: no forwarding, no agent, no X11, no subsystem.  It knows
channels by number and passes messages to them; it knows nothing of what runs in one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from twisted.conch.ssh import transport as conch
from twisted.internet.interfaces import IDelayedCall

from chatd.transport.channel import Program
from chatd.transport.ssh.protocol.channel import LOCAL_PACKET, LOCAL_WINDOW, SessionChannel
from chatd.transport.ssh.protocol.config import MayOpen, Start, always
from chatd.transport.ssh.protocol.interfaces import SshChannel, Transport
from chatd.transport.ssh.protocol.peer import SshPeer
from chatd.wire.ssh import Fields, MalformedError, string, uint32

GLOBAL_REQUEST = 80
REQUEST_FAILURE = 82
CHANNEL_OPEN = 90
CHANNEL_OPEN_CONFIRMATION = 91
CHANNEL_OPEN_FAILURE = 92
OPEN_ADMINISTRATIVELY_PROHIBITED = 1
OPEN_UNKNOWN_CHANNEL_TYPE = 3
OPEN_RESOURCE_SHORTAGE = 4

#: Channels that one connection may have open.
MAX_CHANNELS = 4

#: The smallest maximum packet size that a peer may ask for: with 0 nothing could ever be sent,
#: and tiny packets would cost a packet for each byte.
MIN_PACKET = 1024

#: Seconds that a connection may have no running program: after the login, and after the last
#: program has ended.
START_SECONDS = 30
LINGER_SECONDS = 5

#: Consecutive checks, one a minute, that may find a channel without room before its peer counts
#: as one that does not read.
MAX_STALLED_CHECKS = 3


class ConnectionService:
    """The service of a peer that has logged in.  A connection without a program is closed."""

    __slots__ = (
        "_channels",
        "_idle_timeout",
        "_may_open",
        "_next_id",
        "_start",
        "peer",
        "transport",
    )

    def __init__(
        self, transport: Transport, peer: SshPeer, start: Start, may_open: MayOpen = always
    ) -> None:
        self.transport = transport
        self.peer = peer
        self._start = start
        self._may_open = may_open
        self._channels: dict[int, SessionChannel] = {}
        self._next_id = 0
        self._idle_timeout: IDelayedCall | None = None
        self._close_in(START_SECONDS)

    @property
    def channels(self) -> Collection[SessionChannel]:
        """The channels that are open."""
        return self._channels.values()

    # For the transport

    def packet_received(self, number: int, packet: bytes) -> None:
        """Handle a message."""
        if number < GLOBAL_REQUEST:
            # Requests to log in after the login are ignored (RFC 4252 section 5.1).
            return
        handle = _MESSAGES.get(number)
        if handle is None:
            self.transport.sendUnimplemented()
        else:
            handle(self, Fields(packet))

    def stopped(self) -> None:
        """End every program: the connection is gone."""
        self._keep_open()
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.closed()

    def hold(self) -> None:
        """Send nothing in any channel for now."""
        for channel in self._channels.values():
            channel.outbox.hold()

    def resume(self) -> None:
        """Continue sending: there is room again."""
        for channel in list(self._channels.values()):
            channel.outbox.resume()

    def has_stalled_channel(self) -> bool:
        """Return whether a channel has had no room for too long; called once a minute."""
        checks = [channel.outbox.count_stalled_check() for channel in self._channels.values()]
        return max(checks, default=0) >= MAX_STALLED_CHECKS

    def send_keepalive(self) -> None:
        """Send a request that proves life by any answer, also by a refusal.

        Unlike an IGNORE it must be answered (RFC 4254 section 4).
        """
        request = string(b"keepalive@openssh.com") + b"\1"
        self.transport.sendPacket(GLOBAL_REQUEST, request)

    # For the channels

    def start(self, channel: SshChannel, command: str | None) -> Program | None:
        """Start a shell (None) or a command in a channel; None when it is refused."""
        return self._start(channel, command)

    def reconsider(self) -> None:
        """Keep the connection open while a program runs; otherwise close it soon."""
        if any(channel.running for channel in self._channels.values()):
            self._keep_open()
        elif self._idle_timeout is None:
            self._close_in(LINGER_SECONDS)

    def _close_in(self, seconds: float) -> None:
        self._idle_timeout = self.transport.clock.callLater(seconds, self._close_idle)

    def _keep_open(self) -> None:
        if self._idle_timeout is not None:
            self._idle_timeout.cancel()
            self._idle_timeout = None

    def _close_idle(self) -> None:
        self._idle_timeout = None
        unread = self.transport.outbox.full
        if unread or any(channel.closing for channel in self._channels.values()):
            self.transport.abort("does not close its channels")
        else:
            self.transport.sendDisconnect(conch.DISCONNECT_BY_APPLICATION, "nothing runs here")

    # Messages

    def _global_request(self, fields: Fields) -> None:
        """Refuse: nothing is forwarded, and a client's keepalive is content with any answer."""
        fields.string()
        if fields.boolean():
            self.transport.sendPacket(REQUEST_FAILURE, b"")

    def _ignored(self, fields: Fields) -> None:
        """Ignore an answer to a global request; the only one we send is the keepalive."""

    def _channel_answer(self, fields: Fields) -> None:
        """Report an answer to a channel's keepalive; a refusal proves as much as a success."""
        channel = self._channels.get(fields.uint32())
        if channel is not None:
            channel.answered()

    def _channel_open(self, fields: Fields) -> None:
        kind, remote_id = fields.string(), fields.uint32()
        window, max_packet = fields.uint32(), fields.uint32()
        if kind != b"session":
            self._refuse(remote_id, OPEN_UNKNOWN_CHANNEL_TYPE, b"only sessions here")
        elif len(self._channels) >= MAX_CHANNELS:
            self._refuse(remote_id, OPEN_RESOURCE_SHORTAGE, b"too many channels")
        elif max_packet < MIN_PACKET:
            self._refuse(remote_id, OPEN_ADMINISTRATIVELY_PROHIBITED, b"packets are too small")
        elif not self._may_open(self.transport.address):
            self._refuse(remote_id, OPEN_RESOURCE_SHORTAGE, b"channels are opened too fast")
        else:
            number = self._next_id
            self._next_id += 1
            self._channels[number] = SessionChannel(self, remote_id, window, max_packet)
            sizes = uint32(LOCAL_WINDOW) + uint32(LOCAL_PACKET)
            confirmation = uint32(remote_id) + uint32(number) + sizes
            self.transport.sendPacket(CHANNEL_OPEN_CONFIRMATION, confirmation)

    def _refuse(self, remote_id: int, code: int, reason: bytes) -> None:
        refusal = uint32(remote_id) + uint32(code) + string(reason) + string(b"")
        self.transport.sendPacket(CHANNEL_OPEN_FAILURE, refusal)

    def _channel(self, fields: Fields) -> SessionChannel:
        """Return the channel that a message names first.

        :raises MalformedError: when no such channel is open.
        """
        channel = self._channels.get(fields.uint32())
        if channel is None:
            raise MalformedError("a message for a channel that is not open")
        return channel

    def _window_adjust(self, fields: Fields) -> None:
        self._channel(fields).outbox.add_window(fields.uint32())

    def _data(self, fields: Fields) -> None:
        self._channel(fields).received(fields.string(), True)

    def _extended_data(self, fields: Fields) -> None:
        channel = self._channel(fields)
        fields.uint32()  # the type
        channel.received(fields.string(), False)

    def _eof(self, fields: Fields) -> None:
        self._channel(fields).input_ended()

    def _close(self, fields: Fields) -> None:
        number = fields.uint32()
        channel = self._channels.get(number)
        if channel is None:
            raise MalformedError("a message for a channel that is not open")
        channel.peer_closed()
        self._channels.pop(number, None)
        channel.closed()
        self.reconsider()

    def _request(self, fields: Fields) -> None:
        channel, kind, wants_reply = self._channel(fields), fields.string(), fields.boolean()
        channel.requested(kind, wants_reply, fields)


_MESSAGES: Final[dict[int, Callable[[ConnectionService, Fields], None]]] = {
    GLOBAL_REQUEST: ConnectionService._global_request,
    81: ConnectionService._ignored,
    REQUEST_FAILURE: ConnectionService._ignored,
    CHANNEL_OPEN: ConnectionService._channel_open,
    93: ConnectionService._window_adjust,
    94: ConnectionService._data,
    95: ConnectionService._extended_data,
    96: ConnectionService._eof,
    97: ConnectionService._close,
    98: ConnectionService._request,
    99: ConnectionService._channel_answer,
    100: ConnectionService._channel_answer,
}
