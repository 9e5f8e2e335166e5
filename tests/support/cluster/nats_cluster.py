"""Cluster of chats on a real NATS server, with the interface of `ChatCluster`."""

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
    """A thread that runs the proxies of a cluster's servers to the one NATS server."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._proxies: list[FaultProxy] = []

    def add_proxy(self) -> FaultProxy:
        """Start one more proxy."""
        proxy = FaultProxy(self._target)
        asyncio.run_coroutine_threadsafe(proxy.start(), self._loop).result(PATIENCE)
        self._proxies.append(proxy)
        return proxy

    def call(self, step: Callable[[], None]) -> None:
        """Call a function in the thread."""

        async def run() -> None:
            step()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(PATIENCE)

    def close(self) -> None:
        """Close all proxies, and end the thread."""
        for proxy in self._proxies:
            asyncio.run_coroutine_threadsafe(proxy.close(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class NatsCluster:
    """A cluster of chats on one account of the NATS server; each connects through a proxy."""

    def __init__(self, nats: Servers, servers: int = 2) -> None:
        [address] = nats.servers
        self._nats = nats
        self._proxies = ProxyThread(int(address.rpartition(":")[2]))
        self._main_thread = TestMainThread()
        self._server_numbers = count()
        self._stores: dict[Server, tuple[NatsStore, FaultProxy]] = {}
        self._dead: list[str] = []
        self.servers: list[Server] = []
        for _ in range(servers):
            self.add_server()

    def add_server(self) -> Server:
        """Start one more server."""
        proxy = self._proxies.add_proxy()
        proxied = replace(self._nats, servers=(f"nats://127.0.0.1:{proxy.port}",))
        store = NatsStore(proxied, self._main_thread, shards=1)
        server = Server(store, incarnation=f"s{next(self._server_numbers)}", bus=store.bus)
        store.begin()
        self._stores[server] = store, proxy
        self.servers.append(server)
        self.advance()
        return server

    def disconnect(self, server: Server) -> None:
        """Disconnect a server from NATS."""
        store, proxy = self._stores[server]
        self._proxies.call(proxy.cut)
        self._wait_until(lambda: not store.is_up)

    def reconnect(self, server: Server) -> None:
        """Connect a server again."""
        store, proxy = self._stores[server]
        self._proxies.call(proxy.restore)
        self._wait_until(lambda: store.is_up)
        self.advance()

    def kill(self, server: Server) -> None:
        """Kill a server: it releases nothing, and the others hear no more of it."""
        self.servers.remove(server)
        store, _ = self._stores.pop(server)
        kill_store(store)
        self._dead.append(store.bus.name)

    def expire_leases(self) -> None:
        """Let the leases of killed servers expire, and so their claims on nicks."""
        for _ in range(7):
            self.advance(5)
        store, _ = self._stores[self.servers[0]]
        while self._dead:
            expire_lease(store, self._dead.pop())

    def advance(self, seconds: float = 0.0) -> None:
        """Advance all clocks; then each server sends a heartbeat and checks the others."""
        for server in self.servers:
            server.now += seconds
            server.elapsed += seconds
            server.cluster.heartbeat(server.now, server.elapsed)
            server.cluster.check_liveness(server.now, server.elapsed)
        self.deliver_all()

    def deliver_all(self) -> None:
        """Wait until every post is stored and every message between servers has arrived."""
        end = time.monotonic() + PATIENCE
        idle_rounds = 0
        while idle_rounds < 2:
            assert time.monotonic() < end, "the servers do not become idle"
            idle_rounds += 1
            for server, (store, _) in self._stores.items():
                server.end_turn()
                wait_for(store.bridge.query(_flush, store))
                if not self._main_thread.is_idle:
                    idle_rounds = 0
                self._main_thread.run()
                server.end_turn()

    def close(self) -> None:
        """Close every server's store, and the proxies."""
        for store, _ in self._stores.values():
            wait_for(store.close())
        self._proxies.close()

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, "the condition does not come true"
            self._main_thread.run()
            time.sleep(0.01)


async def _flush(store: NatsStore) -> None:
    """Wait until a store has done its work and has received what was sent to it."""
    await store.drain()
    await store.connection.flush()
    await asyncio.sleep(0.001)
