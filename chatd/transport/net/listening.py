"""Listening: one port, opened before privileges are dropped, and announced in the log.

A port that cannot be opened stops the program: a server without it would be unreachable.
"""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.transport.net.outbox import TrackedServer


class Listening(Service):
    """A factory that listens on an endpoint while the service runs."""

    _log = Logger()

    def __init__(self, way: str, endpoint: IStreamServerEndpoint, factory: Factory) -> None:
        self._way = way
        self._endpoint = endpoint
        self._factory = factory
        self._port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Open the port while the process may still open ports below 1024.

        :raises SystemExit: with a sentence, if it cannot be opened.
        """
        super().privilegedStartService()
        self._listen()

    def startService(self) -> None:
        """Open the port unless it is open."""
        super().startService()
        if self._port is None:
            self._listen()

    def _listen(self) -> None:
        failures: list[Failure] = []
        self._endpoint.listen(self._factory).addCallbacks(self._opened, failures.append)
        for failure in failures:
            if failure.check(CannotListenError, OSError):
                raise SystemExit(f"chatd cannot listen: {failure.getErrorMessage()}")
            failure.raiseException()

    def _opened(self, port: IListeningPort) -> None:
        self._port = port
        if isinstance(port, tcp.Port):
            port.transport = TrackedServer
        address = port.getHost()
        self._log.info(
            "chatd listening: way={way} host={host} port={port}",
            way=self._way,
            host=getattr(address, "host", address),
            port=getattr(address, "port", ""),
        )

    async def _close(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await Deferred.fromCoroutine(_stopped(port))

    def stopService(self) -> Deferred[None]:
        """Close the port."""
        super().stopService()
        return Deferred.fromCoroutine(self._close())


async def _stopped(port: IListeningPort) -> None:
    closing = port.stopListening()
    if closing is not None:
        await closing
