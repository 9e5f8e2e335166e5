"""The connection to NATS: one thread, one asyncio loop, requests that end.

It knows nats-py, and that a request may come to nothing while a server is away: every one has an
end of its own, and whoever asks asks again.  It must not know streams or rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from nats import errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from chatd.store.nats.where import Where

#: Seconds until a request counts as unanswered.
ANSWER_SECONDS = 3.0
#: Seconds between two attempts to reach a server, and between two signs of life.
RETRY_SECONDS = 0.25
PING_SECONDS = 5
#: Bytes that wait for a connection that takes nothing; a request beyond them fails at once.
PENDING_BYTES = 8 * 1024 * 1024
#: Messages, and bytes, that were read for one subscription and not looked at yet.  They are looked
#: at without waiting, so that there are no more than came in one piece; this is beyond that.
UNREAD = (4096, 8 * 1024 * 1024)
#: The same of pages, several of which may come in one piece.
_UNREAD_PAGES = (16_384, 64 * 1024 * 1024)
#: Seconds after which something is looked for that was dropped because of that.
MISSED_SECONDS = 0.1
#: What nats-py raises when a server is away or says nothing.
_AWAY = (errors.Error, OSError, asyncio.TimeoutError)
_NOTHING: Mapping[str, str] = {}


class AwayError(Exception):
    """The cluster does not answer now; the argument is a reason, for whoever runs it."""


class NobodyError(AwayError):
    """Nobody listens where something was asked."""


@dataclass(frozen=True, slots=True)
class Message:
    """What came: the headers' names are as NATS writes them."""

    subject: str
    data: bytes
    headers: Mapping[str, str]
    reply: str = ""

    @property
    def seq(self) -> int:
        """Its place in its stream."""
        return int(self.headers.get("Nats-Sequence", 0))

    @property
    def status(self) -> str:
        """The code of an answer that is none: ``404``, say; empty for others."""
        return self.headers.get("Status", "")


Hear = Callable[[Message], None]


