"""What is asked of the cluster ends, whatever comes; and headers are read as they are written."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from chatd.store.nats.client.client import Message, read_headers
from chatd.store.nats.client.connection import AwayError, Connection, in_time
from chatd.store.nats.client.requests import PendingRequest, PendingRequests
from chatd.store.nats.client.servers import Servers
from chatd.store.nats.jetstream.api import DeclinedError, ElsewhereError, place_of
from tests.support.served import PATIENCE


def asking(about: Callable[[PendingRequests], Awaitable[None]], seconds: float = 60.0) -> None:
    """Do something with questions, in a loop."""

    async def work() -> None:
        await about(PendingRequests("inbox", seconds))

    asyncio.run(work())


def answer(asked: PendingRequest, text: str, **headers: str) -> Message:
    return Message(asked.reply, text.encode(), headers)


def test_each_question_gets_its_own_answer() -> None:
    async def about(questions: PendingRequests) -> None:
        one, other = questions.ask(), questions.ask()
        questions.answered(answer(other, "two"))
        questions.answered(answer(one, "one"))
        found = [await one.end, await other.end]
        assert [message and message.data for message in found] == [b"one", b"two"]

    asking(about)


def test_an_answer_of_several_parts_ends_with_a_status() -> None:
    async def about(questions: PendingRequests) -> None:
        asked = questions.ask(several=True)
        questions.answered(answer(asked, "1", **{"Nats-Subject": "room.1.x"}))
        questions.answered(answer(asked, "2"))
        questions.answered(answer(asked, "", Status="204"))
        end = await asked.end
        assert end is not None
        assert end.status == "204"
        assert [(part.subject, part.data) for part in asked.parts or ()] == [
            ("room.1.x", b"1"),
            (asked.reply, b"2"),
        ]

    asking(about)


def test_questions_that_nobody_answers_end_by_themselves() -> None:
    async def about(questions: PendingRequests) -> None:
        asked = [questions.ask() for _ in range(3)]
        assert [await each.end for each in asked] == [None] * 3
        later = questions.ask()
        assert await later.end is None

    asking(about, seconds=0.0)


def test_an_answer_that_comes_too_late_or_again_is_passed_over() -> None:
    async def about(questions: PendingRequests) -> None:
        dropped, gone, twice = questions.ask(), questions.ask(), questions.ask()
        questions.drop(dropped)
        gone.end.cancel()
        for asked in (dropped, gone, twice, twice):
            questions.answered(answer(asked, "late"))
        assert not dropped.end.done()
        assert gone.end.cancelled()
        assert await twice.end

    asking(about)


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
def test_headers_are_read(raw: bytes, headers: tuple[str | None, ...]) -> None:
    found = read_headers(raw)
    names = ("Nats-Sequence", "Nats-Msg-Id", "Status")
    assert tuple(found.get(name) for name in names) == headers


@pytest.mark.parametrize(
    ("code", "kind", "raises"),
    [
        (10005, 400, AwayError),  # servers that have not found each other yet
        (10008, 503, AwayError),
        (1, 503, AwayError),
        (10071, 400, ElsewhereError),
        (10054, 400, DeclinedError),
    ],
)
def test_what_passes_is_asked_again(code: int, kind: int, raises: type[Exception]) -> None:
    error = {"code": kind, "err_code": code, "description": "no"}
    with pytest.raises(raises) as raised:
        place_of(Message("", json.dumps({"error": error}).encode(), {}))
    assert type(raised.value) is raises


async def unencrypted() -> tuple[str, bytes]:
    """Ask a server for TLS that speaks none; return the trouble, and what it was told."""
    told = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal told
        with suppress(OSError):  # who gives up hangs up
            writer.write(b'INFO {"auth_required": true}\r\n')
            told += await reader.read(4096)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    where = Servers((f"tls://127.0.0.1:{port}",), user="chatd", password="secret")
    link = Connection(where, "here", "here", lambda: None)
    try:
        with pytest.raises(AwayError):
            await link.connect(0.5)
    finally:
        server.close()
    return link.trouble, told


def test_what_passes_over_that_it_is_to_stop_is_given_up_in_time() -> None:
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
            await asyncio.wait_for(in_time(connecting(), 0.01), PATIENCE)

    asyncio.run(work())
    assert stopped == 3


def test_no_password_goes_to_a_server_that_does_not_encrypt_it() -> None:
    trouble, told = asyncio.run(unencrypted())
    assert trouble == "nats: the server does not require TLS"
    assert told == b""
