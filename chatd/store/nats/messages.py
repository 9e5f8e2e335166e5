"""Events as the messages of a stream: JSON, one object each.

A server reads what newer ones write as far as it knows it: unknown fields are passed over, and so
are events of an unknown kind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, get_args

from chatd.chat.events import Role, RoomEvent

_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(RoomEvent)}
_FIELDS = {kind: tuple(each.name for each in fields(kind)) for kind in _KINDS.values()}


@dataclass(frozen=True, slots=True)
class Written:
    """An event with what is kept beside it.

    ``account`` is that of who did it; ``after`` the number of what was kept before, as far as the
    writer knew; ``message_id`` that of an event that is in no stream.
    """

    event: RoomEvent
    account: str = ""
    after: int = 0
    message_id: str = ""


def write(written: Written) -> bytes:
    """Make a message of an event."""
    event = written.event
    row: dict[str, object] = {"is": type(event).__name__, "by": written.account}
    if written.after:
        row["after"] = written.after
    if written.message_id:
        row["id"] = written.message_id
    for name in _FIELDS[type(event)]:
        value = getattr(event, name)
        row[f".{name}"] = value.value if isinstance(value, Role) else value
    return json.dumps(row).encode()


def read(data: bytes) -> Written | None:
    """Read a message; None when it is of a kind that is not known here."""
    row = json.loads(data)
    kind = _KINDS.get(row["is"])
    if kind is None:
        return None
    values = {name: row[f".{name}"] for name in _FIELDS[kind] if f".{name}" in row}
    if "role" in values:
        values["role"] = Role(values["role"])
    return Written(kind(**values), row.get("by", ""), row.get("after", 0), row.get("id", ""))
