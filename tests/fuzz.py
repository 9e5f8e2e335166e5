r"""Fuzzer for all codecs: ``python -m tests.fuzz``.

Inputs are made of parts that each codec knows, then mutated: bits flipped, pieces removed, doubled
and moved, runs as long as the bounds inserted.  Each is fed whole and in pieces, and is checked:

- Nothing raises, and any cutting gives the same values.
- The memory of a codec stays below a bound.
- Its values are within the bounds that its users rely on, and safe to display.

An input is determined by the seed and its number.  A failing input is minimised and printed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, repeat
from random import Random, SystemRandom
from typing import Any

from tests.support.fuzz_targets import TARGETS, Target, memory_of, merge_text, parse_words

#: The memory of a codec besides the bytes it holds: its objects, numbers, lists and their slack.
OVERHEAD = 8 * 1024
#: The size of an endless input, and of its pieces.
ENDLESS_BYTES, PIECE_BYTES = 1024**3, 64 * 1024
#: Some small pieces before them, in case a codec holds each.
FEW_PIECES, FEW_BYTES = 128, 1000
#: Inputs of more bytes are seldom fed byte by byte, and longer runs mostly repeat one byte.
SHORT = 64
#: Bounds up to this are counts, not lengths.
MANY = 256
#: The most attempts to make a failing input smaller.
MOST_ATTEMPTS = 3000


# Inputs ------------------------------------------------------------------------------------------


def _long_run(
    target: Target, words: tuple[bytes, ...], before: list[bytes], random: Random
) -> bytes:
    """Return a run of about the length of a bound, less the parts before it that may count."""
    bound = random.choice(target.lengths)
    counted = b"".join(random.choice(([], before, before[-1:])))
    length = max(bound - len(counted) + random.randint(-4, 4), 1)
    if bound <= MANY:
        return random.choice((random.choice(words), b"x", b"x\n")) * (bound + random.randint(-2, 2))
    if length < SHORT**2 and random.random() < 0.1:
        return (random.choice(words) * length)[:length]
    return bytes([random.choice(b"xxxx9 :[\xe9\x80")]) * length


def _mutated(data: bytes, words: tuple[bytes, ...], random: Random) -> bytes:
    """Return data with one random change."""
    start, end = sorted((random.randint(0, len(data)), random.randint(0, len(data))))
    before, piece, after = data[:start], data[start:end], data[end:]
    match random.randrange(6):
        case 0 if piece:
            return before + bytes([piece[0] ^ 1 << random.randrange(8)]) + piece[1:] + after
        case 1:
            return before + after
        case 2:
            return before + piece * 2 + after
        case 3:
            return piece + before + after
        case 4:
            return before + random.randbytes(random.randint(1, 4)) + piece + after
        case _:
            return before + random.choice(words) + piece + after


def make_input(target: Target, random: Random) -> bytes:
    """Return a random input."""
    words = parse_words(target.beginnings) + parse_words(target.parts)
    chosen = random.choices(words, k=random.choice((0, 1, 2, 4, 8, 16)))
    if random.random() < 0.7:
        chosen.insert(0, random.choice(parse_words(target.beginnings)))
    if random.random() < 0.03:
        place = random.randint(0, min(len(chosen), 2))
        chosen.insert(place, _long_run(target, words, chosen[:place], random))
    data = b"".join(chosen)
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        data = _mutated(data, words, random)
    return data


def _cut_randomly(data: bytes, random: Random) -> list[bytes]:
    """Return data cut at random positions, or, if it is short, perhaps into single bytes."""
    if len(data) <= SHORT and random.random() < 0.1:
        return cut_into_bytes(data)
    count = random.choice((1, 1, 2, 3, 6))
    close = min(len(data), random.choice((8, 100, len(data))))
    places = sorted(len(data) - random.randint(0, close) for _ in range(count))
    return [data[start:end] for start, end in pairwise([0, *places, len(data)])]


def cut_into_bytes(data: bytes) -> list[bytes]:
    """Return data as single bytes."""
    return [data[at : at + 1] for at in range(len(data))]


def _cut_evenly(data: bytes) -> list[bytes]:
    """Return data in about ``SHORT`` pieces of equal size, of single bytes if it is short."""
    size = len(data) // SHORT + 1
    return [data[at : at + size] for at in range(0, len(data), size)]


# Trials ------------------------------------------------------------------------------------------


class Trial:
    """The fuzzing of one codec; ``most_held`` is the most memory it used, in bytes."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.most_held = 0
        self.fed = 0

    def _check_memory(self, codec: object) -> None:
        self.most_held = max(self.most_held, memory_of(codec))
        assert self.most_held <= self.target.most_held + OVERHEAD, (
            f"{self.most_held} bytes are held"
        )

    def decode(self, number: int, pieces: Iterable[bytes], ending: bool = False) -> list[Any]:
        """Return the values of a codec for an input, with adjacent text merged.

        With ``ending`` the target's ``finish`` is called after each piece too.
        """
        codec = self.target.make(number)
        values: list[Any] = []
        for piece in pieces:
            values += codec.receive_data(piece)
            self._check_memory(codec)
            if ending:
                values += self.target.finish(codec)
        values += self.target.finish(codec)
        self._check_memory(codec)
        return merge_text(values)

    def error(self, number: int, data: bytes, pieces: list[bytes]) -> str:
        """Return the error in the decoding of an input, or an empty string."""
        try:
            whole = self.decode(number, [data])
            values = whole + (self.decode(number, pieces, ending=True) if number % 4 == 0 else [])
            for value in values:
                assert self.target.is_valid(value), f"{value!r:.500} is given"
            cut = self.decode(number, pieces)
            assert cut == whole, f"whole: {whole!r:.500}; in pieces: {cut!r:.500}"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def run(self, seed: int, numbers: Iterable[int]) -> str:
        """Try inputs until one fails; return its report, or an empty string."""
        random = Random()
        for number in numbers:
            random.seed((seed << 40) + number)
            data = make_input(self.target, random)
            pieces = _cut_randomly(data, random)
            self.fed += len(data)
            if error := self.error(number, data, pieces):
                least = self._minimised(number, data)
                return (
                    f"seed {seed}, input {number}: {error}\n{pieces!r:.2000}\nor: {least!r:.2000}"
                )
        return ""

    def _minimised(self, number: int, data: bytes) -> bytes:
        """Return a smaller input that fails too, fed in small pieces, or the same input."""
        size, tries = len(data) // 2, 0
        while size:
            for at in range(len(data) - size, -1, -size):
                less = data[:at] + data[at + size :]
                if self.error(number, less, _cut_evenly(less)):
                    data = less
                tries += 1
                if tries == MOST_ATTEMPTS:
                    return data
            size //= 2
        return data

    def run_endless(self, begin: bytes, size: int) -> int:
        """Feed a codec an endless input; return the number of its values."""
        codec = self.target.make(0)
        count = len(codec.receive_data(begin))
        few, many = begin[-1:] * FEW_BYTES, begin[-1:] * PIECE_BYTES
        for piece in chain(repeat(few, FEW_PIECES), repeat(many, size // PIECE_BYTES)):
            count += len(codec.receive_data(piece))
            self._check_memory(codec)
        return count


# The command -------------------------------------------------------------------------------------


def _reports(name: str, seed: int, inputs: int, endless: int) -> Iterator[str]:
    """Fuzz a codec; yield the reports, of which a failure begins with FOUND."""
    trial, began = Trial(TARGETS[name]), time.monotonic()
    if found := trial.run(seed, range(inputs)):
        yield f"FOUND in {name}: {found}"
    took = time.monotonic() - began
    yield f"{name}: {trial.fed} bytes, at most {trial.most_held} held, {took:.0f} s"
    for begin in parse_words(TARGETS[name].endless) if endless else ():
        trial, began = Trial(TARGETS[name]), time.monotonic()
        try:
            count = trial.run_endless(begin, endless)
        except Exception as error:
            yield f"FOUND in {name}, without an end: {begin!r}: {type(error).__name__}: {error}"
            continue
        report = f"{count} values, at most {trial.most_held} held"
        yield f"{name}, without an end: {begin!r}: {report}, {time.monotonic() - began:.0f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 when an input failed, else 0."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Try the codecs.")
    options.add_argument("--codec", nargs="+", choices=TARGETS, default=list(TARGETS))
    options.add_argument("--inputs", type=int, default=1_000_000, help="for each codec")
    options.add_argument("--seed", type=int, default=SystemRandom().randrange(2**32))
    options.add_argument("--endless", type=int, default=ENDLESS_BYTES, help="bytes; 0: none")
    given = options.parse_args(arguments)
    print(f"seed {given.seed}, {given.inputs} inputs for each codec", flush=True)
    found = False
    for name in given.codec:
        for report in _reports(name, given.seed, given.inputs, given.endless):
            found = found or report.startswith("FOUND")
            print(report, flush=True)
    return int(found)


if __name__ == "__main__":
    sys.exit(main())