class Link:
    """A connection, used in the thread of its loop alone.

    ``on_return`` is called whenever something may not have been heard: a connection was lost and is
    there again, or too much came at once.
    """

    def __init__(self, where: Where, name: str, on_return: Callable[[], None]) -> None:
        self._where = where
        self._name = name
        self._on_return = on_return
        self._client = Client()
        self.trouble = "no server of the cluster answers"
        self._declined = False
        self._batches: dict[str, tuple[list[Message], asyncio.Future[Message]]] = {}
        self._inbox = ""
        self._asked = 0
        self._missed = False

    async def connect(self, seconds: float) -> None:
        """Connect, and stay connected.

        :raises AwayError: when that cannot be in so many seconds.
        """
        where = self._where
        options: dict[str, Any] = {
            "user": where.user,
            "password": where.password,
            "tls": where.tls,
            **self._credentials(),
        }
        try:
            connecting = self._client.connect(
                list(where.servers),
                name=self._name,
                no_echo=True,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RETRY_SECONDS,  # type: ignore[arg-type] # it only sleeps so long
                ping_interval=PING_SECONDS,
                pending_size=PENDING_BYTES,
                error_cb=self._failed,
                reconnected_cb=self._returned,
                **{name: value for name, value in options.items() if value is not None},
            )
            await asyncio.wait_for(connecting, seconds)
        except _AWAY:
            raise AwayError(self.trouble) from None
        self._inbox = self._client.new_inbox()
        await self._subscribe(f"{self._inbox}.*", self._part_of_batch, _UNREAD_PAGES)

    def _credentials(self) -> dict[str, Any]:
        """What signs for every connection: nats-py itself needs a library for that."""
        creds = self._where.creds
        if creds is None:
            return {}
        signing = {"user": creds.user, "signature_cb": creds.sign}  # not asked without a user
        if creds.has_token:
            return {**signing, "user_jwt_cb": creds.token}
        self._client._public_nkey = creds.user
        return signing

    async def _failed(self, error: Exception) -> None:
        """What goes wrong is seen where somebody waits for an answer; the last is remembered.

        A server that turns us away says why, and then hangs up: the first of the two counts.
        """
        if isinstance(error, errors.SlowConsumerError):
            self._misses(error)
            return
        if not isinstance(error, OSError | errors.UnexpectedEOF) or not self._declined:
            self.trouble = str(error) or type(error).__name__
        self._declined = self._declined or isinstance(error, errors.Error)

    def _misses(self, dropped: errors.SlowConsumerError) -> None:
        """Something was dropped, as too much came at once."""
        if (batch := self._batches.get(dropped.subject)) is not None:
            if not batch[1].done():
                batch[1].set_exception(dropped)
        elif not self._missed:
            self._missed = True
            asyncio.get_running_loop().call_later(MISSED_SECONDS, self._look_for_missed)

    def _look_for_missed(self) -> None:
        self._missed = False
        self._on_return()

    async def _returned(self) -> None:
        self._on_return()

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        return self._client.is_connected

    @property
    def server(self) -> Mapping[str, Any]:
        """What the server said of itself."""
        info: Mapping[str, Any] = self._client._server_info
        return info

    async def ask(
        self,
        subject: str,
        data: bytes = b"",
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Message:
        """Ask, and return the answer.

        :raises AwayError: when there is none in time; `NobodyError` at once when nobody listens.
        """
        if not self._client.is_connected:  # it would be sent later, when nobody waits for it
            await asyncio.sleep(RETRY_SECONDS)
            raise AwayError("no server of the cluster is there")
        try:
            return _message(await self._client.request(subject, data, seconds, headers=headers))
        except errors.NoRespondersError as why:
            raise NobodyError(str(why)) from None
        except _AWAY as why:
            raise AwayError(str(why) or type(why).__name__) from None

    async def ask_for_many(self, subject: str, data: bytes) -> tuple[list[Message], Message]:
        """Ask for several messages; return them and what came last, which has a status.

        :raises AwayError: when they do not come in time.
        """
        if not self._client.is_connected:
            await asyncio.sleep(RETRY_SECONDS)
            raise AwayError("no server of the cluster is there")
        self._asked += 1
        reply = f"{self._inbox}.{self._asked}"
        end: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        messages: list[Message] = []
        self._batches[reply] = (messages, end)
        try:
            await self._client.publish(subject, data, reply=reply)
            return messages, await asyncio.wait_for(end, ANSWER_SECONDS)
        except _AWAY as why:
            raise AwayError(str(why) or type(why).__name__) from None
        finally:
            del self._batches[reply]

    async def _part_of_batch(self, came: Msg) -> None:
        batch = self._batches.get(came.subject)
        if batch is None:
            return
        messages, end = batch
        message = _message(came)
        if not message.status:
            stored_under = message.headers.get("Nats-Subject", message.subject)
            messages.append(replace(message, subject=stored_under))
        elif not end.done():
            end.set_result(message)

    async def tell(self, subject: str, data: bytes) -> None:
        """Tell whoever listens, if anybody does; nothing is told while nothing is connected."""
        if self._client.is_connected:
            with suppress(*_AWAY):
                await self._client.publish(subject, data)

    async def hear(self, subject: str, hear: Hear) -> Callable[[], Awaitable[None]]:
        """Hear what is told under a subject from now on; return what ends that."""

        async def came(message: Msg) -> None:
            hear(_message(message))

        subscription = await self._subscribe(subject, came, UNREAD)

        async def end() -> None:
            with suppress(*_AWAY):
                await subscription.unsubscribe()

        return end

    async def _subscribe(
        self, subject: str, came: Callable[[Msg], Awaitable[None]], unread: tuple[int, int]
    ) -> Subscription:
        messages, size = unread
        return await self._client.subscribe(
            subject, cb=came, pending_msgs_limit=messages, pending_bytes_limit=size
        )

    async def round_trip(self) -> None:
        """Wait until everything has come that the server had sent us up to now."""
        with suppress(*_AWAY):
            await self._client.flush(int(ANSWER_SECONDS))

    async def close(self) -> None:
        """Send what waits, and end."""
        with suppress(*_AWAY):
            await self._client.flush(1)
        with suppress(*_AWAY):
            await self._client.close()


def _message(came: Msg) -> Message:
    return Message(came.subject, came.data, came.headers or _NOTHING, came.reply)


class Loop:
    """A thread with an asyncio loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something go on beside; in the thread of the loop."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def run(self) -> None:
        """Run until the loop is stopped; what is under way then is given up."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self._give_up())
            self.loop.close()

    async def _give_up(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
