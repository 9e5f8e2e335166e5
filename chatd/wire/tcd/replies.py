"""The socket assignment's protocol from a client's side: requests to bytes, bytes to replies.

See docs/protocol.rst, "The socket assignment's protocol".  It knows how answers stand in lines,
tolerantly, for its servers were each written from a page of prose.  It must not know a transport,
a clock, or what a reply means for anybody.

What holds throughout:

- Any cutting of the bytes gives the same values, and no bytes whatever raise.
- What a reply holds is safe to show: no controls, nothing that reorders text.
- What is no reply gives nothing; what is one but lacks a field gives one `Broken`.
- What is held is bounded: an unfinished line of ``LONGEST_LINE`` and one reply's fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from chatd.chat.text.sanitizing import decode
from chatd.wire.tcd.requests import HEADER_BYTES, field

#: A line of any kind, its LF not counted.  Of a longer one the beginning is taken and the rest
#: skipped.  chatd sends a sixteenth of it; other servers have no bound at all.
LONGEST_LINE = 64 * 1024
#: A message, a line end for each line; what comes after so much is skipped.
MESSAGE_BYTES = 64 * 1024
#: Lines of one message: a screen or two.  chatd sends a quarter of it.
MESSAGE_LINES = 200

_CHAT: Final = b"CHAT"
_CODE: Final = b"ERROR_CODE"
_WORDS: Final = b"ERROR_DESCRIPTION"
_JOINED: Final = b"JOINED_CHATROOM"
_LEFT: Final = b"LEFT_CHATROOM"
_HELO: Final = b"HELO"

#: What begins a reply, and the fields that it needs: the last of them to come ends it.
_NEEDED: Final[dict[bytes, tuple[bytes, ...]]] = {
    _JOINED: (b"ROOM_REF", b"JOIN_ID"),
    _LEFT: (),
    _CHAT: (b"CLIENT_NAME", b"MESSAGE"),
    _CODE: (_WORDS,),
}

_NUMBER = re.compile(rb"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Joined:
    """JOINED_CHATROOM.

    Numbers are texts here, to be given back as they came: some servers make them negative, or
    no numbers at all.
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
    """CHAT: something was said in a room; ``cut`` says that there was more of it."""

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
    """HELO was answered; the server's address, which follows, tells a client nothing."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A reply that lacks a field."""

    kind: str
    field: str


Reply = Joined | Left | Chat | Failed | Greeted | Broken


# Requests -----------------------------------------------------------------------------------------


def helo(text: str) -> bytes:
    """Ask who is there."""
    return _request(f"HELO {text}")


def join(room: str, nick: str) -> bytes:
    """Ask to be let into a room."""
    return _request(f"JOIN_CHATROOM: {room}", "CLIENT_IP: 0", "PORT: 0", f"CLIENT_NAME: {nick}")


def leave(ref: str, join_id: str, nick: str) -> bytes:
    """Ask to leave a room."""
    return _request(f"LEAVE_CHATROOM: {ref}", f"JOIN_ID: {join_id}", f"CLIENT_NAME: {nick}")


def chat(ref: str, join_id: str, nick: str, text: str) -> bytes:
    """Say one line in a room."""
    return _request(
        f"CHAT: {ref}", f"JOIN_ID: {join_id}", f"CLIENT_NAME: {nick}", f"MESSAGE: {text}", ""
    )


def disconnect(nick: str) -> bytes:
    """Say that one goes."""
    return _request("DISCONNECT: 0", "PORT: 0", f"CLIENT_NAME: {nick}")


def _request(*lines: str) -> bytes:
    """Join lines, none of which can break out of its own."""
    return "".join(f"{' '.join(line.splitlines())}\n" for line in lines).encode("utf-8", "replace")


# Replies ------------------------------------------------------------------------------------------


