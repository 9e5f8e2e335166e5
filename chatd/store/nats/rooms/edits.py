"""Edits and deletions, applied to the stored messages of a room.

A change is applied before it is published: whatever fails between the two, no reader sees a text
that was withdrawn.
"""

from __future__ import annotations

import json

from chatd.chat.events import Acted, Change, Deleted, Edited, KeptEvent, Said
from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.jetstream.messages import read


async def apply(streams: JetStream, subject: RoomSubject, change: Change, message_id: str) -> None:
    """Apply a change to a stored message, if it exists; repeating it has no further effect.

    The new text is one message per subject (``Nats-Rollup: sub`` drops older edits).

    :raises UnavailableError: when there is no answer; the change may or may not be applied.
    """
    found = await streams.get(subject.stream, change.number) if change.number > 0 else None
    envelope = read(found.data) if found is not None and found.subject == subject.log else None
    if envelope is None:
        return
    if isinstance(change, Edited) and isinstance(envelope.event, Said | Acted):
        edit = json.dumps({"text": change.text, "by": change.nick}).encode()
        await streams.publish(
            subject.edits(change.number),
            edit,
            message_id=f"{message_id}.over",
            headers={"Nats-Rollup": "sub"},
        )
    elif isinstance(change, Deleted) and isinstance(envelope.event, KeptEvent):
        await streams.delete(subject.stream, change.number)
        await streams.purge(subject.stream, subject.edits(change.number))
