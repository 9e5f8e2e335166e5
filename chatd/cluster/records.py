"""Records: applies changes by other servers to the records that all servers share."""

from __future__ import annotations

from chatd.chat.actions.accounts.sessions import end_sessions_here
from chatd.chat.actions.moderation.removal import enforce_server_ban
from chatd.chat.chat import Chat
from chatd.chat.model.bans import Ban
from chatd.chat.peers import PASSWORD, EndSessions
from chatd.chat.records import accounts, offline_messages, persistent_rooms, server_access
from chatd.chat.records.accounts import Account
from chatd.cluster.replication.remote import RemotePeople


def apply_change(
    chat: Chat, remote: RemotePeople, kind: str, key: str, value: str | None, now: float
) -> None:
    """Replace this server's copy of a record; ``value`` is None when it was deleted.

    Records of an unknown kind are ignored.
    """
    before = chat.accounts.get(key) if kind == accounts.KIND else None
    chat.records.apply_change(kind, key, value)
    if before is not None:
        _end_outdated(chat, before, chat.accounts.get(key), now)
    if kind == offline_messages.KIND:
        _deliver(chat, key)
    elif kind == server_access.KIND and value is not None:
        ban = Ban.decoded(key, value)
        enforce_server_ban(chat, ban, max(now, ban.made))
    elif kind == persistent_rooms.KIND:
        room = chat.rooms.get(key)
        if room is not None and not (room.members or room.is_persistent):
            remote.drop_room(room)


def _end_outdated(chat: Chat, before: Account, after: Account | None, now: float) -> None:
    """End the sessions here that used a proof of an account that holds no more.

    The server where the account was changed has said so as well, but that message may be lost while
    servers are out of touch; a record is not.
    """
    ended = [""]
    if after is None:
        renamed = next((each for each in chat.accounts if _is_same(each, before)), None)
        why = f"Your account is called {renamed.name} now" if renamed else ""
        why = why or f"The account {before.name} was deleted"
    else:
        what = after.changes[-1].text if after.changes else "the account was changed"
        why = f"{before.name}: {what}"
        kept = {key.fingerprint for key in after.keys}
        ended = [each.fingerprint for each in before.keys if each.fingerprint not in kept]
        if after.password != before.password:
            ended = [""] if after.password else [*ended, PASSWORD]
    for proof in ended:
        call = EndSessions(before.name.key, proof, f"{why}; this connection ends.", now)
        end_sessions_here(chat, call)


def _is_same(account: Account, before: Account) -> bool:
    """Whether an account is one that had another nick."""
    return (account.created, account.keys, account.password) == (
        before.created,
        before.keys,
        before.password,
    )


def _deliver(chat: Chat, account: str) -> None:
    """Deliver an offline message whose sender's server did not know that the owner is here."""
    found = chat.accounts.get(account)
    owner = chat.entrance.owner_here(found) if found is not None else None
    for session in owner.sessions if owner is not None else ():
        chat.offline.deliver(account, session)
