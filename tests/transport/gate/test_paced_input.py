"""Paced input: pieces, pauses, and that nothing is lost or overtakes anything."""

from __future__ import annotations

import pytest

from chatd.transport.gate.paced_input import PacedInput
from chatd.transport.net.turns import PIECE_BYTES, TURN_SECONDS
from tests.support.memory_server import FakeTransport, MemoryServer


class Recorder(PacedInput):
    """An input that notes its pieces, each of which takes half of a turn's time."""

    def __init__(self, server: MemoryServer) -> None:
        super().__init__(server.host.turns)
        self.clock = server.clock
        self.pieces: list[bytes] = []
        self.fake = FakeTransport()
        self.makeConnection(self.fake)

    def handle(self, data: bytes) -> None:
        self.clock.rightNow += TURN_SECONDS / 2
        self.pieces.append(data)

    def handle_end(self) -> None:
        self.pieces.append(b"END")


BYTES = (bytes(range(256)) * 64).replace(b"\n", b"x")  # 16 pieces


def test_input_is_handled_in_pieces_and_nothing_is_read_meanwhile() -> None:
    server = MemoryServer()
    recorder = Recorder(server)
    recorder.dataReceived(BYTES)
    assert 0 < len(recorder.pieces) < len(BYTES) // PIECE_BYTES
    assert recorder.fake.paused
    recorder.readConnectionLost()
    server.end_turn()
    assert max(map(len, recorder.pieces)) == PIECE_BYTES
    assert b"".join(recorder.pieces) == BYTES + b"END"
    assert not recorder.fake.paused


def test_a_piece_ends_with_a_whole_line_where_it_can() -> None:
    server = MemoryServer()
    recorder = Recorder(server)
    line = b"x" * 300 + b"\n"
    data = line * 10 + b"\n" + BYTES
    recorder.dataReceived(data), server.end_turn()
    assert recorder.pieces[:4] == [line * 3, line * 3, line * 3, line + b"\n"]
    assert b"".join(recorder.pieces) == data


def test_a_pause_holds_what_was_read_and_the_end_of_the_input() -> None:
    server = MemoryServer()
    recorder = Recorder(server)
    recorder.pause()
    recorder.dataReceived(b"one"), recorder.readConnectionLost()
    server.end_turn()
    assert recorder.pieces == []
    recorder.resume()
    assert recorder.pieces == []  # whoever resumes may be in the middle of something
    assert recorder.fake.paused
    server.end_turn()
    assert recorder.pieces == [b"one", b"END"]


def test_a_pause_in_the_middle_of_a_chunk_holds_the_rest() -> None:
    server = MemoryServer()
    recorder = Recorder(server)
    recorder.handle = lambda data: (Recorder.handle(recorder, data), recorder.pause())[0]  # type: ignore[method-assign]
    recorder.dataReceived(BYTES)
    assert recorder.pieces == [BYTES[:PIECE_BYTES]]
    recorder.resume(), server.end_turn()
    assert b"".join(recorder.pieces) == BYTES[: 2 * PIECE_BYTES]
    assert recorder.fake.paused


def test_a_resume_in_the_middle_of_a_piece_hands_over_the_next_one_after_it() -> None:
    server = MemoryServer()
    recorder = Recorder(server)
    inside: list[bytes] = []

    def handle(data: bytes) -> None:
        assert not inside
        inside.append(data)
        recorder.pause(), recorder.resume()
        Recorder.handle(recorder, data)
        inside.clear()

    recorder.handle = handle  # type: ignore[method-assign]
    recorder.dataReceived(BYTES), server.end_turn()
    assert b"".join(recorder.pieces) == BYTES


def test_nothing_is_handled_after_the_connection_was_closed() -> None:
    server = MemoryServer()
    recorder = Recorder(server)
    recorder.dataReceived(BYTES)
    handled = len(recorder.pieces)
    recorder.fake.loseConnection(), server.end_turn()
    assert len(recorder.pieces) == handled


@pytest.mark.parametrize("way", ["telnet", "json", "tcd", "line", "ssh"])
def test_a_flood_of_one_connection_is_handled_a_turn_at_a_time_by_every_way_in(way: str) -> None:
    server = MemoryServer(way)
    flood, honest = server.connects(), server.connects()
    handled = []
    handle = flood.gate.handle

    def slow_handle(data: bytes) -> None:
        server.clock.rightNow += TURN_SECONDS
        handled.append(len(data))
        handle(data)

    flood.gate.handle = slow_handle  # type: ignore[method-assign]
    flood.sends(b"\xff\xf6\n" * 20_000)
    [first] = handled
    assert first <= PIECE_BYTES
    honest.sends(b"\xff\xf6")
    assert handled == [first]


def test_a_ping_of_an_honest_bot_overtakes_what_waits() -> None:
    server = MemoryServer()
    flood, bot = server.connects(), server.connects()
    bot.sends(b'{"username": "bot", "version": 2}\n'), bot.receives()
    flood.sends(b"\xff\xf6")
    order = []
    handle = flood.gate.handle

    def slow_handle(data: bytes) -> None:
        server.clock.rightNow += TURN_SECONDS
        order.append(b"pong" in bot.transport.value())
        handle(data)

    flood.gate.handle = slow_handle  # type: ignore[method-assign]
    flood.sends(b"\0" * 60_000)
    bot.sends(b'{"ping": 1}\n')
    server.end_turn()
    assert order[0] is False
    assert all(order[2:])
