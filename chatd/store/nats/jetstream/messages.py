"""Messages of the streams: events with their metadata, as JSON objects.

A server ignores the parts of newer servers' messages that it does not know:
`chatd.chat.event_rows`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from chatd.chat.event_rows import from_row, to_row
from chatd.chat.events import RoomEvent


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with its metadata.

    ``account`` is its author's account; ``after`` the number of the last stored event that the
    writer knew of; ``message_id`` the id of an event that is in no stream.
    """

    event: RoomEvent
    account: str = ""
    after: int = 0
    message_id: str = ""


def write(envelope: Envelope) -> bytes:
    """Return the message of an event."""
    row = {**to_row(envelope.event), "by": envelope.account}
    if envelope.after:
        row["after"] = envelope.after
    if envelope.message_id:
        row["id"] = envelope.message_id
    return json.dumps(row).encode()


def read(data: bytes) -> Envelope | None:
    """Parse a message; None when its kind is not known here, or it is malformed."""
    try:
        row = json.loads(data)
        event = from_row(row)
        account, after, message_id = row.get("by", ""), int(row.get("after", 0)), row.get("id", "")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # a mistake of one server must not break the room for the others
    return Envelope(event, account, after, message_id) if event is not None else None
