"""Connection: runs a program over a Twisted transport; another program may replace it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IHalfCloseableProtocol, IReactorTime, ITransport
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.transport.channel import ENDED, Program
from chatd.transport.net.outbox import Outbox, outbox_for


class Input(Protocol):
    """The source of a connection's input: the gate."""

    def pause(self) -> None:
        """Pause input."""

    def resume(self) -> None:
        """Resume input, which arrives after this call has returned."""


class TransportConnection:
    """`chatd.transport.channel.Connection` over one of Twisted's transports.

    ``program`` receives the events; `pass_to` and `connect` must be called before the first one.
    """

    __slots__ = ("_input", "outbox", "program")

    _input: Input
    outbox: Outbox
    program: Program

    def connect(self, transport: ITransport, clock: IReactorTime, source: Input) -> None:
        """Write to this connected transport, whose input comes from ``source``."""
        self._input = source
        self.outbox = outbox_for(transport, clock, self._ready)

    def _ready(self) -> None:
        self.program.ready()

    def pause(self) -> None:
        """Pause input."""
        self._input.pause()

    def resume(self) -> None:
        """Resume input."""
        self._input.resume()

    def pass_to(self, program: Program) -> None:
        """Replace the program of this connection by another."""
        self.program = program

    def lost(self) -> None:
        """Tell the program that the connection is gone, and let go of it."""
        try:
            self.program.lost()
        finally:
            self.program = ENDED
            self.outbox.forget()


@implementer(IHalfCloseableProtocol)
class ProgramProtocol(TwistedProtocol):
    """A connection that passes its bytes to a program, which it starts when it is connected."""

    def __init__(
        self,
        clock: IReactorTime,
        source: Input,
        start: Callable[[TransportConnection], Program],
    ) -> None:
        self._clock = clock
        self._input = source
        self._start = start
        self._connection = TransportConnection()

    def connectionMade(self) -> None:
        """Start the program; the client speaks first."""
        assert self.transport is not None  # Twisted's promise
        self._connection.connect(self.transport, self._clock, self._input)
        self._connection.pass_to(self._start(self._connection))

    def dataReceived(self, data: bytes) -> None:
        """Pass bytes to the program."""
        self._connection.program.data_received(data)

    def readConnectionLost(self) -> None:
        """Tell the program that the client will send nothing more; it may still read."""
        self._connection.program.input_ended()

    def writeConnectionLost(self) -> None:
        """Do nothing: one direction alone is never closed here."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell the program that the connection is gone."""
        self._connection.lost()
