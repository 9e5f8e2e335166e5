"""Figures and tables: percentiles, medians, ratios, and columns that line up.

It knows numbers and text; it knows nothing of where they come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below so many percent of them; NaN when there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value, of those that are numbers."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return math.nan
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def ratio(one: float, other: float) -> float:
    """How many times the other one is; NaN when that makes no sense."""
    return one / other if other > 0 else math.nan


def shown(value: float, digits: int = 2) -> str:
    """A number for people: ``-`` when there is none, no digits behind it when it is large."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns that line up: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join((first, *others)).rstrip()

    return "\n".join([line(headings), line(["-" * width for width in widths]), *map(line, rows)])
