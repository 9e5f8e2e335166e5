"""Claims on nicks in the cluster: each is one message, and holds while its server lives.

A server lives while it renews its lease.  A claim whose server does not is anybody's: it is
replaced by its revision, so that only one of several who want it gets it.  So is one that the owner
of the nick wants back.
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
_RELEASED = {"KV-Operation": "DEL", "Nats-TTL": "60s"}
#: Seconds after which somebody who wants a nick is told that they cannot have it now.
GIVE_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Claim:
    holder: str
    revision: int


class Claims:
    """The nicks that are claimed here, and the way to claim others."""

    def __init__(self, streams: JetStream, lease: str) -> None:
        self._streams = streams
        self.lease = lease
        self._claims: dict[str, _Claim] = {}
        self.locks = KeyedLocks()

    async def renew(self) -> None:
        """Say that this server lives.

        :raises AwayError: when nobody answers.
        """
        await self._streams.publish(f"{_LEASE_SUBJECT}{self.lease}", b"{}")

    async def end_lease(self) -> None:
        """Give back everything at once: this server is gone."""
        await self._streams.purge(NODES, f"{_LEASE_SUBJECT}{self.lease}")

    async def claim(self, nick: str, holder: str, owner: bool = False) -> bool:
        """Take a nick for a holder, or for its owner; False when another holds it.

        :raises Refused: ``away``, when nobody answers.
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
        """Whether a claim is that of another server, which lives."""
        lease = _lease_of(claim)
        return lease is not None and lease != self.lease and await self._is_alive(lease)

    async def _is_alive(self, lease: str) -> bool:
        last = partial(self._streams.last, NODES, f"{_LEASE_SUBJECT}{lease}")
        return await retrying(last) is not None

    async def live_leases(self) -> frozenset[str]:
        """The leases of all servers that live.

        :raises AwayError: when nobody answers.
        """
        info = await self._streams.info(NODES, subjects_filter=f"{_LEASE_SUBJECT}>")
        subjects = (info or {}).get("state", {}).get("subjects") or {}
        return frozenset(subject.removeprefix(_LEASE_SUBJECT) for subject in subjects)

    async def is_alone(self) -> bool:
        """Whether no other server lives."""
        return await self.live_leases() <= {self.lease}

    async def drop_if_dead(self, claim: Message, live_leases: frozenset[str]) -> bool:
        """Drop a claim, if it is of a server that does not live; say whether it was.

        ``living`` may be older than the claim.  Who takes the nick at this moment has it.

        :raises AwayError: when nobody answers.
        """
        lease = _lease_of(claim)
        if lease is None or lease in live_leases or await self._is_alive(lease):
            return False
        with suppress(WrongSequenceError):
            await self._streams.publish(claim.subject, b"", expected=claim.seq, headers=_RELEASED)
        return True

    async def hand_over(self, nick: str, server: str) -> None:
        """Let a claim be another server's, which takes it before anybody else can."""
        async with self.locks.of(nick):
            known = self._claims.pop(nick, None)
            if known is None:
                return
            data = json.dumps({"lease": server, "holder": ""}).encode()
            with suppress(WrongSequenceError):  # the other server has it already
                await self._replace(nick, known, data)

    async def release(self, nick: str, holder: str) -> None:
        """Give a nick back, if this holder has it."""
        async with self.locks.of(nick):
            known = self._claims.get(nick)
            if known is None or known.holder != holder:
                return
            del self._claims[nick]
            with suppress(WrongSequenceError):  # it was not ours any more, or is given back already
                await self._replace(nick, known, b"", _RELEASED)

    async def _replace(
        self, nick: str, claim: _Claim, data: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Put something in the place of a claim that is known here."""
        publish = partial(
            self._streams.publish,
            f"$KV.nicks.{subject_token(nick)}",
            data,
            expected=claim.revision,
            headers=headers,
        )
        await retrying(publish)


def _lease_of(message: Message) -> str | None:
    """Whose claim a message is; None when it was given back."""
    if "KV-Operation" in message.headers:
        return None
    return str(json.loads(message.data)["lease"])
