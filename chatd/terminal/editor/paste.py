"""Multi-line pastes: confirmed once, then sent as blocks."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.chat.text.blocks import blocks


def question(count: int) -> str:
    """Return the prompt that asks whether to send ``count`` lines."""
    return f"Send {count} lines? y/n "


def messages(lines: Sequence[str]) -> list[str]:
    """Return the lines to enter for a paste, each of them a block.

    A paste is text: a slash at the beginning of a block is doubled, so that it is no command.
    """
    return ["/" + block if block.startswith("/") else block for block in blocks(lines)]
