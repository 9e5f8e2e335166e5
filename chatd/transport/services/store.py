"""Store service: starts a store, which may have its own threads, with the server."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service


class StoreService(Service):
    """Starts a store with the server; `chatd.transport.services.shutdown.Shutdown` closes it.

    It is not started earlier: a server may first become a daemon and change its user, and threads
    do not survive a fork.
    """

    def __init__(self, start: Callable[[], None]) -> None:
        self._start = start

    def startService(self) -> None:
        """Start the store.

        :raises SystemExit: with a sentence, if it cannot be started.
        """
        super().startService()
        try:
            self._start()
        except Exception as why:
            raise SystemExit(f"chatd cannot keep what is said: {why}") from None
