"""A cable between two servers, for tests: it can be cut, or lie there and carry nothing.

It knows bytes alone.  Cut, it resets what goes through it and takes nothing new, as a machine does
that is gone; silenced, it takes everything and passes nothing on, as a network does that is gone.
"""

from __future__ import annotations

import asyncio
import socket
import struct

#: Closes with a reset, as nobody is told that nothing more comes.
_RESET = struct.pack("ii", 1, 0)


class FaultProxy:
    """A way to a port of this machine, through a port of its own.

    What comes while it is silent goes on when it is mended, as it does on a network.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._ends: set[asyncio.StreamWriter] = set()
        self._passes = asyncio.Event()
        self._passes.set()
        self._is_cut = False

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Reset everything, and whatever comes until it is mended."""
        self._is_cut = True
        for end in tuple(self._ends):
            _reset(end)

    def stall(self) -> None:
        """Pass nothing on until it is mended."""
        self._passes.clear()

    def restore(self) -> None:
        """Be a cable again."""
        self._is_cut = False
        self._passes.set()

    async def close(self) -> None:
        """Be none any more."""
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
        except OSError:  # nobody is there, and that is to be seen at this end
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
        """Carry one way, to the end of either."""
        try:
            while data := await reader.read(65536):
                await self._passes.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        _reset(writer)


def _reset(end: asyncio.StreamWriter) -> None:
    """Hang up without a word."""
    made = end.get_extra_info("socket")
    if made is not None and not end.is_closing():
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    end.transport.abort()
