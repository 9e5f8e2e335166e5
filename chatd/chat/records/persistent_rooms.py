"""Rooms that last: who owns them, who looks after them and their settings outlive a restart.

A room that somebody with an account opens lasts; so does the lobby.  Each is one record of the
store, kept anew whenever something of it changes, and each of its bans and mutes is one more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from chatd.chat.events import Refused, Role
from chatd.chat.limits import LASTING_ROOMS
from chatd.chat.model.bans import Ban, Bans, Kind, Target
from chatd.chat.model.entities import Person, Room
from chatd.chat.records.loading import RecordLoader
from chatd.chat.store import Store
from chatd.chat.text import names
from chatd.chat.text.names import GUEST

#: What the records of rooms, of their bans and of their mutes are called in the store.  A ban's key
#: is that of its room, a blank, and whom it covers.
KIND = "room"
BAN = "ban"
MUTE = "mute"
_SETTINGS = ("topic", "private", "slow", "shouting", "lasting", "history", "key")


class PersistentRooms:
    """The rooms of a chat that last, and how many each account has.

    ``open_room`` makes a room of a name and the name that the store knows it by.  ``_others`` has
    the records as they were when another server changed them, or as they were read.
    """

    def __init__(
        self, store: Store, lobby: Room, open_room: Callable[[names.Name, str], Room]
    ) -> None:
        self._store = store
        self._lobby = lobby
        self._open_room = open_room
        self._owned: dict[str, int] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        self._others: dict[str, str] = {}
        self._records = RecordLoader(store, KIND, BAN, MUTE, take=self._restore_all)
        self.load = self._records.load
        self._keep_bans(lobby)

    def _restore_all(
        self, rooms: Mapping[str, str], bans: Mapping[str, str], mutes: Mapping[str, str]
    ) -> None:
        """Open every room that the store has."""
        known = {self._lobby.name.key: self._lobby}
        for key, value in rooms.items():
            room = self._restore(key, value)
            known[room.name.key] = room
        for kind, records in ((BAN, bans), (MUTE, mutes)):
            for key, value in records.items():
                where, _, target = key.partition(" ")
                ban = Ban.decoded(target, value)
                if where in known and not _was_of_a_guest(ban):
                    _bans(known[where], kind).restore(ban)
                else:
                    self._store.put(kind, key, None)
        self._store.drop_rooms_but([room.id for room in known.values()])

    def learn(self, room: Room | None, key: str, value: str | None) -> None:
        """Another server has changed a record; ``room`` is the one of this name, if any is."""
        if not self._records.loaded:
            return
        if value is None:
            self._others.pop(key, None)
            if room is not None:
                self._lasts_no_longer(room)
        elif room is None or room.permanent:
            self._restore(key, value)
        else:
            before = json.loads(self._others.get(key, "{}"))
            self._others[key] = value
            self._change(room, before, json.loads(value))

    def _change(self, room: Room, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Change of a room what another server has; what was changed here meanwhile remains."""
        for name in _SETTINGS:
            if name in after and before.get(name) != after[name]:
                setattr(room.settings, name, after[name])
        if before.get("history", 0) != after.get("history", 0):
            self._store.limit(room.id, room.settings.history or None)
        then, now = before.get("keepers", {}), after.get("keepers", {})
        for account in then.keys() - now.keys():
            room.roles.pop(account, None)
        room.roles |= {each: Role(role) for each, role in now.items() if then.get(each) != role}
        were, are = before.get("guests", []), after.get("guests", [])
        for account in set(were) - set(are):
            room.invited_accounts.pop(account, None)
        room.invited_accounts |= dict.fromkeys(each for each in are if each not in were)
        self._count(room)
        self._hook(room)

    def learn_ban(self, kind: str, room: Room, target: str, value: str | None) -> None:
        """Another server has changed a ban or a mute of a room.

        That of a room that lasts no longer is kept no longer, and holds all the same.
        """
        if value is not None or room.is_persistent:
            _bans(room, kind).learn(target, value)

    def _restore(self, key: str, value: str) -> Room:
        fields = {"history": 0, **json.loads(value)}  # older records have none
        if key == self._lobby.name.key:  # the server's options say the rest
            self._lobby.settings.topic = fields["topic"]
            self._lobby.settings.slow = fields["slow"]
            self._lobby.settings.history = fields["history"]
            self._limit(self._lobby)
            if not fields["lasting"]:  # it was the lobby then: who closed it means it
                self._lobby.settings.private = fields["private"]
                self._lobby.settings.key = fields.get("key", "")
                self._lobby.invited_accounts = dict.fromkeys(fields.get("guests", ()))
            return self._lobby
        if not fields["lasting"]:  # it was the lobby once
            return self._lobby
        room = self._open_room(names.Name(fields["name"], key), fields["id"])
        for name in _SETTINGS:
            setattr(room.settings, name, fields.get(name, getattr(room.settings, name)))
        room.roles = {account: Role(role) for account, role in fields["keepers"].items()}
        room.invited_accounts = dict.fromkeys(fields.get("guests", ()))
        self._others[key] = value
        self._count(room)
        self._limit(room)
        self._keep_bans(room)
        return room

    def _limit(self, room: Room) -> None:
        if room.settings.history:
            self._store.limit(room.id, room.settings.history)

    def _count(self, room: Room) -> None:
        """See who owns a room that lasts, and who does no more."""
        key = room.name.key
        owners: tuple[str, ...] = ()
        if room.settings.lasting:
            owners = tuple(each for each, role in room.roles.items() if role is Role.OWNER)
        for account in self._owners.pop(key, ()):
            self._owned[account] -= 1
            if not self._owned[account]:
                del self._owned[account]
        for account in owners:
            self._owned[account] = self._owned.get(account, 0) + 1
        if owners:
            self._owners[key] = owners

    def _keep_bans(self, room: Room) -> None:
        """Keep the bans and the mutes of a room from now on, and those that there are."""
        self._hook(room)
        for kind in (BAN, MUTE):
            for ban in _bans(room, kind):
                self._keep(kind, room, ban.target, ban)

    def _hook(self, room: Room) -> None:
        for kind in (BAN, MUTE):
            _bans(room, kind).keep = partial(self._keep, kind, room)

    def _lasts_no_longer(self, room: Room) -> None:
        room.settings.lasting = False
        room.roles.clear()
        self._count(room)
        for kind in (BAN, MUTE):
            _bans(room, kind).keep = None

    def _keep(self, kind: str, room: Room, target: Target, ban: Ban | None) -> None:
        value = ban.encoded() if ban is not None else None
        self._store.put(kind, f"{room.name.key} {target}", value)

    def changed(self, room: Room) -> None:
        """Something of a room is otherwise: keep it, if it is one that lasts."""
        if room.settings.lasting or room.permanent:
            fields = {name: getattr(room.settings, name) for name in _SETTINGS}
            fields["keepers"] = {account: role.value for account, role in room.roles.items()}
            record = {
                "name": room.name.shown,
                "id": room.id,
                "guests": [*room.invited_accounts],
                **fields,
            }
            self._store.put(KIND, room.name.key, json.dumps(record))

    def begin(self, room: Room, person: Person) -> None:
        """Let a room last, as the room of this person.

        :raises Refused: ``no-account`` or ``too-many``.
        """
        account = person.account
        if account is None:
            raise Refused("no-account", "You have no account; /register makes your nick your own.")
        if self._owned.get(account, 0) >= LASTING_ROOMS:
            raise Refused("too-many", f"You have {LASTING_ROOMS} rooms that last; end one first.")
        room.settings.lasting = True
        room.roles[account] = Role.OWNER
        self._count(room)
        self.changed(room)
        self._keep_bans(room)

    def end(self, room: Room) -> None:
        """Let a room last no longer than somebody is in it."""
        if room.settings.lasting:
            self._lasts_no_longer(room)
            self._others.pop(room.name.key, None)
            self._store.put(KIND, room.name.key, None)
            for kind in (BAN, MUTE):
                for ban in _bans(room, kind):
                    self._keep(kind, room, ban.target, None)

    def give_role(self, room: Room, person: Person, role: Role) -> None:
        """Remember the role of somebody with an account."""
        if room.settings.lasting and person.account is not None:
            if role is Role.MEMBER:
                room.roles.pop(person.account, None)
            else:
                room.roles[person.account] = role
            self.changed(room)


def _was_of_a_guest(ban: Ban) -> bool:
    """Whether it held somebody who was here by a generated nick, which is another's now."""
    target = ban.target
    return ban.is_named and target.kind is Kind.NICK and target.value.startswith(GUEST)


def _bans(room: Room, kind: str) -> Bans:
    return room.bans if kind == BAN else room.mutes