class ReplyCodec:
    """Takes bytes, gives replies; holds at most one unfinished line and one unfinished reply."""

    __slots__ = ("_draft", "_skipping", "_unfinished")

    def __init__(self) -> None:
        self._draft: _Draft | None = None
        self._unfinished = b""
        self._skipping = False

    @property
    def held(self) -> int:
        """The bytes of an unfinished line and an unfinished reply."""
        return len(self._unfinished) + (self._draft.held if self._draft else 0)

    @property
    def pending(self) -> bool:
        """Whether a message waits for its blank line, so that `finish` has something to give."""
        return self._draft is not None and self._draft.in_message and not self._unfinished

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
                self._take(line, replies)
        if rest and not self._skipping:
            self._unfinished += rest
            if len(self._unfinished) > LONGEST_LINE:
                self._take(self._unfinished, replies)
                self._unfinished = b""
                self._skipping = True
        return replies

    def finish(self) -> list[Reply]:
        """Return the message that lacks its blank line, after a silence: some servers forget it."""
        if not self.pending or self._draft is None:
            return []
        reply = self._draft.reply()
        self._draft = None
        return [reply]

    def _take(self, line: bytes, replies: list[Reply]) -> None:
        """Add what a line completes; the start of one that is too long stands for all of it."""
        cut = len(line) > LONGEST_LINE
        line = line[:LONGEST_LINE].rstrip()
        draft = self._draft
        if draft is not None and draft.take(line, cut):
            if draft.is_over:
                replies.append(draft.reply())
                self._draft = None
            return
        if draft is not None:
            replies.append(draft.reply())
            self._draft = None
        key, value = field(line)
        if line == _HELO or line.startswith(b"HELO "):
            replies.append(Greeted())
        elif key in _NEEDED:
            self._draft = _Draft(key, value)
            if self._draft.is_over:
                replies.append(self._draft.reply())
                self._draft = None


class _Draft:
    """A reply while its lines come in."""

    __slots__ = ("_bytes", "_count", "_cut", "_kind", "_lines", "_values", "in_message", "is_over")

    def __init__(self, kind: bytes, value: bytes) -> None:
        #: Whether the lines that come are those of a message.
        self.in_message = False
        #: Whether nothing more can come.
        self.is_over = not _NEEDED[kind]
        self._kind = kind
        self._values = {kind: value[:HEADER_BYTES]}
        self._lines: list[bytes] = []
        self._bytes = 0
        self._count = 0
        self._cut = False

    @property
    def held(self) -> int:
        """The bytes of values and of the message that are kept, a line end for each line."""
        return sum(map(len, self._values.values())) + sum(len(line) + 1 for line in self._lines)

    def take(self, line: bytes, cut: bool) -> bool:
        """Take a line in; False means that it is none of this reply's, which is over."""
        if not self.in_message:
            return self._take_header(line, cut)
        if not line and not cut:
            self.is_over = True
        elif _begins_within_message(line):
            return False
        else:
            self._take_text(line, cut)
        return True

    def _take_header(self, line: bytes, cut: bool) -> bool:
        """Take a header line in; what is of no use here is passed over."""
        key, value = field(line)
        if key in _NEEDED:
            return False
        if key == b"MESSAGE" and self._kind == _CHAT:
            self.in_message = True
            self._values[key] = b""
            self._take_text(value, cut)
        elif key in _NEEDED[self._kind]:
            self._values[key] = value[:HEADER_BYTES]
            self.is_over = not self._missing()
        return True

    def _take_text(self, line: bytes, cut: bool) -> None:
        """Take a line of the message in, as much of it as there is room for."""
        self._count += 1
        room = MESSAGE_BYTES - self._bytes - 1
        self._cut = self._cut or cut or len(line) > room or self._count > MESSAGE_LINES
        if room > 0 and self._count <= MESSAGE_LINES:
            self._lines.append(line[:room])
            self._bytes += len(self._lines[-1]) + 1

    def _missing(self) -> list[bytes]:
        return [key for key in _NEEDED[self._kind] if key not in self._values]

    def reply(self) -> Reply:
        """Return what this is now that nothing more of it comes."""
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
    """Return whether a line of a message is the next reply's first, so that the message is over.

    Stricter than elsewhere: people write ``CHAT: later?`` in a message too.
    """
    key, value = field(line) if line[:1].isupper() else (b"", b"")
    return key == _JOINED or (key in _NEEDED and _NUMBER.fullmatch(value) is not None)
