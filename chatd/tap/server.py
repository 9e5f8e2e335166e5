"""Server construction from the options; only this module chooses a store and opens ways in."""

from __future__ import annotations

import secrets
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.believed_time import BelievedTime
from chatd.chat.chat import Chat
from chatd.chat.limits import DETACHED_SECONDS, HISTORY_EVENTS
from chatd.chat.model.preferences import Preferences
from chatd.chat.options import Environment
from chatd.chat.options import Options as ChatOptions
from chatd.chat.peers import ALONE
from chatd.chat.ratelimit.line_budget import LineBudgets
from chatd.chat.records.server_access import everybody
from chatd.chat.store import Store
from chatd.chat.text import lookalikes
from chatd.chat.text.sanitizing import safe
from chatd.cluster.cluster import Cluster
from chatd.store.nats.client import servers
from chatd.store.sqlite.files import DATABASE, change_owner
from chatd.store.sqlite.store import SqliteStore, StoreError
from chatd.store.volatile_history import VolatileHistoryStore
from chatd.tap.failing import Startup, end_at_once
from chatd.tap.options import Options
from chatd.tap.parent_watch import ParentWatch, Ready
from chatd.tap.reactor_clock import since_boot, use_monotonic_clock
from chatd.tap.stop_once import StopOnce
from chatd.tap.supervisor import make_supervisor
from chatd.transport.gate.admission import Admission
from chatd.transport.gate.gate import Door, GateFactory
from chatd.transport.host import Host
from chatd.transport.net.descriptors import allowed_connections
from chatd.transport.net.listening import Listening
from chatd.transport.net.turns import Turns
from chatd.transport.relay.streams import Streams
from chatd.transport.security_log import SecurityLog
from chatd.transport.services.clock_watch import ClockWatch
from chatd.transport.services.disk_watch import DiskWatch
from chatd.transport.services.garbage import GarbageCollection
from chatd.transport.services.lease import Lease
from chatd.transport.services.passwords import Argon2, Checkers, PasswordThread
from chatd.transport.services.reactor import ReactorThread
from chatd.transport.services.shutdown import Shutdown
from chatd.transport.services.store import StoreService
from chatd.transport.services.unacknowledged import UnacknowledgedCheck
from chatd.transport.services.unread_output import UnreadOutput
from chatd.transport.services.unused_accounts import UnusedAccounts
from chatd.transport.tcd import JoinIds
from chatd.transport.ways import AUTO, ways_in

if TYPE_CHECKING:
    from chatd.store.nats.store import NatsStore

#: Characters of tokens: letters and digits that do not look alike.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def _token() -> str:
    """Return an unguessable word (60 bits), short enough to type."""
    letters = "".join(secrets.choice(_LETTERS) for _ in range(12))
    return "-".join(letters[at : at + 4] for at in range(0, 12, 4))


def makeService(options: Options) -> IService:
    """Return the server that these options describe, or the supervisor of its processes."""
    from twisted.internet import reactor

    use_monotonic_clock(reactor)
    if options["processes"].is_supervisor:
        service = Startup(options)
        stop = StopOnce(reactor)
        stop.setServiceParent(service)
        make_supervisor(options, reactor, stop.stop).setServiceParent(service)
        return service
    return make_server(options, reactor)


def make_server(options: Options, reactor: Any, store: Store | None = None) -> IService:
    """Return the server that these options describe; ``store`` overrides their store."""
    clock: IReactorTime = IReactorTime(reactor)
    lookalikes.prepare()
    server = Startup(options)
    stop = StopOnce(reactor)
    stop.setServiceParent(server)
    if options["processes"].is_worker:
        ParentWatch().setServiceParent(server)
    shared, cluster, streams = None, None, None
    if options["cluster"]:
        shared = _nats_store(options, ReactorThread(reactor))
        StoreService(partial(_begin_cluster, shared)).setServiceParent(server)
        cluster = Cluster(shared.bus, lambda step: clock.callLater(0, step))
    believed = BelievedTime(since_boot)
    store = store or shared or _store(options, reactor, server, believed)
    chat = _chat(options, reactor, server, store, cluster, believed)
    if cluster is not None:
        streams = Streams(chat, cluster, clock, secrets.token_hex(8))
        cluster.start(chat, streams)
    host = Host(
        chat,
        clock,
        time.time,
        Turns(clock),
        motd=options["motd"],
        budgets=LineBudgets(options["flood"], options["flood-per-address"]),
        operators=options["admin"],
        relay=streams,
    )
    admission = Admission(options["max-connections"], options["per-address"])
    admission.fit(allowed_connections(options["max-connections"], admission))
    if cluster is not None and shared is not None:
        lease = Lease(chat, cluster, shared, clock, time.time, since_boot, admission)
        lease.setServiceParent(server)
    UnacknowledgedCheck(chat, clock, time.time).setServiceParent(server)
    UnusedAccounts(chat, clock, time.time).setServiceParent(server)
    ClockWatch(chat, clock, time.time).setServiceParent(server)
    DiskWatch(chat, clock).setServiceParent(server)
    UnreadOutput(chat, clock).setServiceParent(server)
    abandon = partial(end_at_once, options)
    Shutdown(chat, store, clock, time.time, cluster, abandon).setServiceParent(server)
    _open_ways(options, server, host, admission, stop.stop)
    GarbageCollection(clock).setServiceParent(server)
    if options["processes"].is_worker:
        Ready(options["processes"]).setServiceParent(server)
    return server


