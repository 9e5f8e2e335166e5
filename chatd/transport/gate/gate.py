"""Gate: the single entry point of all connections, before their protocol is known.

It counts connections (`chatd.transport.gate.admission`), learns the client's address from a listed
proxy, detects which side speaks first, and hands the connection to the way in for its protocol.
After that it only passes bytes on, and counts the connection until it ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol as Interface

from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableProtocol, IProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.events import Refused
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import Conversation
from chatd.transport.gate.admission import FULL, Admission
from chatd.transport.host import Host
from chatd.transport.net.dual_stack import unmapped
from chatd.transport.net.outbox import as_stream, prepare_socket
from chatd.wire.proxy import Address, NotProxy, Proxied, ProxyCodec
from chatd.wire.telnet.codec import PROBE

#: Seconds that a client has to speak first; a silent client is then probed.
SILENCE_SECONDS = 0.3
#: Seconds that a probed client has to answer; telnet clients take 0.5 to 18 ms and a round trip.
PROBE_SECONDS = 0.1
#: Seconds until the protocol has to be known, including a PROXY header before it.
SENSE_SECONDS = 10.0
#: Bytes that may be needed to detect the protocol; a request line of HTTP needs the most.
SENSE_BYTES = 8192

_HTTP = re.compile(rb"[A-Z]+ [^ \r\n]+ HTTP/\d")
_METHODS = tuple(
    method + b" "
    for method in (
        b"GET",
        b"HEAD",
        b"POST",
        b"PUT",
        b"DELETE",
        b"CONNECT",
        b"OPTIONS",
        b"TRACE",
        b"PATCH",
    )
)
_TLS = b"\x16\x03"
_NOT_HTTP = (
    b"This is a chat server. It has no web page yet: use ssh, telnet or nc on this port.\r\n"
)
HTTP_REFUSAL = (
    b"HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain\r\nUpgrade: SSH/2.0\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_NOT_HTTP) + _NOT_HTTP
)
TLS_REFUSAL = b"This port does not speak TLS; use ssh, telnet or nc.\r\n"


def _is_http(data: bytes) -> bool | None:
    """Return whether the first line is an HTTP request; None when more bytes are needed."""
    line, ended, _ = data.partition(b"\n")
    if _HTTP.match(line):
        return True
    if not ended and (line.startswith(_METHODS) or any(m.startswith(line) for m in _METHODS)):
        return None
    return False


def _refusal(data: bytes) -> bytes | None:
    """Return the answer to a protocol that is not served: empty for none, None if more is needed.

    A browser must not be able to chat: any page that a user opens could post on their behalf.
    """
    if data[:2] == _TLS:
        return TLS_REFUSAL
    if data[:1] == _TLS[:1] and len(data) == 1:
        return None
    http = _is_http(data)
    if http is None:
        return None if len(data) < SENSE_BYTES else b""
    return HTTP_REFUSAL if http else b""


class Way(Interface):
    """A way in, as the gate sees it."""

    @property
    def proves_identity(self) -> bool:
        """Whether it can recognise operators, who are admitted although the server is full."""

    @property
    def full_answer(self) -> bytes:
        """The answer to a client when the server is full."""

    @property
    def turned_away(self) -> Callable[[str], bytes]:
        """Makes the answer to a client that is not admitted, from a sentence."""

    @property
    def recognises(self) -> Callable[[bytes], bool | None]:
        """Returns whether the first bytes are of its protocol; None: more are needed."""

    @property
    def protocol(self) -> Callable[[Host, Arrival, Conversation | None], IProtocol]:
        """Makes a protocol for a new connection, or for one whose conversation continues here."""


@dataclass(frozen=True, slots=True)
class Door:
    """The ways in of one listening port, in the order in which they are asked.

    ``declared`` is the only way in, if the port was opened for it alone; ``proxies`` are the
    networks whose connections begin with a PROXY header.
    """

    host: Host
    admission: Admission
    ways: Mapping[str, Way]
    declared: str | None = None
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    def trusts(self, address: str) -> bool:
        """Whether connections from an address begin with a PROXY header."""
        if not (self.proxies and address):
            return False
        parsed = ip_address(address.partition("%")[0])
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(parsed in network for network in self.proxies)


class GateFactory(Factory):
    """Makes a gate for each connection to one port."""

    noisy = False

    def __init__(self, door: Door) -> None:
        self.door = door

    def buildProtocol(self, addr: IAddress | None) -> Gate:
        """Return the gate of a connection."""
        return Gate(self.door, unmapped(str(getattr(addr, "host", ""))))

    def logPrefix(self) -> str:  # noqa: N802 - Twisted calls this
        """Return the name of this port in the log."""
        return f"chatd {self.door.declared or 'auto'}"


@implementer(IHalfCloseableProtocol)
class Gate(Protocol):
    """One connection, before and after its protocol is known."""

    _log = Logger()

    def __init__(self, door: Door, address: str) -> None:
        self._door = door
        self._address = address
        self._admitted = False
        self._banned = ""
        self._way: IProtocol | None = None
        self._proxy: ProxyCodec | None = None
        self._data = b""
        self._destination: Address | None = None
        self._probed = False
        self._unchecked = False  # handed over, but its first line is still to be seen
        self._ended = False
        self._timer: IDelayedCall | None = None
        self._deadline: IDelayedCall | None = None

    # Before the protocol is known --------------------------------------------------------------

    def connectionMade(self) -> None:
        """Prepare the connection, and wait for a PROXY header or for the client to speak."""
        assert self.transport is not None  # Twisted's promise
        prepare_socket(self.transport)
        clock = self._door.host.clock
        self._deadline = clock.callLater(SENSE_SECONDS, self._too_slow)
        if self._door.trusts(self._address):
            self._proxy = ProxyCodec()
        else:
            self._enter()

    def _enter(self) -> None:
        """Count the connection by the client's own address, and detect which side speaks first."""
        clock = self._door.host.clock
        refusal = self._door.admission.enter(self._address, clock.seconds())
        if refusal is not None:
            self._log.info("{address} refused: {reason}", address=self._address, reason=refusal)
            self._close(f"{refusal}\r\n".encode())
            return
        self._admitted = True
        self._check_bans()
        declared = self._door.declared
        if declared is not None:
            self._hand_over(declared)
        else:
            self._timer = clock.callLater(SILENCE_SECONDS, self._silent)

    def _check_bans(self) -> None:
        """Check whether the address is banned; the way in tells the client, once it is known."""
        host = self._door.host
        try:
            host.chat.access.check_address(self._address, host.now())
        except Refused as refused:
            self._banned = refused.sentence

    def _silent(self) -> None:
        """Probe a client that did not speak first: a person with netcat or telnet."""
        self._timer = None
        if not self._data and self.transport is not None:
            self._probed = True
            self.transport.write(PROBE)
            self._timer = self._door.host.clock.callLater(PROBE_SECONDS, self._still_silent)

    def _still_silent(self) -> None:
        self._timer = None
        if not self._data:
            self._hand_over("line")

    def _too_slow(self) -> None:
        self._deadline = None
        self._close(b"Your client was too slow to say what it speaks.\r\n")

    def dataReceived(self, data: bytes) -> None:
        """Pass bytes on, or learn from them."""
        if self._way is not None and not self._unchecked:
            self._way.dataReceived(data)
            return
        if self._ended:
            return
        if self._proxy is not None:
            self._read_proxy_header(self._proxy, data)
            return
        self._data += data
        self._sense()

    def _read_proxy_header(self, codec: ProxyCodec, data: bytes) -> None:
        """Read the address of the client behind a proxy."""
        match codec.receive_data(data):
            case None:
                pass
            case NotProxy(reason=reason):
                self._log.info(
                    "{address} is a listed proxy but: {reason}",
                    address=self._address,
                    reason=reason,
                )
                self._close(b"")
            case Proxied(source=source, destination=destination, rest=rest):
                self._proxy = None
                self._destination = destination
                if source is not None:
                    self._address = source.host
                self._enter()
                if rest:
                    self.dataReceived(rest)

    def _sense(self) -> None:
        """Find the way in that recognises these bytes, or pass them to it if it is known."""
        data = self._data
        refusal = _refusal(data)
        if refusal is None:
            return
        if refusal:
            self._close(refusal)
            return
        if self._way is not None:
            self._unchecked = False
            self._data = b""
            self._way.dataReceived(data)
            return
        for name, way in self._door.ways.items():
            known = way.recognises(data)
            if known is None and len(data) < SENSE_BYTES:
                return
            if known:
                self._hand_over(name)
                return

    def _hand_over(self, name: str, conversation: Conversation | None = None) -> None:
        """Hand the connection to a way in."""
        self._stop_timers()
        way = self._door.ways[name]
        if self._door.admission.is_full() and not way.proves_identity and not conversation:
            self._close(way.full_answer)
            return
        if self._banned and not way.proves_identity and not conversation:
            self._log.info("{address} refused: {reason}", address=self._address, reason="banned")
            self._close(way.turned_away(self._banned))
            return
        if conversation is None:
            self._log.info("{address} comes in by {way}", address=self._address, way=name)
        with self._log.failuresHandled("handing over to {way}", way=name) as handing_over:
            self._begin(way, conversation)
        if handing_over.failed:
            as_stream(self.transport).abortConnection()

    def _begin(self, way: Way, conversation: Conversation | None) -> None:
        arrival = Arrival(self._address, self, self._probed)
        self._way = way.protocol(self._door.host, arrival, conversation)
        assert self.transport is not None  # Twisted's promise
        self._way.makeConnection(self.transport)
        data, self._data = self._data, b""
        self._unchecked = not (data or way.proves_identity or conversation)
        if data:
            self._way.dataReceived(data)

    def reached(self) -> tuple[str, int]:
        """Return the address and the port that the client sees as this server's."""
        if self._destination is not None:
            return self._destination.host, self._destination.port
        here = self.transport.getHost() if self.transport is not None else None
        return unmapped(str(getattr(here, "host", "localhost"))), int(getattr(here, "port", 0))

    def become(self, name: str, conversation: Conversation, data: bytes) -> None:
        """Hand a conversation, with the unread bytes, to the way in called ``name``."""
        self._data = data
        self._hand_over(name, conversation)

    def admit(self, operator: bool) -> str | None:
        """Return why only operators may stay, when the server is full or the address is banned."""
        if operator:
            return None
        return FULL if self._door.admission.is_full() else self._banned or None

    def _close(self, answer: bytes) -> None:
        """Send one answer and close."""
        self._ended = True
        self._stop_timers()
        conversation = getattr(self._way, "conversation", None)
        if isinstance(conversation, Conversation):
            conversation.dismiss()
        if self.transport is not None:
            if answer:
                self.transport.write(answer)
            self.transport.loseConnection()

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._deadline):
            if timer is not None and timer.active():
                timer.cancel()
        self._timer = self._deadline = None

    # After that -----------------------------------------------------------------------------------

    def readConnectionLost(self) -> None:
        """Pass on that the client will send nothing more."""
        if self._data and not self._ended:
            if self._way is None:
                self._hand_over(self._door.declared or "line")
            else:
                self._unchecked = False
                self._way.dataReceived(self._data)
        way: object = self._way
        if IHalfCloseableProtocol.providedBy(way):
            IHalfCloseableProtocol(way).readConnectionLost()
        elif self.transport is not None:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Do nothing: one direction alone is never closed here."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop counting the connection, and pass on that it is gone."""
        self._stop_timers()
        self._ended = True
        if self._admitted:
            self._admitted = False
            self._door.admission.leave(self._address)
        if self._way is not None:
            way, self._way = self._way, None
            way.connectionLost(reason)
