"""Changes: how an edit is laid over what it changes, and a deleted message is taken away.

That is done before the change itself is published: who reads never sees what was taken away,
whatever dies between the two.
"""

from __future__ import annotations

import json

from chatd.chat.events import Acted, Change, Deleted, Edited, KeptEvent, Said
from chatd.store.nats.jetstream.api import JetStream
from chatd.store.nats.jetstream.layout import RoomSubject
from chatd.store.nats.jetstream.messages import read


async def apply(streams: JetStream, subject: RoomSubject, change: Change, message_id: str) -> None:
    """Change what is kept of a room, if it is there; once, however often it is tried.

    :raises AwayError: when nobody answers; it may be done or not.
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
