"""Blocks: several lines as one message, of a bounded number of lines and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe_lines

#: The most lines of one block, the same as in a message of the socket assignment's protocol.
BLOCK_LINES = 50


def lines_of(text: str) -> list[str]:
    """Return a text as safe lines, without empty ones at its beginning and its end."""
    lines = [line.rstrip() for line in safe_lines(text)]
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    first = next((index for index, line in enumerate(lines) if line), 0)
    return lines[first:]


def blocks(lines: Sequence[str]) -> list[str]:
    """Join lines into as few blocks as possible, none longer than ``LINE_BYTES``.

    Empty lines within a block stay; a block of nothing but blanks is left out.
    """
    joined: list[str] = []
    block: list[str] = []
    size = 0
    for line in chain.from_iterable(map(_split, lines)):
        added = len(line.encode()) + 1
        if block and (size + added > LINE_BYTES or len(block) == BLOCK_LINES):
            joined.append("\n".join(block))
            block, size = [], 0
        block.append(line)
        size += added
    joined.append("\n".join(block))
    return [block for block in joined if block.strip()]


def _split(line: str) -> list[str]:
    """Return a line in pieces of less than ``LINE_BYTES``, cut between code points."""
    encoded = line.encode()
    if len(encoded) < LINE_BYTES:
        return [line]
    pieces = []
    while encoded:
        piece = encoded[: LINE_BYTES - 1].decode("utf-8", "ignore")
        pieces.append(piece)
        encoded = encoded[len(piece.encode()) :]
    return pieces
