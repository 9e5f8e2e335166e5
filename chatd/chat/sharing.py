"""What the servers of a cluster have in common of a room: its settings, and whom it knows.

What somebody may do in a room they are in, the server where they are tells with them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from chatd.chat.events import Role
from chatd.chat.room import Room

if TYPE_CHECKING:
    from chatd.chat.chat import Chat


def shared(room: Room) -> dict[str, Any]:
    """A room as the others are told of it."""
    return {
        "key": room.name.key,
        "name": room.name.shown,
        "id": room.id,
        "settings": asdict(room.settings),
        "keepers": {account: role.value for account, role in room.keepers.items()},
        "bans": room.bans.encoded(),
        "mutes": room.mutes.encoded(),
        "invited": list(room.invited),
    }


def apply(chat: Chat, room: Room, state: dict[str, Any]) -> None:
    """Let a room be as another server says."""
    history = room.settings.history
    for name, value in state["settings"].items():
        if name in room.settings.__slots__:
            setattr(room.settings, name, value)
    if room.settings.history != history:
        chat.archive.limit(room)
    room.keepers = {account: Role(role) for account, role in state["keepers"].items()}
    for bans, there in ((room.bans, state["bans"]), (room.mutes, state["mutes"])):
        for target in {**bans.encoded(), **there}:
            bans.learn(target, there.get(target))
    _invite(chat, state["invited"], room)


def _invite(chat: Chat, there: list[str], room: Room) -> None:
    """Let the nicks that are invited into a room be those that another server says."""
    for key in room.invited.keys() ^ set(there):
        person = chat.people.get(key)
        if person is not None:
            person.invited_into.pop(room, None)
            if key not in room.invited:
                person.invited_into[room] = None
    room.invited.clear()
    room.invited.update(dict.fromkeys(there))
