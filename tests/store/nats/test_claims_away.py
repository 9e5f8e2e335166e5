"""A claim while the cluster does not answer is not refused as another's."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from chatd.chat.events import Refused
from chatd.store.nats.claims import Claims
from chatd.store.nats.client.connection import UnavailableError
from chatd.store.nats.jetstream.api import JetStream


class SilentStreams:
    """Streams that do not answer."""

    async def publish(self, *_: Any, **__: Any) -> None:
        raise UnavailableError("nobody is there")


class FastLoop(asyncio.SelectorEventLoop):
    """A loop whose clock runs a thousand times as fast."""

    def time(self) -> float:
        return super().time() * 1000


def test_a_claim_without_an_answer_is_refused_as_unavailable() -> None:
    claims = Claims(cast(JetStream, SilentStreams()), "lease")
    loop = FastLoop()
    try:
        with pytest.raises(Refused, match="does not answer now"):
            loop.run_until_complete(claims.claim("ada", "x"))
    finally:
        loop.close()
