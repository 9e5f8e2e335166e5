"""Batches: splits the states that a server sends to the others into messages of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from chatd.chat.limits import BATCH_BYTES, BATCH_STATES
from chatd.cluster.bus import State


def batches(people: Iterable[State], rooms: Iterable[State]) -> Iterator[str]:
    """Split the states of some people and rooms into batches, each as fields of a JSON object.

    There is at least one batch.  People come first: a room without known members would be dropped.
    """
    texts: dict[str, list[str]] = {"people": [], "rooms": []}
    count = size = 0
    for field, states in (("people", people), ("rooms", rooms)):
        for state in states:
            text = json.dumps(state)
            if count and (count == BATCH_STATES or size + len(text) > BATCH_BYTES):
                yield _fields(texts)
                texts, count, size = {"people": [], "rooms": []}, 0, 0
            texts[field].append(text)
            count, size = count + 1, size + len(text)
    yield _fields(texts)


def _fields(texts: dict[str, list[str]]) -> str:
    return ", ".join(f'"{field}": [{", ".join(states)}]' for field, states in texts.items())


def message(head: State, batch: str) -> str:
    """Return a message with the fields of ``head``, then those of a batch."""
    return f"{json.dumps(head)[:-1]}, {batch}}}"
