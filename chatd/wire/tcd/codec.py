"""Socket assignment codec, server side: bytes to requests.

See docs/protocol.rst, "The socket assignment's protocol".  It is tolerant, because each client was
written from a page of prose.  It must not know a transport, a clock, rooms or users.

Invariants:

- However the bytes are split, the values are the same, and no bytes raise.
- Text that is not a request yields nothing; a malformed request yields one `Bad`.
- Keys are in capitals, as in the assignment: users write ``Chat:`` in messages.
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
    REQUIRED_FIELDS,
    Bad,
    Disconnect,
    ErrorCode,
    Helo,
    Join,
    KillService,
    Leave,
    PartialRequest,
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

#: The most bytes of a line without its LF: a whole message, its key, and some trailing blanks.
#: The rest of a longer one is skipped without being held, and its request is too long.
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
    """Return whether a connection's first bytes are this protocol; None when more are needed."""
    if data.startswith(_FIRST):
        return True
    return None if any(first.startswith(data) for first in _FIRST) else False


class TcdCodec:
    """The decoder of one connection; it holds at most one unfinished line and one request."""

    __slots__ = (
        "_partial",
        "_skipping",
        "_unfinished",
    )

    def __init__(self) -> None:
        self._partial: PartialRequest | None = None
        self._unfinished = b""
        self._skipping = False

    @property
    def held(self) -> int:
        """The number of bytes held: an unfinished line and an unfinished request."""
        return len(self._unfinished) + (self._partial.held if self._partial else 0)

    @property
    def pending(self) -> bool:
        """Whether only an end is missing, so that `finish` returns a request.

        A message may always continue; any other request is pending when it is complete except for
        the last line end.
        """
        if self._partial and self._partial.in_message:
            return True
        line = self._unfinished.rstrip()
        if line.startswith(b"HELO ") or line == _KILL:
            return True
        key, value = field(line)
        return bool(value) and self._partial is not None and self._partial.lacks_only(key)

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
                self._add_line(line, values)
        if rest and not self._skipping:
            self._unfinished += rest
            if len(self._unfinished) > LONGEST_LINE:
                self._add_line(self._unfinished, values)
                self._unfinished = b""
                self._skipping = True
        return values

    def finish(self) -> list[Request | Bad]:
        """Return the requests that lack only their end, at the end of input or after a silence.

        An incomplete one is kept: a user may be typing it.
        """
        values: list[Request | Bad] = []
        while self.pending:
            line, partial = self._unfinished, self._partial
            if (
                partial
                and partial.in_message
                and (not line or begins_within_message(line.rstrip()))
            ):
                values.append(partial.request())
                self._partial = None
            else:
                self._unfinished = b""
                self._add_line(line, values)
        return values

    def _add_line(self, line: bytes, values: list[Request | Bad]) -> None:
        """Add the requests that a line completes; of a line that is too long, its beginning."""
        too_long = len(line) > LONGEST_LINE
        line = line[:LONGEST_LINE].rstrip()
        partial = self._partial
        if partial is None:
            self._begin(line, too_long, values)
        elif not partial.add_line(line, too_long=too_long):
            values.append(partial.request())
            self._partial = None
            self._begin(line, too_long, values)
        elif partial.is_over:
            values.append(partial.request())
            self._partial = None

    def _begin(self, line: bytes, too_long: bool, values: list[Request | Bad]) -> None:
        """Begin a request with a line between requests, or ignore the line."""
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
            if key in REQUIRED_FIELDS:
                self._partial = PartialRequest(key, value, too_long=too_long)
