"""Figures and tables: percentiles, medians, ratios, and aligned columns.

It knows numbers and text, but not their origin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that ``percent`` of them do not exceed; NaN without values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median(values: Sequence[float]) -> float:
    """Return the median of the values that are not NaN; NaN without any."""
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return math.nan
    middle = len(known) // 2
    return known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2


def ratio(one: float, other: float) -> float:
    """Return ``one / other``; NaN unless ``other`` is above 0."""
    return one / other if other > 0 else math.nan


def shown(value: float, digits: int = 2) -> str:
    """Format a number for people: ``-`` for NaN, no decimals from 1000 on."""
    if math.isnan(value):
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}f}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a table with aligned columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return "  ".join((first, *others)).rstrip()

    return "\n".join([line(headings), line(["-" * width for width in widths]), *map(line, rows)])
