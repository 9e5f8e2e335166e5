"""Passwords: what one may be, and what the chat asks of whoever hashes and checks them.

Hashing takes time and memory, so it happens elsewhere, and is waited for; the chat never keeps or
shows a password.
"""

from __future__ import annotations

from typing import Protocol

from precis_i18n import get_profile

from chatd.chat.events import Refused
from chatd.chat.limits import PASSWORD_BYTES, PASSWORD_LENGTH
from chatd.chat.text.sanitizing import safe

_PROFILE = get_profile("OpaqueString")


class NotCheckedError(Exception):
    """Whether a password is right could not be found out; whoever says so has logged why."""


class PasswordHasher(Protocol):
    """Makes of a password what may be kept of it."""

    async def hash(self, password: str) -> str:
        """What to keep of a prepared password."""

    async def matches(self, kept: str, password: str) -> bool:
        """Whether that was kept of this password.

        :raises NotCheckedError: when that cannot be told.
        """


class PasswordChecker(Protocol):
    """Knows people from elsewhere: the users of the machine, say."""

    async def check(self, nick: str, password: str) -> bool:
        """Whether somebody of this folded nick has this password there.

        :raises NotCheckedError: when that cannot be told.
        """


def prepared(text: str) -> str | None:
    """A password in the one form in which it is compared; None when it cannot be one.

    This is OpaqueString (RFC 8265, section 4.2) without blanks around it, which some ways of typing
    a password lose: capitals count, other kinds of blanks are plain ones, marks are composed.
    """
    text = safe(text).strip()
    if len(text) > PASSWORD_BYTES:
        return None
    try:
        prepared: str = _PROFILE.enforce(text)
    except UnicodeEncodeError:
        return None
    return prepared.strip() if len(prepared.encode()) <= PASSWORD_BYTES else None


def check_new(text: str, nick: str) -> str:
    """Return a password that somebody of this nick would like to have, prepared.

    :raises Refused: ``bad-password``.
    """
    password = prepared(text)
    if password is None:
        raise Refused(
            "bad-password",
            f"A password has at most {PASSWORD_BYTES} bytes, and only characters that can be seen.",
        )
    if len(password) < PASSWORD_LENGTH:
        raise Refused("bad-password", f"A password has at least {PASSWORD_LENGTH} characters.")
    if password.casefold() == nick.casefold():
        raise Refused("bad-password", "Your nick is the first password that somebody would try.")
    return password
