"""Several lines that were pasted at once: asked about once, then said as one block."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe

#: Lines of one block, as many as one message of the socket assignment's protocol may have.
BLOCK_LINES = 50


def lines_of(pasted: str) -> list[str]:
    """What was pasted as safe lines, without the empty ones at its beginning and its end."""
    return [safe(line).rstrip() for line in pasted.strip("\n").split("\n")]


def question(count: int) -> str:
    """What is asked about so many lines."""
    return f"Send {count} lines? y/n "


def blocks(lines: Sequence[str]) -> list[str]:
    """Lines as one block, or as few as there must be: none is longer than a line may be.

    What is pasted is text: a block that begins with a slash says one, and is no command.
    """
    found: list[str] = []
    block: list[str] = []
    size = 0
    for line in chain.from_iterable(map(_pieces, lines)):
        taken = len(line.encode()) + 1
        if block and (size + taken > LINE_BYTES or len(block) == BLOCK_LINES):
            found.append("\n".join(block))
            block, size = [], 0
        block.append(line)
        size += taken
    found.append("\n".join(block))
    return ["/" + block if block.startswith("/") else block for block in found if block.strip()]


def _pieces(line: str) -> list[str]:
    """A line that is longer than a line may be, in pieces that are not."""
    encoded = line.encode()
    if len(encoded) < LINE_BYTES:
        return [line]
    pieces = []
    while encoded:
        piece = encoded[: LINE_BYTES - 1].decode("utf-8", "ignore")
        pieces.append(piece)
        encoded = encoded[len(piece.encode()) :]
    return pieces
