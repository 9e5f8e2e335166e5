"""Every request to the cluster ends; headers are parsed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from chatd.store.nats.client.client import Message, read_headers
from chatd.store.nats.client.connection import Connection, UnavailableError, connect_within
from chatd.store.nats.client.requests import PendingRequest, PendingRequests
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.jetstream.api import JetStreamError, WrongSequenceError, read_ack
from tests.support.served import PATIENCE


def run_with_requests(
    check: Callable[[PendingRequests], Awaitable[None]], seconds: float = 60.0
) -> None:
    """Run a check of pending requests in a loop."""

    async def work() -> None:
        await check(PendingRequests("inbox", seconds))

    asyncio.run(work())


def response_to(request: PendingRequest, text: str, **headers: str) -> Message:
    return Message(request.reply, text.encode(), headers)


def test_each_request_gets_its_own_response() -> None:
    async def check(requests: PendingRequests) -> None:
        one, other = requests.open(), requests.open()
        requests.receive(response_to(other, "two"))
        requests.receive(response_to(one, "one"))
        found = [await one.response, await other.response]
        assert [message and message.data for message in found] == [b"one", b"two"]

    run_with_requests(check)


def test_a_response_of_several_parts_ends_with_a_status() -> None:
    async def check(requests: PendingRequests) -> None:
        request = requests.open(several=True)
        requests.receive(response_to(request, "1", **{"Nats-Subject": "room.1.x"}))
        requests.receive(response_to(request, "2"))
        requests.receive(response_to(request, "", Status="204"))
        end = await request.response
        assert end is not None
        assert end.status == "204"
        assert [(part.subject, part.data) for part in request.parts or ()] == [
            ("room.1.x", b"1"),
            (request.reply, b"2"),
        ]

    run_with_requests(check)


def test_requests_without_a_response_expire() -> None:
    async def check(requests: PendingRequests) -> None:
        request = [requests.open() for _ in range(3)]
        assert [await each.response for each in request] == [None] * 3
        later = requests.open()
        assert await later.response is None

    run_with_requests(check, seconds=0.0)


def test_a_late_or_second_response_is_ignored() -> None:
    async def check(requests: PendingRequests) -> None:
        dropped, gone, twice = requests.open(), requests.open(), requests.open()
        requests.close(dropped)
        gone.response.cancel()
        for request in (dropped, gone, twice, twice):
            requests.receive(response_to(request, "late"))
        assert not dropped.response.done()
        assert gone.response.cancelled()
        assert await twice.response

    run_with_requests(check)


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"NATS/1.0\r\nNats-Sequence: 7\r\nNats-Msg-Id:a:b\r\n\r\n", ("7", "a:b", None)),
        (b"NATS/1.0 503\r\n\r\n", (None, None, "503")),
        (b"NATS/1.0 404 No Messages\r\n\r\n", (None, None, "404")),
        (b"NATS/1.0 204 EOB\r\nNats-Sequence: 9\r\n\r\n", ("9", None, "204")),
        (b"NATS/1.0\r\nNats-Msg-Id: \xff\r\nnonsense\r\n\r\n", (None, "\ufffd", None)),
        (b"", (None, None, None)),
    ],
)
def test_headers_are_parsed(raw: bytes, headers: tuple[str | None, ...]) -> None:
    found = read_headers(raw)
    names = ("Nats-Sequence", "Nats-Msg-Id", "Status")
    assert tuple(found.get(name) for name in names) == headers


@pytest.mark.parametrize(
    ("code", "kind", "raises"),
    [
        (10005, 400, UnavailableError),  # servers that have not found each other yet
        (10008, 503, UnavailableError),
        (1, 503, UnavailableError),
        (10071, 400, WrongSequenceError),
        (10054, 400, JetStreamError),
    ],
)
def test_transient_errors_are_told_from_final_ones(
    code: int, kind: int, raises: type[Exception]
) -> None:
    error = {"code": kind, "err_code": code, "description": "no"}
    with pytest.raises(raises) as raised:
        read_ack(Message("", json.dumps({"error": error}).encode(), {}))
    assert type(raised.value) is raises


async def connect_without_encryption() -> tuple[str, bytes]:
    """Ask a server for TLS that has none; return the error, and what it was sent."""
    received = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        with suppress(OSError):  # the client hangs up
            writer.write(b'INFO {"auth_required": true}\r\n')
            received += await reader.read(4096)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    servers = Servers((f"tls://127.0.0.1:{port}",), user="chatd", password="secret")
    connection = Connection(servers, "here", "here", lambda: None)
    try:
        with pytest.raises(UnavailableError):
            await connection.connect(0.5)
    finally:
        server.close()
    return connection.last_error, received


def test_a_connection_attempt_that_ignores_its_cancellation_is_cancelled_again() -> None:
    stopped = 0

    async def connecting() -> None:
        nonlocal stopped
        while stopped < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                stopped += 1

    async def work() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connect_within(connecting(), 0.01), PATIENCE)

    asyncio.run(work())
    assert stopped == 3


def test_no_password_is_sent_to_a_server_without_encryption() -> None:
    last_error, received = asyncio.run(connect_without_encryption())
    assert last_error == "nats: the server does not require TLS"
    assert received == b""
