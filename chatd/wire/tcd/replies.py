"""Socket assignment codec, client side: requests to bytes, bytes to replies.

See docs/protocol.rst, "The socket assignment's protocol".  It is tolerant, because each server was
written from a page of prose.  It must not know a transport, a clock, or what a reply means to the
user.

Invariants:

- However the bytes are split, the values are the same, and no bytes raise.
- The texts of a reply are safe to display: no control characters, and nothing that reorders text.
- Text that is not a reply yields nothing; a reply that lacks a field yields one `Broken`.
- What is held is bounded: an unfinished line of ``LONGEST_LINE`` and one reply's fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chatd.chat.text.sanitizing import decode
from chatd.wire.tcd.requests import HEADER_BYTES, field

#: The most bytes of a line without its LF; the rest of a longer one is skipped.  chatd's own lines
#: are at most a sixteenth of it; other servers have no bound at all.
LONGEST_LINE = 64 * 1024
#: The most bytes of a message, with a line end for each line; the rest is skipped.
MESSAGE_BYTES = 64 * 1024
#: The most lines of one message: a screen or two.  chatd's own have at most a quarter of it.
MESSAGE_LINES = 200

_CHAT: Final = b"CHAT"
_CODE: Final = b"ERROR_CODE"
_WORDS: Final = b"ERROR_DESCRIPTION"
_JOINED: Final = b"JOINED_CHATROOM"
_LEFT: Final = b"LEFT_CHATROOM"
_HELO: Final = b"HELO"

#: The first field of each reply, and the other fields that it requires: the last to come ends it.
_REQUIRED_FIELDS: Final[dict[bytes, tuple[bytes, ...]]] = {
    _JOINED: (b"ROOM_REF", b"JOIN_ID"),
    _LEFT: (),
    _CHAT: (b"CLIENT_NAME", b"MESSAGE"),
    _CODE: (_WORDS,),
}

_NUMBER = re.compile(rb"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Joined:
    """JOINED_CHATROOM.

    Numbers are strings here and are sent back unchanged: some servers use negative numbers, or
    other text.
    """

    room: str
    ref: str
    join_id: str


@dataclass(frozen=True, slots=True)
class Left:
    """LEFT_CHATROOM."""

    ref: str


@dataclass(frozen=True, slots=True)
class Chat:
    """CHAT: a message in a room; ``cut`` when it was longer than the bounds."""

    ref: str
    nick: str
    lines: tuple[str, ...]
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """ERROR_CODE: a request was refused; ``sentence`` may be empty."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Greeted:
    """The reply to HELO; the server's address, which follows, is of no use to a client."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A reply that lacks a field."""

    kind: str
    field: str


Reply = Joined | Left | Chat | Failed | Greeted | Broken


# Requests -----------------------------------------------------------------------------------------


def helo(text: str) -> bytes:
    """Return the request that identifies the server."""
    return _request(f"HELO {text}")


def join(room: str, nick: str) -> bytes:
    """Return the request to join a room."""
    return _request(f"JOIN_CHATROOM: {room}", "CLIENT_IP: 0", "PORT: 0", f"CLIENT_NAME: {nick}")


def leave(ref: str, join_id: str, nick: str) -> bytes:
    """Return the request to leave a room."""
    return _request(f"LEAVE_CHATROOM: {ref}", f"JOIN_ID: {join_id}", f"CLIENT_NAME: {nick}")


def chat(ref: str, join_id: str, nick: str, text: str) -> bytes:
    """Return a message of one line in a room."""
    return _request(
        f"CHAT: {ref}", f"JOIN_ID: {join_id}", f"CLIENT_NAME: {nick}", f"MESSAGE: {text}", ""
    )


def disconnect(nick: str) -> bytes:
    """Return the request to disconnect."""
    return _request("DISCONNECT: 0", "PORT: 0", f"CLIENT_NAME: {nick}")


def _request(*lines: str) -> bytes:
    """Return lines as a request; a line end within one becomes a space."""
    return "".join(f"{' '.join(line.splitlines())}\n" for line in lines).encode("utf-8", "replace")


# Replies ------------------------------------------------------------------------------------------


