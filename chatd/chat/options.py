"""Options of a chat: what the process lends it, and what an operator chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatd.chat.entry.passwords import PasswordChecker, PasswordHasher
from chatd.chat.model.preferences import DEFAULT, Preferences
from chatd.chat.records.server_access import AllowList, everybody


@dataclass(frozen=True, slots=True)
class Environment:
    """What the process lends a chat, which has no clock of its own.

    ``schedule`` calls a function at the end of the reactor's turn; ``expire_later`` calls one after
    the seconds for which a detached session is kept, with the time then in seconds since the epoch.
    ``hasher`` hashes and checks passwords; ``checker`` knows those of other people, if anything
    does.  ``incarnation`` is another word each time that a server starts: message ids are unique by
    it.  ``make_token`` makes a word that nobody can guess; without it guests are given no token.
    """

    schedule: Callable[[Callable[[], None]], object]
    expire_later: Callable[[Callable[[float], None]], object]
    hasher: PasswordHasher
    incarnation: str = "0"
    make_token: Callable[[], str] | None = None
    checker: PasswordChecker | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What an operator chose.

    ``lobby`` is the name of the room that always exists, ``shouting`` the setting of that name of
    new rooms, ``preferences`` those of people who have set none.  ``allowed`` returns the list of
    those who alone may come in, or None when everybody may.
    """

    lobby: str = "lobby"
    shouting: str = "allow"
    preferences: Preferences = DEFAULT
    allowed: Callable[[], AllowList | None] = everybody


#: What holds where an operator chose nothing.
DEFAULTS = Options()
