"""Keeping: a store of its own threads, as a service of the server."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service


class StoreService(Service):
    """Begins a store with the server; `chatd.transport.services.shutdown.Shutdown` ends it.

    Not before: a server may become a daemon and somebody else first, and threads do not outlive a
    fork.
    """

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin

    def startService(self) -> None:
        """Let the store work.

        :raises SystemExit: with a sentence, when it cannot.
        """
        super().startService()
        try:
            self._begin()
        except Exception as why:
            raise SystemExit(f"chatd cannot keep what is said: {why}") from None
