"""Dual-stack ports: one socket that accepts connections over IPv6 and IPv4.

An IPv4 client of such a socket has an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), which
`unmapped` turns back.  Where the system has no IPv6, the port is one of IPv4.

It knows sockets and Twisted's endpoints; nothing of what listens.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorSocket,
    IStreamServerEndpoint,
)
from zope.interface import implementer

#: The kind of these endpoints: ``dual:1134``, ``dual:1134:backlog=50``.
KIND = "dual"
#: The address that stands for all of both families, and the one for all of IPv4.
ALL, ALL_IPV4 = "::", ""
_MAPPED = "::ffff:"


def unmapped(host: str) -> str:
    """Return the IPv4 address inside an IPv4-mapped address; others are returned unchanged."""
    return host.removeprefix(_MAPPED) if "." in host else host


def is_available() -> bool:
    """Return whether the system has sockets for both families."""
    try:
        with open_socket() as probe:
            probe.bind((ALL, 0))
    except OSError:
        return False
    return True


def open_socket() -> socket.socket:
    """Return an unbound socket for both families, with the options of Twisted's.

    :raises OSError: where the system has no such sockets.
    """
    opened = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    except OSError:
        opened.close()
        raise
    return opened


def server_endpoint(reactor: Any, description: str) -> IStreamServerEndpoint:
    """Return the endpoint of a description: one of Twisted's kinds, or `KIND`.

    :param reactor: a reactor, or an object with the ``listenTCP`` of one.
    :raises Exception: any kind, as Twisted's parsers do.
    """
    kind, _, rest = description.partition(":")
    if kind != KIND:
        endpoint: IStreamServerEndpoint = serverFromString(reactor, description)
        return endpoint
    port, _, backlog = rest.partition(":backlog=")
    opens = _Opening(reactor) if IReactorSocket.providedBy(reactor) else reactor
    return DualStackEndpoint(opens, int(port), int(backlog or 50))


@implementer(IStreamServerEndpoint)
class DualStackEndpoint:
    """A port of both families, or of IPv4 where the system has no IPv6."""

    def __init__(self, reactor: Any, port: int, backlog: int) -> None:
        self._reactor = reactor
        self._port = port
        self._backlog = backlog

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:  # noqa: N803
        """Open the port."""
        interface = ALL if is_available() else ALL_IPV4
        opened: Deferred[IListeningPort] = execute(
            self._reactor.listenTCP,
            self._port,
            protocolFactory,
            backlog=self._backlog,
            interface=interface,
        )
        return opened


class _Opening:
    """The part of a reactor that the endpoint needs: its IPv6 sockets accept IPv4 as well.

    Twisted's own leave that to the system's default, which differs.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def listenTCP(  # noqa: N802 - as Twisted's
        self, port: int, factory: IProtocolFactory, backlog: int = 50, interface: str = ""
    ) -> IListeningPort:
        """Open a port on all addresses of both families, or of IPv4.

        :raises CannotListenError: as a reactor would.
        """
        if interface != ALL:
            listening: IListeningPort = self._reactor.listenTCP(
                port, factory, backlog=backlog, interface=interface
            )
            return listening
        with open_socket() as opened:
            try:
                opened.bind((ALL, port))
                opened.listen(backlog)
            except (OSError, OverflowError) as why:
                raise CannotListenError(interface, port, why) from None
            adopted: IListeningPort = self._reactor.adoptStreamPort(
                opened.fileno(), opened.family, factory
            )
        return adopted
