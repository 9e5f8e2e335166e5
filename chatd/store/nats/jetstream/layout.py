"""Layout: the streams of a cluster, and the subjects in them.

====================  =========================================================================
``ROOM_<k>``          the rooms whose token hashes to k: ``room.<k>.<token>``, the events of a room
                      and their changes in order; ``over.<k>.<token>.<number>``, the text that an
                      edit has given a message
``KV_records``        accounts, rooms and so on: ``$KV.records.<kind>.<key>``, one message each
``KV_nicks``          claims on nicks: ``$KV.nicks.<nick>``
``KV_nodes``          leases of living servers: ``$KV.nodes.<lease>``, which expire when they are
                      not renewed; a lease is two tokens, of the server and of its incarnation
====================  =========================================================================

The streams republish what they store: the messages of a room under ``live.<k>.<token>.m``, records
under ``live.r.…``.  So servers receive rooms with plain subscriptions, without consumers.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chatd.store.nats.client.connection import UnavailableError
from chatd.store.nats.jetstream.api import JetStream, JetStreamError

#: Streams that the rooms are spread over; fixed when the cluster is set up.
SHARDS = 16
#: Replicas of each stream, where there are that many servers.
REPLICAS = 3
#: Seconds for which a message that is published again is recognised by its id (duplicate window).
DUPLICATE_SECONDS = 120
#: Seconds after which a server that has not renewed its lease is gone.
LEASE_SECONDS = 30
#: Events that a room keeps at most.
ROOM_EVENTS = 100_000

#: Seconds after which a replica counts as unreachable: each reports to the leader every second.
SILENT_SECONDS = 5

RECORDS, NICKS, NODES = "KV_records", "KV_nicks", "KV_nodes"
_SECOND = 1_000_000_000
#: Settings of a stream that must be as they are here; operators may change others.
_REQUIRED = (
    "subjects",
    "republish",
    "duplicate_window",
    "allow_direct",
    "allow_rollup_hdrs",
    "allow_msg_ttl",
    "metadata",
)
_REQUIRED_OF_RECORDS = ("max_msgs_per_subject",)
_REQUIRED_OF_LEASES = (*_REQUIRED_OF_RECORDS, "max_age")
_MIN_VERSION = (2, 11)


class UnfitError(Exception):
    """The cluster cannot be used; the argument is a sentence without its beginning."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The number of streams for rooms, and the seconds (None: never) until messages expire."""

    shards: int
    max_age: float | None = None

    def room(self, ident: str) -> RoomSubject:
        """Return the subjects of a room by its id."""
        digest = hashlib.sha256(ident.encode("utf-8", "surrogatepass")).digest()
        token = base64.b32hexencode(digest[:20]).decode().lower()
        return RoomSubject(int.from_bytes(digest[20:24], "big") % self.shards, token)

    def streams(self) -> list[str]:
        """Return the names of the streams of all rooms."""
        return [f"ROOM_{shard}" for shard in range(self.shards)]


@dataclass(frozen=True, slots=True)
class RoomSubject:
    """The stream and the subjects of a room."""

    shard: int
    token: str

    @property
    def stream(self) -> str:
        """The name of its stream."""
        return f"ROOM_{self.shard}"

    @property
    def log(self) -> str:
        """The subject of its events and changes."""
        return f"room.{self.shard}.{self.token}"

    def edits(self, number: int | str = "*") -> str:
        """Return the subject of the new text of a message, or of any message."""
        return f"over.{self.shard}.{self.token}.{number}"

    def live(self, what: str = "*") -> str:
        """Return the subject of live copies: ``m`` of stored events, ``e`` of unstored ones."""
        return f"live.{self.shard}.{self.token}.{what}"


def subject_token(text: str) -> str:
    """Return any text as one token of a subject; `from_subject_token` reads it."""
    raw = text.encode("utf-8", "surrogatepass")
    return "k" + base64.b32hexencode(raw).decode().rstrip("=").lower()


def from_subject_token(token: str) -> str:
    """Return the text of a `subject_token`."""
    raw = token[1:].upper()
    return base64.b32hexdecode(raw + "=" * (-len(raw) % 8)).decode("utf-8", "surrogatepass")


async def check(streams: JetStream) -> None:
    """Check that the NATS server is new enough.

    :raises UnfitError: when it is not, or has no JetStream.
    """
    version = str(streams.connection.server_info.get("version", "0"))
    numbers = tuple(int(each) for each in version.split("-")[0].split(".")[:2] if each.isdigit())
    if numbers < _MIN_VERSION:
        raise UnfitError(f"NATS {version} is too old; it takes 2.11 or newer")
    if not streams.connection.server_info.get("jetstream"):
        raise UnfitError("the NATS server has no JetStream; its configuration needs jetstream {}")


