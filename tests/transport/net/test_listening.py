"""Listening and shutdown: a port is open while the service runs; users are told when it stops."""

from collections.abc import Iterator

import pytest
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import ILogObserver, LogEvent, capturedLogs, formatEvent, globalLogPublisher
from zope.interface import implementer

from chatd.chat.store import NotClosedError
from chatd.store.memory import MemoryStore
from chatd.transport.net.listening import Listening
from chatd.transport.services.shutdown import CHECK_SECONDS, GOODBYE_SECONDS, Shutdown
from tests.support.memory_server import MemoryServer
from tests.support.people import Client, Server


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """Return the formatted log, to which more is added."""
    lines: list[str] = []

    @implementer(ILogObserver)
    def observe(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    observer: ILogObserver = observe
    globalLogPublisher.addObserver(observer)
    yield lines
    globalLogPublisher.removeObserver(observer)


@implementer(IListeningPort)
class Port:
    """A port that closes when the test says so."""

    def __init__(self, address: IPv4Address | UNIXAddress, closing: Deferred[None] | None) -> None:
        self._address = address
        self._closing = closing
        self.open = False

    def startListening(self) -> None:  # noqa: N802 - Twisted calls this
        self.open = True

    def stopListening(self) -> Deferred[None] | None:  # noqa: N802 - Twisted calls this
        self.open = False
        return self._closing

    def getHost(self) -> IPv4Address | UNIXAddress:
        return self._address


@implementer(IStreamServerEndpoint)
class Endpoint:
    """An endpoint that can be listened on, or not."""

    def __init__(
        self,
        address: IPv4Address | UNIXAddress | None = None,
        failure: Exception | None = None,
        closing: Deferred[None] | None = None,
    ) -> None:
        self.port = Port(address or IPv4Address("TCP", "192.0.2.1", 1134), closing)
        self._failure = failure
        self.listened = 0

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        self.listened += 1
        opened: Deferred[IListeningPort] = Deferred()
        if self._failure is not None:
            opened.errback(self._failure)
        else:
            self.port.startListening()
            opened.callback(self.port)
        return opened


def test_a_port_is_opened_and_announced(logged: list[str]) -> None:
    endpoint = Endpoint()
    Listening("ssh", endpoint, Factory()).startService()
    assert endpoint.port.open
    assert logged == ["chatd listening: way=ssh host=192.0.2.1 port=1134"]


def test_a_port_without_a_number_is_announced_by_its_name(logged: list[str]) -> None:
    Listening("auto", Endpoint(UNIXAddress("/run/chatd")), Factory()).startService()
    assert len(logged) == 1
    assert logged[0].startswith("chatd listening: way=auto host=")
    assert "/run/chatd" in logged[0]


def test_a_port_is_opened_once_and_before_privileges_are_dropped() -> None:
    endpoint = Endpoint()
    listening = Listening("auto", endpoint, Factory())
    listening.privilegedStartService()
    assert endpoint.port.open
    listening.startService()
    assert endpoint.listened == 1
    assert listening.running


@pytest.mark.parametrize("start", [Listening.privilegedStartService, Listening.startService])
def test_a_port_that_is_taken_stops_the_program_with_a_sentence(start: object) -> None:
    taken = CannotListenError("192.0.2.1", 1134, OSError(98, "Address already in use"))
    listening = Listening("auto", Endpoint(failure=taken), Factory())
    assert callable(start)
    with pytest.raises(SystemExit) as stopped:
        start(listening)
    assert str(stopped.value).startswith("chatd cannot listen: ")
    assert "1134" in str(stopped.value)
    assert "\n" not in str(stopped.value)


def test_any_other_failure_is_a_bug_and_raised_as_one() -> None:
    with pytest.raises(ZeroDivisionError):
        Listening("auto", Endpoint(failure=ZeroDivisionError()), Factory()).startService()


def test_stopping_closes_the_port_and_waits_until_it_is() -> None:
    closing: Deferred[None] = Deferred()
    endpoint = Endpoint(closing=closing)
    listening = Listening("auto", endpoint, Factory())
    listening.startService()
    done: list[None] = []
    listening.stopService().addCallback(done.append)
    assert not endpoint.port.open
    assert not listening.running
    assert done == []
    closing.callback(None)
    assert done == [None]


def test_stopping_is_immediate_when_nothing_listens_or_closes_at_once() -> None:
    for listening in (Listening("auto", Endpoint(), Factory()) for _ in range(2)):
        done: list[None] = []
        listening.stopService().addCallback(done.append)
        assert done == [None]
        listening.startService()
        listening.stopService().addCallback(done.append)
        assert done == [None, None]


def test_it_may_be_started_again() -> None:
    endpoint = Endpoint()
    listening = Listening("auto", endpoint, Factory())
    listening.startService(), listening.stopService(), listening.startService()
    assert endpoint.port.open
    assert endpoint.listened == 2


def test_twisteds_own_endpoint_listens_for_our_factory() -> None:
    reactor, factory = MemoryReactorClock(), Factory()
    Listening("auto", TCP4ServerEndpoint(reactor, 1134), factory).startService()
    [(port, listens, *_)] = reactor.tcpServers
    assert (port, listens) == (1134, factory)


# Farewell -----------------------------------------------------------------------------------------


def test_all_users_are_told_and_their_connections_are_closed() -> None:
    server, clock = Server(), Clock()
    people = [server.enters(nick) for nick in ("ada", "bob")]
    for person in people:
        person.sees()
    shutdown = Shutdown(server.chat, MemoryStore(), clock, lambda: 0.0)
    shutdown.startService()
    stopped = shutdown.stopService()
    for person in people:
        assert person.sees() == ["-- The server is stopping. Goodbye."]
        assert person.client.closed
    assert not stopped.called
    clock.advance(GOODBYE_SECONDS)
    assert stopped.called


def test_the_server_stops_as_soon_as_all_connections_are_closed() -> None:
    server, clock = Server(), Clock()
    people = [server.enters(nick) for nick in ("ada", "bob")]
    stopped = Shutdown(server.chat, MemoryStore(), clock, lambda: 0.0).stopService()
    for person in people:
        clock.advance(CHECK_SECONDS)
        assert not stopped.called
        person.client.is_gone = True
    clock.advance(CHECK_SECONDS)
    assert stopped.called
    assert not clock.getDelayedCalls()


def test_the_read_position_of_a_detached_session_is_stored() -> None:
    server, clock = Server(), Clock()
    ada, bob = server.enters("ada", fingerprint="SHA256:ada"), server.enters("bob")
    ada.types("/register"), bob.types("read"), ada.sees()
    assert ada.loses_connection() is not None
    bob.types("unread")
    Shutdown(server.chat, MemoryStore(), clock, lambda: 0.0).stopService()
    assert server.chat.profiles.last_read(ada.session.person, server.chat.lobby) == 1


def test_without_users_stopping_waits_for_nothing() -> None:
    clock = Clock()
    assert Shutdown(Server().chat, MemoryStore(), clock, lambda: 0.0).stopService().called
    assert not clock.getDelayedCalls()


def test_a_client_that_does_not_read_delays_no_other() -> None:
    server, clock = Server(), Clock()
    server.enters("ada", client=Client(capacity=0))
    bob = server.enters("bob")
    bob.sees()
    stopped = Shutdown(server.chat, MemoryStore(), clock, lambda: 0.0).stopService()
    assert bob.sees() == ["-- The server is stopping. Goodbye."]
    clock.advance(GOODBYE_SECONDS)
    assert stopped.called


def test_the_goodbye_is_the_last_data_on_the_connection() -> None:
    server = MemoryServer()
    ada, bob = server.enters("ada"), server.enters("bob")
    ada.receives()
    bob.sends(b"hello\n")
    Shutdown(server.chat, MemoryStore(), server.clock, lambda: 0.0).stopService()
    assert ada.receives() == b"bob: hello\r\n-- The server is stopping. Goodbye.\r\n"
    assert ada.closed
    assert bob.receives() == b"-- The server is stopping. Goodbye.\r\n"
    assert bob.closed


class HangingStore(MemoryStore):
    """A store that cannot be closed."""

    async def close(self) -> None:
        raise NotClosedError("14 lines were not taken in 30 s; nobody was told that they are kept")


def test_a_store_that_hangs_is_abandoned_and_the_loss_is_logged() -> None:
    abandoned: list[str] = []
    shutdown = Shutdown(
        Server().chat,
        HangingStore(),
        Clock(),
        lambda: 0.0,
        abandon=lambda: abandoned.append("process"),
    )
    with capturedLogs() as logged:
        assert shutdown.stopService().called
    assert abandoned == ["process"]
    assert [(event["log_level"].name, formatEvent(event)) for event in logged] == [
        (
            "critical",
            "disk: 14 lines were not taken in 30 s; nobody was told that they are kept",
        )
    ]
