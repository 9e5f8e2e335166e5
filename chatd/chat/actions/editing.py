"""Changing what was said: /edit and /delete, of one's own for a while, of anybody's for moderators.

One's own is what the same person said while they are here, or what was said under one's nick with
one's account: a nick alone proves nothing, for another guest may carry it by now.
"""

from __future__ import annotations

from chatd.chat.actions.messages import refuse_shouting
from chatd.chat.chat import Chat
from chatd.chat.events import Deleted, Edited, Entry, Refused, Role
from chatd.chat.limits import EDIT_SECONDS
from chatd.chat.model import rules
from chatd.chat.model.entities import LastMessage, Person, Room, Session
from chatd.chat.text.names import fold
from chatd.chat.text.sanitizing import cut


async def edit(chat: Chat, session: Session, text: str, now: float) -> None:
    """Put another text in the place of what somebody said last in the room with the focus.

    It is shown to everyone, so that what holds for a message holds for it.

    :raises Refused: ``nothing-said``, and as `chatd.chat.chat.Chat.say`.
    """
    room, person = session.room(), session.person
    spoken = await _own(chat, person, room, now)
    member = rules.check_speech(room, person, now)
    if rules.is_too_loud(room, text):
        refuse_shouting(chat, person, member, room, now)
        return
    person.last_active = member.last_said = now
    chat.post(room, Edited(now, person.nick, spoken.number, text), person)


async def delete(chat: Chat, session: Session, now: float) -> None:
    """Take away what somebody said last in the room with the focus.

    :raises Refused: ``no-room``, ``not-in-room`` or ``nothing-said``.
    """
    room, person = session.room(), session.person
    spoken = await _own(chat, person, room, now)
    rules.check_membership(room, person).last_message = spoken
    spoken.gone = True
    chat.post(room, Deleted(now, person.nick, person.nick, spoken.number), person)


async def delete_other(chat: Chat, session: Session, whose: str, now: float) -> None:
    """Take away the last message of somebody in the room with the focus, or that of a ``#NUMBER``.

    :raises Refused: ``no-room``, ``not-in-room``, ``not-moderator`` or ``no-such-message``.
    """
    room, person = session.room(), session.person
    _check_moderator(room, person)
    entry = await _named(chat, room, whose)
    _check_moderator(room, person)  # a store may take its time
    for member in room.members.values():
        if member.last_message is not None and member.last_message.number == entry.number:
            member.last_message.gone = True
    chat.audit.add(now, person, "delete", entry.event.nick, room=room)
    chat.post(room, Deleted(now, entry.event.nick, person.nick, entry.number), person)


def _check_moderator(room: Room, person: Person) -> None:
    rules.check_membership(room, person)
    rules.check_role(room, person, Role.MODERATOR)


async def _own(chat: Chat, person: Person, room: Room, now: float) -> LastMessage:
    """What somebody said last in a room, if they may still change it."""
    spoken = rules.check_membership(room, person).last_message
    if spoken is None and person.account is not None:
        entry = await chat.history.last_by(room, person.name.key, person.account)
        if entry is not None:
            spoken = LastMessage(entry.event.time, entry.number)
    if spoken is not None and not spoken.number:
        await chat.history.last(room, 0)  # who looks waits until what was posted is kept
    if spoken is None or spoken.gone or not spoken.number or now - spoken.time > EDIT_SECONDS:
        minutes = EDIT_SECONDS // 60
        raise Refused("nothing-said", f"You said nothing in {room} in the last {minutes} minutes.")
    return spoken


async def _named(chat: Chat, room: Room, whose: str) -> Entry:
    """The message that a moderator means."""
    if whose.startswith("#"):
        digits = whose[1:]
        known = digits.isascii() and digits.isdigit() and len(digits) < 19
        entry = await chat.history.find(room, int(digits)) if known else None
        if entry is None:
            raise Refused("no-such-message", f"There is no message {cut(whose, 40)} in {room}.")
        return entry
    entry = await chat.history.last_by(room, fold(whose))
    if entry is None:
        raise Refused("no-such-message", f"There is no message of {cut(whose, 40)} in {room}.")
    return entry
