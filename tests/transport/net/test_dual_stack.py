"""Dual-stack ports: one number is one socket for IPv6 and IPv4."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock

from chatd.transport.net import dual_stack
from chatd.transport.net.dual_stack import server_endpoint, unmapped
from chatd.transport.net.shared_ports import open_shared
from tests.support.served import PATIENCE

needs_ipv6 = pytest.mark.skipif(not dual_stack.is_available(), reason="IPv6 is not available")


class Reactor(MemoryReactorClock):
    """A reactor that keeps what it is given to listen on."""

    def __init__(self) -> None:
        super().__init__()
        self.adopted: list[socket.socket] = []

    def adoptStreamPort(  # noqa: N802 - as Twisted's
        self, descriptor: int, family: int, factory: object
    ) -> None:
        self.adopted.append(socket.socket(fileno=socket.dup(descriptor)))


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    reactor = Reactor()
    yield reactor
    for adopted in reactor.adopted:
        adopted.close()


def failures(endpoint: Any) -> list[type[BaseException] | None]:
    failed: list[Any] = []
    endpoint.listen(Factory()).addErrback(failed.append)
    return [failure.type for failure in failed]


@needs_ipv6
def test_one_socket_accepts_both_families(reactor: Reactor) -> None:
    assert failures(server_endpoint(reactor, "dual:0:backlog=7")) == []
    [listening] = reactor.adopted
    port = listening.getsockname()[1]
    for host, seen in (("127.0.0.1", "127.0.0.1"), ("::1", "::1")):
        with socket.create_connection((host, port), PATIENCE):
            listening.settimeout(PATIENCE)
            accepted, address = listening.accept()
            accepted.close()
            assert unmapped(address[0]) == seen


@needs_ipv6
def test_each_process_has_a_socket_for_both_families() -> None:
    sockets = open_shared("dual:0:backlog=7", 2)
    for shared in sockets:
        assert not shared.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        shared.close()


@needs_ipv6
@pytest.mark.parametrize("taken", [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_port_that_is_taken_in_one_family_is_taken(
    reactor: Reactor, taken: tuple[str, socket.AddressFamily]
) -> None:
    host, family = taken
    with socket.create_server((host, 0), family=family) as other:
        port = other.getsockname()[1]
        assert failures(server_endpoint(reactor, f"dual:{port}")) == [CannotListenError]
    assert reactor.adopted == []


def test_without_ipv6_the_port_is_one_of_ipv4(
    reactor: Reactor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError("Address family not supported by protocol")

    monkeypatch.setattr(dual_stack, "open_socket", refuse)
    assert failures(server_endpoint(reactor, "dual:1134:backlog=7")) == []
    [(port, _, backlog, interface)] = reactor.tcpServers
    assert (port, backlog, interface) == (1134, 7, "")
    assert reactor.adopted == []


def test_other_kinds_are_twisteds() -> None:
    reactor = MemoryReactorClock()
    assert failures(server_endpoint(reactor, "tcp:1134:interface=127.0.0.1")) == []
    [(port, _, _, interface)] = reactor.tcpServers
    assert (port, interface) == (1134, "127.0.0.1")


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:0:1", "::ffff:0:1"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::1%eth0.7", "fe80::1%eth0.7"),
        ("", ""),
    ],
)
def test_an_ipv4_client_is_shown_by_its_ipv4_address(host: str, shown: str) -> None:
    assert unmapped(host) == shown
