"""JetStream's API: streams, their messages, and the errors of both.

Every method is one request (`chatd.store.nats.client.connection`), or a page of responses.  Pages
are read with direct gets, which any replica answers; it may be behind the leader, so a caller that
knows what must exist asks again.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chatd.store.nats.client.client import Message, read_headers
from chatd.store.nats.client.connection import Connection, UnavailableError

Result = TypeVar("Result")

#: Messages, and bytes, of one page.
PAGE_MESSAGES = 500
_PAGE_BYTES = 4 * 1024 * 1024
#: Error codes: another last sequence number than expected; no such message; no such stream; a
#: stream of this name with another configuration.
_WRONG_SEQUENCE = (10071, 10164)
_NO_MESSAGE, _NO_STREAM, _STREAM_EXISTS = 10037, 10059, 10058
#: Error codes of a deletion whose message is gone.
_MESSAGE_GONE = (10043, 10057)
#: Error codes of temporary states: without a leader, without room, while the servers of a new
#: cluster have not found each other, or while a message of the same id is being stored (10158,
#: "duplicate message id is in process": a retry has overtaken the first attempt's replication, and
#: would be acknowledged as a duplicate a moment later).
_TRANSIENT = (10005, 10008, 10023, 10039, 10074, 10077, 10158)
#: The error code of a message that is too large for the stream.
TOO_LARGE = 10054
#: Seconds after which a request is repeated.
_RETRY_SECONDS = 0.1


class JetStreamError(Exception):
    """JetStream refuses a request; ``code`` is its error code."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class WrongSequenceError(JetStreamError):
    """Compare-and-set has failed: another server has published to the subject since."""


@dataclass(frozen=True, slots=True)
class PubAck:
    """The acknowledgement of a message; ``duplicate`` if its id was stored before."""

    seq: int
    duplicate: bool


