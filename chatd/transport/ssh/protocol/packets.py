"""The packet layer of an SSH connection: read, write and end (RFC 4253 sections 4 to 6 and 11).

A connection accepts one protocol version, keeps bounded buffers, and ignores all input after a
DISCONNECT.

It knows bytes, packets and the outbox.  It knows nothing of keys, users or channels.
"""

from __future__ import annotations

from twisted.conch.ssh import transport as conch
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd import __version__
from chatd.transport.net.outbox import Outbox, outbox_for, prepare_socket
from chatd.transport.ssh.protocol.ciphers import (
    PROTOCOL_ERROR,
    PacketCipher,
    PacketError,
    Plaintext,
)
from chatd.transport.ssh.protocol.config import ServerConfig
from chatd.wire.ssh import MalformedError, string, uint32

#: Bytes of the peer's identification line, its line end included (RFC 4253 section 4.2).
MAX_VERSION_LINE = 255

#: Unsent bytes at which the connection is aborted.  Channels stop at a full outbox long before
#: this; it bounds the replies to a peer that sends requests without reading.
MAX_UNSENT = 256 * 1024

#: Bytes held back during a key exchange; only replies and closing messages are.
MAX_HELD = 64 * 1024

#: Bytes that a held message is counted with beyond its payload: the objects that keep it.
_HELD_OVERHEAD = 64

#: Message numbers that may be sent during a key exchange (RFC 4253 section 7.1): those of the
#: transport layer except 5 and 6 (service request and accept), and none of the higher layers.
_SENT_DURING_EXCHANGE = frozenset((1, 2, 3, 4, 20, 21, 30, 31))


