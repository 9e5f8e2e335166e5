"""Accounts in the hands of operators: listing, forgetting, suspending, renaming and resetting them.

Whatever takes an account from its owner ends their sessions, on all servers of a cluster.
"""

from __future__ import annotations

from datetime import UTC, datetime
from heapq import nlargest

from chatd.chat.actions.moderation import removal
from chatd.chat.chat import Chat
from chatd.chat.events import PutOut, Refused
from chatd.chat.limits import (
    ACCOUNTS_SHOWN,
    UNUSED_LOOKED_AT,
    UNUSED_SECONDS,
)
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Kind, Target
from chatd.chat.model.entities import Actor, Person, Room
from chatd.chat.peers import Disconnect
from chatd.chat.records.accounts import Account
from chatd.chat.text.durations import split_duration, term
from chatd.chat.text.names import Name, fold
from chatd.chat.text.sanitizing import cut


def find_account(chat: Chat, by: Actor, nick: str) -> Account:
    """Return the account of a nick, after checking that an operator may act on it.

    :raises Refused: ``no-such-account``, ``yourself`` or ``outranked``.
    """
    account = chat.accounts.get(fold(nick))
    if account is None:
        raise Refused("no-such-account", f"There is no account {cut(nick, 40)}.")
    if account.name.key == by.person.account:
        raise Refused("yourself", "You cannot do that to yourself.")
    owner = _owner(chat, account)
    if owner is not None and owner.operator:
        raise Refused("outranked", f"{account.name} is an operator of this server.")
    return account


def _owner(chat: Chat, account: Account) -> Person | None:
    """Return the owner of an account if they are here, or on another server."""
    return chat.entrance.owner_here(account) or chat.peers.owner(account.name.key)


def _end_sessions(chat: Chat, by: Person, account: Account, reason: str, now: float) -> None:
    """Disconnect the owner of an account, and all who act for them, wherever they are."""
    for person in chat.people.everyone():
        acts = person.effective_account == account.name.key
        if acts and not chat.peers.forward(person, by, Disconnect(reason, now)):
            removal.disconnect(chat, person, PutOut(now, None, by.nick, reason))


# Listing ------------------------------------------------------------------------------------------


