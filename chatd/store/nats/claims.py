"""Claims on nicks in the cluster: each is one message, valid while its server lives.

A server lives while it renews its lease.  The claim of a dead server may be replaced by any server,
and any claim by the owner of the nick.  The replacement names the revision that was read
(``Nats-Expected-Last-Subject-Sequence``), so that only one of several servers gets the nick.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from chatd.chat.store import unavailable
from chatd.store.nats.client.client import Message
from chatd.store.nats.client.locks import KeyedLocks
from chatd.store.nats.jetstream.api import JetStream, WrongSequenceError, retrying
from chatd.store.nats.jetstream.layout import NICKS, NODES, subject_token

_LEASE_SUBJECT = "$KV.nodes."
#: Headers of a released claim: a deletion, which itself expires.
_RELEASED = {"KV-Operation": "DEL", "Nats-TTL": "60s"}
#: Seconds after which a user is told that a nick cannot be claimed at present.
GIVE_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Claim:
    holder: str
    revision: int


class Claims:
    """The nicks that are claimed by this server; ``locks`` serialises the changes to each."""

    def __init__(self, streams: JetStream, lease: str) -> None:
        self._streams = streams
        self.lease = lease
        self._claims: dict[str, _Claim] = {}
        self.locks = KeyedLocks()

    async def renew(self) -> None:
        """Renew the lease of this server.

        :raises UnavailableError: when the cluster does not answer.
        """
        await self._streams.publish(f"{_LEASE_SUBJECT}{self.lease}", b"{}")

    async def end_lease(self) -> None:
        """End the lease, which releases all claims together."""
        await self._streams.purge(NODES, f"{_LEASE_SUBJECT}{self.lease}")

    async def claim(self, nick: str, holder: str, owner: bool = False) -> bool:
        """Claim a nick for a holder, or for its owner; return False if another holds it.

        :raises Refused: ``away``, when the cluster does not answer.
        """
        async with self.locks.of(nick):
            known = self._claims.get(nick)
            if known is not None and (known.holder == holder or not owner):
                return known.holder == holder
            try:
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    return await self._claim(nick, holder, owner)
            except TimeoutError:
                raise unavailable() from None

    async def _claim(self, nick: str, holder: str, owner: bool) -> bool:
        subject, expected = f"$KV.nicks.{subject_token(nick)}", 0
        data = json.dumps({"lease": self.lease, "holder": holder}).encode()
        while True:
            publish = partial(self._streams.publish, subject, data, expected=expected)
            try:
                ack = await retrying(publish)
            except WrongSequenceError:
                current = await retrying(partial(self._streams.last, NICKS, subject))
                if current is None:
                    expected = 0
                    continue
                if not owner and await self._is_held(current):
                    return False
                expected = current.seq
            else:
                self._claims[nick] = _Claim(holder, ack.seq)
                return True

    async def _is_held(self, claim: Message) -> bool:
        """Return whether a claim belongs to another living server."""
        lease = _lease_of(claim)
        return lease is not None and lease != self.lease and await self._is_alive(lease)

    async def _is_alive(self, lease: str) -> bool:
        last = partial(self._streams.last, NODES, f"{_LEASE_SUBJECT}{lease}")
        return await retrying(last) is not None

    async def live_leases(self) -> frozenset[str]:
        """Return the leases of all living servers.

        :raises UnavailableError: when the cluster does not answer.
        """
        info = await self._streams.info(NODES, subjects_filter=f"{_LEASE_SUBJECT}>")
        subjects = (info or {}).get("state", {}).get("subjects") or {}
        return frozenset(subject.removeprefix(_LEASE_SUBJECT) for subject in subjects)

    async def is_alone(self) -> bool:
        """Return whether there is no other living server."""
        return await self.live_leases() <= {self.lease}

    async def drop_if_dead(self, claim: Message, live_leases: frozenset[str]) -> bool:
        """Drop a claim if its server is dead; return whether it was.

        ``live_leases`` may be older than the claim: a lease that is not among them is looked up.  A
        server that claims the nick at this moment keeps it, as the revision differs then.

        :raises UnavailableError: when the cluster does not answer.
        """
        lease = _lease_of(claim)
        if lease is None or lease in live_leases or await self._is_alive(lease):
            return False
        with suppress(WrongSequenceError):
            await self._streams.publish(claim.subject, b"", expected=claim.seq, headers=_RELEASED)
        return True

    async def hand_over(self, nick: str, server: str) -> None:
        """Transfer a claim to another server, before any other user can take the nick."""
        async with self.locks.of(nick):
            known = self._claims.pop(nick, None)
            if known is None:
                return
            data = json.dumps({"lease": server, "holder": ""}).encode()
            with suppress(WrongSequenceError):  # the other server has claimed it
                await self._replace(nick, known, data)

    async def release(self, nick: str, holder: str) -> None:
        """Release a nick, if this holder has it."""
        async with self.locks.of(nick):
            known = self._claims.get(nick)
            if known is None or known.holder != holder:
                return
            del self._claims[nick]
            with suppress(WrongSequenceError):  # it is another's, or released
                await self._replace(nick, known, b"", _RELEASED)

    async def _replace(
        self, nick: str, claim: _Claim, data: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Replace the data of one of this server's claims."""
        publish = partial(
            self._streams.publish,
            f"$KV.nicks.{subject_token(nick)}",
            data,
            expected=claim.revision,
            headers=headers,
        )
        await retrying(publish)


def _lease_of(message: Message) -> str | None:
    """Return the lease that a claim names; None if it was released."""
    if "KV-Operation" in message.headers:
        return None
    return str(json.loads(message.data)["lease"])
