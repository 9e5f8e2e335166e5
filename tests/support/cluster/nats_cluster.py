"""Several chats that are one on a NATS server, like `ChatCluster`, for tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from threading import Thread

from chatd.store.nats.client.servers import Servers
from chatd.store.nats.store import NatsStore
from tests.support.cluster.fault_proxy import FaultProxy
from tests.support.cluster.stores import expire_lease, kill_store
from tests.support.main_thread import TestMainThread, wait_for
from tests.support.people import Server
from tests.support.served import PATIENCE


class ProxyThread:
    """A thread in which the cables of a town are, each to the one NATS server."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._proxies: list[FaultProxy] = []

    def add_proxy(self) -> FaultProxy:
        """Lay one more."""
        cable = FaultProxy(self._target)
        asyncio.run_coroutine_threadsafe(cable.start(), self._loop).result(PATIENCE)
        self._proxies.append(cable)
        return cable

    def call(self, step: Callable[[], None]) -> None:
        """Do something to one, in their thread."""

        async def do() -> None:
            step()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result(PATIENCE)

    def close(self) -> None:
        """Take them all away."""
        for cable in self._proxies:
            asyncio.run_coroutine_threadsafe(cable.close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class NatsCluster:
    """A cluster of so many servers on one account; `settle` waits until all is told and heard."""

    def __init__(self, where: Servers, servers: int = 2) -> None:
        [address] = where.servers
        self._nats = where
        self._proxies = ProxyThread(int(address.rpartition(":")[2]))
        self._main_thread = TestMainThread()
        self._names = count()
        self._stores: dict[Server, tuple[NatsStore, FaultProxy]] = {}
        self._dead: list[str] = []
        self.servers: list[Server] = []
        for _ in range(servers):
            self.add_server()

    def add_server(self) -> Server:
        """Start one more server."""
        cable = self._proxies.add_proxy()
        where = replace(self._nats, servers=(f"nats://127.0.0.1:{cable.port}",))
        store = NatsStore(where, self._main_thread, shards=1)
        server = Server(store, incarnation=f"s{next(self._names)}", bus=store.bus)
        store.begin()
        self._stores[server] = store, cable
        self.servers.append(server)
        self.advance()
        return server

    def disconnect(self, server: Server) -> None:
        """Let a server be out of touch with everything."""
        store, cable = self._stores[server]
        self._proxies.call(cable.cut)
        self._wait_until(lambda: not store.is_up)

    def reconnect(self, server: Server) -> None:
        """Let a server be in touch again."""
        store, cable = self._stores[server]
        self._proxies.call(cable.restore)
        self._wait_until(lambda: store.is_up)
        self.advance()

    def kill(self, server: Server) -> None:
        """Let a server be dead: it gives nothing back, and the others hear nothing of it."""
        self.servers.remove(server)
        store, _ = self._stores.pop(server)
        kill_store(store)
        self._dead.append(store.bus.name)

    def expire_leases(self) -> None:
        """Let so much time pass that the dead count as gone, and their nicks are anybody's."""
        for _ in range(7):
            self.advance(5)
        store, _ = self._stores[self.servers[0]]
        while self._dead:
            expire_lease(store, self._dead.pop())

    def advance(self, seconds: float = 0.0) -> None:
        """Let time pass; each server says that it is there."""
        for server in self.servers:
            server.now += seconds
            server.cluster.heartbeat(server.now)
            server.cluster.check_liveness(server.now)
        self.deliver_all()

    def deliver_all(self) -> None:
        """Let everything be kept that was posted, and arrive that was told."""
        end = time.monotonic() + PATIENCE
        quiet = 0
        while quiet < 2:
            assert time.monotonic() < end, "it does not settle"
            quiet += 1
            for server, (store, _) in self._stores.items():
                server.end_turn()
                wait_for(store.bridge.query(_settled, store))
                if not self._main_thread.is_idle:
                    quiet = 0
                self._main_thread.run()
                server.end_turn()

    def close(self) -> None:
        """End every server."""
        for store, _ in self._stores.values():
            wait_for(store.close())
        self._proxies.close()

    def _wait_until(self, so: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not so():
            assert time.monotonic() < end, "it does not come about"
            self._main_thread.run()
            time.sleep(0.01)


async def _settled(store: NatsStore) -> None:
    """Wait until a server has done what it had to do, and has heard what it was told."""
    await store.drain()
    await store.connection.flush()
    await asyncio.sleep(0.001)
