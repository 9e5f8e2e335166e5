"""Replay: shows a user the unread or last messages of a room on entering it."""

from __future__ import annotations

from chatd.chat.chat import Chat
from chatd.chat.delivery.history import newest_that_fit
from chatd.chat.events import Entry, Recalled, TopicSet
from chatd.chat.model.entities import Room, Session


def _is_message(entry: Entry) -> bool:
    """Whether an entry is not a topic, which is shown on joining anyway."""
    return not isinstance(entry.event, TopicSet)


async def on_join(chat: Chat, session: Session, room: Room) -> None:
    """Show a new member the last messages from before their join, as many as ``/set replay`` says.

    If their account has a read mark in the room, only messages after it are shown, with a count of
    those left out.
    """
    count = session.preferences.replay
    member = room.members.get(session.person)
    if not count or member is None:
        return
    entries = list(await chat.history.last(room, count))
    if member.since is not None:  # later messages are shown live
        entries = [entry for entry in entries if entry.number <= member.since]
    read = chat.profiles.last_read(session.person, room)
    earlier = 0
    if read is not None:
        if len(entries) == count:
            earlier = await chat.history.count(room, read, entries[0].number)
        entries = [entry for entry in entries if entry.number > read]
    entries = [each for each in entries if session.wants(each) and _is_message(each)]
    if entries and room.members.get(session.person) is member:
        fitting = newest_that_fit(entries)
        earlier += len(entries) - len(fitting)
        new = read is not None
        session.deliver(Recalled(room.name.shown, fitting, new, earlier * new, greets=True))


async def on_return(chat: Chat, session: Session, room: Room | None) -> None:
    """Show the unread messages of a room once more when the user gives it the focus again.

    They were shown already, among those of other rooms.
    """
    if room is None:
        return
    read, unread = session.unread.take(room)
    count = min(unread, session.preferences.replay)
    if count <= 0:
        return
    entries = await chat.history.last(room, count)
    fitting = newest_that_fit(
        [each for each in entries if each.number > read and session.wants(each)]
    )
    if fitting and session.focus is room:
        earlier = max(0, unread - sum(each.number >= fitting[0].number for each in entries))
        session.deliver(
            Recalled(room.name.shown, fitting, new=True, earlier=earlier, greets=True, seen=True)
        )
