"""The channels of one connection, and its requests (the service ``ssh-connection``, RFC 4254).

Sessions are all there is: no forwarding, no agent, no X11, no subsystem.  It knows channels by
number and passes messages to them; it knows nothing of what runs in one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from twisted.conch.ssh import transport as conch
from twisted.internet.interfaces import IDelayedCall

from chatd.transport.channel import SshPeer
from chatd.transport.ssh.protocol.channel import LOCAL_PACKET, LOCAL_WINDOW, SessionChannel
from chatd.wire.ssh import Fields, MalformedError, string, uint32

if TYPE_CHECKING:
    from chatd.transport.ssh.protocol.server import ServerTransport

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

#: The smallest packets we are ready to send: with none at all nothing could ever be said, and
#: tiny ones would cost a packet a byte.
MIN_PACKET = 1024

#: Seconds without a running program: after the login, and after the last program ended.
START_SECONDS = 30
LINGER_SECONDS = 5

#: How many minutes in turn a channel may be found without room before its reader is given up.
MAX_WAITS = 3


class ConnectionService:
    """The service of a visitor who is in.  A connection in which nothing runs is closed."""

    __slots__ = ("_channels", "_next_id", "_parting", "transport", "visitor")

    def __init__(self, transport: ServerTransport, visitor: SshPeer) -> None:
        self.transport = transport
        self.visitor = visitor
        self._channels: dict[int, SessionChannel] = {}
        self._next_id = 0
        self._parting: IDelayedCall | None = None
        self._part_in(START_SECONDS)

    # For the transport

    def packet_received(self, number: int, packet: bytes) -> None:
        """Do what a message asks."""
        if number < GLOBAL_REQUEST:  # whoever is in already need not log in (RFC 4252, 5.1)
            return
        act = _MESSAGES.get(number)
        if act is None:
            self.transport.sendUnimplemented()
        else:
            act(self, Fields(packet))

    def stopped(self) -> None:
        """The connection is gone."""
        self._stay()
        for channel in self._take_channels():
            channel.gone()

    def _take_channels(self) -> list[SessionChannel]:
        channels, self._channels = list(self._channels.values()), {}
        return channels

    def hold(self) -> None:
        """Nothing may be sent for a while."""
        for channel in self._channels.values():
            channel.outbox.hold()

    def resume(self) -> None:
        """There is room again."""
        for channel in list(self._channels.values()):
            channel.outbox.resume()

    def has_stalled_reader(self) -> bool:
        """Asked once a minute: whether one of the channels has had no room for too long."""
        waits = [channel.outbox.waited() for channel in self._channels.values()]
        return max(waits, default=0) >= MAX_WAITS

    def send_keepalive(self) -> None:
        """Ask for a sign of life; every answer is one, a refusal too."""
        request = string(b"keepalive@openssh.com") + b"\1"
        self.transport.sendPacket(GLOBAL_REQUEST, request)

    # Staying and parting

    def reconsider(self) -> None:
        """A program began or ended: is there a reason to stay?"""
        if any(channel.running for channel in self._channels.values()):
            self._stay()
        elif self._parting is None:
            self._part_in(LINGER_SECONDS)

    def _part_in(self, seconds: float) -> None:
        self._parting = self.transport.clock.callLater(seconds, self._part)

    def _stay(self) -> None:
        if self._parting is not None:
            self._parting.cancel()
            self._parting = None

    def _part(self) -> None:
        self._parting = None
        unread = self.transport.outbox.full
        if unread or any(channel.closing for channel in self._channels.values()):
            self.transport.abort("does not close its channels")
        else:
            self.transport.sendDisconnect(conch.DISCONNECT_BY_APPLICATION, "nothing runs here")

    # Messages

    def _global_request(self, fields: Fields) -> None:
        """Nothing is forwarded; a keepalive is content with a refusal."""
        fields.string()
        if fields.boolean():
            self.transport.sendPacket(REQUEST_FAILURE, b"")

    def _ignored(self, fields: Fields) -> None:
        """Replies; all we ever ask for is a sign of life."""

    def _answer(self, fields: Fields) -> None:
        """A channel's request was met or not: in any case there is life."""
        channel = self._channels.get(fields.uint32())
        if channel is not None:
            channel.answered()

    def _open(self, fields: Fields) -> None:
        kind, remote_id = fields.string(), fields.uint32()
        window, max_packet = fields.uint32(), fields.uint32()
        if kind != b"session":
            self._refuse(remote_id, OPEN_UNKNOWN_CHANNEL_TYPE, b"only sessions here")
        elif len(self._channels) >= MAX_CHANNELS:
            self._refuse(remote_id, OPEN_RESOURCE_SHORTAGE, b"too many channels")
        elif max_packet < MIN_PACKET:
            self._refuse(remote_id, OPEN_ADMINISTRATIVELY_PROHIBITED, b"packets are too small")
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
        fields.uint32()  # the kind
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
        channel.gone()
        self.reconsider()

    def _request(self, fields: Fields) -> None:
        channel, kind, wants_reply = self._channel(fields), fields.string(), fields.boolean()
        channel.requested(kind, wants_reply, fields)


_MESSAGES: Final[dict[int, Callable[[ConnectionService, Fields], None]]] = {
    GLOBAL_REQUEST: ConnectionService._global_request,
    81: ConnectionService._ignored,
    REQUEST_FAILURE: ConnectionService._ignored,
    CHANNEL_OPEN: ConnectionService._open,
    93: ConnectionService._window_adjust,
    94: ConnectionService._data,
    95: ConnectionService._extended_data,
    96: ConnectionService._eof,
    97: ConnectionService._close,
    98: ConnectionService._request,
    99: ConnectionService._answer,
    100: ConnectionService._answer,
}
