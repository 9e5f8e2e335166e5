"""Learning: what another server of a cluster has put into a record or taken from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatd.chat.actions.removal import enforce_server_ban
from chatd.chat.model.bans import Ban
from chatd.chat.records import (
    accounts,
    audit,
    offline_messages,
    persistent_rooms,
    profiles,
    server_access,
)

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


def apply_change(chat: Chat, kind: str, key: str, value: str | None, now: float) -> None:
    """Let what is remembered here of a record be otherwise; None when there is none any more."""
    if kind == accounts.KIND:
        chat.accounts.apply_change(key, value)
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
    elif kind == audit.KIND:
        chat.audit.apply_change(key, value)
    elif kind in (persistent_rooms.BAN, persistent_rooms.MUTE):
        where, _, target = key.partition(" ")
        if where in chat.rooms:
            chat.persistent.apply_ban_change(kind, chat.rooms[where], target, value)
    elif kind == persistent_rooms.KIND:
        room = chat.rooms.get(key)
        chat.persistent.apply_change(room, key, value)
        if room is not None and not (room.members or room.is_persistent):
            chat.elsewhere.remote.drop(room)


def _deliver(chat: Chat, account: str) -> None:
    """Somebody elsewhere has left something for who is here, but was not known to be there."""
    found = chat.accounts.get(account)
    owner = chat.entrance.owner_here(found) if found is not None else None
    for session in owner.sessions if owner is not None else ():
        chat.offline.deliver(account, session)