class JetStream:
    """The streams of a cluster, over one connection.

    ``ack_count`` is the number of messages that they have stored, ``last_error`` the reason of
    their last refusal, in the words of NATS.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.ack_count = 0
        self.last_error = ""

    async def publish(
        self,
        subject: str,
        data: bytes,
        *,
        message_id: str = "",
        expected: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> PubAck:
        """Publish a message to the stream of its subject.

        With ``expected``, the last message of the subject must have this sequence number (0: none).

        :raises WrongSequenceError: when it has another.
        :raises JetStreamError: when the message is refused for another reason.
        :raises UnavailableError: when there is no answer; the message may or may not be stored.
        """
        all_headers = dict(headers or {})
        if message_id:
            all_headers["Nats-Msg-Id"] = message_id
        if expected is not None:
            all_headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        return self.acknowledge(await self.connection.request(subject, data, all_headers or None))

    def acknowledge(self, response: Message) -> PubAck:
        """Return the acknowledgement in a response.

        :raises JetStreamError: when the message was refused; `WrongSequenceError` is one.
        :raises UnavailableError: when it may be stored if it is published again.
        """
        try:
            ack = read_ack(response)
        except WrongSequenceError:
            raise
        except (UnavailableError, JetStreamError) as error:
            self.last_error = str(error)
            raise
        self.ack_count += 1
        return ack

    async def last(self, stream: str, subject: str) -> Message | None:
        """Return the last message of a subject, as the leader has it."""
        return await self._from_leader(stream, {"last_by_subj": subject})

    async def get(self, stream: str, seq: int) -> Message | None:
        """Return one message, as the leader has it."""
        return await self._from_leader(stream, {"seq": seq})

    async def _from_leader(self, stream: str, criterion: dict[str, object]) -> Message | None:
        try:
            response = await self.request(f"STREAM.MSG.GET.{stream}", criterion)
        except JetStreamError as error:
            if error.code == _NO_MESSAGE:
                return None
            raise
        found = response["message"]
        headers = read_headers(base64.b64decode(found.get("hdrs", "")))
        headers["Nats-Sequence"] = str(found["seq"])
        return Message(found["subject"], base64.b64decode(found.get("data", "")), headers)

    async def page(
        self, stream: str, subject: str, seq: int, count: int = PAGE_MESSAGES
    ) -> tuple[list[Message], int]:
        """Return the first messages of a subject from a sequence number on, and how many follow.

        Fewer than ``count`` may be returned although more follow.
        """
        return await self._page(stream, subject, {"seq": max(1, seq)}, count)

    async def first(self, stream: str, subject: str, when: str) -> Message | None:
        """Return the first message of a subject that was stored at a time (RFC 3339) or later."""
        messages, _ = await self._page(stream, subject, {"start_time": when}, 1)
        return messages[0] if messages else None

    async def _page(
        self, stream: str, subject: str, start: Mapping[str, object], count: int
    ) -> tuple[list[Message], int]:
        body = {**start, "next_by_subj": subject, "batch": count, "max_bytes": _PAGE_BYTES}
        messages, end = await self.connection.request_many(
            f"$JS.API.DIRECT.GET.{stream}", json.dumps(body).encode()
        )
        if end.status == "404":
            return [], 0
        if end.status != "204":
            raise UnavailableError(end.headers.get("Description", end.status))
        return messages, max(0, int(messages[-1].headers.get("Nats-Num-Pending", 0)))

    async def purge(self, stream: str, subject: str, *, below: int | None = None) -> None:
        """Delete the messages of a subject, or those ``below`` a sequence number."""
        criterion: dict[str, object] = {"filter": subject}
        if below is not None:
            criterion["seq"] = below
        await self.request(f"STREAM.PURGE.{stream}", criterion)

    async def delete(self, stream: str, seq: int) -> None:
        """Delete one message; it may already be gone."""
        try:
            await self.request(f"STREAM.MSG.DELETE.{stream}", {"seq": seq, "no_erase": False})
        except JetStreamError as error:
            if error.code not in (_NO_MESSAGE, *_MESSAGE_GONE):
                raise

    async def create(self, config: Mapping[str, object]) -> None:
        """Create a stream unless one of this name exists."""
        try:
            await self.request(f"STREAM.CREATE.{config['name']}", config)
        except JetStreamError as error:
            if error.code != _STREAM_EXISTS:
                raise

    async def info(self, stream: str, **body: object) -> dict[str, Any] | None:
        """Return the info of a stream; None if it does not exist."""
        try:
            return await self.request(f"STREAM.INFO.{stream}", body)
        except JetStreamError as error:
            if error.code == _NO_STREAM:
                return None
            raise

    async def last_sequence(self, stream: str) -> int:
        """Return the sequence number of the last message that a stream has ever stored."""
        info = await self.info(stream)
        return int(info["state"]["last_seq"]) if info is not None else 0

    async def request(self, what: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Send a request to JetStream's API; return its response.

        :raises JetStreamError: when it is refused.
        :raises UnavailableError: when there is no answer.
        """
        return _read_response(
            await self.connection.request(f"$JS.API.{what}", json.dumps(body).encode())
        )


async def retrying(send: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat a request until it is answered; a caller that must not wait for ever sets a timeout.

    :raises WrongSequenceError: as the request.
    """
    while True:
        try:
            return await send()
        except WrongSequenceError:
            raise
        except (UnavailableError, JetStreamError):
            # Many requests are refused for a while when servers join and leave.
            await asyncio.sleep(_RETRY_SECONDS)


def read_ack(message: Message) -> PubAck:
    """Parse an acknowledgement.

    :raises JetStreamError: when the message was refused.
    :raises UnavailableError: when it may be stored if it is published again.
    """
    response = _read_response(message)
    return PubAck(int(response["seq"]), bool(response.get("duplicate")))


def _read_response(message: Message) -> dict[str, Any]:
    response: dict[str, Any] = json.loads(message.data)
    error = response.get("error")
    if error is None:
        return response
    code, description = error.get("err_code", 0), error.get("description", "")
    if code in _TRANSIENT or error.get("code") == 503:
        raise UnavailableError(description)
    if code in _WRONG_SEQUENCE:
        raise WrongSequenceError(code, description)
    raise JetStreamError(code, description)
