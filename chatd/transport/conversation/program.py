"""Program conversation: a program's requests, processed in order and without loss.

It is the base of the protocols whose clients are programs, `chatd.transport.tcd` and
`chatd.transport.json`; it knows the bytes of neither.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.chat.events import Refused
from chatd.chat.fanout.log import Style
from chatd.chat.model.client import ALIVE, DeliveryReport, Relayed
from chatd.chat.model.entities import Session
from chatd.chat.model.preferences import Preferences
from chatd.chat.ratelimit.line_budget import Sender
from chatd.transport.channel import Connection
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.conversation.flood_control import FloodControl, sender_of
from chatd.transport.host import Host

#: Seconds of silence after which a request that lacks only its end counts as complete.
SILENCE_SECONDS = 0.3
#: Pending requests, and bytes of input with pending requests in them, beyond which nothing more is
#: read.  Once they are parsed they may take twenty times the memory.
REQUESTS = 500
REQUEST_BYTES = 64 * 1024

_Request = TypeVar("_Request")


class ProgramConversation(Generic[_Request]):
    """A client of the chat (`chatd.chat.model.client.Client`) that sends requests.

    It is the program of its connection (`chatd.transport.channel.Program`), whatever the
    transport.  Requests are pending while the flood limit delays them, while an earlier one is not
    done, and while the connection is full.
    """

    _log = Logger()

    def __init__(self, host: Host, arrival: Arrival, connection: Connection) -> None:
        self.host = host
        self.arrival = arrival
        self.connection = connection
        self.outbox = connection.outbox
        self.session: Session | None = None
        self.closed = False
        self._requests: deque[_Request] = deque()
        self._pending_bytes = 0  # received since none was pending
        self._working = False
        self._paused = False
        self._input_ended = False
        self._silence: IDelayedCall | None = None
        self._flood_control = FloodControl(host)

    # For each way in to override ------------------------------------------------------------------

    def read(self, data: bytes) -> list[_Request]:
        """Return the requests that these bytes complete."""
        raise RuntimeError("a way in reads its own bytes")

    def read_end(self) -> list[_Request]:
        """Return the requests that the end of input completes."""
        return []

    @property
    def unfinished(self) -> bool:
        """Whether a silence may complete a request."""
        return False

    async def serve(self, request: _Request) -> None:
        """Carry out a request."""

    def refuse(self, request: _Request, refused: Refused) -> None:
        """Answer a request that the chat refuses."""

    def connection_lost(self) -> None:
        """Drop the state of the connection, which is gone."""

    # Client ---------------------------------------------------------------------------------------

    @property
    def send(self) -> Callable[[bytes], int]:
        """The connection's own ``send``."""
        return self.outbox.send

    @property
    def echoes_input(self) -> bool:
        """False: a program receives its own messages, as all members do."""
        return False

    @property
    def copy_per_room(self) -> bool:
        """True: an event in several rooms is sent for each of them."""
        return True

    @property
    def closes_on_gap(self) -> bool:
        """Whether to disconnect a program after a gap, so that it resyncs."""
        return False

    @property
    def resumable(self) -> bool:
        """False: a program starts over."""
        return False

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing at present."""
        return self.closed or self.outbox.full

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, so that nothing sent now is received."""
        return self.closed

    @property
    def pending_bytes(self) -> int:
        """Bytes pending in the connection."""
        return self.outbox.pending

    def style(self, preferences: Preferences) -> Style:
        """Return the style of this protocol."""
        raise RuntimeError("a way in has a style of its own")

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self.outbox.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Send unconditionally."""
        if data and not self.closed:
            self.outbox.write(data)
            if self.outbox.full and self.session is not None:
                self.session.hold()

    def delivery_report(self) -> DeliveryReport:
        """Return `ALIVE`: a program does not resume its session."""
        return ALIVE

    def refocused(self) -> None:
        """Do nothing: a program has no prompt."""

    @property
    def shows_pending(self) -> bool:
        """False: a program gets an answer to each request."""
        return False

    def pending_changed(self) -> None:
        """Do nothing: a program is sent only stored messages."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Return an empty answer: a program is not asked questions."""
        return "", self.host.now()

    def close(self) -> None:
        """Send what is pending and end the connection."""
        self.closed = True
        self._requests.clear()
        self.outbox.close()

    def abort(self) -> None:
        """End this connection, and drop what is pending."""
        self.outbox.abort()

    def broken(self, bug: Exception) -> None:
        """Log a bug, and end this connection."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.abort()

    # Program --------------------------------------------------------------------------------------

    def set_reading(self, reading: bool) -> None:
        """Resume or pause reading."""
        self.connection.resume() if reading else self.connection.pause()

    def data_received(self, data: bytes) -> None:
        """Handle the requests that these bytes complete."""
        if self.closed:
            return
        self._requests += self.read(data)
        self._go_on()
        self._pending_bytes = self._pending_bytes + len(data) if self._requests else 0
        too_many = len(self._requests) > REQUESTS or self._pending_bytes > REQUEST_BYTES
        if too_many and not self._paused:
            self._paused = True
            self.set_reading(False)
        self._await_silence()

    def resized(self, columns: int, rows: int) -> None:
        """Do nothing: a program has no screen."""

    def interrupted(self) -> None:
        """Do nothing: a program has no keys."""

    def input_ended(self) -> None:
        """Do the pending requests, then close: the input has ended."""
        _stop(self._silence)
        self._input_ended = True
        self._take_end()

    def ready(self) -> None:
        """Continue: the connection has room again."""
        if self.session is not None:
            self.session.release()
        self._go_on()

    def answered(self) -> None:
        """Do nothing: a program is never asked for a sign of life."""

    def lost(self) -> None:
        """Leave the chat: the connection is gone."""
        self.closed = True
        self._requests.clear()
        _stop(self._silence)
        self._flood_control.stop()
        self.outbox.forget()
        self.connection_lost()
        session, self.session = self.session, None
        if session is not None:
            self.host.chat.leave(session, "", self.host.now())

    def _await_silence(self) -> None:
        """Complete a request after a silence, which does not count while reading is paused."""
        _stop(self._silence)
        if self.unfinished and not (self.closed or self._paused):
            self._silence = self.host.clock.callLater(SILENCE_SECONDS, self._take_end)

    def _take_end(self) -> None:
        self._requests += self.read_end()
        self._go_on()

    def take_pending(self) -> list[_Request]:
        """Return the pending requests, and forget them."""
        requests = list(self._requests)
        self._requests.clear()
        return requests

    # Requests -------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        if not self._working:
            self._working = True
            Deferred.fromCoroutine(self._work()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        if failure.check(Relayed):  # nothing more is done here
            return
        self._log.failure("a request failed", failure=failure)
        self.outbox.abort()

    async def _work(self) -> None:
        """Process the pending requests."""
        while self._requests and not (self.closed or self.outbox.full):
            if self._flood_control.must_wait(self._sender(), self._go_on):
                break
            request = self._requests.popleft()
            try:
                await self.serve(request)
            except Refused as refused:
                self.refuse(request, refused)
        self._working = False
        if self._requests or self.closed:
            return
        self._pending_bytes = 0
        if self._paused:
            self._paused = False
            self.set_reading(True)
            self._await_silence()
        if self._input_ended and not self.outbox.full:
            self.close()

    def _sender(self) -> Sender:
        """Return who sends the requests; before they enter nothing is known but the address."""
        if self.session is None:
            return Sender(address=self.arrival.address)
        return sender_of(self.host, self.session)


def _stop(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
