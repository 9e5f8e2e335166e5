"""The connection of the window: it is made, made again when it is lost, and ended politely.

It knows Twisted and bytes; it must not know Tk.  The clock is handed in, and so is the endpoint.
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

#: Seconds before the first new attempt, and between the later ones at most.  Part of it is
#: chance, so that not everyone comes back at once.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
#: Seconds that the server has to close a connection that was said goodbye to.
GOODBYE_SECONDS = 2.0

pauses = backoffPolicy(initialDelay=FIRST_PAUSE, maxDelay=LONGEST_PAUSE, factor=2.0)


class Talk(Protocol):
    """One connection: objects to the model, and its requests to the server."""

    def __init__(self, owner: Connection) -> None:
        self._owner = owner
        self._lines = JsonLines()
        self._over = False

    def connectionMade(self) -> None:
        """Say who is here."""
        self._owner.made(self)

    def dataReceived(self, data: bytes) -> None:
        """Hand over what has come whole, unless goodbye has been said."""
        if self._over:
            return
        model = self._owner.model
        for value in self._lines.receive_data(data):
            if isinstance(value, BadObject):
                model.misunderstood(value.sentence)
            else:
                self.send(model.received(value.fields))
        self._owner.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._owner.gone(self, reason)

    def send(self, requests: list[Request]) -> None:
        """Send requests."""
        assert self.transport is not None  # Twisted's promise
        self.transport.write(b"".join(map(encode, requests)))

    def hang_up(self) -> ITransport:
        """Say goodbye; the transport is returned for those who will not wait."""
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
        self, model: Model, endpoint: IStreamClientEndpoint, where: str, clock: Any
    ) -> None:
        self.model = model
        self.changed: Callable[[], None] = lambda: None
        self._endpoint = endpoint
        self._where = where
        self._clock = clock
        self._failures = 0
        self._attempt: Deferred[Any] | None = None
        self._talk: Talk | None = None
        self._later: IDelayedCall | None = None
        self._ended: Deferred[None] | None = None

    def connect(self) -> None:
        """Connect now, unless that is done or being done; after the goodbye, if one was said."""
        if self._ended is not None:
            self._ended.addCallback(lambda _: self.connect())
            return
        self._stop_waiting()
        if self._talk is not None or self._attempt is not None:
            return
        self.model.standing.connecting(self._where)
        self.changed()
        factory = Factory.forProtocol(lambda: Talk(self))
        factory.noisy = False
        attempt = self._endpoint.connect(factory)
        if self._talk is None:
            self._attempt = attempt
        attempt.addErrback(self._failed)

    def send(self, requests: list[Request]) -> None:
        """Send what the model asks for."""
        if self._talk is not None and requests:
            self._talk.send(requests)
        self.changed()

    def disconnect(self) -> Deferred[None]:
        """End the connection, or the attempts; fires when there is none any more."""
        if self._ended is not None:
            return self._ended
        self._stop_waiting()
        self.model.left()
        if self._attempt is not None:
            self._attempt.cancel()
        self.changed()
        ended = self._ended = Deferred()
        if self._talk is None:
            self._tell_ended()
        else:
            transport: Any = self._talk.hang_up()
            self._later = self._clock.callLater(GOODBYE_SECONDS, transport.abortConnection)
        return ended

    # What became of it ----------------------------------------------------------------------------

    def made(self, talk: Talk) -> None:
        """There is a connection."""
        self._attempt, self._talk = None, talk
        talk.send(self.model.connected())
        self.changed()

    def gone(self, talk: Talk, reason: Failure) -> None:
        """The connection is gone: try again, unless it was ended from here."""
        if self.model.standing.is_in:
            self._failures = 0
        self._talk = None
        if self._ended is not None:
            self._stop_waiting()
            self._tell_ended()
        elif reason.check(ConnectionDone, ConnectionLost):
            self._wait("The server has closed the connection.")
        else:
            self._wait(f"The connection is lost: {_words(reason)}")

    def _failed(self, reason: Failure) -> None:
        """No connection could be made."""
        self._attempt = None
        if self.model.standing.phase is not Phase.OFF:
            self._wait(f"The server cannot be reached: {_words(reason)}")

    def _wait(self, why: str) -> None:
        """Try again after a pause, each longer than the last."""
        seconds = pauses(self._failures)
        self._failures += 1
        self._later = self._clock.callLater(seconds, self._wait_no_more)
        self.model.lost(why, seconds)
        self.changed()

    def _wait_no_more(self) -> None:
        self._later = None
        self.connect()

    def _stop_waiting(self) -> None:
        if self._later is not None and self._later.active():
            self._later.cancel()
        self._later = None

    def _tell_ended(self) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.callback(None)


def _words(reason: Failure) -> str:
    """Say in one sentence why there is no connection."""
    words = reason.getErrorMessage().strip() or "no reason is known"
    return words if words.endswith(".") else f"{words}."
