"""Read threads of the SQLite store, each with a connection of its own.

Searches have one for themselves: a hard search takes a thousand times as long as what a user who
joins a room is shown of its history, and must not delay it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TypeVar

from chatd.chat.limits import SEARCH_SECONDS, SEARCH_WAIT_SECONDS
from chatd.chat.store import too_many_searches, too_slow
from chatd.store.threads.main_thread import MainThread, Promise
from chatd.store.threads.steps import do_each
from chatd.store.threads.worker import Worker

Result = TypeVar("Result")

#: A query: gets the connection, and returns the result.
Query = Callable[[sqlite3.Connection], Result]

#: Steps of SQLite's virtual machine between two looks at the clock: at most some 3 ms.  While the
#: index of words looks for a phrase, there are a few for each page that it reads.
STEPS = 1000


class ReadThread:
    """A thread that does queries in order, with its own connection."""

    def __init__(self, name: str, main_thread: MainThread) -> None:
        self._main_thread = main_thread
        self._worker: Worker[Callable[[], None]] = Worker(name, do_each)

    def begin(self, database: sqlite3.Connection) -> None:
        """Start the thread; the connection is its own from now on."""
        self._database = database
        self._worker.start()

    def do(self, query: Query[object], promise: Promise) -> None:
        """Queue a query, whose result resolves the promise; callable from any thread."""
        self._worker.do(partial(self._run, query, promise))

    def _run(self, query: Query[object], promise: Promise) -> None:
        try:
            result = self._read(query)
        except Exception as error:  # the caller gets it; the thread continues
            self._main_thread.call_soon(partial(promise.fail, error))
        else:
            self._main_thread.call_soon(partial(promise.resolve, result))

    def _read(self, query: Query[Result]) -> Result:
        """Return the result of a query, all of whose statements read one snapshot."""
        self._database.execute("BEGIN")
        try:
            return query(self._database)
        finally:
            self._database.execute("ROLLBACK")

    def close(self) -> None:
        """Do the pending queries, then end; blocks until they are done."""
        self._worker.end()
        self._worker.join()
        self._database.close()


class SearchThread(ReadThread):
    """A read thread whose queries have a time limit, from when they were queued and of their own.

    ``clock`` returns seconds.  When the store closes, searches are refused: nobody waits for them.
    """

    def __init__(self, main_thread: MainThread, clock: Callable[[], float] = monotonic) -> None:
        super().__init__("chatd searches", main_thread)
        self._clock = clock
        self._closing = False

    def do(self, query: Query[object], promise: Promise) -> None:
        """Queue a search; see `ReadThread.do`.

        :raises Refused: from the promise, ``busy`` or ``too-slow``.
        """
        start_by = self._clock() + SEARCH_WAIT_SECONDS
        super().do(partial(self._search, query, start_by), promise)

    def _search(
        self, query: Query[Result], start_by: float, database: sqlite3.Connection
    ) -> Result:
        began = self._clock()
        if began > start_by:
            raise too_many_searches()
        end_by = began + SEARCH_SECONDS
        database.set_progress_handler(lambda: self._closing or self._clock() > end_by, STEPS)
        try:
            return query(database)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise too_slow() from None
            raise
        finally:
            database.set_progress_handler(None, 0)

    def close(self) -> None:
        """Interrupt the pending searches, then end."""
        self._closing = True
        super().close()
