"""Report: tables of measurements, one for each piece of work, with a row for each server.

It knows measurements and how to compare them, but not how they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.figures import median, ratio, shown, table
from bench.load import Measurement

#: The share of its core above which the load generator may have been the bottleneck.
LOAD_LIMIT = 0.95

_COLUMNS: tuple[tuple[str, Callable[[Measurement], float], int], ...] = (
    ("deliveries/s", lambda span: span.rate, 0),
    ("µs each", lambda span: span.cost, 3),
    ("p50 ms", lambda span: span.latency(50), 2),
    ("p99 ms", lambda span: span.latency(99), 2),
    ("RSS MiB", lambda span: span.rss_kib / 1024, 1),
    ("lost", lambda span: span.lost, 0),
)

#: Shares of a core: the server, others on its core, the load generator on its own.
_CORES: dict[str, Callable[[Measurement], float]] = {
    "server": lambda span: span.server,
    "others": lambda span: span.others,
    "load": lambda span: span.load,
}


class Report:
    """Measurements by work and by server, in the order in which they were first added."""

    def __init__(self) -> None:
        self._spans: dict[str, dict[str, list[Measurement]]] = {}

    def add(self, work: str, server: str, span: Measurement) -> None:
        """Add the measurement of one run."""
        self._spans.setdefault(work, {}).setdefault(server, []).append(span)

    def median(self, work: str, server: str, of: Callable[[Measurement], float]) -> float:
        """Return the median of the runs."""
        return median([of(span) for span in self._spans.get(work, {}).get(server, ())])

    def __str__(self) -> str:
        return "\n\n".join(self._table(work, servers) for work, servers in self._spans.items())

    def _table(self, work: str, servers: dict[str, list[Measurement]]) -> str:
        ranked = sorted(servers, key=lambda name: not name.startswith("chatd"))
        others = [*ranked[:1], *(name for name in ranked[1:] if not name.startswith("chatd"))]
        headings = [work, *(name for name, _, _ in _COLUMNS), *_CORES]
        rows = [self._row(work, name, others) for name in ranked]
        return table([*headings, *(f"/ {name}" for name in others)], rows)

    def _row(self, work: str, name: str, others: Sequence[str]) -> list[str]:
        cells = [shown(self.median(work, name, of), digits) for _, of, digits in _COLUMNS]
        cores = [self.median(work, name, of) for of in _CORES.values()]
        cost = self.median(work, name, lambda span: span.cost)
        ratios = [ratio(cost, self.median(work, other, lambda span: span.cost)) for other in others]
        used = [f"{core:.0%}" for core in cores]
        if cores[-1] > LOAD_LIMIT:
            used[-1] += " FULL"
        return [name, *cells, *used, *map(shown, ratios)]
