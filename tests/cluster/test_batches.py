"""Batches: the size of messages between servers."""

from __future__ import annotations

import json
from collections import deque
from typing import Any

import pytest

from chatd.chat.limits import BANS, BATCH_BYTES, BATCH_STATES
from chatd.cluster.replication.batches import batches, message
from tests.support.cluster.chat_cluster import ChatCluster


def encoded(people: list[dict[str, Any]], rooms: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages that some states are sent in."""
    return [json.loads(message({"n": 1}, batch)) for batch in batches(people, rooms)]


class MeasuredQueue(deque[tuple[str, str, str]]):
    """A queue of messages that remembers the length of the longest text."""

    largest = 0

    def append(self, item: tuple[str, str, str]) -> None:
        self.largest = max(self.largest, len(item[2]))
        super().append(item)


def test_states_are_sent_once_in_order_people_before_rooms() -> None:
    people = [{"number": number} for number in range(BATCH_STATES)]
    [only] = encoded(people, [])
    assert only == {"n": 1, "people": people, "rooms": []}
    first, second = encoded(people, [{"key": "attic"}])
    assert first == only
    assert second == {"n": 1, "people": [], "rooms": [{"key": "attic"}]}
    assert encoded([], []) == [{"n": 1, "people": [], "rooms": []}]


def test_a_message_is_filled_up_to_its_limit() -> None:
    half = {"key": "x" * (BATCH_BYTES // 2 - len('{"key": ""}'))}
    assert len(encoded([], [half, half])) == 1
    assert len(encoded([], [half, half, {}])) == 2
    large = {"key": "x" * BATCH_BYTES}
    assert [len(each["rooms"]) for each in encoded([], [large, {}, large])] == [1, 1, 1]


def test_a_room_with_as_many_bans_as_allowed_fits_in_one_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatd.cluster.replication.batches.BATCH_STATES", 1)
    cluster = ChatCluster()
    cluster.messages = MeasuredQueue()
    ada = cluster.servers[0].enters("ada")
    ada.types("/join attic")
    for number in range(BANS):
        ada.types(f"/ban 203.0.113.{number} {'ä' * 300}")
    cluster.deliver_all()
    third = cluster.add_server()
    assert BATCH_BYTES // 8 < cluster.messages.largest < 1024 * 1024
    assert len(third.chat.rooms["attic"].bans) == BANS
