"""Portions: what one server tells the others, in messages of which none is too large."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from chatd.chat.limits import BATCH_BYTES, ENTITIES_PER_BATCH


def batches(people: Iterable[dict[str, Any]], rooms: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The states of some people, and then of some rooms, as fields of JSON objects.

    There is one portion at least.  People come first: a room that nobody is known to be in would be
    forgotten again.
    """
    told: dict[str, list[str]] = {"people": [], "rooms": []}
    count = size = 0
    for name, states in (("people", people), ("rooms", rooms)):
        for state in states:
            text = json.dumps(state)
            if count and (count == ENTITIES_PER_BATCH or size + len(text) > BATCH_BYTES):
                yield _fields(told)
                told, count, size = {"people": [], "rooms": []}, 0, 0
            told[name].append(text)
            count, size = count + 1, size + len(text)
    yield _fields(told)


def _fields(told: dict[str, list[str]]) -> str:
    return ", ".join(f'"{name}": [{", ".join(texts)}]' for name, texts in told.items())


def message(head: dict[str, Any], portion: str) -> str:
    """A message with other fields before a portion."""
    return f"{json.dumps(head)[:-1]}, {portion}}}"
