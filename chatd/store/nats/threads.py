"""Thread bridge: calls between the main thread and the connection's thread, both ways, in order.

The main thread awaits a `chatd.store.threads.main_thread.Promise`.  While the main thread is
behind, nothing is accepted that can be read or requested later.  Acknowledgements and answers are
always accepted; they are bounded by the number of requests.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

from chatd.chat.store import unavailable
from chatd.store.nats.client.connection import Loop, UnavailableError
from chatd.store.nats.flow import Flow
from chatd.store.nats.jetstream.api import JetStreamError
from chatd.store.threads.main_thread import MainThread, Promise
from chatd.store.threads.steps import do_each, raises

Result = TypeVar("Result")

#: Seconds between the attempts of a query.  An election takes up to 12 s.
RETRY_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0, 3.0)
#: The most steps pending for the main thread, and bytes of the large ones, beyond which nothing is
#: accepted: as much as a busy thread can do in a second.
MAX_STEPS = 10_000
MAX_STEP_BYTES = 32 * 1024 * 1024
#: Pages that are read simultaneously to catch up, so that what exceeds the steps is bounded as
#: well.
CONCURRENT_PAGES = 16
#: Queries in progress; each takes about 2 KB, and a client makes one at a time.
MAX_QUERIES = 50_000
#: Seconds after which a page that waits for the main thread checks again.
_POLL_SECONDS = 0.02


class ThreadBridge:
    """The connection's thread with its event loop, and the calls to and from it."""

    def __init__(self, main_thread: MainThread) -> None:
        self.main_thread = main_thread
        self._calls: deque[Callable[[], object]] = deque()
        self._wake_pending = False
        self._stopped = False
        self._steps: list[Callable[[], None]] = []
        self._step_bytes = 0
        self._to_main = Flow(MAX_STEPS, MAX_STEP_BYTES)
        self._queries = 0
        self._page_slots = asyncio.Semaphore(CONCURRENT_PAGES)

    # From the main thread -------------------------------------------------------------------------

    def start(self) -> None:
        """Start the connection's thread."""
        self._loop = Loop()
        self._thread = threading.Thread(target=self._loop.run, name="chatd cluster", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop the connection's thread, and wait until it has ended.

        What is asked of it from now on is not done, and never answered.
        """
        self.call(self._loop.loop.stop)
        self._stopped = True
        self._thread.join()

    @property
    def is_running(self) -> bool:
        """Whether the connection's thread runs."""
        return self._thread.is_alive()

    def submit(self, work: Coroutine[Any, Any, Result]) -> concurrent.futures.Future[Result]:
        """Run a coroutine in the connection's thread, for a caller that blocks until it is done."""
        return asyncio.run_coroutine_threadsafe(work, self._loop.loop)

    def call(self, step: Callable[..., object], *args: object) -> None:
        """Run a step in the connection's thread; steps run in the order of the calls.

        That thread is woken once for all calls gathered until it is awake: a wake-up is a write to
        a pipe, which costs more than most calls do.
        """
        self._calls.append(partial(step, *args))
        if not (self._wake_pending or self._stopped):
            self._wake_pending = True
            self._loop.loop.call_soon_threadsafe(self._run_calls)

    async def query(
        self,
        work: Callable[..., Awaitable[Result]],
        *args: object,
        pauses: Sequence[float] = RETRY_PAUSES,
    ) -> Result:
        """Return the result of a coroutine function that is run in the connection's thread.

        It is retried after each of the ``pauses`` (seconds) while the cluster does not answer.

        :raises Refused: ``away`` in the end, or immediately while `MAX_QUERIES` others are in
        progress.
        """
        if self._queries >= MAX_QUERIES:
            raise unavailable()
        self._queries += 1
        try:
            return await self.run(partial(work, *args), pauses)
        finally:
            self._queries -= 1

    async def run(self, work: Callable[[], Awaitable[Result]], pauses: Sequence[float]) -> Result:
        """Run a query as `query` does, however many are in progress."""
        promise = self.main_thread.promise()
        self.call(self._loop.spawn, self._answer(work, promise, pauses))
        return cast(Result, await promise)

    # From the connection's thread -----------------------------------------------------------------

    def _run_calls(self) -> None:
        self._wake_pending = False  # before the first is taken: a later call wakes the thread again
        for _ in range(len(self._calls)):
            try:
                self._calls.popleft()()
            except Exception as bug:
                self.call_main(partial(raises, bug))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task; a bug in it is raised in the main thread."""
        self._loop.spawn(self._watch(work))

    async def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (UnavailableError, JetStreamError):
            pass  # its caller repeats it in time
        except Exception as bug:
            self.call_main(partial(raises, bug))

    def call_main(self, step: Callable[[], None], size: int = 0) -> None:
        """Run a step in the main thread; steps run in the order of the calls.

        ``size`` is the number of bytes that the step holds, if they are many.
        """
        self._to_main.add(size)
        self._steps.append(step)
        self._step_bytes += size
        if len(self._steps) == 1:  # all steps of this iteration of the loop are sent together
            self._loop.loop.call_soon(self._send_steps)

    def _send_steps(self) -> None:
        steps, self._steps = self._steps, []
        size, self._step_bytes = self._step_bytes, 0
        self.main_thread.call_soon(partial(self._run_steps, steps, size))

    def _run_steps(self, steps: list[Callable[[], None]], size: int) -> None:
        """Run steps, in the main thread."""
        try:
            do_each(steps)
        finally:
            self._to_main.remove(len(steps), size)

    @property
    def pending_steps(self) -> int:
        """The number of steps that wait for the main thread."""
        return self._to_main.count

    @property
    def is_full(self) -> bool:
        """Whether the main thread is so far behind that no more may be accepted for it."""
        return self._to_main.is_full

    @asynccontextmanager
    async def page_slot(self) -> AsyncIterator[None]:
        """Hold a slot for a page, from when the main thread can accept it until it is done."""
        async with self._page_slots:
            while self.is_full:
                await asyncio.sleep(_POLL_SECONDS)
            yield

    async def _answer(
        self, work: Callable[[], Awaitable[object]], promise: Promise, pauses: Sequence[float]
    ) -> None:
        """Run a query; in every case the promise is resolved or fails."""
        for pause in (*pauses, 0.0):
            try:
                result = await work()
            except (UnavailableError, JetStreamError):
                await asyncio.sleep(pause)
            except Exception as error:
                self.call_main(partial(promise.fail, error))
                return
            else:
                self.call_main(partial(promise.resolve, result))
                return
        self.call_main(partial(promise.fail, unavailable()))
