"""Gate: the single entry point of all connections, before their protocol is known.

It counts connections (`chatd.transport.gate.admission`), learns the client's address from a listed
proxy, detects which side speaks first, and hands the connection to the way in for its protocol.
After that it only passes bytes on, and counts the connection until it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Protocol

from twisted.internet.interfaces import IAddress, IDelayedCall, IHalfCloseableProtocol, IProtocol
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.events import Refused
from chatd.chat.ratelimit.line_budget import Standing
from chatd.chat.ratelimit.reports import TurnedAway
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.conversation import Conversation
from chatd.transport.gate.admission import FULL, Admission
from chatd.transport.gate.paced_input import PacedInput
from chatd.transport.gate.strangers import REASONS, SENSE_BYTES, answer_to
from chatd.transport.host import Host
from chatd.transport.net.dual_stack import unmapped
from chatd.transport.net.outbox import as_stream, prepare_socket, send_first
from chatd.wire.proxy import Address, NotProxy, Proxied, ProxyCodec, may_continue_header
from chatd.wire.telnet.codec import PROBE

#: Seconds that a client has to speak first; a silent client is then probed.
SILENCE_SECONDS = 0.3
#: Seconds that a probed client has to answer; telnet clients take 0.5 to 18 ms and a round trip.
PROBE_SECONDS = 0.1
#: Seconds until the protocol has to be known, including a PROXY header before it.
SENSE_SECONDS = 10.0


class Way(Protocol):
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
class Gate(PacedInput):
    """One connection, before and after its protocol is known."""

    _log = Logger()

    def __init__(self, door: Door, address: str) -> None:
        super().__init__(door.host.turns)
        self._door = door
        self._address = address
        self._admitted = False
        self._banned: Refused | None = None
        self._only_known: Refused | None = None  # why only known users of this address may stay
        self._way: IProtocol | None = None
        self._proxy: ProxyCodec | None = None
        self._data = b""
        self._destination: Address | None = None
        self._probed = False
        self._unchecked = False  # handed over, but its first line is still to be seen
        self._seen = b""  # line ends before it
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
        try:
            self._only_known = self._door.admission.enter(self._address, clock.seconds())
        except Refused as refused:
            self._refuse(refused.code, f"{refused.sentence}\r\n".encode())
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
            self._banned = refused

    def _silent(self) -> None:
        """Probe a client that did not speak first: a person with netcat or telnet."""
        self._timer = None
        if not self._data and self.transport is not None:
            self._probed = True
            send_first(self.transport, PROBE)
            self._timer = self._door.host.clock.callLater(PROBE_SECONDS, self._still_silent)

    def _still_silent(self) -> None:
        self._timer = None
        if not self._data:
            self._hand_over("line")

    def _too_slow(self) -> None:
        self._deadline = None
        self._refuse("too-slow", b"Your client was too slow to say what it speaks.\r\n")

    def handle(self, data: bytes) -> None:
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
                self._refuse("no-proxy-header", b"")
            case Proxied(source=source, destination=destination, rest=rest):
                self._proxy = None
                self._destination = destination
                if source is not None:
                    self._address = source.host
                self._enter()
                if rest:
                    self.handle(rest)

    def _sense(self) -> None:
        """Find the way in that recognises these bytes, or pass them to it if it is known."""
        data = self._data
        takes_ssh = self._way is None and self._door.declared is None
        refusal = answer_to(self._seen + data, takes_ssh=takes_ssh)
        if refusal is None:
            return
        if refusal:
            self._refuse(REASONS[refusal], refusal)
            return
        if self._way is not None:
            self._data = b""
            self._check_next(data)
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
        if not (way.proves_identity or conversation):
            if self._door.admission.is_full():
                self._refuse("full", way.full_answer, name)
                return
            refused = self._banned or self._only_known
            if refused is not None:
                self._refuse(refused.code, way.turned_away(refused.sentence), name)
                return
        if conversation is None:
            self._log.info("{address} comes in by {way}", address=self._address, way=name)
        with self._log.failuresHandled("handing over to {way}", way=name) as handing_over:
            self._begin(name, conversation)
        if handing_over.failed:
            as_stream(self.transport).abortConnection()

    def _begin(self, name: str, conversation: Conversation | None) -> None:
        way = self._door.ways[name]
        arrival = Arrival(self._address, self, self._probed)
        self._way = way.protocol(self._door.host, arrival, conversation)
        assert self.transport is not None  # Twisted's promise
        self._way.makeConnection(self.transport)
        data, self._data = self._data, b""
        self._unchecked = not (data or way.proves_identity or conversation)
        if data and name == "line":
            self._check_next(data)
        if data:
            self._way.dataReceived(data)

    def _check_next(self, data: bytes) -> None:
        """Check what follows on first bytes that are handed over, while it may be of a stranger."""
        self._unchecked = may_continue_header(self._seen + data)
        self._seen = self._seen + data if self._unchecked else b""

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

    def admit(self, standing: Standing) -> str | None:
        """Return why a client may not stay: the server is full, or its address has or is too much.

        A banned address is one for operators only.
        """
        refused = None
        if self._door.admission.is_full(standing):
            refused = Refused("full", FULL)
        elif standing is not Standing.OPERATOR and self._banned is not None:
            refused = self._banned
        elif standing is Standing.GUEST:
            refused = self._only_known
        if refused is None:
            return None
        self._door.host.chat.report(TurnedAway(self._address, "ssh", refused.code))
        return refused.sentence

    def _refuse(self, why: str, answer: bytes, way: str = "") -> None:
        """Log why a client may not come in, a code word; send it one answer and close."""
        self._door.host.chat.report(
            TurnedAway(self._address, way or self._door.declared or "", why)
        )
        self._close(answer)

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

    def handle_end(self) -> None:
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
        self.forget_input()
        if self._admitted:
            self._admitted = False
            self._door.admission.leave(self._address)
        if self._way is not None:
            way, self._way = self._way, None
            way.connectionLost(reason)
