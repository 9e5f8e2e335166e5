"""Event rows: events as JSON values, to be stored or sent to another server.

Fields and kinds of events that only a newer version knows are skipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any, get_args

from chatd.chat.events import PersonalEvent, Recipient, Role, RoomEvent

Row = dict[str, Any]

_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (*get_args(RoomEvent), *get_args(PersonalEvent))
}
_FIELDS = {kind: tuple(each.name for each in fields(kind)) for kind in _KINDS.values()}
#: Fields with an enum's value, by their names.
_CHOICES: dict[str, type[Enum]] = {"role": Role, "end": Recipient}


def to_row(event: RoomEvent | PersonalEvent) -> Row:
    """Return an event as a row; its fields have to be plain values, not lists of other events."""
    made: Row = {"is": type(event).__name__}
    for name in _FIELDS[type(event)]:
        value = getattr(event, name)
        made[f".{name}"] = value.value if isinstance(value, Enum) else value
    return made


def from_row(made: Mapping[str, Any]) -> Any:
    """Return the event of a row; None when its kind is unknown."""
    kind = _KINDS.get(made["is"])
    if kind is None:
        return None
    values = {name: made[f".{name}"] for name in _FIELDS[kind] if f".{name}" in made}
    for name in _CHOICES.keys() & values.keys():
        values[name] = _CHOICES[name](values[name])
    return kind(**values)