def _chat(
    options: Options,
    reactor: Any,
    server: MultiService,
    store: Store,
    cluster: Cluster | None,
    believed: BelievedTime,
) -> Chat:
    """Return the chat of a server, which loads its records once the store has started."""
    clock: IReactorTime = IReactorTime(reactor)
    thread = PasswordThread(reactor)
    thread.setServiceParent(server)
    environment = Environment(
        schedule=lambda step: clock.callLater(0, step),
        expire_later=lambda step: clock.callLater(DETACHED_SECONDS, lambda: step(time.time())),
        hasher=Argon2(thread),
        incarnation=secrets.token_hex(8),
        make_token=_token,
        checker=Checkers(options["auth"], thread, clock) if options["auth"] else None,
        report=SecurityLog(clock).report,
        believed=believed,
    )
    chosen = ChatOptions(
        lobby=options["lobby"],
        shouting=options["shouting"],
        preferences=Preferences(replay=options["replay"]),
        allowed=options["allow"] or everybody,
    )
    chat = Chat(store, environment, chosen, cluster or ALONE)
    StoreService(lambda: _begin(chat)).setServiceParent(server)
    return chat


def _open_ways(
    options: Options,
    server: MultiService,
    host: Host,
    admission: Admission,
    stop: Callable[[], None],
) -> None:
    """Open the ways in that the options name while ``server`` runs; KILL_SERVICE calls ``stop``."""
    join_ids = JoinIds(options["student-id"], stop if options["allow-kill"] else None)
    ways = ways_in(host, options["host-key"], join_ids)
    proxies: tuple[IPv4Network | IPv6Network, ...] = tuple(options["proxy-from"])
    for way, endpoint in options["endpoints"]:
        declared = None if way == AUTO else way
        factory = GateFactory(Door(host, admission, ways, declared, proxies))
        Listening(way, endpoint, factory).setServiceParent(server)


def _begin(chat: Chat) -> None:
    """Load the records of the store, before any way in is open."""
    loading = Deferred.fromCoroutine(chat.load(time.time()))
    loading.addErrback(lambda failure: Logger().failure("reading failed", failure=failure))


def _nats_store(options: Options, main_thread: ReactorThread) -> NatsStore:
    """Return the store of a cluster; only this function knows that it needs an optional library."""
    try:
        from chatd.store.nats.store import NatsStore
    except ImportError as why:
        raise SystemExit(f"--cluster needs pip install 'chatd[cluster]' ({why}).") from None

    user, password = options["cluster-login"] or (None, None)
    tls, creds = options["cluster-tls"], options["cluster-creds"]
    addresses = servers.Servers(options["cluster"], user, password, creds, tls)
    name = safe(options["cluster-name"] or socket.gethostname())
    return NatsStore(addresses, main_thread, called=name, days=options["history"])


def _begin_cluster(store: NatsStore) -> None:
    """Start a cluster's store; the server exits if the store cannot be used."""
    from chatd.store.nats.store import UnfitError

    try:
        store.begin()
    except UnfitError as why:
        raise SystemExit(f"chatd cannot use the cluster: {why}.") from None


def _store(options: Options, reactor: Any, server: MultiService, believed: BelievedTime) -> Store:
    """Return the store that the options choose; it starts and ends with the server."""
    history, main_thread = options["history"], ReactorThread(reactor)
    store = SqliteStore(
        options["data"] / DATABASE,
        main_thread,
        lambda: believed.at(time.time()),
        days=history if isinstance(history, float) else None,
        power=options["durability"] == "power",
    )

    twistd: Any = options.parent or {}  # twistd's own options
    try:
        store.prepare(partial(print, file=sys.stderr, flush=True))  # nothing is logged yet
        change_owner(options["data"], twistd.get("uid"), twistd.get("gid"))
        if store.newest is not None:
            believed.saw(store.newest)
    except (StoreError, OSError) as why:
        raise SystemExit(f"chatd cannot keep what is said: {why}") from None
    StoreService(store.begin).setServiceParent(server)
    if isinstance(history, float):
        return store
    return VolatileHistoryStore(HISTORY_EVENTS if history == "memory" else 0, main_thread, store)