class ReplyCodec:
    """The decoder of one connection; it holds at most one unfinished line and one reply."""

    __slots__ = (
        "_partial",
        "_skipping",
        "_unfinished",
    )

    def __init__(self) -> None:
        self._partial: _PartialReply | None = None
        self._unfinished = b""
        self._skipping = False

    @property
    def held(self) -> int:
        """The number of bytes held: an unfinished line and an unfinished reply."""
        return len(self._unfinished) + (self._partial.held if self._partial else 0)

    @property
    def pending(self) -> bool:
        """Whether a message lacks only its blank line, so that `finish` returns something."""
        return self._partial is not None and self._partial.in_message and not self._unfinished

    def receive_data(self, data: bytes) -> list[Reply]:
        """Return the replies that these bytes complete."""
        replies: list[Reply] = []
        *ended, rest = data.split(b"\n")
        if ended:
            if self._skipping:
                self._skipping = False
                del ended[0]
            else:
                ended[0] = self._unfinished + ended[0]
            self._unfinished = b""
            for line in ended:
                self._add_line(line, replies)
        if rest and not self._skipping:
            self._unfinished += rest
            if len(self._unfinished) > LONGEST_LINE:
                self._add_line(self._unfinished, replies)
                self._unfinished = b""
                self._skipping = True
        return replies

    def finish(self) -> list[Reply]:
        """Return the message that lacks its blank line, after a silence: some servers omit it."""
        if not self.pending or self._partial is None:
            return []
        reply = self._partial.reply()
        self._partial = None
        return [reply]

    def _add_line(self, line: bytes, replies: list[Reply]) -> None:
        """Add the replies that a line completes; of a line that is too long, its beginning."""
        cut = len(line) > LONGEST_LINE
        line = line[:LONGEST_LINE].rstrip()
        partial = self._partial
        if partial is not None and partial.add_line(line, cut):
            if partial.is_over:
                replies.append(partial.reply())
                self._partial = None
            return
        if partial is not None:
            replies.append(partial.reply())
            self._partial = None
        key, value = field(line)
        if line == _HELO or line.startswith(b"HELO "):
            replies.append(Greeted())
        elif key in _REQUIRED_FIELDS:
            self._partial = _PartialReply(key, value)
            if self._partial.is_over:
                replies.append(self._partial.reply())
                self._partial = None


class _PartialReply:
    """A partially received reply."""

    __slots__ = ("_bytes", "_count", "_cut", "_kind", "_lines", "_values", "in_message", "is_over")

    def __init__(self, kind: bytes, value: bytes) -> None:
        #: Whether the next lines are those of a message.
        self.in_message = False
        #: Whether nothing more can follow.
        self.is_over = not _REQUIRED_FIELDS[kind]
        self._kind = kind
        self._values = {kind: value[:HEADER_BYTES]}
        self._lines: list[bytes] = []
        self._bytes = 0
        self._count = 0
        self._cut = False

    @property
    def held(self) -> int:
        """The number of bytes held: values, and the message with a line end for each line."""
        return sum(map(len, self._values.values())) + sum(len(line) + 1 for line in self._lines)

    def add_line(self, line: bytes, cut: bool) -> bool:
        """Add a line; False when it belongs to the next reply, as this one is over."""
        if not self.in_message:
            return self._add_header(line, cut)
        if not line and not cut:
            self.is_over = True
        elif _begins_within_message(line):
            return False
        else:
            self._add_text(line, cut)
        return True

    def _add_header(self, line: bytes, cut: bool) -> bool:
        """Add a header line, or ignore one that this reply does not need."""
        key, value = field(line)
        if key in _REQUIRED_FIELDS:
            return False
        if key == b"MESSAGE" and self._kind == _CHAT:
            self.in_message = True
            self._values[key] = b""
            self._add_text(value, cut)
        elif key in _REQUIRED_FIELDS[self._kind]:
            self._values[key] = value[:HEADER_BYTES]
            self.is_over = not self._missing()
        return True

    def _add_text(self, line: bytes, cut: bool) -> None:
        """Add a line of the message, cut to the room there is."""
        self._count += 1
        room = MESSAGE_BYTES - self._bytes - 1
        self._cut = self._cut or cut or len(line) > room or self._count > MESSAGE_LINES
        if room > 0 and self._count <= MESSAGE_LINES:
            self._lines.append(line[:room])
            self._bytes += len(self._lines[-1]) + 1

    def _missing(self) -> list[bytes]:
        return [key for key in _REQUIRED_FIELDS[self._kind] if key not in self._values]

    def reply(self) -> Reply:
        """Return the reply, complete or broken, now that it has ended."""
        missing = self._missing()
        if self._kind == _CODE:
            return Failed(self._text(_CODE), self._text(_WORDS))
        if missing:
            return Broken(self._kind.decode(), missing[0].decode())
        if self._kind == _JOINED:
            return Joined(self._text(_JOINED), self._text(b"ROOM_REF"), self._text(b"JOIN_ID"))
        if self._kind == _LEFT:
            return Left(self._text(_LEFT))
        texts = tuple(text for line in self._lines if (text := decode(line).rstrip()))
        return Chat(self._text(_CHAT), self._text(b"CLIENT_NAME"), texts, self._cut)

    def _text(self, key: bytes) -> str:
        return decode(self._values.get(key, b"")).strip()


def _begins_within_message(line: bytes) -> bool:
    """Return whether a line within a message begins the next reply, so that the message is over.

    Stricter than between replies: users write ``CHAT: later?`` in a message too.
    """
    key, value = field(line) if line[:1].isupper() else (b"", b"")
    return key == _JOINED or (key in _REQUIRED_FIELDS and _NUMBER.fullmatch(value) is not None)
