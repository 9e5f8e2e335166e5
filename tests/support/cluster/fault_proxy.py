"""TCP proxy between two servers whose network fails: it can be cut, or stall.

It knows bytes alone.  Cut, it resets all connections and refuses new ones, like a machine that is
down; stalled, it accepts everything and forwards nothing, like a network that is down.
"""

from __future__ import annotations

import asyncio
import socket
import struct

#: SO_LINGER of 0 seconds: closing sends a reset and no end of stream.
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """Forwards connections of a port of its own to a port of this machine.

    Bytes that arrive while it is stalled are forwarded when it is restored, as on a network.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._ends: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._is_cut = False

    async def start(self) -> None:
        """Start listening."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)

    @property
    def port(self) -> int:
        """Return the port that it listens on."""
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Reset all connections, and new ones until it is restored."""
        self._is_cut = True
        for end in tuple(self._ends):
            _reset(end)

    def stall(self) -> None:
        """Forward nothing until it is restored."""
        self._passes.clear()

    def restore(self) -> None:
        """Forward again."""
        self._is_cut = False
        self._passes.set()

    async def close(self) -> None:
        """Reset all connections, and stop listening."""
        self.cut()
        self._passes.set()
        self._server.close()
        await self._server.wait_closed()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            _reset(writer)
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # nothing listens there: refuse this connection, too
            _reset(writer)
            return
        ends = {writer, back}
        self._ends |= ends
        try:
            ways = (self._carry(reader, back), self._carry(there, writer))
            await asyncio.gather(*ways)
        finally:
            self._ends -= ends
            for end in ends:
                _reset(end)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one direction, until either end closes."""
        try:
            while data := await reader.read(65536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        _reset(writer)


def _reset(end: asyncio.StreamWriter) -> None:
    """Reset a connection."""
    made = end.get_extra_info("socket")
    if made is not None and not end.is_closing():
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    end.transport.abort()
