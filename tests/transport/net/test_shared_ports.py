"""Shared ports: several sockets at one port, which no other process can have."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory

from chatd.transport.net.shared_ports import Adopting, SharedPorts, check_shared, open_shared
from tests.support.served import PATIENCE

HERE = "tcp:0:interface=127.0.0.1:backlog=100"


@pytest.fixture
def pair() -> Iterator[list[socket.socket]]:
    sockets = open_shared(HERE, 2)
    yield sockets
    for shared in sockets:
        shared.close()


def connected(shared: socket.socket) -> socket.socket:
    return socket.create_connection(shared.getsockname(), PATIENCE)


def accepted(shared: socket.socket) -> int:
    """Return how many connections a socket has; they are accepted and closed."""
    number = 0
    while True:
        try:
            shared.accept()[0].close()
        except BlockingIOError:
            return number
        number += 1


def test_connections_are_shared_among_the_processes(pair: list[socket.socket]) -> None:
    assert pair[0].getsockname() == pair[1].getsockname()
    waiting = [connected(pair[0]) for _ in range(60)]
    one, other = (accepted(shared) for shared in pair)
    assert one + other == 60
    assert min(one, other) > 0
    for somebody in waiting:
        somebody.close()


def test_a_port_in_use_is_refused_whether_it_is_shared_or_not(
    pair: list[socket.socket],
) -> None:
    _, port = pair[0].getsockname()
    with pytest.raises(CannotListenError, match="already in use"):
        open_shared(f"tcp:{port}:interface=127.0.0.1", 2)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="already in use"):
            other.bind(("127.0.0.1", port))
    with socket.create_server(("127.0.0.1", 0)) as lone:
        _, port = lone.getsockname()
        with pytest.raises(CannotListenError, match="already in use"):
            open_shared(f"tcp:{port}:interface=127.0.0.1", 2)


def test_a_resting_socket_gets_no_connections_until_it_listens_again() -> None:
    ports = SharedPorts([("line", HERE)], 2)
    ports.open()
    [one], [other] = (
        [socket.socket(fileno=socket.dup(descriptor)) for descriptor in ports.of(number)]
        for number in (1, 2)
    )
    with one, other:
        where = one.getsockname()
        ports.rest(1), ports.rest(1)
        waiting = [connected(other) for _ in range(30)]
        assert accepted(other) == 30
        one.listen(100)
        assert one.getsockname() == where
        waiting += [connected(other) for _ in range(60)]
        assert accepted(one) > 0
        for somebody in waiting:
            somebody.close()
        ports.close()


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_an_address_may_be_ipv6() -> None:
    for kind in ("tcp6", "tcp"):
        sockets = open_shared(f"{kind}:0:interface=\\:\\:1", 2)
        assert {shared.family for shared in sockets} == {socket.AF_INET6}
        assert len({shared.getsockname()[:2] for shared in sockets}) == 1
        for shared in sockets:
            shared.close()


def test_all_ports_are_announced_or_none_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as lone:
        taken = f"tcp:{lone.getsockname()[1]}:interface=127.0.0.1"
        ports = SharedPorts([("line", HERE), ("ssh", taken)], 2)
        with pytest.raises(SystemExit, match=r"^chatd cannot listen: .* already in use"):
            ports.open()
        assert ports.of(1) == []


def test_other_endpoints_are_not_shared() -> None:
    check_shared("tcp:1"), check_shared("tcp6:1:interface=\\:\\:")
    for other in ("unix:/run/chatd", "systemd:domain=INET:index=0", "ssl:1"):
        with pytest.raises(ValueError, match="tcp and tcp6 alone"):
            check_shared(other)


class Adoptive:
    """A reactor that adopts sockets."""

    def __init__(self) -> None:
        self.adopted: list[tuple[tuple[str, int], int, object]] = []

    def adoptStreamPort(  # noqa: N802 - Twisted's name
        self, descriptor: int, family: int, factory: object
    ) -> None:
        with socket.socket(fileno=socket.dup(descriptor)) as given:
            assert given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            self.adopted.append((given.getsockname(), family, factory))


def test_a_process_adopts_an_inherited_socket(pair: list[socket.socket]) -> None:
    where = pair[0].getsockname()
    pair[0].shutdown(socket.SHUT_RDWR)
    reactor, factory = Adoptive(), Factory()
    endpoint = serverFromString(Adopting(reactor, pair[0].detach()), "tcp:1134:backlog=7")
    endpoint.listen(factory)
    assert reactor.adopted == [(where, socket.AF_INET, factory)]
