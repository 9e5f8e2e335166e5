"""A connection on which a program asks: its requests, one after the other, none of them lost.

What the ways in share whose clients are programs: `chatd.transport.tcd` and `chatd.transport.json`.
It knows neither's bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.chat.events import Refused
from chatd.chat.fanout.log import Style
from chatd.chat.model.client import Relayed
from chatd.chat.model.preferences import Preferences
from chatd.chat.model.session import ALIVE, DeliveryReport, Session
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.host import Host
from chatd.transport.net.outbox import Outbox, as_stream, outbox_for
from chatd.transport.relay.edge import Edge
from chatd.transport.relay.remote_channel import RemoteChannel

#: Seconds of silence after which something that is complete but for its end counts.
SILENCE_SECONDS = 0.3
#: Requests that wait for their turn; beyond it nothing more is read.
REQUESTS = 500

_Request = TypeVar("_Request")


@implementer(IHalfCloseableProtocol)
class ProgramProtocol(Protocol, Generic[_Request]):
    """One connection; it is the chat's reader as well (`chatd.chat.model.session.Client`).

    Requests wait while the flood limit says so, while an earlier one is not done, and while the
    connection takes nothing.
    """

    _log = Logger()
    outbox: Outbox

    def __init__(self, host: Host, arrival: Arrival) -> None:
        self.host = host
        self.arrival = arrival
        self.session: Session | None = None
        self.over = False
        self._requests: deque[_Request] = deque()
        self._working = False
        self._paused = False
        self._ending = False
        self._silence: IDelayedCall | None = None
        self._later: IDelayedCall | None = None
        self.lent: Edge | None = None
        self._pace = TokenBucket(host.flood, host.clock.seconds()) if host.flood else None

    # What each way in says for itself -------------------------------------------------------------

    def read(self, data: bytes) -> list[_Request]:
        """The requests that these bytes complete."""
        raise RuntimeError("a way in reads its own bytes")

    def read_end(self) -> list[_Request]:
        """The requests that are complete when nothing more comes."""
        return []

    @property
    def unfinished(self) -> bool:
        """Whether a silence may complete a request."""
        return False

    async def serve(self, request: _Request) -> None:
        """Do what a request asks for."""

    def refuse(self, request: _Request, refused: Refused) -> None:
        """Answer a request that the chat declines."""

    def gone(self) -> None:
        """The connection is gone."""

    # Reader ---------------------------------------------------------------------------------------

    @property
    def send(self) -> Callable[[bytes], int]:
        """The connection's own."""
        return self.outbox.send

    @property
    def echoes_input(self) -> bool:
        """One is sent what one said, as everybody is."""
        return False

    @property
    def copy_per_room(self) -> bool:
        """What happens in several rooms is shown in each."""
        return True

    @property
    def closes_on_gap(self) -> bool:
        """Whether a program that missed something is disconnected."""
        return False

    @property
    def resumable(self) -> bool:
        """A program begins anew."""
        return False

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""
        return self.over or self.outbox.full

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, and nothing that is shown now is seen."""
        return self.over

    @property
    def pending(self) -> int:
        """Bytes that wait for the connection."""
        return self.outbox.pending

    def style(self, preferences: Preferences) -> Style:
        """How things are shown here."""
        raise RuntimeError("a way in has a style of its own")

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self.outbox.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Send in any case."""
        if data and not self.over:
            self.outbox.write(data)
            if self.outbox.full and self.session is not None:
                self.session.hold()

    def delivery_report(self) -> DeliveryReport:
        """A program that is gone does not come back to its place."""
        return ALIVE

    def refocused(self) -> None:
        """A program has no prompt."""

    @property
    def shows_pending(self) -> bool:
        """A program is answered, or asks nothing."""
        return False

    def pending_changed(self) -> None:
        """A program is shown what is kept."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """A program is asked nothing."""
        return "", self.host.now()

    def close(self) -> None:
        """Send what is pending and end the connection."""
        self.over = True
        self._requests.clear()
        self.outbox.close()

    def broken(self, bug: Exception) -> None:
        """A bug of ours came up: log it and end this connection."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.outbox.abort()

    # Bytes ----------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Somebody is there; they speak first."""
        assert self.transport is not None  # Twisted's promise
        self.outbox = outbox_for(self.transport, self.host.clock, self._ready)

    def set_reading(self, reading: bool) -> None:
        """Let the program send, or not."""
        transport = as_stream(self.transport)
        if reading:
            transport.resumeProducing()
        else:
            transport.pauseProducing()

    def run_borrowed(self, channel: RemoteChannel) -> None:
        """Run on a line that another server lends."""
        self.outbox = channel.outbox
        channel.pass_to(_Borrowing(self, channel))

    def pass_on(self, lent: Edge) -> None:
        """Only pass on from now on, as another server runs this."""
        self.lent = lent
        lent.begin()

    def ready(self) -> None:
        """The connection takes something again."""
        self._ready()

    def _ready(self) -> None:
        if self.lent is not None:
            self.lent.ready()
            return
        if self.session is not None:
            self.session.resume()
        self._go_on()

    def dataReceived(self, data: bytes) -> None:
        """Bytes came: take the requests that they complete."""
        if self.over:
            return
        if self.lent is not None:
            self.lent.data_received(data)
            return
        self._requests += self.read(data)
        self._go_on()
        if len(self._requests) > REQUESTS and not self._paused:
            self._paused = True
            self.set_reading(False)
        self._await_silence()

    def _await_silence(self) -> None:
        """Count what is unfinished after a silence, which there is none while nothing is read."""
        _stop(self._silence)
        if self.unfinished and not (self.over or self._paused):
            self._silence = self.host.clock.callLater(SILENCE_SECONDS, self._finish)

    def _finish(self) -> None:
        self._requests += self.read_end()
        self._go_on()

    def readConnectionLost(self) -> None:
        """Nothing more will come: do what waits, then part."""
        _stop(self._silence)
        if self.lent is not None:
            self.lent.input_ended()
            return
        self._ending = True
        self._finish()

    def writeConnectionLost(self) -> None:
        """We never close one direction only."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self.over = True
        self._requests.clear()
        _stop(self._silence)
        _stop(self._later)
        if self.lent is not None:
            self.lent.lost()
        self.outbox.forget()
        self.gone()
        if self.session is not None:
            self.host.chat.leave(self.session, "", self.host.now())

    # Requests -------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if failure.check(Relayed):  # nothing is done here any more
            return
        self._log.failure("a request failed", failure=failure)
        self.outbox.abort()

    async def _work(self) -> None:
        """Do the requests that may be done now."""
        while self._requests and not (self.over or self.outbox.full or self._later):
            wait = self._pace.wait(self.host.clock.seconds()) if self._pace else 0.0
            if wait:
                self._later = self.host.clock.callLater(wait, self._waited)
                break
            request = self._requests.popleft()
            try:
                await self.serve(request)
            except Refused as refused:
                self.refuse(request, refused)
        self._working = False
        if self._requests or self.over:
            return
        if self._paused:
            self._paused = False
            self.set_reading(True)
            self._await_silence()
        if self._ending and not self.outbox.full:
            self.close()

    def _waited(self) -> None:
        self._later = None
        self._go_on()


class _Borrowing:
    """What runs in a borrowed channel: a program's connection, as its protocol knows it."""

    def __init__(self, protocol: ProgramProtocol[Any], channel: RemoteChannel) -> None:
        self._protocol = protocol
        self._channel = channel
        protocol.transport = self  # type: ignore[assignment]  # of which it wants no more than this

    def pauseProducing(self) -> None:
        """Nothing more is read."""
        self._channel.pause()

    def resumeProducing(self) -> None:
        """It is read again."""
        self._channel.resume()

    def data_received(self, data: bytes) -> None:
        """Bytes of the program."""
        self._protocol.dataReceived(data)

    def resized(self, columns: int, rows: int) -> None:
        """A program has no screen."""

    def interrupted(self) -> None:
        """Nor keys."""

    def input_ended(self) -> None:
        """The program sends nothing more."""
        self._protocol.readConnectionLost()

    def ready(self) -> None:
        """The outbox has room again."""
        self._protocol.ready()

    def answered(self) -> None:
        """It is asked for no sign of life."""

    def lost(self) -> None:
        """The connection is gone."""
        self._protocol.connectionLost()


def _stop(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
