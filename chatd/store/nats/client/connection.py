"""Connection to NATS: one thread, one asyncio loop, and requests with a timeout.

It knows nats-py, but neither streams nor rooms.  A request may fail while a server is unreachable,
and each has its own timeout; the caller repeats it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from nats import errors

from chatd.store.nats.client.client import CONNECTION_ERRORS, DirectClient, Message, MessageHandler
from chatd.store.nats.client.requests import REQUEST_SECONDS, PendingRequest, PendingRequests
from chatd.store.nats.client.servers import Servers

#: Seconds between two attempts to connect, and between two pings.
RETRY_SECONDS = 0.25
PING_SECONDS = 5
#: Seconds after which a connection attempt is cancelled again.
STOP_SECONDS = 0.1
#: Bytes pending in a connection that takes nothing; a request beyond them fails immediately.
MAX_PENDING_BYTES = 8 * 1024 * 1024
#: The status with which the server itself answers a request without a subscriber.
_NO_RESPONDERS = "503"


class UnavailableError(Exception):
    """The cluster does not answer at present; the argument is a reason, for operators."""


class NoRespondersError(UnavailableError):
    """The subject of a request has no subscriber."""


class Connection:
    """A connection, used only in the thread of its loop.

    ``display_name`` is the operators' name for this server, and ``subject_token`` stands for it in
    subjects.  ``on_reconnect`` is called whenever a lost connection is restored: messages may have
    been missed.  A message is handled as soon as it is read; none is queued.
    """

    def __init__(
        self,
        servers: Servers,
        display_name: str,
        subject_token: str,
        on_reconnect: Callable[[], None],
    ) -> None:
        self._servers = servers
        self._name = f"chatd {display_name}".rstrip()
        self._subject_token = subject_token
        self._on_reconnect = on_reconnect
        self._client = DirectClient()
        self.last_error = "no server of the cluster answers"
        self._was_refused = False

    async def connect(self, seconds: float) -> None:
        """Connect, and stay connected.

        :raises UnavailableError: when that takes longer than ``seconds``.
        """
        servers = self._servers
        options: dict[str, Any] = {
            "user": servers.user,
            "password": servers.password,
            "tls": servers.tls,
            **self._credentials(),
        }
        try:
            connecting = self._client.connect(
                list(servers.servers),
                name=self._name,
                inbox_prefix=f"_INBOX.{self._subject_token}",
                no_echo=True,
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=RETRY_SECONDS,  # type: ignore[arg-type] # it only sleeps for that
                ping_interval=PING_SECONDS,
                pending_size=MAX_PENDING_BYTES,
                skip_subject_validation=True,  # all subjects belong to this server
                error_cb=self._on_error,
                reconnected_cb=self._reconnected,
                **{name: value for name, value in options.items() if value is not None},
            )
            await connect_within(connecting, seconds)
        except CONNECTION_ERRORS:
            with suppress(*CONNECTION_ERRORS):
                await self._client.close()
            raise UnavailableError(self.last_error) from None
        self.last_error = ""
        self._requests = PendingRequests(self._client.new_inbox())
        await self._client.subscribe_direct(self._requests.subject, self._requests.receive)

    def _credentials(self) -> dict[str, Any]:
        """Return the options that sign each connection, without nats-py's extra library."""
        creds = self._servers.creds
        if creds is None:
            return {}
        signing = {"user": creds.user, "signature_cb": creds.sign}  # nats-py signs only with a user
        if creds.has_token:
            return {**signing, "user_jwt_cb": creds.token}
        self._client._public_nkey = creds.user
        return signing

    async def _on_error(self, error: Exception) -> None:
        """Remember the last error; the requests that it fails report it themselves.

        A server that refuses a connection sends the reason and then disconnects: the first error
        counts.
        """
        if not isinstance(error, OSError | errors.UnexpectedEOF) or not self._was_refused:
            self.last_error = str(error) or type(error).__name__
        self._was_refused = self._was_refused or isinstance(error, errors.Error)

    async def _reconnected(self) -> None:
        self._on_reconnect()

    @property
    def is_up(self) -> bool:
        """Whether there is a connection now."""
        return self._client.is_connected

    @property
    def server_info(self) -> Mapping[str, Any]:
        """The INFO of the server."""
        info: Mapping[str, Any] = self._client._server_info
        return info

    async def request(
        self, subject: str, data: bytes = b"", headers: dict[str, str] | None = None
    ) -> Message:
        """Send a request, and return the response.

        :raises UnavailableError: when there is none in time; `NoRespondersError` immediately if
        there is no subscriber.
        """
        await self._wait_for_reconnect()
        return await self.response(await self.send_request(subject, data, headers))

    async def request_many(self, subject: str, data: bytes) -> tuple[list[Message], Message]:
        """Send a request for several messages; return them, and the last response with its status.

        :raises UnavailableError: when they do not arrive in time.
        """
        await self._wait_for_reconnect()
        pending = await self.send_request(subject, data, several=True)
        end = await self._finish(pending)
        return pending.parts or [], end

    async def _wait_for_reconnect(self) -> None:
        """Give a lost connection a moment to recover, so that repeated requests do not spin."""
        if not self._client.is_connected:
            await asyncio.sleep(RETRY_SECONDS)

    async def send_request(
        self,
        subject: str,
        data: bytes,
        headers: dict[str, str] | None = None,
        *,
        several: bool = False,
    ) -> PendingRequest:
        """Send a request, and return immediately; pass each to `response`, or it is never closed.

        :raises UnavailableError: when there is no connection.
        """
        if not self._client.is_connected:  # nats-py would send it later, after it has timed out
            raise UnavailableError("no server of the cluster is there")
        pending = self._requests.open(several=several)
        try:
            await self._client.publish(subject, data, reply=pending.reply, headers=headers)
        except CONNECTION_ERRORS as error:
            self._requests.close(pending)
            raise UnavailableError(str(error) or type(error).__name__) from None
        return pending

    async def response(self, pending: PendingRequest) -> Message:
        """Wait for the response to a request.

        :raises UnavailableError: when there is none in time; `NoRespondersError` immediately if
        there is no subscriber.
        """
        message = await self._finish(pending)
        if message.status == _NO_RESPONDERS:
            raise NoRespondersError("nobody answers")
        return message

    async def _finish(self, pending: PendingRequest) -> Message:
        try:
            message = await pending.response
        finally:
            self._requests.close(pending)
        if message is None:
            raise UnavailableError("nobody answered in time")
        return message

    async def publish(self, subject: str, data: bytes) -> None:
        """Publish a message to all subscribers; dropped while there is no connection."""
        if self._client.is_connected:
            with suppress(*CONNECTION_ERRORS):
                await self._client.publish(subject, data)

    async def subscribe(
        self, subject: str, handler: MessageHandler
    ) -> Callable[[], Awaitable[None]]:
        """Call a function for each message under a subject; return a function that unsubscribes."""
        return await self._client.subscribe_direct(subject, handler)

    async def flush(self) -> None:
        """Wait for a PONG: everything that the server sent before it has then been handled."""
        with suppress(*CONNECTION_ERRORS):
            await self._client.flush(int(REQUEST_SECONDS))

    async def close(self) -> None:
        """Send what is pending, and close."""
        with suppress(*CONNECTION_ERRORS):
            await self._client.flush(1)
        with suppress(*CONNECTION_ERRORS):
            await self._client.close()


async def connect_within(connecting: Coroutine[Any, Any, None], seconds: float) -> None:
    """Wait for a connection attempt for a limited number of seconds.

    nats-py may swallow a cancellation and keep trying: it is cancelled repeatedly until it ends.

    :raises TimeoutError: when it takes longer.
    """
    task = asyncio.ensure_future(connecting)
    try:
        await asyncio.wait({task}, timeout=seconds)
        is_done = task.done()
    finally:
        while not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=STOP_SECONDS)
    if not is_done:
        raise TimeoutError
    task.result()


class Loop:
    """An asyncio loop for its own thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine as a task; in the thread of the loop."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def run(self) -> None:
        """Run until the loop is stopped, and cancel the tasks that are left."""
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
