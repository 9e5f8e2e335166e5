"""Which streams there are, and what lies where in them.

====================  =========================================================================
``ROOM_<k>``          the rooms whose token falls on k: ``room.<k>.<token>``, in its order what
                      was said and what changed it; ``over.<k>.<token>.<number>``, the text that an
                      edit has put in the place of that of a message
``KV_records``        accounts, rooms and so on: ``$KV.records.<kind>.<key>``, one message each
``KV_nicks``          who claims a nick: ``$KV.nicks.<nick>``
``KV_nodes``          which servers are alive: ``$KV.nodes.<lease>``, gone when not renewed in time;
                      a lease is two words, who the server is and which incarnation of it
====================  =========================================================================

What comes into a room is told again under ``live.<k>.<token>.m``, a record under ``live.r.…``.
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

#: Streams that the rooms are spread over; fixed when the cluster is made.
SHARDS = 16
#: Copies of everything, where there are that many servers.
REPLICAS = 3
#: Seconds in which a message that comes again is known by its id.
DUPLICATE_SECONDS = 120
#: Seconds after which a server that has not renewed its lease is gone.
LEASE_SECONDS = 30
#: What one room keeps at most, and for how many days anything is kept unless told otherwise.
ROOM_EVENTS = 100_000

#: Seconds after which a copy counts as out of reach: the leader hears of each every second.
SILENT_SECONDS = 5

RECORDS, NICKS, NODES = "KV_records", "KV_nicks", "KV_nodes"
_SECOND = 1_000_000_000
#: What a stream has to have as it is made here; how much it keeps, and how often, may be changed.
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
    """Where a room lies, and for how many seconds (None: ever) it keeps what is there."""

    shards: int
    max_age: float | None = None

    def room(self, ident: str) -> RoomSubject:
        """The place of a room by its id."""
        digest = hashlib.sha256(ident.encode("utf-8", "surrogatepass")).digest()
        token = base64.b32hexencode(digest[:20]).decode().lower()
        return RoomSubject(int.from_bytes(digest[20:24], "big") % self.shards, token)

    def streams(self) -> list[str]:
        """The streams of all rooms."""
        return [f"ROOM_{shard}" for shard in range(self.shards)]


@dataclass(frozen=True, slots=True)
class RoomSubject:
    """Where a room lies, and what is told of it where."""

    shard: int
    token: str

    @property
    def stream(self) -> str:
        """The stream that has it."""
        return f"ROOM_{self.shard}"

    @property
    def log(self) -> str:
        """What was said, and changed."""
        return f"room.{self.shard}.{self.token}"

    def edits(self, number: int | str = "*") -> str:
        """The new text of a message, or of any."""
        return f"over.{self.shard}.{self.token}.{number}"

    def live(self, what: str = "*") -> str:
        """Where it is told: ``m`` what is kept, ``e`` what is not."""
        return f"live.{self.shard}.{self.token}.{what}"


def subject_token(text: str) -> str:
    """Any text as one word of a subject; `unword` reads it."""
    raw = text.encode("utf-8", "surrogatepass")
    return "k" + base64.b32hexencode(raw).decode().rstrip("=").lower()


def from_subject_token(token: str) -> str:
    """The text of a `subject_token`."""
    raw = token[1:].upper()
    return base64.b32hexdecode(raw + "=" * (-len(raw) % 8)).decode("utf-8", "surrogatepass")


async def check(streams: JetStream) -> None:
    """Look whether the server is new enough.

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
    """Make the streams that are not there yet, and return how they are laid out.

    :raises UnfitError: when one is there that would not do, or cannot be made.
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
    """See that a stream is there as it has to be, and return how it is."""
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
    """Whether a setting is as it has to be; one that has several parts may have more."""
    if isinstance(required, dict) and isinstance(existing, dict):
        return required.items() <= existing.items()
    return required == existing


def _configs(
    shards: int, replica_count: int, days: float | None, lease_seconds: int
) -> Iterator[dict[str, Any]]:
    """How every stream is made; the records come last, for they say that the others are there."""
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
    """How many NATS servers keep what is said, and how many of them are out of reach.

    :raises AwayError: when nobody answers.
    """
    cluster = ((await streams.info(NODES)) or {}).get("cluster") or {}
    others = cluster.get("replicas") or []
    return len(others) + 1, sum(map(_is_out_of_reach, others))


def _is_out_of_reach(replica: Mapping[str, Any]) -> bool:
    """Whether the leader has not heard of another for some seconds; it says that in nanoseconds."""
    silent = replica.get("active", 0) > SILENT_SECONDS * 1e9
    return silent or bool(replica.get("offline")) or not replica.get("current", True)
