"""Passwords: hashed and checked in a separate thread, and by Twisted's checkers.

Deferreds are confined to this module: the chat awaits coroutines (`chatd.chat.entry.passwords`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from twisted.application.service import Service
from twisted.cred.checkers import (
    ANONYMOUS,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from chatd.chat.entry.passwords import NotCheckedError

_T = TypeVar("_T")

#: Parameters of argon2id: OWASP's second recommendation, 19 MiB and two passes in one lane, some
#: 20 ms a password.  RFC 9106's profile for little memory (64 MiB, four lanes) takes five times as
#: long on four processors, which a chat server can use better.
MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1

#: Seconds that a checker has to fire its Deferred.
CHECKER_SECONDS = 30.0


class PasswordThread(Service):
    """Runs functions one at a time in its own thread, so that their memory is needed only once."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, 1, "passwords")

    def startService(self) -> None:
        """Start the thread; no earlier, as a server may become a daemon first."""
        super().startService()
        self._pool.start()

    def stopService(self) -> None:
        """Finish what is queued, and stop the thread."""
        super().stopService()
        self._pool.stop()

    async def run(self, work: Callable[..., _T], *arguments: object) -> _T:
        """Return the result of a function that is run in the thread."""
        return await deferToThreadPool(self._reactor, self._pool, work, *arguments)


class Argon2:
    """`chatd.chat.entry.passwords.PasswordHasher` by argon2id; a hash names its parameters."""

    _log = Logger()

    def __init__(self, thread: PasswordThread) -> None:
        self._thread = thread
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES, type=Type.ID)

    async def hash(self, password: str) -> str:
        """Return the hash of a prepared password."""
        return await self._thread.run(self._hasher.hash, password)

    async def matches(self, password_hash: str, password: str) -> bool:
        """Return whether a hash is that of a prepared password.

        :raises NotCheckedError: if the hash cannot be read.
        """
        try:
            return await self._thread.run(self._hasher.verify, password_hash, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError):
            self._log.failure("a password hash cannot be read")
            raise NotCheckedError from None


class Checkers:
    """`chatd.chat.entry.passwords.PasswordChecker` by an ordered list of ``twisted.cred`` checkers.

    Twisted's own checkers read files and compute, without a reactor: they run in the thread.
    Others, which may wait for a network, run in the reactor's thread, as under Twisted.
    """

    _log = Logger()

    def __init__(
        self, checkers: Sequence[ICredentialsChecker], thread: PasswordThread, clock: IReactorTime
    ) -> None:
        self._checkers = checkers
        self._thread = thread
        self._clock = clock

    async def check(self, nick: str, password: str) -> bool:
        """Return whether a checker accepts this folded nick and password.

        :raises NotCheckedError: if none does, and one failed.
        """
        failed = False
        for checker in self._checkers:
            try:
                if await self._ask(checker, _credentials(checker, nick, password)):
                    return True
            except LoginFailed:
                continue
            except Exception:
                self._log.failure("{checker} failed to check a password", checker=_name(checker))
                failed = True
        if failed:
            raise NotCheckedError
        return False

    async def _ask(self, checker: ICredentialsChecker, credentials: UsernamePassword) -> bool:
        answer: Deferred[Any]
        if type(checker).__module__.startswith("twisted."):
            [answer] = await self._thread.run(lambda: [_asked(checker, credentials)])
        else:
            answer = _asked(checker, credentials)
            answer.addTimeout(CHECKER_SECONDS, self._clock)
        return (await answer) not in (ANONYMOUS, None)


def _asked(checker: ICredentialsChecker, credentials: UsernamePassword) -> Deferred[Any]:
    return maybeDeferred(checker.requestAvatarId, credentials)


def _credentials(checker: ICredentialsChecker, nick: str, password: str) -> UsernamePassword:
    """Return credentials as bytes, which checkers expect; those of ``memory:`` are text."""
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        words: tuple[Any, Any] = nick, password
        return UsernamePassword(*words)
    return UsernamePassword(nick.encode(), password.encode())


def _name(checker: object) -> str:
    return f"{type(checker).__module__}.{type(checker).__qualname__}"
