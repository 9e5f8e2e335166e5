"""Passwords: argon2 in a thread of its own, and Twisted's checkers."""

import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import ANONYMOUS, FilePasswordDB, ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from chatd.chat.entry.passwords import NotCheckedError
from chatd.transport.services.passwords import CHECKER_SECONDS, Argon2, Checkers, PasswordThread
from tests.conftest import LoggedFailures


class Turns:
    """The part of a reactor that threads need: their results are pending until it runs."""

    def __init__(self) -> None:
        self._came = threading.Semaphore(0)
        self._calls: list[Callable[[], None]] = []

    def callFromThread(self, call: Callable[..., None], *words: object) -> None:  # noqa: N802
        self._calls.append(lambda: call(*words))
        self._came.release()

    def finishes(self, work: Coroutine[Any, Any, Any], steps: int = 1) -> Any:
        """Wait for this many results of the thread."""
        results: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(results.append)
        for _ in range(steps):
            assert self._came.acquire(timeout=60)
            self._calls.pop(0)()
        [result] = results
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def thread(turns: Turns) -> Iterator[PasswordThread]:
    thread = PasswordThread(turns)
    thread.startService()
    yield thread
    thread.stopService()


def test_a_hash_tells_whether_a_password_is_the_same(turns: Turns, thread: PasswordThread) -> None:
    argon2 = Argon2(thread)
    kept = turns.finishes(argon2.hash("correct horse"))
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert kept != turns.finishes(argon2.hash("correct horse")), "it is salted"
    assert turns.finishes(argon2.matches(kept, "correct horse")) is True
    assert turns.finishes(argon2.matches(kept, "correct house")) is False


def test_a_hash_with_other_parameters_is_checked_with_them(
    turns: Turns, thread: PasswordThread
) -> None:
    kept = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$hZzzcPS5Aq+cg0lURSXvGw"
    assert turns.finishes(Argon2(thread).matches(kept, "nothing")) is False


@pytest.mark.parametrize("kept", ["", "nonsense", "$argon2id$v=19$m=8"])
def test_an_unreadable_hash_is_logged_and_is_no_wrong_password(
    kept: str, turns: Turns, thread: PasswordThread, logged_failures: LoggedFailures
) -> None:
    with pytest.raises(NotCheckedError):
        turns.finishes(Argon2(thread).matches(kept, "correct horse"))
    assert len(logged_failures.flush()) == 1


def test_passwords_are_hashed_one_at_a_time(turns: Turns, thread: PasswordThread) -> None:
    busy = threading.Lock()
    met: list[bool] = []

    def work() -> None:
        met.append(busy.acquire(blocking=False))
        threading.Event().wait(0.01)
        busy.release()

    for _ in range(5):
        Deferred.fromCoroutine(thread.run(work))
    turns.finishes(thread.run(lambda: None), steps=6)
    assert met == [True] * 5


# Checkers -----------------------------------------------------------------------------------------


@implementer(ICredentialsChecker)
class Asked:
    """A third-party checker, which gives one answer."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, answer: Callable[[], Any]) -> None:
        self._answer = answer
        self.asked: list[tuple[bytes, bytes]] = []

    def requestAvatarId(self, credentials: Any) -> Any:
        self.asked.append((credentials.username, credentials.password))
        return self._answer()


def raises(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


@pytest.fixture
def check(turns: Turns, thread: PasswordThread) -> Callable[..., Any]:
    def check(*checkers: Any, password: str = "sécret", steps: int = 0) -> Any:
        every = Checkers(checkers, thread, Clock())
        return turns.finishes(every.check("ada", password), steps)

    return check


def test_a_password_file_is_checked(tmp_path: Path, check: Callable[..., Any]) -> None:
    file = tmp_path / "users"
    file.write_text("bob:x\nada:sécret\n")
    checker = FilePasswordDB(str(file))
    assert check(checker, steps=1) is True
    assert check(checker, password="x", steps=1) is False
    file.write_text("")
    assert check(checker, steps=1) is False


def test_twisteds_memory_checker_is_checked(check: Callable[..., Any]) -> None:
    checker = makeChecker("memory:ada:sécret")
    assert check(checker, steps=1) is True
    assert check(checker, password="x", steps=1) is False


@pytest.mark.parametrize(
    ("answer", "proved"),
    [
        (lambda: b"ada", True),
        (lambda: succeed("uid=ada,dc=example"), True),
        (lambda: succeed(ANONYMOUS), False),
        (lambda: None, False),
        (lambda: fail(UnauthorizedLogin()), False),
        (raises(UnauthorizedLogin()), False),
    ],
    ids=["a name", "one later", "nobody in particular", "nothing", "no, later", "no"],
)
def test_checkers_may_answer_anything(
    answer: Callable[[], Any], proved: bool, check: Callable[..., Any]
) -> None:
    checker = Asked(answer)
    assert check(checker) is proved
    assert checker.asked == [(b"ada", "sécret".encode())]


def test_one_checker_that_knows_the_user_is_enough(
    check: Callable[..., Any], logged_failures: LoggedFailures
) -> None:
    ill, no, yes = Asked(raises(OSError())), Asked(lambda: None), Asked(lambda: b"ada")
    assert check(ill, no, yes, ill) is True
    assert len(ill.asked) == 1
    assert len(logged_failures.flush(OSError)) == 1


@pytest.mark.parametrize(
    "answer", [raises(OSError("ldap")), lambda: fail(OSError("ldap"))], ids=["at once", "later"]
)
def test_a_checker_that_fails_is_logged_and_decides_nothing(
    answer: Callable[[], Any], check: Callable[..., Any], logged_failures: LoggedFailures
) -> None:
    with pytest.raises(NotCheckedError):
        check(Asked(answer), Asked(lambda: None))
    [failure] = logged_failures.flush(OSError)
    assert "cret" not in failure.getTraceback(detail="verbose")


def test_a_checker_that_never_answers_is_given_up(
    thread: PasswordThread, logged_failures: LoggedFailures
) -> None:
    clock = Clock()
    results: list[Any] = []
    checking = Checkers([Asked(Deferred)], thread, clock).check("ada", "secret")
    Deferred.fromCoroutine(checking).addBoth(results.append)
    clock.advance(CHECKER_SECONDS - 1)
    assert results == []
    clock.advance(1)
    assert results[0].type is NotCheckedError
    assert len(logged_failures.flush()) == 1
