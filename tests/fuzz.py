r"""Every codec against bytes that nobody should send: ``python -m tests.fuzz``.

Inputs are made of what each codec knows, then broken: bits flipped, pieces cut out, doubled and put
elsewhere, runs as long as the bounds.  Each is fed whole and in pieces, and what must hold is:

- Nothing raises, and any cutting gives the same values.
- What a codec holds stays below a bound, whatever came.
- What it gives is within the bounds that its users rely on, and safe to show.

An input follows from the seed and its number alone.  What is found is made smaller and shown.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise, repeat
from random import Random, SystemRandom
from typing import Any

from tests.support.fuzz_targets import SUBJECTS, Subject, held, joined, read

#: What a codec may take beside the bytes it holds: its objects, numbers, lists and their slack.
OVERHEAD = 8 * 1024
#: What never ends is given for so long, in pieces of so much.
ENDLESS_BYTES, PIECE_BYTES = 1024**3, 64 * 1024
#: Before that come some small pieces, for what is kept of them.
FEW_PIECES, FEW_BYTES = 128, 1000
#: Inputs of more bytes are seldom fed byte by byte, and longer runs are of one byte as a rule.
SHORT = 64
#: Bounds up to this are those of how many there may be.
MANY = 256
#: How often what is found is made smaller.
MOST_TRIES = 3000


# Inputs ------------------------------------------------------------------------------------------


def _run(subject: Subject, words: tuple[bytes, ...], before: list[bytes], chance: Random) -> bytes:
    """Return what goes on up to about one of the bounds, counted from somewhere before it."""
    bound = chance.choice(subject.lengths)
    counted = b"".join(chance.choice(([], before, before[-1:])))
    length = max(bound - len(counted) + chance.randint(-4, 4), 1)
    if bound <= MANY:
        return chance.choice((chance.choice(words), b"x", b"x\n")) * (bound + chance.randint(-2, 2))
    if length < SHORT**2 and chance.random() < 0.1:
        return (chance.choice(words) * length)[:length]
    return bytes([chance.choice(b"xxxx9 :[\xe9\x80")]) * length


def _changed(data: bytes, words: tuple[bytes, ...], chance: Random) -> bytes:
    """Return data with one thing changed."""
    start, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    before, piece, after = data[:start], data[start:end], data[end:]
    match chance.randrange(6):
        case 0 if piece:
            return before + bytes([piece[0] ^ 1 << chance.randrange(8)]) + piece[1:] + after
        case 1:
            return before + after
        case 2:
            return before + piece * 2 + after
        case 3:
            return piece + before + after
        case 4:
            return before + chance.randbytes(chance.randint(1, 4)) + piece + after
        case _:
            return before + chance.choice(words) + piece + after


def made(subject: Subject, chance: Random) -> bytes:
    """Return an input."""
    words = read(subject.begins) + read(subject.parts)
    chosen = chance.choices(words, k=chance.choice((0, 1, 2, 4, 8, 16)))
    if chance.random() < 0.7:
        chosen.insert(0, chance.choice(read(subject.begins)))
    if chance.random() < 0.03:
        place = chance.randint(0, min(len(chosen), 2))
        chosen.insert(place, _run(subject, words, chosen[:place], chance))
    data = b"".join(chosen)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        data = _changed(data, words, chance)
    return data


def _pieces(data: bytes, chance: Random) -> list[bytes]:
    """Return data cut somewhere, perhaps everywhere."""
    if len(data) <= SHORT and chance.random() < 0.1:
        return each_byte(data)
    count = chance.choice((1, 1, 2, 3, 6))
    close = min(len(data), chance.choice((8, 100, len(data))))
    places = sorted(len(data) - chance.randint(0, close) for _ in range(count))
    return [data[start:end] for start, end in pairwise([0, *places, len(data)])]


def each_byte(data: bytes) -> list[bytes]:
    """Return data cut everywhere."""
    return [data[at : at + 1] for at in range(len(data))]


def _evenly(data: bytes) -> list[bytes]:
    """Return data in pieces that are all as short, of one byte unless they were too many."""
    size = len(data) // SHORT + 1
    return [data[at : at + size] for at in range(0, len(data), size)]


# Trials ------------------------------------------------------------------------------------------


class Trial:
    """One codec that is tried with inputs; ``most_held`` is the most that it held."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.most_held = 0
        self.fed = 0

    def _watch(self, codec: object) -> None:
        self.most_held = max(self.most_held, held(codec))
        assert self.most_held <= self.subject.holds + OVERHEAD, f"{self.most_held} bytes are held"

    def read(self, number: int, pieces: Iterable[bytes], ending: bool = False) -> list[Any]:
        """Return what a codec gives, with what was typed in a row in one.

        With ``ending`` each piece is followed by a silence, or whatever ends things here.
        """
        codec = self.subject.fresh(number)
        values: list[Any] = []
        for piece in pieces:
            values += codec.receive_data(piece)
            self._watch(codec)
            if ending:
                values += self.subject.ends(codec)
        values += self.subject.ends(codec)
        self._watch(codec)
        return joined(values)

    def fault(self, number: int, data: bytes, pieces: list[bytes]) -> str:
        """Return what is wrong with how an input is read, or nothing."""
        try:
            whole = self.read(number, [data])
            values = whole + (self.read(number, pieces, ending=True) if number % 4 == 0 else [])
            for value in values:
                assert self.subject.fits(value), f"{value!r:.500} is given"
            cut = self.read(number, pieces)
            assert cut == whole, f"whole: {whole!r:.500}; in pieces: {cut!r:.500}"
        except Exception as fault:
            return f"{type(fault).__name__}: {fault}"
        return ""

    def run(self, seed: int, numbers: Iterable[int]) -> str:
        """Try inputs until something is found, and return what, or nothing."""
        chance = Random()
        for number in numbers:
            chance.seed((seed << 40) + number)
            data = made(self.subject, chance)
            pieces = _pieces(data, chance)
            self.fed += len(data)
            if fault := self.fault(number, data, pieces):
                least = self._smallest(number, data)
                return (
                    f"seed {seed}, input {number}: {fault}\n{pieces!r:.2000}\nor: {least!r:.2000}"
                )
        return ""

    def _smallest(self, number: int, data: bytes) -> bytes:
        """Return a smaller input with a fault, cut everywhere or almost, or the same."""
        size, tries = len(data) // 2, 0
        while size:
            for at in range(len(data) - size, -1, -size):
                less = data[:at] + data[at + size :]
                if self.fault(number, less, _evenly(less)):
                    data = less
                tries += 1
                if tries == MOST_TRIES:
                    return data
            size //= 2
        return data

    def run_endless(self, begin: bytes, size: int) -> int:
        """Give a codec what has no end, and return how many values came of it."""
        codec = self.subject.fresh(0)
        count = len(codec.receive_data(begin))
        few, many = begin[-1:] * FEW_BYTES, begin[-1:] * PIECE_BYTES
        for piece in chain(repeat(few, FEW_PIECES), repeat(many, size // PIECE_BYTES)):
            count += len(codec.receive_data(piece))
            self._watch(codec)
        return count


# The command -------------------------------------------------------------------------------------


def _reports(name: str, seed: int, inputs: int, endless: int) -> Iterator[str]:
    """Try a codec, and give what there is to be told; what was found begins with FOUND."""
    trial, began = Trial(SUBJECTS[name]), time.monotonic()
    if found := trial.run(seed, range(inputs)):
        yield f"FOUND in {name}: {found}"
    took = time.monotonic() - began
    yield f"{name}: {trial.fed} bytes, at most {trial.most_held} held, {took:.0f} s"
    for begin in read(SUBJECTS[name].endless) if endless else ():
        trial, began = Trial(SUBJECTS[name]), time.monotonic()
        try:
            count = trial.run_endless(begin, endless)
        except Exception as fault:
            yield f"FOUND in {name}, without an end: {begin!r}: {type(fault).__name__}: {fault}"
            continue
        told = f"{count} values, at most {trial.most_held} held"
        yield f"{name}, without an end: {begin!r}: {told}, {time.monotonic() - began:.0f} s"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; 1 means that something was found."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Try the codecs.")
    options.add_argument("--codec", nargs="+", choices=SUBJECTS, default=list(SUBJECTS))
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
