"""Three NATS servers and two real servers with users on both, of which one after the other dies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random, SystemRandom

from tests.node_rounds import rounds
from tests.support.cluster.nats import Nats


def test_every_client_sees_every_message_once_and_in_order_whatever_dies(
    three_nats: Nats, tmp_path: Path
) -> None:
    seed = SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    events = ("node", "leader", "cut")
    asyncio.run(rounds(tmp_path, three_nats, Random(seed), events, wait_for_leases=False))
