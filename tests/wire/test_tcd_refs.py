"""ROOM_REFs: numbers of rooms, which stay with their names."""

from __future__ import annotations

import pytest

from chatd.wire.tcd import refs
from chatd.wire.tcd.refs import RoomRefs


def test_rooms_are_numbered_as_they_are_joined() -> None:
    table = RoomRefs(lambda key: True)
    assert [table.joined(key) for key in ("hall", "attic", "hall")] == [1, 2, 1]
    assert [table.of(key) for key in ("hall", "attic", "den")] == [1, 2, 0]
    assert [table.of_name(name) for name in ("Hall", "#attic", "den", "a:b", "")] == [1, 2, 0, 0, 0]
    assert [table.was_given(ref) for ref in (-1, 0, 1, 2, 3)] == [False, False, True, True, False]


def test_numbers_of_closed_rooms_are_forgotten_beyond_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refs, "MAX_REFS", 4)
    table = RoomRefs(lambda key: key == "r0")
    assert [table.joined(f"r{number}") for number in range(5)] == [1, 2, 3, 4, 5]
    assert [table.of(f"r{number}") for number in range(5)] == [1, 0, 0, 0, 5]
    assert table.joined("r1") == 6, "no number is given twice"
    assert table.was_given(2)


def test_numbers_of_open_rooms_are_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refs, "MAX_REFS", 4)
    table = RoomRefs(lambda key: True)
    assert [table.joined(f"r{number}") for number in range(20)] == [*range(1, 21)]
    assert [table.of(f"r{number}") for number in range(20)] == [*range(1, 21)]
