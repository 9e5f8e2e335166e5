"""Passwords: their validity, and the interfaces for hashing and checking them.

Hashing takes time and memory, so it is awaited and done outside the main thread.  The chat never
stores or shows a password.
"""

from __future__ import annotations

from typing import Protocol

from precis_i18n import get_profile

from chatd.chat.events import Refused
from chatd.chat.limits import PASSWORD_BYTES, PASSWORD_LENGTH
from chatd.chat.text.sanitizing import safe

_PROFILE = get_profile("OpaqueString")


class NotCheckedError(Exception):
    """A password could not be checked; the reason was logged where this was raised."""


class PasswordHasher(Protocol):
    """Hashes passwords, and compares passwords with hashes."""

    async def hash(self, password: str) -> str:
        """Return the hash of a prepared password."""

    async def matches(self, password_hash: str, password: str) -> bool:
        """Return whether a hash is that of a prepared password.

        :raises NotCheckedError: when it could not be checked.
        """


class PasswordChecker(Protocol):
    """Checks passwords of users from outside the chat, such as the machine's."""

    async def check(self, nick: str, password: str) -> bool:
        """Return whether the user of a folded nick has this password there.

        :raises NotCheckedError: when it could not be checked.
        """


def prepared(text: str) -> str | None:
    """Return a password in the form in which it is compared; None when it is not a valid one.

    This is OpaqueString (RFC 8265, section 4.2) without surrounding spaces, which some ways of
    typing a password lose: case matters, other kinds of spaces become plain ones, and combining
    marks are composed with their letters.
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
    """Return a new password for the user of a nick, in prepared form.

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
