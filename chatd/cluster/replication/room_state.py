"""Room state: the part of a room that the servers of a cluster share, and diffs of it.

The state is a few tables: settings by name, bans by target, and so on.  Only entries that have
changed are sent, so that concurrent changes to different entries both survive.  The roles of
members are not in it: they are sent with each person, by the person's server.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from chatd.chat.actions.moderation.removal import kick
from chatd.chat.chat import Chat
from chatd.chat.events import Role
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Bans, Kind
from chatd.chat.model.entities import Outsider, Person, Room, Settings

#: The shared tables of a room, or changes to them, in which None deletes an entry.
Tables = dict[str, dict[str, Any]]
#: The names of the tables, as servers send them to each other: ``keepers`` is `Room.roles`,
#: ``invited`` is `Room.invited` (guests, by folded nick), ``guests`` is `Room.invited_accounts`.
_TABLES = ("settings", "keepers", "bans", "mutes", "invited", "guests", "voices")

#: The state of a room that was just opened.
FRESH: Tables = {**{table: {} for table in _TABLES}, "settings": asdict(Settings())}


def snapshot(room: Room) -> Tables:
    """Return the shared state of a room."""
    return {
        "settings": asdict(room.settings),
        "keepers": {account: role.value for account, role in room.roles.items()},
        "bans": room.bans.encoded(),
        "mutes": room.mutes.encoded(),
        "invited": dict.fromkeys(room.invited, True),
        "guests": dict.fromkeys(room.invited_accounts, True),
        "voices": dict.fromkeys(room.voices, True),
    }


def tables_in(message: dict[str, Any]) -> Tables:
    """Return the tables in a message about a room, without unknown ones."""
    return {table: message[table] for table in _TABLES if table in message}


def diff(before: Tables, after: Tables) -> Tables:
    """Return the changes from one state to another."""
    changes = {}
    for table in _TABLES:
        old, new = before.get(table, {}), after.get(table, {})
        changed = {key: new.get(key) for key in {**old, **new} if old.get(key) != new.get(key)}
        if changed:
            changes[table] = changed
    return changes


def merge(before: Tables, changes: Tables) -> Tables:
    """Return a state with changes applied."""
    after = {}
    for table in _TABLES:
        entries = {**before.get(table, {}), **changes.get(table, {})}
        after[table] = {key: value for key, value in entries.items() if value is not None}
    return after


def apply(chat: Chat, room: Room, changes: Tables) -> None:
    """Apply another server's changes to a room; unknown settings are ignored."""
    _apply_settings(chat, room, changes.get("settings", {}))
    for account, role in changes.get("keepers", {}).items():
        if role is None:
            room.roles.pop(account, None)
        else:
            room.roles[account] = role_of(role)
    for table, bans in (("bans", room.bans), ("mutes", room.mutes)):
        for target, value in changes.get(table, {}).items():
            _apply_ban(chat, room, bans, target, value)
    for key, is_invited in changes.get("invited", {}).items():
        _apply_invitation(room, key, chat.people.get(key), is_invited=bool(is_invited))
    for account, is_invited in changes.get("guests", {}).items():
        room.invited_accounts.pop(account, None)
        if is_invited:
            room.invited_accounts[account] = None
    for voice, is_given in changes.get("voices", {}).items():
        _apply_voice(chat, room, voice, is_given=bool(is_given))


def role_of(value: str | None) -> Role:
    """Return the role of a name; `Role.MEMBER` for a role that only a newer server knows."""
    return next((role for role in Role if role.value == value), Role.MEMBER)


def _apply_settings(chat: Chat, room: Room, settings: dict[str, Any]) -> None:
    history = room.settings.history
    for name, value in settings.items():
        if name in room.settings.__slots__ and value is not None:
            setattr(room.settings, name, value)
    if room.settings.history != history:
        chat.history.limit(room)


def _apply_ban(chat: Chat, room: Room, bans: Bans, target: str, value: str | None) -> None:
    """Add or remove a ban or a mute; a ban of a nick alone follows its person to another nick.

    Members here whom a new ban covers joined while it was set, and are kicked.
    """
    bans.apply_change(target, value)
    if value is None:
        return
    ban = Ban.decoded(target, value)
    if bans is room.bans:
        _kick_banned(chat, room, ban)
    for mark in ban.marks:
        nick = mark.target.kind is Kind.NICK
        person = chat.people.get(mark.target.value) if nick else None
        if person is not None:
            room.follow_nick(person)


def _kick_banned(chat: Chat, room: Room, ban: Ban) -> None:
    by = chat.people.find(ban.by)
    for person in tuple(room.members):
        covers = not person.server and ban.covers(person.identity, ban.made)
        if covers and rules.ban_of(room, Outsider(person, person.operator), ban.made) is not None:
            kick(chat, person, room, by, ban.reason, ban.made, ban)


def _apply_voice(chat: Chat, room: Room, voice: str, *, is_given: bool) -> None:
    """Give or take a voice; that of a nick follows its person to another one."""
    room.voices.pop(voice, None)
    if is_given:
        room.voices[voice] = None
        kind, _, nick = voice.partition(":")
        person = chat.people.get(nick) if kind == Kind.NICK.value else None
        if person is not None:
            room.follow_nick(person)


def _apply_invitation(room: Room, key: str, person: Person | None, *, is_invited: bool) -> None:
    """Add or remove the invitation of a folded nick; ``person`` is its holder, if any."""
    room.invited.pop(key, None)
    if person is not None:
        room.unfollow_invitation(person)
    if is_invited:
        room.invited[key] = None
        if person is not None:
            room.follow_invitation(person)
