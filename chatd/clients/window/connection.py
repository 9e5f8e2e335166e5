"""Connection of the window: connects, reconnects when the connection is lost, and disconnects.

It knows Twisted and bytes; it must not know Tk.  The clock and the endpoint are passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IStreamClientEndpoint, ITransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from chatd.clients.window.json_lines import JsonLines
from chatd.clients.window.model import Model
from chatd.clients.window.requests import Request, goodbye
from chatd.clients.window.status import Phase
from chatd.wire.json.codec import encode
from chatd.wire.json.objects import BadObject

#: Seconds before the first new attempt, and the most between later ones.  Part of it is random, so
#: that not all clients reconnect simultaneously.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
#: Seconds that the server has to close the connection after the goodbye.
GOODBYE_SECONDS = 2.0

pauses = backoffPolicy(initialDelay=FIRST_PAUSE_SECONDS, maxDelay=LONGEST_PAUSE_SECONDS, factor=2.0)


class WindowProtocol(Protocol):
    """One connection: passes objects to the model, and the model's requests to the server."""

    def __init__(self, owner: Connection) -> None:
        self._owner = owner
        self._lines = JsonLines()
        self._over = False

    def connectionMade(self) -> None:
        """Notify the owner, which sends the nick."""
        self._owner.connection_made(self)

    def dataReceived(self, data: bytes) -> None:
        """Pass complete objects to the model, unless the goodbye was sent."""
        if self._over:
            return
        model = self._owner.model
        for value in self._lines.receive_data(data):
            if isinstance(value, BadObject):
                model.invalid_line(value.sentence)
            else:
                self.send(model.received(value.fields))
        self._owner.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Notify the owner."""
        self._owner.connection_lost(self, reason)

    def send(self, requests: list[Request]) -> None:
        """Send requests."""
        assert self.transport is not None  # Twisted's promise
        self.transport.write(b"".join(map(encode, requests)))

    def hang_up(self) -> ITransport:
        """Send the goodbye; return the transport, so that it can be aborted later."""
        assert self.transport is not None  # Twisted's promise
        self.send([goodbye()])
        self._over = True
        self.transport.loseConnection()
        return self.transport


class Connection:
    """At most one connection at a time, or one attempt, or one pause before the next.

    ``changed`` is called whenever the model may have changed.
    """

    def __init__(
        self, model: Model, endpoint: IStreamClientEndpoint, server: str, clock: Any
    ) -> None:
        self.model = model
        self.changed: Callable[[], None] = lambda: None
        self._endpoint = endpoint
        self._server = server
        self._clock = clock
        self._failures = 0
        self._attempt: Deferred[Any] | None = None
        self._protocol: WindowProtocol | None = None
        self._timer: IDelayedCall | None = None
        self._ended: Deferred[None] | None = None

    def connect(self) -> None:
        """Connect, unless connected or connecting; after the goodbye, if one was sent."""
        if self._ended is not None:
            self._ended.addCallback(lambda _: self.connect())
            return
        self._cancel_timer()
        if self._protocol is not None or self._attempt is not None:
            return
        self.model.status.connecting(self._server)
        self.changed()
        factory = Factory.forProtocol(lambda: WindowProtocol(self))
        factory.noisy = False
        attempt = self._endpoint.connect(factory)
        if self._protocol is None:
            self._attempt = attempt
        attempt.addErrback(self._failed)

    def send(self, requests: list[Request]) -> None:
        """Send the model's requests."""
        if self._protocol is not None and requests:
            self._protocol.send(requests)
        self.changed()

    def disconnect(self) -> Deferred[None]:
        """End the connection, or the attempts; the result fires when that is done."""
        if self._ended is not None:
            return self._ended
        self._cancel_timer()
        self.model.disconnected()
        if self._attempt is not None:
            self._attempt.cancel()
        self.changed()
        ended = self._ended = Deferred()
        if self._protocol is None:
            self._fire_ended()
        else:
            transport: Any = self._protocol.hang_up()
            self._timer = self._clock.callLater(GOODBYE_SECONDS, transport.abortConnection)
        return ended

    # Outcomes ----------------------------------------------------------------------------

    def connection_made(self, talk: WindowProtocol) -> None:
        """Send the nick on a new connection."""
        self._attempt, self._protocol = None, talk
        talk.send(self.model.connected())
        self.changed()

    def connection_lost(self, talk: WindowProtocol, reason: Failure) -> None:
        """Reconnect later, unless this side ended the connection."""
        if self.model.status.is_connected:
            self._failures = 0
        self._protocol = None
        if self._ended is not None:
            self._cancel_timer()
            self._fire_ended()
        elif reason.check(ConnectionDone, ConnectionLost):
            self._retry_later("The server has closed the connection.")
        else:
            self._retry_later(f"The connection is lost: {_reason(reason)}")

    def _failed(self, reason: Failure) -> None:
        """Retry after a failed attempt."""
        self._attempt = None
        if self.model.status.phase is not Phase.OFF:
            self._retry_later(f"The server cannot be reached: {_reason(reason)}")

    def _retry_later(self, why: str) -> None:
        """Try again after a pause, each longer than the last."""
        seconds = pauses(self._failures)
        self._failures += 1
        self._timer = self._clock.callLater(seconds, self._retry)
        self.model.lost(why, seconds)
        self.changed()

    def _retry(self) -> None:
        self._timer = None
        self.connect()

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _fire_ended(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.callback(None)


def _reason(reason: Failure) -> str:
    """Return one sentence about why there is no connection."""
    message = reason.getErrorMessage().strip() or "no reason is known"
    return message if message.endswith(".") else f"{message}."
