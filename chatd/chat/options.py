"""Options of a chat: its environment in the process, and the operator's choices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chatd.chat.believed_time import BelievedTime
from chatd.chat.entry.passwords import PasswordChecker, PasswordHasher
from chatd.chat.limits import ROOM_OWNER_SECONDS
from chatd.chat.model.preferences import DEFAULT, Preferences
from chatd.chat.ratelimit.reports import Report, ignore
from chatd.chat.records.server_access import AllowList, everybody


@dataclass(frozen=True, slots=True)
class Environment:
    """The services that the process gives to a chat, which has no clock and no reactor of its own.

    ``schedule`` calls a function at the end of the reactor's turn.  ``expire_later`` calls one
    after the seconds for which a detached session is kept, with the time then in seconds since the
    epoch.  ``hasher`` hashes and checks passwords; ``checker``, if there is one, checks those of
    users from outside the chat.  ``incarnation`` is a word that differs after every restart, which
    makes message ids unique.  ``make_token`` makes a word that cannot be guessed; without it guests
    are given no token.  ``believed`` is the time of day by which bans and mutes end.  ``report``
    takes what tools outside may act on: wrong passwords, refused clients, floods.
    """

    schedule: Callable[[Callable[[], None]], object]
    expire_later: Callable[[Callable[[float], None]], object]
    hasher: PasswordHasher
    incarnation: str = "0"
    make_token: Callable[[], str] | None = None
    checker: PasswordChecker | None = None
    believed: BelievedTime = field(default_factory=BelievedTime)
    report: Report = ignore


@dataclass(frozen=True, slots=True)
class Options:
    """The operator's choices.

    ``room_owner_seconds`` is how old an account is that may own rooms that last.
    ``lobby`` is the name of the room that always exists, ``shouting`` the setting of that name of
    new rooms, ``preferences`` those of users who have set none.  ``allowed`` returns the allow list
    of the server, or None when everyone may enter.
    """

    lobby: str = "lobby"
    shouting: str = "allow"
    preferences: Preferences = DEFAULT
    allowed: Callable[[], AllowList | None] = everybody
    room_owner_seconds: float = ROOM_OWNER_SECONDS


#: The options of a server whose operator chose none.
DEFAULTS = Options()
