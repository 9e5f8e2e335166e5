"""Room settings: the topic, and the settings that /room changes."""

from __future__ import annotations

from chatd.chat.chat import Chat
from chatd.chat.delivery.history import read_limit
from chatd.chat.delivery.posting import Acknowledge
from chatd.chat.events import Refused, Role, RoomSet, TopicSet
from chatd.chat.limits import KEY_LENGTH, SLOW_SECONDS, TOPIC_LENGTH
from chatd.chat.model import rules
from chatd.chat.model.entities import Actor, Room
from chatd.chat.model.preferences import as_typed, on_or_off
from chatd.chat.text.sanitizing import cut

#: The values of ``shouting``: shouted lines are delivered, refused, or get their sender kicked.
SHOUTING = ("allow", "warn", "kick")
#: The settings in the order in which /room shows them.
SETTINGS = ("private", "topic", "slow", "shouting", "speak", "lasting", "history", "key")
#: The values of ``speak``: who may speak beside those who look after the room.
SPEAK = ("everyone", "registered", "voices")


async def set_topic(
    chat: Chat,
    by: Actor,
    room: Room,
    text: str,
    now: float,
    acknowledge: Acknowledge | None = None,
) -> None:
    """Set the topic of a room; an empty text removes it.

    ``acknowledge`` is called with the outcome once the topic is stored in the room's history.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``muted``, ``invisible``, ``not-kept``.
    """
    rules.check_membership(room, by.person)
    rules.check_role(room, by, Role.MODERATOR)
    rules.check_not_muted(room, by, now)
    rules.check_visible(text)
    person, topic, before = by.person, cut(text, TOPIC_LENGTH), room.settings.topic

    def change() -> None:
        room.settings.topic = topic
        chat.persistent.changed(room)

    def settled(stored: bool) -> None:
        if stored:
            chat.audit.add(now, person, "topic", topic, room=room)
        elif not room.is_persistent and room.settings.topic == topic:  # its record has the topic
            room.settings.topic = before
            chat.peers.room_changed(room)

    await chat.records.keep(change)
    event = TopicSet(now, person.nick, topic)
    chat.posting.post(room, event, person, acknowledge=acknowledge, settled=settled)


async def set_room(chat: Chat, by: Actor, room: Room, name: str, value: str, now: float) -> None:
    """Change one setting of a room.

    :raises Refused: ``not-in-room``, ``not-moderator``, ``bad-setting``; for ``lasting`` also
        ``not-owner``, ``no-account``, ``new-account``, ``no-change``, ``too-many``; and
        ``not-kept``.
    """
    rules.check_membership(room, by.person)
    rules.check_role(room, by, Role.MODERATOR)
    if name == "topic":
        await set_topic(chat, by, room, value, now)
        return

    def change() -> None:
        _change(chat, by, room, name, value, now)

    if name == "lasting":
        await chat.change_persistence(room, change, now)
    else:
        await chat.records.keep(change)
    if name == "history":
        chat.history.limit(room)
    shown = setting(room, name)
    chat.audit.add(now, by.person, "room", f"{name} {shown}", room=room)
    chat.post(room, RoomSet(now, by.person.nick, name, shown), by.person)
    if name == "lasting":
        chat.after_leaving(room, now)  # the last member may have left meanwhile


def _change(chat: Chat, by: Actor, room: Room, name: str, value: str, now: float) -> None:
    """Change a setting, as part of a change of records.

    :raises Refused: as `set_room`.
    """
    settings = room.settings
    if name == "private":
        settings.private = on_or_off(value)
    elif name == "slow":
        settings.slow = _read_seconds(value)
    elif name == "shouting":
        if value not in SHOUTING:
            raise Refused("bad-setting", f"shouting is one of {', '.join(SHOUTING)}.")
        settings.shouting = value
    elif name == "speak":
        if value not in SPEAK:
            raise Refused("bad-setting", f"speak is one of {', '.join(SPEAK)}.")
        settings.speak = value
    elif name == "history":
        settings.history = read_limit(value)
    elif name == "lasting":
        _set_persistent(chat, by, room, on_or_off(value), now)
    elif name == "key":
        settings.key = _read_key(value)
    else:
        raise Refused(
            "bad-setting", f"There is no setting {cut(name, 40)}; there are {', '.join(SETTINGS)}."
        )
    chat.persistent.changed(room)


def _set_persistent(chat: Chat, by: Actor, room: Room, persistent: bool, now: float) -> None:
    """Make a room persistent, with the roles of its members, or temporary again.

    :raises Refused: ``not-owner``, ``no-account``, ``new-account``, ``no-change``, ``too-many``.
    """
    rules.check_role(room, by, Role.OWNER)
    if persistent == room.settings.lasting:
        raise Refused("no-change", f"lasting is {as_typed(persistent)} in {room} already.")
    if not persistent:
        chat.persistent.make_temporary(room)
        return
    chat.persistent.make_persistent(room, by.person, now)
    for other, member in room.members.items():
        if member.role is not Role.MEMBER:
            chat.persistent.give_role(room, other.account, member.role)


def setting(room: Room, name: str) -> str:
    """Return a setting as a user would type it; the key only as whether there is one."""
    value = getattr(room.settings, name)
    if name == "history":
        return str(value or "off")
    if name == "key":
        value = bool(value)
    return f"{value:g}" if isinstance(value, float) else as_typed(value)


def setting_for(actor: Actor, room: Room, name: str) -> str:
    """Return a setting as somebody may see it: moderators see the key."""
    if name == "key" and room.settings.key and room.role_by(actor) is not Role.MEMBER:
        return room.settings.key
    return setting(room, name)


def _read_key(value: str) -> str:
    key = " ".join(value.split())
    if len(key) > KEY_LENGTH or not key:
        raise Refused("bad-setting", f"A key has 1 to {KEY_LENGTH} characters; off takes it away.")
    return "" if key.lower() == "off" else key


def _read_seconds(value: str) -> float:
    try:
        seconds = 0.0 if value.lower() == "off" else float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= SLOW_SECONDS:
        raise Refused(
            "bad-setting", f"slow takes seconds, 0 to {SLOW_SECONDS}, not {value or 'nothing'}."
        )
    return seconds
