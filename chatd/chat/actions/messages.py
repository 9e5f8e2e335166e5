"""Messages: sending text to rooms."""

from __future__ import annotations

from collections.abc import Callable

from chatd.chat.actions.moderation.removal import kick
from chatd.chat.chat import Chat
from chatd.chat.delivery.posting import Acknowledge
from chatd.chat.events import Acted, Refused, Role, Said
from chatd.chat.model import rules
from chatd.chat.model.entities import Member, Person, Room, Session


def say(
    chat: Chat,
    session: Session,
    text: str,
    now: float,
    *,
    room: Room | None = None,
    act: bool = False,
    acknowledge: Acknowledge | None = None,
) -> None:
    """Send a message to a room, by default the one with the focus; with ``act`` an action (/me).

    ``acknowledge`` is called with the outcome, once the message is stored or has failed to be.

    :raises Refused: ``no-room``, ``not-in-room``, ``muted``, ``no-voice``, ``slow``, ``invisible``
        or ``shouting``.
    """
    room = room or session.room()
    person = session.person
    rules.check_visible(text)
    member = rules.check_speech(room, session, now)
    if rules.is_too_loud(room, text):
        refuse_shouting(chat, person, member, room, now)
        return
    person.last_active = member.last_said = now
    chat.accounts.note_use(person.account, now)
    event = (Acted if act else Said)(now, person.nick, text)
    chat.posting.post(room, event, person, session, acknowledge=acknowledge)


def post_without_joining(
    chat: Chat, session: Session, room: Room, text: str, now: float, acknowledge: Acknowledge
) -> None:
    """Send a message to a room without being a member, as a script does.

    :raises Refused: as `chatd.chat.model.rules.check_speech_from_outside`, ``invisible`` or
        ``shouting``.
    """
    person = session.person
    rules.check_speech_from_outside(room, session, now)
    rules.check_visible(text)
    _check_loudness(room, text)
    person.last_active = now
    chat.accounts.note_use(person.account, now)
    said = Said(now, person.nick, text)
    chat.posting.post(room, said, person, session, acknowledge=acknowledge)


def say_everywhere(
    chat: Chat, session: Session, text: str, now: float, said: Callable[[int, int], None]
) -> None:
    """Send a message to every room of a person; each recipient is shown it once.

    ``said`` is called with the numbers of rooms and recipients once it is stored in every room.

    :raises Refused: as `say`, when it may not be sent to one of the rooms.
    """
    person = session.person
    if not person.rooms:
        raise Refused("no-room", "You are in no room; /join ROOM takes you into one.")
    rules.check_visible(text)
    for room in person.rooms.values():
        rules.check_speech(room, session, now)
        _check_loudness(room, text)
    recipients = {other for room in person.rooms.values() for other in room.members}
    person.last_active = now
    chat.accounts.note_use(person.account, now)
    for room in person.rooms.values():
        room.members[person].last_said = now
    own = (session,) if session.client.echoes_input else ()
    event, rooms, outcomes = Said(now, person.nick, text), len(person.rooms), []

    def settled(stored: bool) -> None:
        outcomes.append(stored)
        if len(outcomes) == rooms and all(outcomes):
            said(rooms, len(recipients) - 1)

    chat.posting.announce(
        person, lambda room: event, unseen_by=own, session=session, settled=settled
    )


def refuse_shouting(chat: Chat, person: Person, member: Member, room: Room, now: float) -> None:
    """Refuse a message in capitals; kick a member who was warned before, if the room is set to.

    :raises Refused: ``shouting``, unless they were kicked.
    """
    kicks = room.settings.shouting == "kick" and room.role_of(person) is Role.MEMBER
    if member.warned and kicks:
        kick(chat, person, room, None, "shouting", now)
        return
    member.warned = True
    raise _shouting_refusal(room, "; the next time you are kicked" if kicks else "")


def _check_loudness(room: Room, text: str) -> None:
    if rules.is_too_loud(room, text):
        raise _shouting_refusal(room)


def _shouting_refusal(room: Room, more: str = "") -> Refused:
    return Refused("shouting", f"That was not delivered: {room} does not like capitals{more}.")
