"""Reactor thread: the reactor as the main thread of a store (`chatd.store.threads.main_thread`)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger


class DeferredAnswer:
    """`chatd.store.threads.main_thread.Promise` that coroutines can await under Twisted."""

    def __init__(self) -> None:
        self._deferred: Deferred[Any] = Deferred()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._deferred.__await__()

    def resolve(self, value: object) -> None:
        """Resolve it with a value."""
        self._deferred.callback(value)

    def fail(self, error: Exception) -> None:
        """Resolve it with an error."""
        self._deferred.errback(error)


class ReactorThread:
    """`chatd.store.threads.main_thread.MainThread` of a reactor."""

    _log = Logger()

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor

    def call_soon(self, step: Callable[[], None]) -> None:
        """Run a function in the reactor's thread."""
        self._reactor.callFromThread(step)

    def promise(self) -> DeferredAnswer:
        """Return a new promise."""
        return DeferredAnswer()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine; a bug in it is logged."""
        running = Deferred.fromCoroutine(work)
        running.addErrback(lambda failure: self._log.failure("answering failed", failure=failure))
