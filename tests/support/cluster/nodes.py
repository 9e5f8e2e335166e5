"""A chatd node of a cluster: its process, its proxies to NATS, and whom it lists as users."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from chatd.store.nats.client.servers import Servers
from tests.support.cluster.fault_proxy import FaultProxy
from tests.support.cluster.nats import Nats
from tests.support.served import FAILURE_WORDS, PATIENCE, Served

_OPTIONS = ("--flood", "none", "--per-address", "none")
_ASKERS = count()


class ClusterNode:
    """A node, which connects to each NATS server through a proxy of its own."""

    def __init__(self, folder: Path, nats: Nats, where: Servers) -> None:
        self._folder = folder
        folder.mkdir()
        (folder / "login").write_text(f"{where.user}:{where.password}\n")
        self.proxies = [FaultProxy(server.port) for server in nats.servers]
        self.served: Served | None = None

    async def start(self) -> None:
        """Start its process."""
        reached = ",".join(f"nats://127.0.0.1:{proxy.port}" for proxy in self.proxies)
        options = ("--cluster", reached, "--cluster-login", str(self._folder / "login"), *_OPTIONS)
        served = Served(self._folder, ("json", "line"), options)
        await asyncio.to_thread(served.__enter__)
        self.served = served

    async def kill(self) -> None:
        """Kill its process, and check its log.

        :raises AssertionError: when a failure was logged.
        """
        served, self.served = self.served, None
        if served is not None:
            await asyncio.to_thread(served.kill)
            assert not any(word in served.log for word in FAILURE_WORDS), served.log[-4000:]

    async def close(self) -> None:
        """Kill its process, and close its proxies."""
        try:
            await self.kill()
        finally:
            for proxy in self.proxies:
                await proxy.close()

    def port(self, way: str) -> int | None:
        """Return the port of a way in; None while the process does not run."""
        return self.served.port(way) if self.served is not None else None

    async def users(self, room: str) -> Counter[str] | None:
        """Return the members of a room according to this node; None if it refuses new users.

        The user that asks is left out.
        """
        answer = await self._request(f"asker{next(_ASKERS)}", {"users": room, "id": 1}, "users")
        if answer is None:
            return None
        nicks = (user["nick"] for user in answer["users"])
        return Counter(nick for nick in nicks if not nick.startswith("asker"))

    async def accepts_nick(self, nick: str) -> bool:
        """Return whether a user can enter with a nick now."""
        return await self._request(nick, {"ping": 1}, "pong") is not None

    async def _request(
        self, name: str, request: dict[str, object], awaited: str
    ) -> dict[str, Any] | None:
        """Enter, send a request, and leave; return the answer that has the key ``awaited``."""
        port = self.port("json")
        assert port is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for each in ({"username": name, "version": 2}, request, {"disconnect": True}):
                writer.write(json.dumps(each).encode() + b"\n")
            async with asyncio.timeout(PATIENCE):
                while (line := await reader.readline()).startswith(b"{"):
                    answer: dict[str, Any] = json.loads(line)
                    if answer.get("isConnected") is False:
                        return None
                    if awaited in answer:
                        await reader.read()  # until the server has closed the connection
                        return answer
        except ConnectionError:
            pass
        finally:
            writer.close()
        return None
