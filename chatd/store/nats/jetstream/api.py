"""JetStream by its own requests: streams, what is in them, and what they refuse.

Every method is one request (`chatd.store.nats.client.connection`), or a page of answers.  A page is read from
any replica, which may be behind the leader; whoever knows what has to be there asks again.
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
#: What JetStream calls a message that came at another place than was expected, a message and a
#: stream that are not there, and a stream that is there otherwise.
_WRONG_SEQUENCE = (10071, 10164)
_NO_MESSAGE, _NO_STREAM, _STREAM_EXISTS = 10037, 10059, 10058
#: What is said of a message that is to be deleted and is gone.
_MESSAGE_GONE = (10043, 10057)
#: What passes when there is a leader again, or room, or when all servers have found each other, or
#: a message of the same id is done with.
_TRANSIENT = (10005, 10008, 10023, 10039, 10074, 10077, 10158)
#: A message that is larger than the stream takes.
TOO_LARGE = 10054
#: Seconds until something is asked again.
_RETRY_SECONDS = 0.1


class JetStreamError(Exception):
    """JetStream does not do that; the code is its own."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class WrongSequenceError(JetStreamError):
    """Somebody else has written there since."""


@dataclass(frozen=True, slots=True)
class PubAck:
    """Where a message lies; ``again`` when it was there already, by its id."""

    seq: int
    duplicate: bool


class JetStream:
    """The streams of a cluster, by way of one connection; ``kept`` counts what they have taken.

    ``declined`` is why they last have not, in the words of the server.
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
        """Put a message into the stream of its subject.

        With ``expected`` the last message of the subject has to be that one (0: none).

        :raises ElsewhereError: when it is another.
        :raises DeclinedError: when it is not taken for another reason.
        :raises AwayError: when nobody answers; it may be there or not.
        """
        all_headers = dict(headers or {})
        if message_id:
            all_headers["Nats-Msg-Id"] = message_id
        if expected is not None:
            all_headers["Nats-Expected-Last-Subject-Sequence"] = str(expected)
        return self.acknowledge(await self.connection.request(subject, data, all_headers or None))

    def acknowledge(self, response: Message) -> PubAck:
        """Where something was put, by the answer.

        :raises DeclinedError: when it was not, or `ElsewhereError`.
        :raises AwayError: when it may come to be, asked again.
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
        """The last message of a subject, as the leader has it."""
        return await self._from_leader(stream, {"last_by_subj": subject})

    async def get(self, stream: str, seq: int) -> Message | None:
        """One message, as the leader has it."""
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
        """The first messages of a subject from a place on, and how many more there are.

        Fewer than ``count`` may come although there are more.
        """
        return await self._page(stream, subject, {"seq": max(1, seq)}, count)

    async def first(self, stream: str, subject: str, when: str) -> Message | None:
        """The first message of a subject that the stream took then (RFC 3339) or later."""
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
        """Drop the messages of a subject, or those ``below`` a place."""
        criterion: dict[str, object] = {"filter": subject}
        if below is not None:
            criterion["seq"] = below
        await self.request(f"STREAM.PURGE.{stream}", criterion)

    async def delete(self, stream: str, seq: int) -> None:
        """Drop one message; that it is gone already is as good."""
        try:
            await self.request(f"STREAM.MSG.DELETE.{stream}", {"seq": seq, "no_erase": False})
        except JetStreamError as error:
            if error.code not in (_NO_MESSAGE, *_MESSAGE_GONE):
                raise

    async def create(self, config: Mapping[str, object]) -> None:
        """Make a stream unless there is one of this name."""
        try:
            await self.request(f"STREAM.CREATE.{config['name']}", config)
        except JetStreamError as error:
            if error.code != _STREAM_EXISTS:
                raise

    async def info(self, stream: str, **body: object) -> dict[str, Any] | None:
        """What JetStream says of a stream; None when there is none."""
        try:
            return await self.request(f"STREAM.INFO.{stream}", body)
        except JetStreamError as error:
            if error.code == _NO_STREAM:
                return None
            raise

    async def last_sequence(self, stream: str) -> int:
        """The place of the last message that a stream has ever taken."""
        info = await self.info(stream)
        return int(info["state"]["last_seq"]) if info is not None else 0

    async def request(self, what: str, body: Mapping[str, object]) -> dict[str, Any]:
        return _read_response(
            await self.connection.request(f"$JS.API.{what}", json.dumps(body).encode())
        )


async def retrying(send: Callable[[], Awaitable[Result]]) -> Result:
    """Ask again and again until there is an answer; who must not wait for ever has a timeout.

    :raises ElsewhereError: as what is asked.
    """
    while True:
        try:
            return await send()
        except WrongSequenceError:
            raise
        except (
            UnavailableError,
            JetStreamError,
        ):  # servers that come and go decline much for a while
            await asyncio.sleep(_RETRY_SECONDS)


def read_ack(message: Message) -> PubAck:
    """Where something was put, by the answer.

    :raises DeclinedError: when it was not.
    :raises AwayError: when it may come to be, asked again.
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
