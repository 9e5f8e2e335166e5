"""Flood watch: notices when one address, or a wave of new guests, floods the server.

Times are seconds on any clock; one that is set back costs a warning at most.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from chatd.chat.limits import (
    ADDRESSES_WATCHED,
    FLOOD_LINES,
    FLOOD_SECONDS,
    FLOOD_WARNING_SECONDS,
    WAVE_COUNTED,
    WAVE_GUESTS,
    WAVE_QUIET_SECONDS,
    WAVE_SHARE,
)
from chatd.chat.ratelimit.addresses import prefix


@dataclass(slots=True)
class _Delayed:
    """The lines of one address that had to wait since ``since``; no warning before ``quiet``."""

    since: float
    lines: int = 0
    quiet: float = 0.0


class FloodWatch:
    """Counts delayed lines by address, and new guests; says when operators should be warned."""

    def __init__(self) -> None:
        self._delayed: OrderedDict[str, _Delayed] = OrderedDict()
        self._guests: deque[tuple[float, str]] = deque(maxlen=WAVE_COUNTED)
        self._quiet = 0.0

    def line_waits(self, address: str, now: float) -> bool:
        """Count a line that waits for the budget of its address; return whether that is a flood."""
        network = prefix(address)
        delayed = self._delayed.setdefault(network, _Delayed(now))
        self._delayed.move_to_end(network)
        if len(self._delayed) > ADDRESSES_WATCHED:
            self._delayed.popitem(last=False)
        if not 0 <= now - delayed.since <= FLOOD_SECONDS:
            delayed.since, delayed.lines = now, 0
        delayed.lines += 1
        if delayed.lines < FLOOD_LINES or 0 < delayed.quiet - now <= FLOOD_WARNING_SECONDS:
            return False
        delayed.quiet = now + FLOOD_WARNING_SECONDS
        return True

    def guest_came(self, address: str, people: int, opened: float, now: float) -> tuple[int, str]:
        """Count a guest who has come in; return the size of the wave, 0 if there is none.

        And an address of the prefix from which most of the wave came.

        :param people: how many people are here; many guests come and go where many are.
        :param opened: when the server opened: then everybody comes back at once.
        """
        self._guests.append((now, address))
        while self._guests and not 0 <= now - self._guests[0][0] <= FLOOD_SECONDS:
            self._guests.popleft()
        wave = len(self._guests)
        quiet = 0 < self._quiet - now <= FLOOD_WARNING_SECONDS
        least = min(max(WAVE_GUESTS, people // WAVE_SHARE), WAVE_COUNTED)
        if wave < least or quiet or 0 <= now - opened < WAVE_QUIET_SECONDS:
            return 0, ""
        self._quiet = now + FLOOD_WARNING_SECONDS
        [(most, _)] = Counter(prefix(each) for _, each in self._guests).most_common(1)
        return wave, next(each for _, each in self._guests if prefix(each) == most)
