"""Keeping: a store of its own files and threads, as a service of the server."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service


class Keeping(Service):
    """Begins a store with the server; `chatd.transport.farewell.Farewell` ends it.

    ``prepare`` runs before the server becomes a daemon, so that what is wrong is said on the
    terminal (it raises ``SystemExit``); ``begin`` after that, for threads do not outlive a fork.
    """

    def __init__(self, prepare: Callable[[], None], begin: Callable[[], None]) -> None:
        self._prepare = prepare
        self._begin = begin
        self._prepared = False

    def privilegedStartService(self) -> None:
        """See to it that the store can be used."""
        super().privilegedStartService()
        self._prepare_once()

    def _prepare_once(self) -> None:
        if not self._prepared:
            self._prepared = True
            self._prepare()

    def startService(self) -> None:
        """Let the store work; ``twist`` comes here first."""
        super().startService()
        self._prepare_once()
        self._begin()
