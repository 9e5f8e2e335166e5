"""Program conversation: a program's requests, one after the other, none of them lost.

It is what the ways in share whose clients are programs, `chatd.transport.tcd` and
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
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.transport.channel import Connection
from chatd.transport.conversation.arrival import Arrival
from chatd.transport.host import Host

#: Seconds of silence after which a request counts that is complete but for its end.
SILENCE_SECONDS = 0.3
#: Pending requests beyond which nothing more is read.
REQUESTS = 500

_Request = TypeVar("_Request")


class ProgramConversation(Generic[_Request]):
    """A client of the chat (`chatd.chat.model.client.Client`) that sends requests.

    It is the program of its connection (`chatd.transport.channel.Program`), whatever that runs
    over.  Requests are pending while the flood limit says so, while an earlier one is not done, and
    while the connection takes nothing.
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
        self._working = False
        self._paused = False
        self._input_ended = False
        self._silence: IDelayedCall | None = None
        self._delay: IDelayedCall | None = None
        self._bucket = TokenBucket(host.flood, host.clock.seconds()) if host.flood else None

    # For each way in to override ------------------------------------------------------------------

    def read(self, data: bytes) -> list[_Request]:
        """Return the requests that these bytes complete."""
        raise RuntimeError("a way in reads its own bytes")

    def read_end(self) -> list[_Request]:
        """Return the requests that are complete when nothing more comes."""
        return []

    @property
    def unfinished(self) -> bool:
        """Whether a silence may complete a request."""
        return False

    async def serve(self, request: _Request) -> None:
        """Do what a request asks for."""

    def refuse(self, request: _Request, refused: Refused) -> None:
        """Answer a request that the chat refuses."""

    def connection_lost(self) -> None:
        """Forget what belongs to the connection, which is gone."""

    # Client ---------------------------------------------------------------------------------------

    @property
    def send(self) -> Callable[[bytes], int]:
        """The connection's own."""
        return self.outbox.send

    @property
    def echoes_input(self) -> bool:
        """False: a program is sent its own messages, as everybody is."""
        return False

    @property
    def copy_per_room(self) -> bool:
        """True: what happens in several rooms is sent for each."""
        return True

    @property
    def closes_on_gap(self) -> bool:
        """Whether a program that missed something is disconnected."""
        return False

    @property
    def resumable(self) -> bool:
        """False: a program begins anew."""
        return False

    @property
    def full(self) -> bool:
        """Whether the connection takes nothing now."""
        return self.closed or self.outbox.full

    @property
    def is_gone(self) -> bool:
        """Whether the connection is lost, and nothing that is sent now is received."""
        return self.closed

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait for the connection."""
        return self.outbox.pending

    def style(self, preferences: Preferences) -> Style:
        """Return how things are shown here."""
        raise RuntimeError("a way in has a style of its own")

    def stalled(self, data: bytes, taken: int) -> None:
        """Keep what ``send`` did not take."""
        self.outbox.stalled(data, taken)

    def write(self, data: bytes) -> None:
        """Send in any case."""
        if data and not self.closed:
            self.outbox.write(data)
            if self.outbox.full and self.session is not None:
                self.session.hold()

    def delivery_report(self) -> DeliveryReport:
        """Return that all has arrived: a program does not resume its session."""
        return ALIVE

    def refocused(self) -> None:
        """Do nothing: a program has no prompt."""

    @property
    def shows_pending(self) -> bool:
        """False: a program is answered, or asks nothing."""
        return False

    def pending_changed(self) -> None:
        """Do nothing: a program is shown what is stored."""

    async def ask(self, question: str, *, secret: bool) -> tuple[str, float]:
        """Return an empty answer: a program is asked nothing."""
        return "", self.host.now()

    def close(self) -> None:
        """Send what is pending and end the connection."""
        self.closed = True
        self._requests.clear()
        self.outbox.close()

    def broken(self, bug: Exception) -> None:
        """Log a bug of ours, and end this connection."""
        self._log.failure("sending failed", failure=Failure(bug))
        self.outbox.abort()

    # Program --------------------------------------------------------------------------------------

    def set_reading(self, reading: bool) -> None:
        """Let the client send, or not."""
        self.connection.resume() if reading else self.connection.pause()

    def data_received(self, data: bytes) -> None:
        """Take the requests that these bytes complete."""
        if self.closed:
            return
        self._requests += self.read(data)
        self._go_on()
        if len(self._requests) > REQUESTS and not self._paused:
            self._paused = True
            self.set_reading(False)
        self._await_silence()

    def resized(self, columns: int, rows: int) -> None:
        """Do nothing: a program has no screen."""

    def interrupted(self) -> None:
        """Do nothing: a program has no keys."""

    def input_ended(self) -> None:
        """Do the pending requests, then close: nothing more will come."""
        _stop(self._silence)
        self._input_ended = True
        self._take_end()

    def ready(self) -> None:
        """Go on: the connection has room again."""
        if self.session is not None:
            self.session.release()
        self._go_on()

    def answered(self) -> None:
        """Do nothing: a program is asked for no sign of life."""

    def lost(self) -> None:
        """Leave the chat: the connection is gone."""
        self.closed = True
        self._requests.clear()
        _stop(self._silence)
        _stop(self._delay)
        self.outbox.forget()
        self.connection_lost()
        if self.session is not None:
            self.host.chat.leave(self.session, "", self.host.now())

    def _await_silence(self) -> None:
        """Let a silence complete a request; there is none while nothing is read."""
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
        if failure.check(Relayed):  # nothing is done here any more
            return
        self._log.failure("a request failed", failure=failure)
        self.outbox.abort()

    async def _work(self) -> None:
        """Do the requests that may be done now."""
        while self._requests and not (self.closed or self.outbox.full or self._delay):
            wait = self._bucket.wait(self.host.clock.seconds()) if self._bucket else 0.0
            if wait:
                self._delay = self.host.clock.callLater(wait, self._delayed)
                break
            request = self._requests.popleft()
            try:
                await self.serve(request)
            except Refused as refused:
                self.refuse(request, refused)
        self._working = False
        if self._requests or self.closed:
            return
        if self._paused:
            self._paused = False
            self.set_reading(True)
            self._await_silence()
        if self._input_ended and not self.outbox.full:
            self.close()

    def _delayed(self) -> None:
        self._delay = None
        self._go_on()


def _stop(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
