"""Fuzzing of the codecs for a few seconds, with ``tests.fuzz``."""

from __future__ import annotations

import sys
from dataclasses import replace
from random import SystemRandom
from types import FrameType

import pytest

from chatd.wire.line import CutLine, LineCodec
from tests.fuzz import FEW_PIECES, OVERHEAD, PIECE_BYTES, Trial, cut_into_bytes, main
from tests.support.fuzz_targets import TARGETS, memory_of, parse_words

#: Inputs for each codec and seed.  ``python -m tests.fuzz`` tries a million for each codec.
INPUTS = 5000
FIXED, NEW = 1134, SystemRandom().randrange(2**32)
#: The size of endless inputs; of headers 100 MB.  The command feeds 1 GiB of each.
ENDLESS = 64 * 1024 * 1024
ENDLESS_HEADERS = 100_000_000

CODECS = pytest.mark.parametrize("name", TARGETS)
BEGINNINGS = [(name, begin) for name in TARGETS for begin in parse_words(TARGETS[name].endless)]
#: Repetitions of a part, whose cost is compared with that of four times as many.
TIMES = 40


@CODECS
@pytest.mark.parametrize("seed", [FIXED, NEW], ids=["fixed", "new"])
def test_no_input_makes_a_codec_fail(name: str, seed: int) -> None:
    print(f"seed {seed}")
    assert Trial(TARGETS[name]).run(seed, range(INPUTS)) == ""


# Endless inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "begin"), BEGINNINGS)
def test_an_endless_input_is_not_held(name: str, begin: bytes) -> None:
    size = ENDLESS_HEADERS if name in ("proxy", "tcd", "replies") else ENDLESS
    trial = Trial(TARGETS[name])
    values = trial.run_endless(begin, size)
    assert trial.most_held <= trial.target.most_held + OVERHEAD
    assert values <= 2 + FEW_PIECES + size // PIECE_BYTES


@CODECS
def test_ten_thousand_repetitions_are_not_held(name: str) -> None:
    trial = Trial(TARGETS[name])
    for begin in (b"", parse_words(trial.target.endless)[-1]):
        for part in parse_words(trial.target.parts):
            values = trial.decode(0, [begin, *[part * 100] * 100])
            assert all(map(trial.target.is_valid, values[-100:]))


def calls(codec: object, pieces: list[bytes]) -> int:
    """Return the number of function calls while a codec decodes these pieces."""
    count = 0

    def called(_frame: FrameType, event: str, _of: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    receive = codec.receive_data  # type: ignore[attr-defined]  # all codecs have it
    before = sys.getprofile()
    sys.setprofile(called)
    try:
        for piece in pieces:
            receive(piece)
    finally:
        sys.setprofile(before)
    return count


@CODECS
@pytest.mark.parametrize("whole", [False, True], ids=["byte by byte", "at once"])
def test_decoding_takes_linear_time(name: str, whole: bool) -> None:
    target = TARGETS[name]
    for part in (
        parse_words(target.beginnings) + parse_words(target.parts) + parse_words(target.endless)
    ):
        some, more = part * TIMES, part * 4 * TIMES
        cost = calls(target.make(0), [some] if whole else cut_into_bytes(some))
        assert calls(target.make(0), [more] if whole else cut_into_bytes(more)) <= 6 * cost, part


# The fuzzer itself -------------------------------------------------------------------------------


class Flawed(LineCodec):
    """A codec with one flaw."""

    __slots__ = ("hoard",)

    def __init__(self) -> None:
        super().__init__()
        self.hoard: list[bytes] = []


class LosingBytes(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        return super().receive_data(data.removeprefix(b"x"))


class Raising(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        data.decode()
        return super().receive_data(data)


class HoldingTooMuch(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        self.hoard += [data] * 4
        return super().receive_data(data)


class Unsafe(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        return ["\x1b" if line == "" else line for line in super().receive_data(data)]


@pytest.mark.parametrize(
    ("flawed", "found"),
    [
        (LosingBytes, "in pieces"),
        (Raising, "UnicodeDecodeError"),
        (HoldingTooMuch, "bytes are held"),
        (Unsafe, "is given"),
    ],
)
def test_the_fuzzer_finds_each_flaw(flawed: type[Flawed], found: str) -> None:
    target = replace(TARGETS["line"], make=lambda _: flawed())
    report = Trial(target).run(FIXED, range(INPUTS))
    assert found in report
    assert f"seed {FIXED}, input " in report


def test_a_failing_input_is_minimised() -> None:
    target = replace(TARGETS["line"], make=lambda _: Raising())
    report = Trial(target).run(FIXED, range(INPUTS))
    assert len(report.rpartition("or: ")[2]) <= len(repr(b"\xff"))


def test_memory_of_a_codec_includes_all_referenced_objects() -> None:
    codec = Flawed()
    empty = memory_of(codec)
    codec.receive_data(b"x" * 1000)
    codec.hoard.append(b"x" * 1000)
    assert 2000 <= memory_of(codec) - empty < 2200


def test_the_command_reports_its_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--codec", "line", "--inputs", "20", "--seed", "5", "--endless", "65536"]) == 0
    first, *more = capsys.readouterr().out.splitlines()
    assert first == "seed 5, 20 inputs for each codec"
    assert len(more) == 1 + len(parse_words(TARGETS["line"].endless))
