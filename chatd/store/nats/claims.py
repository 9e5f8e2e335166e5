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
from chatd.store.nats.jetstream.api import ElsewhereError, JetStream, answered
from chatd.store.nats.jetstream.layout import NICKS, NODES, subject_token

_NODE = "$KV.nodes."
_GIVEN_BACK = {"KV-Operation": "DEL", "Nats-TTL": "60s"}
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
        self._turns = KeyedLocks()

    async def renew(self) -> None:
        """Say that this server lives.

        :raises AwayError: when nobody answers.
        """
        await self._streams.publish(f"{_NODE}{self.lease}", b"{}")

    async def end(self) -> None:
        """Give back everything at once: this server is gone."""
        await self._streams.purge(NODES, f"{_NODE}{self.lease}")

    async def claim(self, nick: str, holder: str, owner: bool = False) -> bool:
        """Take a nick for a holder, or for its owner; False when another holds it.

        :raises Refused: ``away``, when nobody answers.
        """
        async with self._turns.of(nick):
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
                place = await answered(publish)
            except ElsewhereError:
                there = await answered(partial(self._streams.last, NICKS, subject))
                if there is None:
                    expected = 0
                    continue
                if not owner and await self._is_held(there):
                    return False
                expected = there.seq
            else:
                self._claims[nick] = _Claim(holder, place.seq)
                return True

    async def _is_held(self, claim: Message) -> bool:
        """Whether a claim is that of another server, which lives."""
        lease = _lease(claim)
        return lease is not None and lease != self.lease and await self._lives(lease)

    async def _lives(self, lease: str) -> bool:
        last = partial(self._streams.last, NODES, f"{_NODE}{lease}")
        return await answered(last) is not None

    async def living(self) -> frozenset[str]:
        """The leases of all servers that live.

        :raises AwayError: when nobody answers.
        """
        info = await self._streams.info(NODES, subjects_filter=f"{_NODE}>")
        subjects = (info or {}).get("state", {}).get("subjects") or {}
        return frozenset(subject.removeprefix(_NODE) for subject in subjects)

    async def alone(self) -> bool:
        """Whether no other server lives."""
        return await self.living() <= {self.lease}

    async def drop_if_dead(self, claim: Message, living: frozenset[str]) -> bool:
        """Drop a claim, if it is of a server that does not live; say whether it was.

        ``living`` may be older than the claim.  Who takes the nick at this moment has it.

        :raises AwayError: when nobody answers.
        """
        lease = _lease(claim)
        if lease is None or lease in living or await self._lives(lease):
            return False
        with suppress(ElsewhereError):
            await self._streams.publish(claim.subject, b"", expected=claim.seq, headers=_GIVEN_BACK)
        return True

    async def give(self, nick: str, server: str) -> None:
        """Let a claim be another server's, which takes it before anybody else can."""
        async with self._turns.of(nick):
            known = self._claims.pop(nick, None)
            if known is None:
                return
            data = json.dumps({"lease": server, "holder": ""}).encode()
            with suppress(ElsewhereError):  # the other server has it already
                await self._replace(nick, known, data)

    async def release(self, nick: str, holder: str) -> None:
        """Give a nick back, if this holder has it."""
        async with self._turns.of(nick):
            known = self._claims.get(nick)
            if known is None or known.holder != holder:
                return
            del self._claims[nick]
            with suppress(ElsewhereError):  # it was not ours any more, or is given back already
                await self._replace(nick, known, b"", _GIVEN_BACK)

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
        await answered(publish)


def _lease(message: Message) -> str | None:
    """Whose claim a message is; None when it was given back."""
    if "KV-Operation" in message.headers:
        return None
    return str(json.loads(message.data)["lease"])
