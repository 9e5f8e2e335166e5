"""Prompts for passwords: asked again after a wrong one; afterwards no password is posted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from chatd.chat.commands.command import Call
from chatd.chat.entry.passwords import check_new, prepared
from chatd.chat.events import Refused
from chatd.chat.limits import PASSWORD_PROMPTS, TYPED_AHEAD_SECONDS, WARY_SECONDS
from chatd.chat.model.password_guard import PasswordGuard
from chatd.chat.records.accounts import Account

_T = TypeVar("_T")


@contextmanager
def typed_ahead(call: Call, lines: int) -> Iterator[None]:
    """Hold back the answers that may follow a command, if it is refused before it asks for them.

    :param lines: How many passwords the command would have asked for.
    """
    try:
        yield
    except Refused:
        guard = call.session.guard
        if guard is None or not guard.is_holding:
            tried = guard.tried if guard is not None else ()
            until = call.now + TYPED_AHEAD_SECONDS
            call.session.guard = PasswordGuard(tried, lines, until)
        raise


class _Tries:
    """The tries of one user to give a password: so many that typing errors do no harm."""

    def __init__(self, call: Call, given: str, also: str = "") -> None:
        self._call = call
        self._given = given
        self._left = PASSWORD_PROMPTS
        self._typed: list[str] = [each for each in (given, also) if each]
        self._now = call.now

    async def next(self, question: str) -> tuple[str, float]:
        """Return the next password, first the one given with the command, and when it was entered.

        :raises Refused: ``cancelled``.
        """
        given, self._given = self._given, ""
        return (given, self._now) if given else await self.ask(question)

    async def ask(self, question: str) -> tuple[str, float]:
        """Ask for a password; return it, and when it was entered.

        :raises Refused: ``cancelled``.
        """
        try:
            typed, self._now = await self._call.ask(question, secret=True)
        except Refused:
            self._guard(held=0)
            raise
        self._typed.append(typed)
        return typed, self._now

    def failed(self, refused: Refused, *codes: str) -> None:
        """Show why a password was refused, if another may be tried; else raise.

        :param codes: The codes of refusals after which another may be tried.
        :raises Refused: the same, or ``asked-enough``.
        """
        if refused.code not in codes:
            self._guard()
            raise refused
        self._call.session.deliver(refused.as_event())
        self._left -= 1
        if not self._left:
            self._guard()
            raise Refused(
                "asked-enough", "You are asked no more; what you type now is a message again."
            )

    def _guard(self, held: int = 1) -> None:
        before = self._call.session.guard
        tried = (*(before.tried if before is not None else ()), *self._typed)
        until = self._now + WARY_SECONDS
        self._call.session.guard = PasswordGuard(tried, held, until)


async def prove(
    call: Call,
    question: str,
    attempt: Callable[[str, float], Awaitable[_T]],
    given: str = "",
    also: str = "",
) -> _T:
    """Return what ``attempt`` returns for a password and the time when it was entered.

    The user is asked for one up to `PASSWORD_PROMPTS` times.

    :param given: The first password, if it was given with the command.
    :param also: Another one that was given with the command, and must not be posted either.
    :raises Refused: ``cancelled``, ``asked-enough``, and what ``attempt`` raises.
    """
    tries = _Tries(call, given, also)
    while True:
        password, now = await tries.next(question)
        try:
            proved = await attempt(password, now)
        except Refused as refused:
            tries.failed(refused, "wrong-password")
        else:
            call.session.guard = None
            return proved


async def confirm(call: Call, account: Account, given: str = "") -> float:
    """Ask for the current password of an account, if it has one; return the time.

    :param given: The new password, if it was given with the command.
    :raises Refused: as `prove` and `chatd.chat.entry.authentication.Authenticator.authenticate`.
    """
    if not account.has_password:
        return call.now

    async def check(password: str, now: float) -> float:
        nick, session = account.name.shown, call.session
        await call.chat.authentication.authenticate(
            nick, password, session.address, now, session.person, session.way
        )
        return now

    return await prove(call, f"Current password of {account.name}", check, also=given)


async def ask_new(call: Call, nick: str, given: str = "") -> tuple[str, float]:
    """Ask for a new password, twice; return it, and when it was entered.

    :param given: The password, if it was given with the command; it is not asked for again then.
    :raises Refused: ``cancelled``, ``asked-enough``.
    """
    tries = _Tries(call, given)
    while True:
        password, now = await tries.next("New password")
        try:
            check_new(password, nick)
            if password == given:
                return password, now
            again, now = await tries.ask("The same again")
            if prepared(again) != prepared(password):
                raise Refused("bad-password", "Those were two passwords; nothing has changed.")
        except Refused as refused:
            tries.failed(refused, "bad-password")
        else:
            return password, now