def page_of(chat: Chat, since: float, page: int, now: float) -> tuple[str, list[str]]:
    """Return a heading and one row per account made since a time, the newest first."""
    found = [account for account in chat.accounts if account.created >= since]
    newest = nlargest(page * ACCOUNTS_SHOWN, found, key=lambda each: (each.created, each.name.key))
    shown = newest[(page - 1) * ACCOUNTS_SHOWN :]
    pages = max(1, -(-len(found) // ACCOUNTS_SHOWN))
    count = "1 account" if len(found) == 1 else f"{len(found)} accounts"
    return f"{count}, page {page} of {pages}:", [_row(chat, each, now) for each in shown]


def _row(chat: Chat, account: Account, now: float) -> str:
    keys = len(account.keys)
    ban, seen = chat.access.bans.get(_target(account)), chat.accounts.last_seen(account.name.key)
    parts = [
        f"made {_day(account.created)}",
        f"last here {_day(seen)}" if seen is not None else "",
        "never used" * chat.accounts.is_unused(account),
        f"{keys} key{'s' * (keys != 1)}" * bool(keys),
        "password" * account.has_password,
        "here" * (_owner(chat, account) is not None),
        f"suspended {chat.access.bans.rest(ban, now)}" if ban is not None else "",
    ]
    return f"{account.name}: {', '.join(part for part in parts if part)}"


def _day(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")


# Changing -----------------------------------------------------------------------------------------


async def forget(chat: Chat, by: Actor, account: Account, now: float) -> None:
    """Delete an account, with its profile, its mailbox and its roles; its messages stay.

    :raises Refused: ``not-kept``.
    """
    await _delete(chat, account)
    _end_sessions(chat, by.person, account, f"the account {account.name} was deleted", now)
    chat.profiles.forget(account.name.key)
    chat.audit.add(now, by.person, "server forget", account.name.shown)


async def _delete(chat: Chat, account: Account) -> None:
    key = account.name.key

    def delete() -> list[Room]:
        chat.accounts.drop(account)
        chat.profiles.drop(key)
        chat.offline.drop(key)
        return chat.persistent.account_gone(chat.rooms.values(), key)

    changed = await chat.records.keep(delete)
    chat.logins.forget(key)
    for room in changed:
        chat.peers.room_changed(room)


def _target(account: Account) -> Target:
    return Target(Kind.ACCOUNT, account.name.key)


async def suspend(chat: Chat, by: Actor, account: Account, words: str, now: float) -> Ban:
    """Let nobody log in to an account, for a time or for good; return the ban of it.

    ``words`` are the duration and the reason.

    :raises Refused: ``no-change``, ``bad-duration``, ``too-many`` or ``not-kept``.
    """
    bans, made = chat.access.bans, chat.believed.at(now)
    bans.expire(now)
    target, label = _target(account), account.name.shown
    if bans.get(target) is not None:
        raise Refused("no-change", f"{label} is banned from this server already.")
    seconds, reason = split_duration(words)
    until = made + seconds if seconds is not None else None
    if not bans.has_room_for(target, now):
        raise Refused(
            "too-many", f"This server has {bans.limit} bans; /server unban somebody first."
        )
    ban = Ban(target, str(target), by.person.nick, made, until, rules.reason(reason))
    await chat.records.keep(lambda: bans.put(ban))
    subject = f"{label} {term(made, until)}"
    chat.audit.add(now, by.person, "server suspend", subject, reason=ban.reason)
    removal.enforce_server_ban(chat, ban, now)
    return ban


async def unsuspend(chat: Chat, by: Actor, account: Account, now: float) -> None:
    """Let the owner of an account log in again.

    :raises Refused: ``no-change`` or ``not-kept``.
    """
    bans = chat.access.bans
    bans.expire(now)
    ban = bans.get(_target(account))
    if ban is None:
        raise Refused("no-change", f"{account.name} is not suspended.")
    if ban.also:
        raise Refused(
            "no-change",
            f"{account.name} is banned; /server unban {account.name} lifts all of that.",
        )
    await chat.records.keep(lambda: bans.drop(ban.target))
    chat.audit.add(now, by.person, "server unsuspend", account.name.shown)


async def rename(chat: Chat, by: Actor, account: Account, name: Name, now: float) -> None:
    """Give an account another nick; its owner logs in again under that.

    Bans and mutes follow it: whoever has the old nick next is somebody else.

    :raises Refused: ``nick-taken``, ``not-kept``.
    """
    old, new = account.name.key, name.key
    if old != new:
        holder = chat.people.get(new)
        if holder is not None and holder.account != old:
            raise Refused("nick-taken", f"{name} is taken, or looks like a nick that is.")

    def change() -> list[Room]:
        chat.accounts.rename(account, name)
        if old == new:
            return []
        chat.profiles.move(old, new)
        chat.offline.move(old, new)
        chat.access.bans.account_renamed(old, new)
        for room in chat.rooms.values():
            if room.is_persistent:
                _move_bans(room, old, new)
        return chat.persistent.account_gone(chat.rooms.values(), old, new)

    changed = await chat.records.keep(change)
    _end_sessions(chat, by.person, account, f"your account is called {name} now", now)
    if old != new:
        chat.logins.forget(old)
        chat.profiles.forget(old)
        for room in chat.rooms.values():  # nothing of these is stored, which could have failed
            if not room.is_persistent and _move_bans(room, old, new):
                changed.append(room)
    for room in changed:
        chat.peers.room_changed(room)
    chat.audit.add(now, by.person, "server rename", f"account {account.name} {name}")


def _move_bans(room: Room, old: str, new: str) -> bool:
    """Let the bans and mutes of a room follow an account; return whether there are any."""
    are_banned, are_muted = (each.account_renamed(old, new) for each in (room.bans, room.mutes))
    return are_banned or are_muted


# Expiry -------------------------------------------------------------------------------------------


async def forget_unused(chat: Chat, now: float) -> int:
    """Delete accounts whose owners never said anything and never came back; return how many.

    A few are looked at each time; none is deleted by a time of day that is in doubt.
    """
    if chat.opened is None or chat.believed.doubt(now):
        return 0
    count = 0
    for account in chat.accounts.next_unused(UNUSED_LOOKED_AT):
        is_old = now - account.created >= UNUSED_SECONDS
        is_needed = chat.persistent.is_needed(account.name.key)
        if is_old and not is_needed and _owner(chat, account) is None:
            try:
                await _delete(chat, account)
            except Refused:  # the store fails now; they are looked at again
                break
            count += 1
    return count
