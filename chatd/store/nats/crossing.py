"""Crossing: between the chat's thread and that of the connection, in both directions and in order.

Whoever waits for something in the chat's thread waits for a `chatd.store.turn.Answer`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from chatd.chat.store import away
from chatd.store.nats.jetstream import DeclinedError
from chatd.store.nats.link import AwayError, Loop
from chatd.store.steps import do_each, raises
from chatd.store.turn import Answer, Turn

Found = TypeVar("Found")

#: Seconds between the attempts to read something.  An election takes up to 12.
READ_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0, 3.0)


class Crossing:
    """A thread with the loop of a connection, and the way there and back."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._steps: list[Callable[[], None]] = []

    def _start(self) -> None:
        self._loop = Loop()
        self._thread = threading.Thread(target=self._loop.run, name="chatd cluster", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        self._call(self._loop.loop.stop)
        self._thread.join()

    def _call(self, step: Callable[..., object], *values: object) -> None:
        """Run something in the thread of the connection."""
        self._loop.loop.call_soon_threadsafe(step, *values)

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

    def tell(self, step: Callable[[], None]) -> None:
        """Run something in the chat's thread; from that of the connection, in order."""
        self._steps.append(step)
        if len(self._steps) == 1:
            self._loop.loop.call_soon(self._tell_now)

    def _tell_now(self) -> None:
        steps, self._steps = self._steps, []
        self._turn.soon(partial(do_each, steps))

    async def _read(
        self,
        work: Callable[..., Awaitable[Found]],
        *values: object,
        pauses: Sequence[float] = READ_PAUSES,
    ) -> Found:
        """Look something up, in the thread of the connection; again after each of the pauses.

        :raises Refused: ``away``.
        """
        answer = self._turn.answer()
        self._call(self._loop.spawn, self._answer(partial(work, *values), answer, pauses))
        return cast(Found, await answer)

    async def _answer(
        self, work: Callable[[], Awaitable[object]], answer: Answer, pauses: Sequence[float]
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
        self.tell(partial(answer.fail, away()))