async def prepare(
    streams: JetStream,
    *,
    shards: int = SHARDS,
    replicas: int | None = None,
    days: float | None = None,
    lease_seconds: int = LEASE_SECONDS,
) -> Layout:
    """Create the streams that are missing, and return their layout.

    :raises UnfitError: when one has another configuration, or cannot be created.
    """
    replica_count = replicas or (REPLICAS if streams.connection.server_info.get("cluster") else 1)
    info = await streams.info(RECORDS)
    if info is None:
        for config in _configs(shards, replica_count, days, lease_seconds):
            await _create(streams, config)
        info = await streams.info(RECORDS)
        if info is None:
            raise UnavailableError("the streams are not there yet")
    found = int(info["config"].get("metadata", {}).get("shards", shards))
    configs = _configs(found, replica_count, days, lease_seconds)
    rooms, *_ = await asyncio.gather(*(_ensure(streams, config) for config in configs))
    return Layout(found, rooms.get("max_age", 0) / _SECOND or None)


async def _create(streams: JetStream, config: Mapping[str, Any]) -> None:
    try:
        await streams.create(config)
    except JetStreamError as error:
        raise UnfitError(f"the stream {config['name']} cannot be made: {error}") from None


async def _ensure(streams: JetStream, config: Mapping[str, Any]) -> dict[str, Any]:
    """Check the configuration of a stream, which is created if missing; return it."""
    info = await streams.info(config["name"])
    if info is None:
        await _create(streams, config)
        return await _ensure(streams, config)
    existing: dict[str, Any] = info["config"]
    extra = {
        RECORDS: _REQUIRED_OF_RECORDS,
        NICKS: _REQUIRED_OF_RECORDS,
        NODES: _REQUIRED_OF_LEASES,
    }.get(config["name"], ())
    for key in (*_REQUIRED, *extra):
        if key in config and not _fits(config[key], existing.get(key)):
            raise UnfitError(f"the stream {config['name']} has another {key} than chatd gives it")
    return existing


def _fits(required: object, existing: object) -> bool:
    """Return whether a setting is as required; one of several parts may have more."""
    if isinstance(required, dict) and isinstance(existing, dict):
        return required.items() <= existing.items()
    return required == existing


def _configs(
    shards: int, replica_count: int, days: float | None, lease_seconds: int
) -> Iterator[dict[str, Any]]:
    """Yield the streams' configurations; the records come last, for they say that all are there."""
    common = {
        "num_replicas": replica_count,
        "storage": "file",
        "allow_direct": True,
        "allow_rollup_hdrs": True,
    }
    for shard in range(shards):
        yield {
            **common,
            "name": f"ROOM_{shard}",
            "subjects": [f"room.{shard}.*", f"over.{shard}.*.*"],
            "max_msgs_per_subject": ROOM_EVENTS,
            "max_age": round(days * 86400 * _SECOND) if days is not None else 0,
            "duplicate_window": DUPLICATE_SECONDS * _SECOND,
            "republish": {
                "src": f"room.{shard}.*",
                "dest": f"live.{shard}.{{{{wildcard(1)}}}}.m",
            },
        }
    single = {**common, "max_msgs_per_subject": 1, "allow_msg_ttl": True}
    lease = {"max_age": lease_seconds * _SECOND, "duplicate_window": lease_seconds * _SECOND}
    yield {**single, "name": NODES, "subjects": ["$KV.nodes.*.*"], **lease}
    yield {**single, "name": NICKS, "subjects": ["$KV.nicks.*"]}
    yield {
        **single,
        "name": RECORDS,
        "subjects": ["$KV.records.*.*"],
        "metadata": {"shards": json.dumps(shards)},
        "republish": {
            "src": "$KV.records.*.*",
            "dest": "live.r.{{wildcard(1)}}.{{wildcard(2)}}",
        },
    }


async def count_replicas(streams: JetStream) -> tuple[int, int]:
    """Return how many NATS servers store the messages, and how many of them are unreachable.

    :raises UnavailableError: when there is no answer.
    """
    cluster = ((await streams.info(NODES)) or {}).get("cluster") or {}
    others = cluster.get("replicas") or []
    return len(others) + 1, sum(map(_is_out_of_reach, others))


def _is_out_of_reach(replica: Mapping[str, Any]) -> bool:
    """Return whether the leader has not heard of a replica for some time (``active``, in ns)."""
    silent = replica.get("active", 0) > SILENT_SECONDS * 1e9
    return silent or bool(replica.get("offline")) or not replica.get("current", True)
