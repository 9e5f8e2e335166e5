"""Persistent rooms: their owners, moderators, settings, bans and mutes survive a restart.

A room is persistent when an owner with an account has made it so; the lobby always is.  Each room
is one record of the store, which is rewritten with every change; each ban and mute is another one.

Some fields of a record have old names: ``keepers`` are `Room.roles`, ``guests`` are
`Room.invited_accounts`.  Of `Room.voices` it has those of accounts.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from chatd.chat.events import Refused, Role
from chatd.chat.limits import PERSISTENT_ROOMS, ROOM_OWNER_SECONDS
from chatd.chat.model.bans import Ban, Bans, Kind, Mark, OnChange
from chatd.chat.model.entities import Person, Room, Settings
from chatd.chat.records.loading import RecordLoader
from chatd.chat.records.writing import Records
from chatd.chat.store import Store
from chatd.chat.text import names
from chatd.chat.text.durations import remaining
from chatd.chat.text.names import GUEST

#: The kinds of the records of rooms, of their bans and of their mutes in the store.  The key of a
#: ban is that of its room, a space, and its target.
KIND = "room"
BAN = "ban"
MUTE = "mute"
_NOTHING = object()
#: A record has every setting under the name of its field; older records lack some, which then have
#: their defaults.
_SETTINGS = tuple(each.name for each in dataclasses.fields(Settings))


class PersistentRooms:
    """The persistent rooms of a chat, and how many each account owns.

    ``rooms`` are the open rooms by name, and ``open_room`` opens one with a name and a `Room.id`;
    ``undone`` is called with a room whose change was undone as it could not be stored.  Accounts
    may own rooms when they are ``owner_seconds`` old.  ``_last_records`` has each room's record as
    it was put or loaded, or as another server has stored it last: another server's record is
    compared with it, so that only what it changed is applied.
    """

    def __init__(
        self,
        store: Store,
        records: Records,
        lobby: Room,
        rooms: Mapping[str, Room],
        open_room: Callable[[names.Name, str], Room],
        undone: Callable[[Room], object],
        owner_seconds: float = ROOM_OWNER_SECONDS,
    ) -> None:
        self._store = store
        self._records = records
        self._owner_seconds = owner_seconds
        self._lobby = lobby
        self._rooms = rooms
        self._open_room = open_room
        self._undone = undone
        self._owned: dict[str, int] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        self._last_records = {lobby.name.key: _encoded(lobby)}
        self._loader = RecordLoader(records, KIND, BAN, MUTE, take=self._restore_all)
        self.load = self._loader.load
        records.register(KIND, self.apply_change, self._undo)
        for kind in (BAN, MUTE):
            records.register(kind, partial(self._apply_ban_change, kind))
        self._watch_bans(lobby)

    def _restore_all(
        self, rooms: Mapping[str, str], bans: Mapping[str, str], mutes: Mapping[str, str]
    ) -> None:
        """Open every room of the store, and drop the leftovers of other rooms."""
        opened = {self._lobby.name.key: self._lobby}
        for key, value in rooms.items():
            room = self._restore(key, value)
            opened[room.name.key] = room
        for kind, records in ((BAN, bans), (MUTE, mutes)):
            for key, value in records.items():
                room_key, _, target = key.partition(" ")
                self._restore_ban(kind, opened.get(room_key), key, Ban.decoded(target, value))
        self._store.drop_rooms_but([room.id for room in opened.values()])

    def _restore_ban(self, kind: str, room: Room | None, key: str, ban: Ban) -> None:
        """Restore a ban or a mute, without a generated nick, which may be another user's now."""
        left = ban.with_marks(mark for mark in ban.marks if not _is_guest_nick(ban, mark))
        if room is not None and left is not None and left.target == ban.target:
            _bans(room, kind).restore(left)
            return
        self._records.keep_quietly(kind, key, None)
        if room is not None and left is not None:
            _bans(room, kind).put(left, quietly=True)

    def apply_change(self, key: str, value: str | None) -> None:
        """Apply the record of a room that another server has stored, or (None) dropped."""
        if not self._loader.loaded:
            return
        room = self._rooms.get(key)
        if value is None:
            self._last_records.pop(key, None)
            if room is not None:
                self._end_persistence(room)
        elif room is None or room.permanent:
            self._restore(key, value)
        else:
            before = json.loads(self._last_records.get(key, "{}"))
            self._last_records[key] = value
            self._change(room, before, json.loads(value))

    def _undo(self, key: str, value: str | None) -> None:
        """Return a room to a record, after a change that could not be stored."""
        room = self._rooms.get(key)
        if room is None:
            return
        if value is None:
            self._last_records.pop(key, None)
            self._end_persistence(room)
        else:
            self._last_records[key] = value
            self._change(room, json.loads(_encoded(room)), json.loads(value))
        self._undone(room)

    def _change(self, room: Room, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Apply another server's changes; later changes on this server remain."""
        for name in _SETTINGS:
            if name in after and before.get(name) != after[name]:
                setattr(room.settings, name, after[name])
        if before.get("history", 0) != after.get("history", 0):
            self._store.limit(room.id, room.settings.history or None)
        old_roles, roles = before.get("keepers", {}), after.get("keepers", {})
        for account in old_roles.keys() - roles.keys():
            room.roles.pop(account, None)
        room.roles |= {
            account: Role(role) for account, role in roles.items() if old_roles.get(account) != role
        }
        old_invited, invited = before.get("guests", []), after.get("guests", [])
        for account in set(old_invited) - set(invited):
            room.invited_accounts.pop(account, None)
        room.invited_accounts |= dict.fromkeys(
            account for account in invited if account not in old_invited
        )
        old_voices, voices = before.get("voices", []), after.get("voices", [])
        for voice in set(old_voices) - set(voices):
            room.voices.pop(voice, None)
        room.voices |= dict.fromkeys(voice for voice in voices if voice not in old_voices)
        self._count_owners(room)
        self._watch_bans(room)

    def _apply_ban_change(self, kind: str, key: str, value: str | None) -> None:
        """Apply the record of a ban or mute that another server has stored, or (None) dropped.

        A record is also dropped when its room is no longer persistent; then the ban remains.
        """
        room_key, _, target = key.partition(" ")
        room = self._rooms.get(room_key)
        if room is not None and (value is not None or room.is_persistent):
            _bans(room, kind).apply_change(target, value)

    def _restore(self, key: str, value: str) -> Room:
        room = self._restored(key, value)
        self._last_records[room.name.key] = _encoded(room)
        return room

    def _restored(self, key: str, value: str) -> Room:
        fields = {"history": 0, **json.loads(value)}  # older records have no bound
        if key == self._lobby.name.key:  # its other settings are options of the server's operator
            self._lobby.settings.topic = fields["topic"]
            self._lobby.settings.slow = fields["slow"]
            self._lobby.settings.history = fields["history"]
            self._lobby.settings.speak = fields.get("speak", self._lobby.settings.speak)
            self._lobby.voices = dict.fromkeys(fields.get("voices", ()))
            self._limit(self._lobby)
            if not fields["lasting"]:  # it was stored as the lobby, and closed as such
                self._lobby.settings.private = fields["private"]
                self._lobby.settings.key = fields.get("key", "")
                self._lobby.invited_accounts = dict.fromkeys(fields.get("guests", ()))
            return self._lobby
        if not fields["lasting"]:  # it was the lobby, before the option was changed
            return self._lobby
        room = self._open_room(names.Name(fields["name"], key), fields["id"])
        for name in _SETTINGS:
            setattr(room.settings, name, fields.get(name, getattr(room.settings, name)))
        room.roles = {account: Role(role) for account, role in fields["keepers"].items()}
        room.invited_accounts = dict.fromkeys(fields.get("guests", ()))
        room.voices = dict.fromkeys(fields.get("voices", ()))
        self._count_owners(room)
        self._limit(room)
        self._watch_bans(room)
        return room

    def _limit(self, room: Room) -> None:
        if room.settings.history:
            self._store.limit(room.id, room.settings.history)

    def _count_owners(self, room: Room) -> None:
        """Update how many persistent rooms each account owns after a change of one."""
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

    def _watch_bans(self, room: Room) -> None:
        """Store each change of the bans and mutes of a room from now on."""
        for kind in (BAN, MUTE):
            prefix = f"{room.name.key} "
            _bans(room, kind).on_change = partial(self._records.ban_changed, kind, prefix)

    def _end_persistence(self, room: Room) -> None:
        room.settings.lasting = False
        room.roles.clear()
        self._count_owners(room)
        for kind in (BAN, MUTE):
            _bans(room, kind).on_change = None

    def changed(self, room: Room, *, quietly: bool = False) -> None:
        """Put the record of a room that has changed, if it is persistent.

        It is part of a change of records, or ``quietly`` none that anybody waits for.
        """
        key = room.name.key
        before, record = self._last_records.get(key), _encoded(room)
        if not room.is_persistent or record == before:
            return
        self._last_records[key] = record
        if quietly:
            self._records.keep_quietly(KIND, key, record)
        else:
            self._records.put(KIND, key, record, before)

    def make_persistent(self, room: Room, person: Person, now: float) -> None:
        """Make a room persistent, and a person its owner, as part of a change of records.

        Their account has to be no new one.

        :raises Refused: ``no-account``, ``new-account`` or ``too-many``.
        """
        account = person.account
        if account is None:
            raise Refused("no-account", "You have no account; /register makes your nick your own.")
        age = now - (person.registered if person.registered is not None else now)
        if age < self._owner_seconds and not person.operator:
            wait = remaining(self._owner_seconds - age)
            raise Refused(
                "new-account",
                f"Your account is too new to own rooms that last; try again in {wait}.",
            )
        if self._owned.get(account, 0) >= PERSISTENT_ROOMS:
            raise Refused(
                "too-many", f"You have {PERSISTENT_ROOMS} rooms that last; end one first."
            )
        room.settings.lasting = True
        room.roles[account] = Role.OWNER
        self._count_owners(room)
        self.changed(room)
        self._watch_bans(room)
        for on_change, ban in _bans_to_store(room):
            on_change(None, ban, quietly=False)

    def make_temporary(self, room: Room) -> None:
        """Make a room temporary, as part of a change of records: it closes when it is empty."""
        if room.settings.lasting:
            bans = [*_bans_to_store(room)]
            self._end_persistence(room)
            before = self._last_records.pop(room.name.key, None)
            self._records.put(KIND, room.name.key, None, before)
            for on_change, ban in bans:
                on_change(ban, None, quietly=False)

    def account_gone(
        self, rooms: Iterable[Room], account: str, new: str | None = None
    ) -> list[Room]:
        """Take the roles, invitations and voices of an account that is gone, or has a ``new`` nick.

        It is part of a change of records.  A persistent room without an owner gets its first
        moderator as one.  Return the rooms that have changed.
        """
        changed = []
        for room in rooms:
            tables: tuple[dict[str, Any], ...] = (room.roles, room.invited_accounts)
            had = [table.pop(account, _NOTHING) for table in tables]
            had_voice = room.voices.pop(f"account:{account}", _NOTHING) is None
            if not (had_voice or any(each is not _NOTHING for each in had)):
                continue
            if new is not None:
                for table, value in zip(tables, had, strict=True):
                    if value is not _NOTHING:
                        table[new] = value
                if had_voice:
                    room.voices[f"account:{new}"] = None
            elif had[0] is Role.OWNER and Role.OWNER not in room.roles.values():
                successor = next(iter(room.roles), None)
                if successor is not None:
                    room.roles[successor] = Role.OWNER
            self._count_owners(room)
            self.changed(room)
            changed.append(room)
        return changed

    def is_needed(self, account: str) -> bool:
        """Whether an account owns a persistent room."""
        return account in self._owned

    def give_role(
        self, room: Room, account: str | None, role: Role, *, quietly: bool = False
    ) -> None:
        """Set the role of an account in a persistent room; None has no effect.

        It is part of a change of records, or ``quietly`` none that anybody waits for.
        """
        if room.settings.lasting and account is not None:
            if role is Role.MEMBER:
                room.roles.pop(account, None)
            else:
                room.roles[account] = role
            self.changed(room, quietly=quietly)


def _is_guest_nick(ban: Ban, mark: Mark) -> bool:
    """Whether it is the generated nick of a user whom the ban named by another word."""
    nick = mark.target
    return ban.label != str(nick) and nick.kind is Kind.NICK and nick.value.startswith(GUEST)


def _bans(room: Room, kind: str) -> Bans:
    return room.bans if kind == BAN else room.mutes


def _bans_to_store(room: Room) -> Iterator[tuple[OnChange, Ban]]:
    """Yield the bans and mutes of a persistent room, and what stores a change of each."""
    for bans in (room.bans, room.mutes):
        if bans.on_change is not None:
            for ban in bans:
                yield bans.on_change, ban


def _encoded(room: Room) -> str:
    """Return the record of a room."""
    fields = {name: getattr(room.settings, name) for name in _SETTINGS}
    fields["keepers"] = {account: role.value for account, role in room.roles.items()}
    record = {
        "name": room.name.shown,
        "id": room.id,
        "guests": [*room.invited_accounts],
        "voices": [voice for voice in room.voices if voice.startswith("account:")],
        **fields,
    }
    return json.dumps(record)