class PacketTransport(conch.SSHServerTransport):
    """One connection as packets.

    Conch's transport contributes the arithmetic of the key exchange only: its own reading and
    writing buffer without bounds, and continue after a DISCONNECT.  ``held`` is a list only while
    keys are exchanged.
    """

    _log = Logger()

    ourVersionString = b"SSH-2.0-chatd_" + __version__.replace("-", "_").encode("ascii")
    #: Lines that precede it, which clients skip (RFC 4253 section 4.2).
    lines_before_version = b""
    outbox: Outbox

    #: Message numbers that the peer may send now; None once the higher layers decide.
    expected: frozenset[int] | None
    held: list[tuple[int, bytes]] | None = None
    #: Bytes that ``held`` is counted with.
    held_bytes = 0
    ended = False
    _buffer = b""

    def __init__(self, config: ServerConfig, address: IAddress) -> None:
        self.config = config
        self.clock: IReactorTime = config.clock
        #: The peer's address; behind a proxy that is not the transport's peer.
        self.address = address
        self.sealer: PacketCipher = Plaintext()
        self.opener: PacketCipher = Plaintext()

    def connectionMade(self) -> None:
        """Send our identification line."""
        assert self.transport is not None
        prepare_socket(self.transport)
        self.outbox = outbox_for(self.transport, self.clock, self.drained)
        self.outbox.write(self.lines_before_version + self.ourVersionString + b"\r\n")

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Drop everything that is buffered."""
        self.ended = True
        self.held = None
        self._buffer = b""
        self.outbox.forget()

    def drained(self) -> None:
        """Continue sending: the transport has room again."""

    # Input

    @property
    def buffered(self) -> int:
        """Bytes received of an incomplete packet."""
        return len(self._buffer)

    def dataReceived(self, data: bytes) -> None:
        """Dispatch every whole packet; keep an unfinished one."""
        if self.ended:
            return
        try:
            self._buffer = self._read(self._buffer + data if self._buffer else data)
        except PacketError as error:
            self.sendDisconnect(error.code, error.reason)
        except MalformedError as error:
            self.sendDisconnect(PROTOCOL_ERROR, str(error))

    def _read(self, data: bytes) -> bytes:
        """Dispatch every whole packet of ``data`` and return the rest."""
        at = 0
        if not self.gotVersion:
            at = self._read_version(data)
            if not at:
                return data
        while not self.ended:
            packet = self.opener.open(data, at)
            if packet is None:
                return data[at:]
            payload, at = packet
            self._dispatch(payload[0], payload[1:])
        return b""

    def _read_version(self, data: bytes) -> int:
        """Read the peer's identification line; return where it ends, 0 when it is not complete.

        :raises PacketError: for anything but SSH 2.  "SSH-1.99-" is a client that speaks both 1
            and 2 (RFC 4253 section 5.1).
        """
        end = data.find(b"\n", 0, MAX_VERSION_LINE) + 1
        if not end:
            if len(data) >= MAX_VERSION_LINE or not b"SSH-".startswith(data[:4]):
                raise PacketError(PROTOCOL_ERROR, "no SSH version")
            return 0
        line = data[:end].rstrip(b"\r\n")
        if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
            raise PacketError(conch.DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED, "only SSH 2 here")
        self.gotVersion = True
        self.otherVersionString = line
        return end

    def _dispatch(self, number: int, packet: bytes) -> None:
        expected = self.expected
        if expected is not None and number not in expected:
            raise MalformedError(f"message {number} does not belong into a key exchange")
        self.dispatchMessage(number, packet)

    def sendUnimplemented(self) -> None:  # noqa: N802
        """Answer that the packet read last was not understood (RFC 4253 section 11.4)."""
        self.sendPacket(conch.MSG_UNIMPLEMENTED, uint32(self.opener.sequence - 1 & 0xFFFFFFFF))

    # Output

    def sendPacket(self, messageType: int, payload: bytes) -> None:  # noqa: N803
        """Send a message; hold it back during a key exchange if it is not part of that."""
        if self.ended:
            return
        if self.held is not None and messageType not in _SENT_DURING_EXCHANGE:
            self._hold(messageType, payload)
            return
        self.transmit(bytes((messageType,)) + payload)
        if self.outbox.pending > MAX_UNSENT:
            self.abort("does not read what it asks for")

    def transmit(self, payload: bytes) -> None:
        """Send a payload now; the caller has checked that no key exchange is under way."""
        self.outbox.write(self.sealer.seal(payload))

    def _hold(self, number: int, payload: bytes) -> None:
        assert self.held is not None
        self.held.append((number, payload))
        self.held_bytes += len(payload) + _HELD_OVERHEAD
        if self.held_bytes > MAX_HELD:
            self.abort("asks too much during a key exchange")

    def send_held(self) -> None:
        """End the key exchange: send the messages that it held back."""
        held, self.held, self.held_bytes = self.held or [], None, 0
        for number, payload in held:
            self.sendPacket(number, payload)

    # The end

    def sendDisconnect(self, reason: int, desc: str | bytes) -> None:
        """Send a DISCONNECT and close; nothing is sent or read after it (RFC 4253 section 11.1).

        :param reason: a reason code of that section; any but BY_APPLICATION is logged.
        :param desc: the description that the peer is shown.
        """
        if self.ended:
            return
        sentence = desc if isinstance(desc, bytes) else desc.encode("utf-8")
        self.sendPacket(conch.MSG_DISCONNECT, uint32(reason) + string(sentence) + string(b""))
        if reason != conch.DISCONNECT_BY_APPLICATION:
            self._log_end(sentence.decode("utf-8", "replace"))
        self._end()
        self.outbox.close()

    def abort(self, reason: str) -> None:
        """Close immediately, without a DISCONNECT that the peer would not read; log the reason."""
        if self.ended:
            return
        self._log_end(reason)
        self._end()
        self.outbox.abort()

    def peer_disconnected(self) -> None:
        """Close: the peer has sent a DISCONNECT."""
        self._end()
        self.outbox.close()

    def loseConnection(self) -> None:
        """Close politely."""
        self.sendDisconnect(conch.DISCONNECT_BY_APPLICATION, "goodbye")

    def _end(self) -> None:
        self.ended = True
        self.held = None
        self._buffer = b""

    def _log_end(self, reason: str) -> None:
        self._log.info("ssh from {peer} ended: {reason}", peer=self.address, reason=reason)

    def logPrefix(self) -> str:  # noqa: N802
        """Return Twisted's name of this connection in its log."""
        return "ssh"
