"""Records: applies changes by other servers to the records that all servers share."""

from __future__ import annotations

from chatd.chat.actions.moderation.removal import enforce_server_ban
from chatd.chat.chat import Chat
from chatd.chat.model.bans import Ban
from chatd.chat.records import offline_messages, persistent_rooms, server_access
from chatd.cluster.replication.remote import RemotePeople


def apply_change(
    chat: Chat, remote: RemotePeople, kind: str, key: str, value: str | None, now: float
) -> None:
    """Replace this server's copy of a record; ``value`` is None when it was deleted.

    Records of an unknown kind are ignored.
    """
    chat.records.apply_change(kind, key, value)
    if kind == offline_messages.KIND:
        _deliver(chat, key)
    elif kind == server_access.KIND and value is not None:
        ban = Ban.decoded(key, value)
        enforce_server_ban(chat, ban, max(now, ban.made))
    elif kind == persistent_rooms.KIND:
        room = chat.rooms.get(key)
        if room is not None and not (room.members or room.is_persistent):
            remote.drop_room(room)


def _deliver(chat: Chat, account: str) -> None:
    """Deliver an offline message whose sender's server did not know that the owner is here."""
    found = chat.accounts.get(account)
    owner = chat.entrance.owner_here(found) if found is not None else None
    for session in owner.sessions if owner is not None else ():
        chat.offline.deliver(account, session)
