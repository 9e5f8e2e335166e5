"""Proofs of an account: its password and its keys, and who is told when they change.

Callers have asked for the current password.  Every change is noted in the account, shown on every
screen of its owner, and ends the connections that used what is gone.  Times are seconds since the
epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from chatd.chat.actions.accounts.sessions import (
    end_session,
    end_sessions,
    origin_of,
    tell_owner,
)
from chatd.chat.actions.login import become_owner, check_access
from chatd.chat.actions.moderation.accounts import find_account
from chatd.chat.chat import Chat
from chatd.chat.events import Refused
from chatd.chat.limits import RESET_PASSWORD_SECONDS
from chatd.chat.model.entities import Actor, Session
from chatd.chat.peers import PASSWORD, EndSessions
from chatd.chat.records.accounts import Account, Change, Key, key_to_remove
from chatd.chat.text.names import fold


def account_of(chat: Chat, session: Session) -> Account:
    """Return the account of a session's user as it is now.

    A session that was ended meanwhile, perhaps by the owner as it is a thief's, changes nothing.

    :raises Refused: ``no-account`` or ``cancelled``.
    """
    if session not in session.person.sessions:
        raise Refused("cancelled", "This connection has ended, so nothing has changed.")
    key = session.person.account
    account = chat.accounts.get(key) if key is not None else None
    if account is None:
        raise Refused("no-account", "You have no account; /register makes your nick your own.")
    return account


def _change(session: Session, what: str, now: float) -> Change:
    return Change(now, f"{what}, {origin_of(session)}")


def _tell(chat: Chat, account: Account, change: Change, session: Session | None = None) -> None:
    tell_owner(chat, account.name.key, f"{account.name}: {change.text}.", except_to=session)


def _shown(key: Key) -> str:
    return f"key {key.fingerprint} {key.comment}".rstrip()


async def set_password(chat: Chat, session: Session, password: str, now: float) -> int:
    """Set the password of a user's account; end all their other connections, and count them.

    :raises Refused: ``no-account``, ``not-kept`` and as
        `chatd.chat.entry.authentication.Authenticator.hash`.
    """
    account = account_of(chat, session)
    password_hash = await chat.authentication.hash(password, account.name.key, session.address, now)
    was_set = "changed" if account_of(chat, session).password else "set"
    change = _change(session, f"the password was {was_set}", now)
    account = await chat.accounts.set_password(account_of(chat, session), password_hash, change)
    sentence = f"{account.name}: {change.text}; this connection ends."
    call = EndSessions(account.name.key, "", sentence, now)
    count = end_sessions(chat, session.person, call, session)
    _tell(chat, account, change, session)
    return count


async def remove_password(chat: Chat, session: Session, now: float) -> Account:
    """Remove the password of a user's account, and end other connections that used it.

    :raises Refused: ``no-account``, ``no-change``, ``last-proof``, ``not-kept``.
    """
    change = _change(session, "the password was removed", now)
    account = await chat.accounts.set_password(account_of(chat, session), "", change)
    sentence = f"{account.name}: {change.text}; this connection used it, and ends."
    call = EndSessions(account.name.key, PASSWORD, sentence, now)
    end_sessions(chat, session.person, call, session)
    _tell(chat, account, change, session)
    return account


async def add_own_key(chat: Chat, session: Session, now: float) -> Key:
    """Add the key with which a user came to their account; return it.

    :raises Refused: ``no-account``, ``no-key``, ``key-taken``, ``too-many``, ``not-kept``.
    """
    account, key = account_of(chat, session), own_key(session, now)
    change = _change(session, f"{_shown(key)} was added", now)
    _tell(chat, await chat.accounts.add_key(account, key, change), change, session)
    return key


def own_key(session: Session, now: float) -> Key:
    """Return the ssh key with which a user has logged in.

    :raises Refused: ``no-key``.
    """
    if session.fingerprint is None:
        raise Refused("no-key", "You came without an ssh key.")
    return Key(session.fingerprint, "", now)


async def claim_key(chat: Chat, session: Session, key: Key, now: float) -> None:
    """Add a public key to a user's account, which its holder has still to accept.

    :raises Refused: ``no-account``, ``key-taken``, ``too-many``, ``not-kept``.
    """
    change = _change(session, f"{_shown(key)} was added and waits for its holder", now)
    account = await chat.accounts.add_pending(account_of(chat, session), key, change)
    _tell(chat, account, change, session)


async def remove_key(
    chat: Chat, session: Session, number: int, now: float, removed: Callable[[Key], None]
) -> None:
    """Remove a key from a user's account by its number, and end the connections that used it.

    The session itself ends too if it used the key, unless its user has just given the password:
    ``removed`` is called with the key before that, to confirm it.

    :raises Refused: ``no-account``, ``no-such-key``, ``last-key``, ``not-kept``.
    """
    account = account_of(chat, session)
    key = key_to_remove(account, number)
    change = _change(session, f"{_shown(key)} was removed", now)
    account = await chat.accounts.drop_key(account, key.fingerprint, change)
    removed(key)
    _tell(chat, account, change, session)
    sentence = f"{account.name}: {change.text}; this connection came with it, and ends."
    call = EndSessions(account.name.key, key.fingerprint, sentence, now)
    spare = session if account.has_password else None
    if spare is not None and session.fingerprint == key.fingerprint:
        session.by_password = True
    end_sessions(chat, session.person, call, spare)


# Pending keys -------------------------------------------------------------------------------------


def _claiming(chat: Chat, session: Session, nick: str) -> Account:
    """Return the account that claims the key of a session: the one named, or the only one.

    :raises Refused: ``no-key``, ``no-such-key``, ``which-account``.
    """
    claims = chat.accounts.claiming(own_key(session, 0.0).fingerprint)
    named = [account for account in claims if not nick or account.name.key == fold(nick)]
    if not named:
        raise Refused("no-such-key", "No such account is waiting for your key.")
    if len(named) > 1:
        raise Refused(
            "which-account", "Several accounts are waiting for your key; name one of them."
        )
    return named[0]


def _pending_key(account: Account, session: Session, now: float) -> Key:
    [key] = (each for each in account.pending if each.fingerprint == session.fingerprint)
    return replace(key, added=now)


async def accept_key(chat: Chat, session: Session, nick: str, now: float) -> Account:
    """Let a user's key prove the account that claims it, and make a guest its owner.

    The owner may remove the key again while the store and other servers are awaited.

    :raises Refused: as `_claiming`, ``key-taken``, ``no-key``, ``banned``, ``not-invited``,
        ``not-kept``.
    :raises Relayed: when the owner's server runs the connection from now on.
    """
    account = _claiming(chat, session, nick)
    check_access(chat, session, account, now)
    key = _pending_key(account, session, now)
    change = Change(now, f"{_shown(key)} was accepted by its holder, {_from(session)}")
    account = await chat.accounts.add_key(account, key, change)
    _tell(chat, account, change, session)
    if session.person.account is None and session in session.person.sessions:
        if not _is_proved_by(chat, account, key):
            raise Refused("no-key", f"Your key is none of {account.name} any more.")
        await become_owner(chat, session, account, now)
        if not _is_proved_by(chat, account, key) and session in session.person.sessions:
            sentence = f"Your key is none of {account.name} any more; this connection ends."
            end_session(chat, session, sentence, now)
    return account


def _is_proved_by(chat: Chat, account: Account, key: Key) -> bool:
    """Whether a key still proves an account."""
    found = chat.accounts.of_key(key.fingerprint)
    return found is not None and found.name.key == account.name.key


async def decline_key(chat: Chat, session: Session, nick: str, now: float) -> Account:
    """Take a user's key out of the account that claims it.

    :raises Refused: as `_claiming`, ``not-kept``.
    """
    account = _claiming(chat, session, nick)
    key = _pending_key(account, session, now)
    change = Change(now, f"{_shown(key)} was declined by its holder, {_from(session)}")
    account = await chat.accounts.drop_key(account, key.fingerprint, change)
    _tell(chat, account, change, session)
    return account


def _from(session: Session) -> str:
    return f"from {session.address or 'this machine'}"


# For operators ------------------------------------------------------------------------------------


async def reset_password(
    chat: Chat, by: Actor, nick: str, now: float, *, without_keys: bool = False
) -> tuple[Account, str]:
    """Give an account a password for a day on behalf of an operator, and end all its connections.

    Return the account and the password, which the operator tells the owner.  The caller has checked
    the operator's right.  ``without_keys`` also drops its ssh keys, one of which may be a thief's.

    :raises Refused: ``no-such-account``, ``yourself``, ``outranked``, ``no-change``, ``not-kept``
        and as `chatd.chat.entry.authentication.Authenticator.hash`.
    """
    account = find_account(chat, by, nick)
    if account.external:
        raise Refused(
            "no-change", f"The password of {account.name} is kept elsewhere, not on this server."
        )
    key, password = account.name.key, chat.authentication.make_password()
    password_hash = await chat.authentication.hash(password, key, by.person.address, now)
    account = find_account(chat, by, nick)  # it may be gone, or its owner be here, by now
    change = Change(now, f"the password was reset by the operator {by.person.nick}")
    until = chat.believed.at(now) + RESET_PASSWORD_SECONDS
    account = await chat.accounts.reset(
        account, password_hash, until, change, without_keys=without_keys
    )
    what = f"{account.name}{' and its keys' * without_keys}"
    chat.audit.add(now, by.person, "server reset", what)
    sentence = f"{account.name}: {change.text}; this connection ends."
    end_sessions(chat, by.person, EndSessions(key, "", sentence, now))
    return account, password
