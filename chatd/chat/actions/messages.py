"""Speaking: what people say in rooms, if they may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.chat.actions.removal import kick
from chatd.chat.delivery.posting import Acknowledge
from chatd.chat.events import Acted, Refused, Role, Said
from chatd.chat.model import rules
from chatd.chat.model.entities import Member, Person, Room, Session

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


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
    """Say something in a room (by default the one with the focus), or do it (/me).

    ``acknowledge`` is told once it is kept.

    :raises Refused: ``no-room``, ``not-in-room``, ``muted``, ``slow`` or ``shouting``.
    """
    room = room or session.room()
    person = session.person
    member = rules.check_speech(room, person, now)
    if rules.is_too_loud(room, text):
        refuse_shouting(chat, person, member, room, now)
        return
    person.last_active = member.last_said = now
    event = (Acted if act else Said)(now, person.nick, text)
    chat.posting.post(room, event, person, session, acknowledge=acknowledge)


def post_without_joining(
    chat: Chat, session: Session, room: Room, text: str, now: float, acknowledge: Acknowledge
) -> None:
    """Say something into a room without being in it, as a script does.

    :raises Refused: as `Room.check_speech_from_outside`, or ``shouting``.
    """
    person = session.person
    rules.check_speech_from_outside(room, person, now)
    _check_loudness(room, text)
    person.last_active = now
    said = Said(now, person.nick, text)
    chat.posting.post(room, said, person, session, acknowledge=acknowledge)


def say_everywhere(chat: Chat, session: Session, text: str, now: float) -> int:
    """Say something in every room that one is in, to each person once; return to how many.

    :raises Refused: as `say`, when it cannot be said in one of the rooms.
    """
    person = session.person
    if not person.rooms:
        raise Refused("no-room", "You are in no room; /join ROOM takes you into one.")
    for room in person.rooms.values():
        rules.check_speech(room, person, now)
        _check_loudness(room, text)
    heard = {other for room in person.rooms.values() for other in room.members}
    person.last_active = now
    for room in person.rooms.values():
        room.members[person].last_said = now
    own = (session,) if session.client.echoes_input else ()
    said = Said(now, person.nick, text)
    chat.posting.announce(person, lambda room: said, unseen_by=own, session=session)
    return len(heard) - 1


def refuse_shouting(chat: Chat, person: Person, member: Member, room: Room, now: float) -> None:
    """Somebody shouted where that is not liked: they are kicked, or refused (``shouting``)."""
    kicks = room.settings.shouting == "kick" and room.role_of(person) is Role.MEMBER
    if member.warned and kicks:
        kick(chat, person, room, None, "shouting", now)
        return
    member.warned = True
    raise _shouting(room, "; the next time you are kicked" if kicks else "")


def _check_loudness(room: Room, text: str) -> None:
    if rules.is_too_loud(room, text):
        raise _shouting(room)


def _shouting(room: Room, more: str = "") -> Refused:
    return Refused("shouting", f"That was not delivered: {room} does not like capitals{more}.")
