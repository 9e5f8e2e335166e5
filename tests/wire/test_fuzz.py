"""The codecs against bytes that nobody should send: ``tests.fuzz`` for a few seconds."""

from __future__ import annotations

import sys
from dataclasses import replace
from random import SystemRandom
from types import FrameType

import pytest

from chatd.wire.line import CutLine, LineCodec
from tests.fuzz import FEW_PIECES, OVERHEAD, PIECE_BYTES, Trial, each_byte, main
from tests.support.fuzz_targets import SUBJECTS, held, read

#: Inputs for each codec and seed.  ``python -m tests.fuzz`` tries a million for each codec.
INPUTS = 5000
FIXED, NEW = 1134, SystemRandom().randrange(2**32)
#: So much comes of what has no end: of headers 100 MB.  The command gives each 1 GiB.
ENDLESS = 64 * 1024 * 1024
ENDLESS_HEADERS = 100_000_000

CODECS = pytest.mark.parametrize("name", SUBJECTS)
BEGINNINGS = [(name, begin) for name in SUBJECTS for begin in read(SUBJECTS[name].endless)]
#: How often something is said, then four times as often, to see what that costs.
TIMES = 40


@CODECS
@pytest.mark.parametrize("seed", [FIXED, NEW], ids=["fixed", "new"])
def test_no_input_breaks_a_codec(name: str, seed: int) -> None:
    print(f"seed {seed}")
    assert Trial(SUBJECTS[name]).run(seed, range(INPUTS)) == ""


# What goes on for ever ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "begin"), BEGINNINGS)
def test_what_has_no_end_is_not_kept(name: str, begin: bytes) -> None:
    size = ENDLESS_HEADERS if name in ("proxy", "tcd", "replies") else ENDLESS
    trial = Trial(SUBJECTS[name])
    values = trial.run_endless(begin, size)
    assert trial.most_held <= trial.subject.holds + OVERHEAD
    assert values <= 2 + FEW_PIECES + size // PIECE_BYTES


@CODECS
def test_ten_thousand_of_anything_are_not_kept(name: str) -> None:
    trial = Trial(SUBJECTS[name])
    for begin in (b"", read(trial.subject.endless)[-1]):
        for part in read(trial.subject.parts):
            values = trial.read(0, [begin, *[part * 100] * 100])
            assert all(map(trial.subject.fits, values[-100:]))


def calls(codec: object, pieces: list[bytes]) -> int:
    """Return how many functions are called while a codec is given these pieces."""
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
def test_four_times_as_much_is_four_times_the_work(name: str, whole: bool) -> None:
    subject = SUBJECTS[name]
    for part in read(subject.begins) + read(subject.parts) + read(subject.endless):
        some, more = part * TIMES, part * 4 * TIMES
        cost = calls(subject.fresh(0), [some] if whole else each_byte(some))
        assert calls(subject.fresh(0), [more] if whole else each_byte(more)) <= 6 * cost, part


# Whether all this finds anything -----------------------------------------------------------------


class Flawed(LineCodec):
    """A codec in which one thing is wrong."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []


class Forgetful(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        return super().receive_data(data.removeprefix(b"x"))


class Raising(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        data.decode()
        return super().receive_data(data)


class Hoarding(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        self._kept.append(data)
        return super().receive_data(data)


class Unsafe(Flawed):
    def receive_data(self, data: bytes) -> list[str | CutLine]:
        return ["\x1b" if line == "" else line for line in super().receive_data(data)]


@pytest.mark.parametrize(
    ("flawed", "found"),
    [
        (Forgetful, "in pieces"),
        (Raising, "UnicodeDecodeError"),
        (Hoarding, "bytes are held"),
        (Unsafe, "is given"),
    ],
)
def test_a_codec_with_a_flaw_is_found_out(flawed: type[Flawed], found: str) -> None:
    subject = replace(SUBJECTS["line"], fresh=lambda _: flawed())
    told = Trial(subject).run(FIXED, range(INPUTS))
    assert found in told
    assert f"seed {FIXED}, input " in told


def test_what_is_found_is_made_small() -> None:
    subject = replace(SUBJECTS["line"], fresh=lambda _: Raising())
    told = Trial(subject).run(FIXED, range(INPUTS))
    assert len(told.rpartition("or: ")[2]) <= len(repr(b"\xff"))


def test_what_is_held_counts_with_all_that_it_leads_to() -> None:
    codec = Flawed()
    empty = held(codec)
    codec.receive_data(b"x" * 1000)
    codec._kept.append(b"x" * 1000)
    assert 2000 <= held(codec) - empty < 2200


def test_the_command_says_what_it_tried(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--codec", "line", "--inputs", "20", "--seed", "5", "--endless", "65536"]) == 0
    first, *more = capsys.readouterr().out.splitlines()
    assert first == "seed 5, 20 inputs for each codec"
    assert len(more) == 1 + len(read(SUBJECTS["line"].endless))
