"""Editing: /edit and /delete of a user's own recent messages, and of any message by moderators.

A message is a user's own if they sent it since they entered, or if it was sent under their nick by
the owner of their account.  The nick alone proves nothing, as another guest may have it by now, nor
does that of an account which was deleted and is another user's now.
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
    """Replace the text of the user's last message in the room with the focus.

    The new text is shown to everyone, so the rules for messages apply to it.

    :raises Refused: ``nothing-said``, and as `chatd.chat.actions.messages.say`.
    """
    rules.check_visible(text)
    room, person = session.room(), session.person
    message = await _own_last_message(chat, person, room, now)
    member = rules.check_speech(room, session, now)
    if rules.is_too_loud(room, text):
        refuse_shouting(chat, person, member, room, now)
        return
    person.last_active = member.last_said = now
    chat.post(room, Edited(now, person.nick, message.number, text), person)


async def delete(chat: Chat, session: Session, now: float) -> None:
    """Delete the user's last message in the room with the focus.

    :raises Refused: ``no-room``, ``not-in-room`` or ``nothing-said``.
    """
    room, person = session.room(), session.person
    message = await _own_last_message(chat, person, room, now)
    rules.check_membership(room, person).last_message = message
    message.gone = True  # at once, so that it is not deleted twice

    def settled(stored: bool) -> None:
        message.gone = stored

    deleted = Deleted(now, person.nick, person.nick, message.number)
    chat.post(room, deleted, person, settled)


async def delete_other(chat: Chat, session: Session, reference: str, now: float) -> None:
    """Delete a user's last message in the room with the focus, or the message ``#NUMBER``.

    :raises Refused: ``no-room``, ``not-in-room``, ``not-moderator`` or ``no-such-message``.
    """
    room, person = session.room(), session.person
    _check_moderator(room, session)
    entry = await _find_message(chat, room, reference)
    _check_moderator(room, session)  # again: a store may take its time

    def settled(stored: bool) -> None:
        if not stored:
            return
        for member in room.members.values():
            if member.last_message is not None and member.last_message.number == entry.number:
                member.last_message.gone = True
        chat.audit.add(now, person, "delete", entry.event.nick, room=room)

    deleted = Deleted(now, entry.event.nick, person.nick, entry.number)
    chat.post(room, deleted, person, settled)


def _check_moderator(room: Room, session: Session) -> None:
    rules.check_membership(room, session.person)
    rules.check_role(room, session, Role.MODERATOR)


async def _own_last_message(chat: Chat, person: Person, room: Room, now: float) -> LastMessage:
    """Return a user's last message in a room, if they may still change it.

    :raises Refused: ``not-in-room`` or ``nothing-said``.
    """
    message = rules.check_membership(room, person).last_message
    if message is None and person.account is not None:
        entry = await chat.history.last_by(room, person.name.key, person.account)
        # One from before there was this account is of the one that had the nick before.
        if entry is not None and entry.event.time >= (person.registered or 0.0):
            message = LastMessage(entry.event.time, entry.number)
    if message is not None and not message.number:
        await chat.history.last(room, 0)  # reading waits until earlier posts are stored
    if message is None or message.gone or not message.number or now - message.time > EDIT_SECONDS:
        minutes = EDIT_SECONDS // 60
        raise Refused("nothing-said", f"You said nothing in {room} in the last {minutes} minutes.")
    return message


async def _find_message(chat: Chat, room: Room, reference: str) -> Entry:
    """Return the message that a moderator names by its author's nick or by ``#NUMBER``.

    :raises Refused: ``no-such-message``.
    """
    if reference.startswith("#"):
        digits = reference[1:]
        known = digits.isascii() and digits.isdigit() and len(digits) < 19
        entry = await chat.history.find(room, int(digits)) if known else None
        if entry is None:
            raise Refused("no-such-message", f"There is no message {cut(reference, 40)} in {room}.")
        return entry
    entry = await chat.history.last_by(room, fold(reference))
    if entry is None:
        raise Refused("no-such-message", f"There is no message of {cut(reference, 40)} in {room}.")
    return entry
