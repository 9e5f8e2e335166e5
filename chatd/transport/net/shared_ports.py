"""Shared ports: one socket for each of several processes, all on one port (Linux's SO_REUSEPORT).

The kernel gives a connection to one of the listening sockets.  All are opened together, before the
processes are started, and stay open in the process that opened them: the service keeps the port
even while a process is restarted, which therefore needs no root.

It knows sockets and the reactor's methods that Twisted's endpoints use; nothing of processes.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Any

from twisted.internet.abstract import isIPv6Address
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.transport.net import dual_stack

#: Kinds of endpoints whose connections the kernel balances.  A Unix socket, or one that systemd
#: opened, is a single socket, and the process that wakes first accepts all.
KINDS = (dual_stack.KIND, "tcp", "tcp6")


def check_shared(description: str) -> None:
    """Check that the port of an endpoint can be shared.

    :raises ValueError: with a sentence, if it cannot.
    """
    if description.partition(":")[0] not in KINDS:
        raise ValueError(f"processes share ports of tcp and tcp6 alone, not {description}")


class SharedPorts:
    """The ports of ``count`` processes, numbered from 1.

    :param ways: Pairs of a way in and the description of its endpoint.
    """

    _log = Logger()

    def __init__(self, ways: Sequence[tuple[str, str]], count: int) -> None:
        self._ways = ways
        self._count = count
        self._ports: list[list[socket.socket]] = []

    def open(self) -> None:
        """Open a socket for each process on each port; all of them listen.

        :raises SystemExit: with a sentence, if one is in use, or may not be opened.
        """
        for way, description in self._ways:
            try:
                sockets = open_shared(description, self._count)
            except CannotListenError as why:
                self.close()
                raise SystemExit(f"chatd cannot listen: {why}") from None
            self._ports.append(sockets)
            host, port = sockets[0].getsockname()[:2]
            self._log.info(
                "chatd listening: way={way} host={host} port={port}", way=way, host=host, port=port
            )

    def of(self, number: int) -> list[int]:
        """Return the descriptors of a process, in the order of the ways in."""
        return [sockets[number - 1].fileno() for sockets in self._ports]

    def rest(self, number: int) -> None:
        """Leave all connections to the other processes, until this one's sockets listen again.

        Connections in their backlog are reset; the sockets stay bound to their ports.
        """
        for sockets in self._ports:
            with suppress(OSError):  # it does not listen
                sockets[number - 1].shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close every socket."""
        for sockets in self._ports:
            for shared in sockets:
                shared.close()
        self._ports = []


def open_shared(description: str, count: int) -> list[socket.socket]:
    """Open ``count`` listening sockets on the port of an endpoint, which must be free.

    :raises CannotListenError: if the port is in use, or may not be opened.
    """
    opening = _Opening(count)
    failures: list[Failure] = []
    dual_stack.server_endpoint(opening, description).listen(Factory()).addErrback(failures.append)
    for failure in failures:
        failure.raiseException()
    return opening.sockets


class _Opening:
    """The part of a reactor that an endpoint needs: opens several sockets, not one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.sockets: list[socket.socket] = []

    def listenTCP(  # noqa: N802 - Twisted calls this
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> None:
        """Open the sockets.

        :raises CannotListenError: as a reactor would.
        """
        try:
            self.sockets = _opened(port, backlog, interface, self._count)
        except OSError as why:
            raise CannotListenError(interface, port, why) from None


def _opened(port: int, backlog: int, interface: str, count: int) -> list[socket.socket]:
    family = socket.AF_INET
    address: tuple[Any, ...] = (interface, port)
    if isIPv6Address(interface):  # which may name a link
        [(family, _, _, _, address), *_] = socket.getaddrinfo(
            interface, port, socket.AF_INET6, socket.SOCK_STREAM
        )
    with _socket(family, interface) as first, ExitStack() as opened:
        first.bind(address)  # not shared yet: fails if the port is in use, even by another chatd
        _share(first)
        sockets = [opened.enter_context(_socket(family, interface)) for _ in range(count)]
        for shared in sockets:
            _share(shared)
            shared.bind(first.getsockname())  # with the port number, if the kernel chose it
        for shared in sockets:
            shared.listen(backlog)
        opened.pop_all()
    return sockets


def _socket(family: socket.AddressFamily, interface: str) -> socket.socket:
    """Return a socket with the options of Twisted's; one for all of IPv6 is for IPv4 as well."""
    if interface == dual_stack.ALL:
        return dual_stack.open_socket()
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def _share(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


class Adopting:
    """The part of a reactor that an endpoint needs: adopts an inherited socket."""

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def listenTCP(  # noqa: N802 - Twisted calls this
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Let the socket listen (after `SharedPorts.rest` it does not), and adopt it."""
        with socket.socket(fileno=self._descriptor) as inherited:
            inherited.listen(backlog)
            adopted: IListeningPort = self._reactor.adoptStreamPort(
                inherited.fileno(), inherited.family, factory
            )
        return adopted
