"""Crossing: between the chat's thread and that of the connection, in both directions and in order.

Whoever waits for something in the chat's thread waits for a `chatd.store.threads.main_thread.Promise`.  While more
is on its way to the chat than that can do, nothing is taken in that can be read or asked for later.
What has to come, acknowledgements and answers, has its bound in what may be asked for.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar, cast

from chatd.chat.store import unavailable
from chatd.store.nats.client.connection import AwayError, Loop
from chatd.store.nats.flow import Flow
from chatd.store.nats.jetstream.api import DeclinedError
from chatd.store.threads.main_thread import MainThread, Promise
from chatd.store.threads.steps import do_each, raises

Found = TypeVar("Found")

#: Seconds between the attempts to read something.  An election takes up to 12.
READ_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0, 3.0)
#: Steps for the chat's thread, and their bytes as far as they have many, from which on nothing is
#: taken in: a second of what a busy thread can do.
STEPS = 10_000
STEP_BYTES = 32 * 1024 * 1024
#: Pages that are read at once to catch up, so that what comes beyond the steps is bounded as well.
PASSAGES = 16
#: Questions that may be under way; each costs 2 KB or so, and somebody asks one at a time.
READS = 50_000
#: Seconds until somebody who waits for the chat's thread looks again.
_LOOK_SECONDS = 0.02


class ThreadBridge:
    """A thread with the loop of a connection, and the way there and back."""

    def __init__(self, turn: MainThread) -> None:
        self._turn = turn
        self._calls: deque[Callable[[], object]] = deque()
        self._called = False
        self._steps: list[Callable[[], None]] = []
        self._size = 0
        self._out = Flow(STEPS, STEP_BYTES)
        self._reads = 0
        self._passages = asyncio.Semaphore(PASSAGES)

    def _start(self) -> None:
        self._loop = Loop()
        self._thread = threading.Thread(target=self._loop.run, name="chatd cluster", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._call(self._loop.loop.stop)
        self._thread.join()

    def _call(self, step: Callable[..., object], *values: object) -> None:
        """Run something in the thread of the connection; from that of the chat, in order.

        That thread is woken once for whatever has gathered until it is awake.
        """
        self._calls.append(partial(step, *values))
        if not self._called:
            self._called = True
            self._loop.loop.call_soon_threadsafe(self._do_calls)

    def _do_calls(self) -> None:
        self._called = False  # before the first is taken: who comes from now on wakes us again
        for _ in range(len(self._calls)):
            try:
                self._calls.popleft()()
            except Exception as bug:
                self.tell(partial(raises, bug))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside, in the thread of the connection."""
        self._loop.spawn(self._watched(work))

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except (AwayError, DeclinedError):
            pass  # what it was for is done again in time
        except Exception as bug:
            self.tell(partial(raises, bug))

    def tell(self, step: Callable[[], None], size: int = 0) -> None:
        """Run something in the chat's thread; from that of the connection, in order."""
        self._out.begins(size)
        self._steps.append(step)
        self._size += size
        if len(self._steps) == 1:
            self._loop.loop.call_soon(self._tell_now)

    def _tell_now(self) -> None:
        steps, self._steps = self._steps, []
        size, self._size = self._size, 0
        self._turn.soon(partial(self._do, steps, size))

    def _do(self, steps: list[Callable[[], None]], size: int) -> None:
        """Do what came; in the chat's thread."""
        try:
            do_each(steps)
        finally:
            self._out.ends(len(steps), size)

    @property
    def is_full(self) -> bool:
        """Whether the chat has so much to do that nothing more is to be taken in for it."""
        return self._out.is_full

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Wait until a page may be taken in for the chat; hold it until that is done."""
        async with self._passages:
            while self.is_full:
                await asyncio.sleep(_LOOK_SECONDS)
            yield

    async def _read(
        self,
        work: Callable[..., Awaitable[Found]],
        *values: object,
        pauses: Sequence[float] = READ_PAUSES,
    ) -> Found:
        """Look something up, in the thread of the connection; again after each of the pauses.

        :raises Refused: ``away``, at once while too much else is looked up.
        """
        if self._reads >= READS:
            raise unavailable()
        self._reads += 1
        try:
            return await self._look_up(partial(work, *values), pauses)
        finally:
            self._reads -= 1

    async def _look_up(
        self, work: Callable[[], Awaitable[Found]], pauses: Sequence[float]
    ) -> Found:
        answer = self._turn.answer()
        self._call(self._loop.spawn, self._answer(work, answer, pauses))
        return cast(Found, await answer)

    async def _answer(
        self, work: Callable[[], Awaitable[object]], answer: Promise, pauses: Sequence[float]
    ) -> None:
        """Try for a while; whoever waits is to hear of it when it comes to nothing."""
        for pause in (*pauses, 0.0):
            try:
                found = await work()
            except (AwayError, DeclinedError):
                await asyncio.sleep(pause)
            except Exception as error:
                self.tell(partial(answer.fail, error))
                return
            else:
                self.tell(partial(answer.give, found))
                return
        self.tell(partial(answer.fail, unavailable()))
