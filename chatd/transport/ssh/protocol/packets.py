"""Packets over a connection: read, written, ended.  The lowest floor of SSH (RFC 4253, 4 to 6).

A connection gets one protocol version, bounded buffers, one count of what the peer still owes us,
and one DISCONNECT after which nothing that arrives is looked at any more.

It knows bytes, packets and the outbox.  It knows nothing of keys, people or channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.conch.ssh import transport as conch
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd import __version__
from chatd.transport.net.outbox import Outbox, outbox_for, prepare_socket
from chatd.transport.ssh.protocol.ciphers import PROTOCOL_ERROR, Clear, PacketCipher, PacketError
from chatd.wire.ssh import MalformedError, string, uint32

if TYPE_CHECKING:
    from chatd.transport.ssh.protocol.factory import SSHFactory

#: Bytes of the peer's first line with its line end (RFC 4253 section 4.2).
MAX_VERSION_LINE = 255

#: Bytes that may lie unsent before the connection is aborted.  What people are shown stops at
#: the outbox long before; this bounds the replies to a peer that asks and asks and never reads.
MAX_UNSENT = 256 * 1024

#: Bytes that may wait for the end of a key exchange: only replies and goodbyes do.
MAX_HELD = 64 * 1024

#: What may be sent while keys are exchanged (RFC 4253 section 7.1): all that is not 5 or 6, and
#: nothing of the floors above.
_SENT_DURING_EXCHANGE = frozenset((1, 2, 3, 4, 20, 21, 30, 31))


class PacketTransport(conch.SSHServerTransport):
    """One connection as packets.

    Of Conch's transport it keeps the arithmetic of the key exchange; every byte that comes in or
    goes out takes our way.  ``held`` is a list exactly while keys are exchanged.
    """

    _log = Logger()

    ourVersionString = b"SSH-2.0-chatd_" + __version__.replace("-", "_").encode("ascii")
    factory: SSHFactory  # type: ignore[assignment]  # ours is no child of Conch's
    outbox: Outbox

    #: What the peer may send now; None when that is only for the floors above to say.
    expected: frozenset[int] | None
    held: list[tuple[int, bytes]] | None = None
    ended = False
    _held_bytes = 0
    _buffer = b""

    def __init__(self, factory: SSHFactory, peer: IAddress) -> None:
        self.factory = factory
        self.clock: IReactorTime = factory.clock
        #: Where the peer is, as whoever accepted the connection says.
        self.peer = peer
        self.sealer: PacketCipher = Clear()
        self.opener: PacketCipher = Clear()

    def connectionMade(self) -> None:
        """Say who we are."""
        assert self.transport is not None
        prepare_socket(self.transport)
        self.outbox = outbox_for(self.transport, self.clock, self.drained)
        self.outbox.write(self.ourVersionString + b"\r\n")

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Forget everything."""
        self.ended = True
        self.held = None
        self._buffer = b""

    def drained(self) -> None:
        """The transport has room again."""

    # What comes in

    def dataReceived(self, data: bytes) -> None:
        """Take packets out of the bytes; keep what is not a whole packet yet."""
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
        """Take the peer's version; 0 when it is not all there, else where the packets begin."""
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
        """Say that the packet read last was not understood (RFC 4253 section 11.4)."""
        self.sendPacket(conch.MSG_UNIMPLEMENTED, uint32(self.opener.sequence - 1 & 0xFFFFFFFF))

    # What goes out

    def sendPacket(self, messageType: int, payload: bytes) -> None:  # noqa: N803
        """Send a message, after the key exchange if there is one that it may not disturb."""
        if self.ended:
            return
        if self.held is not None and messageType not in _SENT_DURING_EXCHANGE:
            self._hold(messageType, payload)
            return
        self.transmit(bytes((messageType,)) + payload)
        if self.outbox.pending > MAX_UNSENT:
            self.abort("does not read what it asks for")

    def transmit(self, payload: bytes) -> None:
        """Send a payload as it is.  For who knows that no key exchange is under way."""
        self.outbox.write(self.sealer.seal(payload))

    def _hold(self, number: int, payload: bytes) -> None:
        assert self.held is not None
        self.held.append((number, payload))
        self._held_bytes += len(payload) + 64  # and what keeping it costs
        if self._held_bytes > MAX_HELD:
            self.abort("asks too much during a key exchange")

    def release(self) -> None:
        """The key exchange is over: send what waited for it."""
        held, self.held, self._held_bytes = self.held or [], None, 0
        for number, payload in held:
            self.sendPacket(number, payload)

    # The end

    def sendDisconnect(self, reason: int, desc: str | bytes) -> None:
        """Say why and close.  Nothing is sent or read after it (RFC 4253 section 11.1)."""
        if self.ended:
            return
        sentence = desc if isinstance(desc, bytes) else desc.encode("utf-8")
        self.sendPacket(conch.MSG_DISCONNECT, uint32(reason) + string(sentence) + string(b""))
        if reason != conch.DISCONNECT_BY_APPLICATION:
            self._note(sentence.decode("utf-8", "replace"))
        self._end()
        self.outbox.close()

    def abort(self, reason: str) -> None:
        """Close at once, without a word to a peer that would not read it."""
        if self.ended:
            return
        self._note(reason)
        self._end()
        self.outbox.abort()

    def leave(self) -> None:
        """The peer is going."""
        self._end()
        self.outbox.close()

    def loseConnection(self) -> None:
        """Close politely."""
        self.sendDisconnect(conch.DISCONNECT_BY_APPLICATION, "goodbye")

    def _end(self) -> None:
        self.ended = True
        self.held = None
        self._buffer = b""

    def _note(self, reason: str) -> None:
        self._log.info("ssh from {peer} ended: {reason}", peer=self.peer, reason=reason)

    def logPrefix(self) -> str:  # noqa: N802
        """How Twisted calls this connection."""
        return "ssh"
