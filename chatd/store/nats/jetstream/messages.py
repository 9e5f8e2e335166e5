"""Events as the messages of a stream: JSON, one object each.

A server reads what newer ones write as far as it knows it: `chatd.chat.event_rows`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from chatd.chat.event_rows import from_row, to_row
from chatd.chat.events import RoomEvent


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
    made = {**to_row(written.event), "by": written.account}
    if written.after:
        made["after"] = written.after
    if written.message_id:
        made["id"] = written.message_id
    return json.dumps(made).encode()


def read(data: bytes) -> Written | None:
    """Read a message; None when it is of a kind that is not known here, or nothing of ours."""
    try:
        made = json.loads(data)
        event = from_row(made)
        by, after, message_id = made.get("by", ""), int(made.get("after", 0)), made.get("id", "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # what one server writes by mistake is not to cost the others the room
    return Written(event, by, after, message_id) if event is not None else None
