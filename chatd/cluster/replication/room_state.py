"""What the servers of a cluster have in common of a room: its settings, and whom it knows.

What somebody may do in a room they are in, the server where they are tells with them.  The rest
is told in parts, each a table: what is set by its name, a ban by whom it covers.  Only what is
otherwise than before is told, so that what two servers change at once holds on both.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chatd.chat.actions.removal import kick
from chatd.chat.events import Role
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Bans, Kind, read_target
from chatd.chat.model.entities import Person, Room, Settings

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

#: The parts of a room that are shared; each is a table, in which None means that something is gone.
Parts = dict[str, dict[str, Any]]
_PARTS = ("settings", "keepers", "bans", "mutes", "invited", "guests")

#: A room of which nothing is known yet.
FRESH: Parts = {**{key: {} for key in _PARTS}, "settings": asdict(Settings())}


def snapshot(room: Room) -> Parts:
    """What the others are to know of a room."""
    return {
        "settings": asdict(room.settings),
        "keepers": {account: role.value for account, role in room.roles.items()},
        "bans": room.bans.encoded(),
        "mutes": room.mutes.encoded(),
        "invited": dict.fromkeys(room.invited, True),
        "guests": dict.fromkeys(room.invited_accounts, True),
    }


def parts_of(state: dict[str, Any]) -> Parts:
    """What a message says of a room; parts that are not known here are passed over."""
    return {part: state[part] for part in _PARTS if part in state}


def diff(before: Parts, after: Parts) -> Parts:
    """What is otherwise than it was."""
    news = {}
    for part in _PARTS:
        old, new = before.get(part, {}), after.get(part, {})
        changed = {key: new.get(key) for key in {**old, **new} if old.get(key) != new.get(key)}
        if changed:
            news[part] = changed
    return news


def merge(before: Parts, news: Parts) -> Parts:
    """What was known, and what is otherwise now."""
    after = {}
    for part in _PARTS:
        table = {**before.get(part, {}), **news.get(part, {})}
        after[part] = {key: value for key, value in table.items() if value is not None}
    return after


def apply(chat: Chat, room: Room, news: Parts) -> None:
    """Let a room be as another server says; what is not known here is passed over."""
    _set(chat, room, news.get("settings", {}))
    for account, role in news.get("keepers", {}).items():
        if role is None:
            room.roles.pop(account, None)
        else:
            room.roles[account] = role_of(role)
    for part, bans in (("bans", room.bans), ("mutes", room.mutes)):
        for target, value in news.get(part, {}).items():
            _hold(chat, room, bans, target, value)
    for key, is_invited in news.get("invited", {}).items():
        _invite(room, key, chat.people.get(key), is_invited=bool(is_invited))
    for account, is_invited in news.get("guests", {}).items():
        room.invited_accounts.pop(account, None)
        if is_invited:
            room.invited_accounts[account] = None


def role_of(value: str | None) -> Role:
    """A role by its name; one of a newer server is none here."""
    return next((role for role in Role if role.value == value), Role.MEMBER)


def _set(chat: Chat, room: Room, settings: dict[str, Any]) -> None:
    history = room.settings.history
    for name, value in settings.items():
        if name in room.settings.__slots__ and value is not None:
            setattr(room.settings, name, value)
    if room.settings.history != history:
        chat.history.limit(room)


def _hold(chat: Chat, room: Room, bans: Bans, target: str, value: str | None) -> None:
    """Let a ban hold or not; one of a nick alone follows who carries it to another.

    Who came into the room while it was made is put out of it.
    """
    bans.learn(target, value)
    if value is not None and bans is room.bans:
        _put_out_banned(chat, room, Ban.decoded(target, value))
    read = read_target(target)
    person = chat.people.get(read.value) if read is not None and read.kind is Kind.NICK else None
    if value is not None and person is not None:
        room.follow_nick(person)


def _put_out_banned(chat: Chat, room: Room, ban: Ban) -> None:
    by = chat.people.find(ban.by)
    for person in tuple(room.members):
        covers = not person.server and ban.target.covers(person.known)
        if covers and rules.ban_of(room, person, ban.made) is not None:
            kick(chat, person, room, by, ban.reason, ban.made, ban)


def _invite(room: Room, key: str, person: Person | None, *, is_invited: bool) -> None:
    """Let a nick be invited into a room or not."""
    room.invited.pop(key, None)
    if person is not None:
        person.invited_into.pop(room, None)
    if is_invited:
        room.invited[key] = None
        if person is not None:
            person.invited_into[room] = None
