"""How long one message takes: until it is acknowledged, and until it is shown, here and elsewhere.

It knows the bots' protocol, in which a message is acknowledged; it knows nothing of how servers are
started.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.client_pool import Crowd, Member
from bench.protocols import BOTS

#: Seconds that one message may take, and messages that are said before it is measured.
_PATIENCE = 30.0
_WARM_UP = 20


class Moment:
    """When one member reads a certain text."""

    def __init__(self, crowd: Crowd, member: Member) -> None:
        self.at: float | None = None
        self._text, self._rest = b"", b""
        crowd.listen(member, self._heard)

    def wants(self, text: bytes) -> None:
        """Look for another text from now on."""
        self._text, self.at = text, None

    def _heard(self, data: bytes) -> None:
        whole = self._rest + data
        if self.at is None and self._text in whole:
            self.at = time.perf_counter()
        self._rest = whole.rpartition(b"\n")[2]


def acknowledged(ports: Sequence[int], seconds: float) -> list[list[float]]:
    """Say one message after the other at the first server, for so many seconds.

    Return how long each took, in seconds, until it was acknowledged, and until it was shown to
    somebody at each of the servers.
    """
    spans: list[list[float]] = [[] for _ in range(1 + len(ports))]
    with Crowd(BOTS, ports[0]) as crowd:
        [sender] = crowd.gather(["bench"])
        others = crowd.gather(["bench"] * len(ports), ports=ports)
        crowd.settle()  # until they have joined in the eyes of the other server, too
        moments = [Moment(crowd, member) for member in (sender, *others)]
        until, number = time.perf_counter() + seconds, 0
        while time.perf_counter() < until:
            number += 1
            began = _say(crowd, sender, moments, number)
            for each, moment in zip(spans if number > _WARM_UP else (), moments, strict=False):
                each.append((moment.at or began) - began)
    return spans


def _say(crowd: Crowd, sender: Member, moments: Sequence[Moment], number: int) -> float:
    """Say a message, and wait until everybody has it; return when it was said."""
    moments[0].wants(b'"id": %d,' % number)
    for moment in moments[1:]:
        moment.wants(b"#%09d" % number)
    began = time.perf_counter()
    sender.write(b'{"room": "bench", "message": "#%09d", "id": %d}\n' % (number, number))
    while any(moment.at is None for moment in moments):
        crowd.read(1)
        if time.perf_counter() > began + _PATIENCE:
            raise TimeoutError(f"message {number} did not come")
    return began
