"""The socket assignment's protocol: bytes to requests (docs/protocol.rst, same heading).

It knows how requests stand in lines, tolerantly, for its clients were each written from a page of
prose.  It must not know a transport, a clock, rooms or people.

What holds throughout:

- Any cutting of the bytes gives the same values, and no bytes whatever raise.
- What is no request gives nothing; what is one but malformed gives one `Bad`.
- Keys are in capitals, as the assignment has them: people write ``Chat:`` in messages.
- What is held is bounded: an unfinished line of ``LONGEST_LINE`` and one request's fields.
"""

from __future__ import annotations

from typing import Final

from chatd.chat.text.sanitizing import decode
from chatd.wire.tcd.answers import chat, error, helo, joined, left
from chatd.wire.tcd.requests import (
    HEADER_BYTES,
    MESSAGE_BYTES,
    MESSAGE_LINES,
    MOST_NUMBER,
    NEEDED,
    Bad,
    Disconnect,
    Draft,
    ErrorCode,
    Helo,
    Join,
    KillService,
    Leave,
    Request,
    Say,
    begins_within_message,
    field,
)

__all__ = [
    "HEADER_BYTES",
    "LONGEST_LINE",
    "MESSAGE_BYTES",
    "MESSAGE_LINES",
    "MOST_NUMBER",
    "Bad",
    "Disconnect",
    "ErrorCode",
    "Helo",
    "Join",
    "KillService",
    "Leave",
    "Request",
    "Say",
    "TcdCodec",
    "chat",
    "error",
    "helo",
    "joined",
    "left",
    "recognises",
]

#: A line of any kind, its LF not counted: a whole message, its key, and some trailing blanks.
#: What is longer is too long, and is skipped to its end without being kept.
LONGEST_LINE = MESSAGE_BYTES + 64

_HELO: Final = b"HELO"
_KILL: Final = b"KILL_SERVICE"
_FIRST: Final = (
    b"HELO ",
    _KILL,
    b"JOIN_CHATROOM:",
    b"JOIN CHATROOM:",
    b"LEAVE_CHATROOM:",
    b"LEAVE CHATROOM:",
    b"CHAT:",
    b"DISCONNECT:",
)


def recognises(data: bytes) -> bool | None:
    """Return whether the first bytes of a connection are this protocol's; None: more are needed."""
    if data.startswith(_FIRST):
        return True
    return None if any(first.startswith(data) for first in _FIRST) else False


class TcdCodec:
    """Takes bytes, gives requests; holds at most one unfinished line and one unfinished request."""

    __slots__ = ("_draft", "_skipping", "_unfinished")

    def __init__(self) -> None:
        self._draft: Draft | None = None
        self._unfinished = b""
        self._skipping = False

    @property
    def held(self) -> int:
        """The bytes of an unfinished line and an unfinished request."""
        return len(self._unfinished) + (self._draft.held if self._draft else 0)

    @property
    def pending(self) -> bool:
        """Whether only an end is missing, so that `finish` has something to give.

        A message always may go on; any other request is pending when the last of its fields is
        here, or HELO and KILL_SERVICE, and the line end is not.
        """
        if self._draft and self._draft.in_message:
            return True
        line = self._unfinished.rstrip()
        if line.startswith(b"HELO ") or line == _KILL:
            return True
        key, value = field(line)
        return bool(value) and self._draft is not None and self._draft.lacks_only(key)

    def receive_data(self, data: bytes) -> list[Request | Bad]:
        """Return the requests that these bytes complete."""
        values: list[Request | Bad] = []
        *ended, rest = data.split(b"\n")
        if ended:
            if self._skipping:
                self._skipping = False
                del ended[0]
            else:
                ended[0] = self._unfinished + ended[0]
            self._unfinished = b""
            for line in ended:
                self._take(line, values)
        if rest and not self._skipping:
            self._unfinished += rest
            if len(self._unfinished) > LONGEST_LINE:
                self._take(self._unfinished, values)
                self._unfinished = b""
                self._skipping = True
        return values

    def finish(self) -> list[Request | Bad]:
        """Return what is complete but for its end, at the end of input or after a silence.

        What is incomplete is kept: somebody may be typing it.
        """
        values: list[Request | Bad] = []
        while self.pending:
            line, draft = self._unfinished, self._draft
            if draft and draft.in_message and (not line or begins_within_message(line.rstrip())):
                values.append(draft.request())
                self._draft = None
            else:
                self._unfinished = b""
                self._take(line, values)
        return values

    def _take(self, line: bytes, values: list[Request | Bad]) -> None:
        """Add what a line completes; the start of one that is too long stands for all of it."""
        too_long = len(line) > LONGEST_LINE
        line = line[:LONGEST_LINE].rstrip()
        draft = self._draft
        if draft is None:
            self._begin(line, too_long, values)
        elif not draft.take(line, too_long=too_long):
            values.append(draft.request())
            self._draft = None
            self._begin(line, too_long, values)
        elif draft.is_over:
            values.append(draft.request())
            self._draft = None

    def _begin(self, line: bytes, too_long: bool, values: list[Request | Bad]) -> None:
        """Take a line that stands between requests: the first of one, or nothing."""
        too_long = too_long or len(line) > HEADER_BYTES
        if line == _HELO or line.startswith(b"HELO "):
            sentence = "The text of HELO is too long."
            values.append(
                Bad(ErrorCode.TOO_LONG, sentence) if too_long else Helo(decode(line[5:]).rstrip())
            )
        elif line == _KILL:
            values.append(KillService())
        else:
            key, value = field(line)
            if key in NEEDED:
                self._draft = Draft(key, value, too_long=too_long)
