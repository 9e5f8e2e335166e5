"""Records: applies changes by other servers to the records that all servers share."""

from __future__ import annotations

from chatd.chat.actions.moderation.removal import enforce_server_ban
from chatd.chat.chat import Chat
from chatd.chat.model.bans import Ban
from chatd.chat.records import (
    accounts,
    audit,
    logins,
    offline_messages,
    persistent_rooms,
    profiles,
    server_access,
)
from chatd.cluster.replication.remote import RemotePeople


def apply_change(
    chat: Chat, remote: RemotePeople, kind: str, key: str, value: str | None, now: float
) -> None:
    """Replace this server's copy of a record; ``value`` is None when it was deleted.

    Records of an unknown kind are ignored.
    """
    if kind == accounts.KIND:
        chat.accounts.apply_change(key, value)
    elif kind == accounts.SEEN:
        chat.accounts.apply_seen(key, value)
    elif kind == logins.KIND:
        chat.logins.apply_change(key, value)
    elif kind == offline_messages.KIND:
        chat.offline.apply_change(key, value)
        _deliver(chat, key)
    elif kind == profiles.KIND:
        chat.profiles.apply_change(key, value)
    elif kind == server_access.KIND:
        chat.access.bans.apply_change(key, value)
        if value is not None:
            ban = Ban.decoded(key, value)
            enforce_server_ban(chat, ban, max(now, ban.made))
    elif kind == server_access.LOCK:
        chat.access.apply_lock(key, value)
    elif kind == audit.KIND:
        chat.audit.apply_change(key, value)
    elif kind in (persistent_rooms.BAN, persistent_rooms.MUTE):
        room_key, _, target = key.partition(" ")
        if room_key in chat.rooms:
            chat.persistent.apply_ban_change(kind, chat.rooms[room_key], target, value)
    elif kind == persistent_rooms.KIND:
        room = chat.rooms.get(key)
        chat.persistent.apply_change(room, key, value)
        if room is not None and not (room.members or room.is_persistent):
            remote.drop_room(room)


def _deliver(chat: Chat, account: str) -> None:
    """Deliver an offline message whose sender's server did not know that the owner is here."""
    found = chat.accounts.get(account)
    owner = chat.entrance.owner_here(found) if found is not None else None
    for session in owner.sessions if owner is not None else ():
        chat.offline.deliver(account, session)
