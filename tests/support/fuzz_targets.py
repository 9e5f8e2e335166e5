"""Fuzz targets: the codecs, their bounds on memory and values, and the parts of their inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from io import StringIO
from ipaddress import ip_address
from json import dumps
from typing import Any, Final

from chatd.chat.limits import LINE_BYTES
from chatd.chat.text.sanitizing import safe
from chatd.terminal.editor import keys
from chatd.transport.line import LineProtocol
from chatd.wire import line, proxy
from chatd.wire.json.codec import (
    NESTING,
    NUMBER_CHARACTERS,
    OBJECT_BYTES,
    BadObject,
    JsonCodec,
    request_from,
)
from chatd.wire.line import text_of
from chatd.wire.tcd import replies, requests
from chatd.wire.tcd.codec import LONGEST_LINE, TcdCodec
from chatd.wire.telnet.codec import (
    NAME_CHARACTERS,
    REPLY_BYTES,
    Data,
    TelnetCodec,
    TerminalType,
    WindowSize,
)
from chatd.wire.telnet.frames import SUBNEGOTIATION_BYTES, UNFINISHED_BYTES

#: The most reply bytes of telnet at once: timing marks, and every option agreed to and refused.
MOST_REPLIED = REPLY_BYTES + 4096


# Memory and values -------------------------------------------------------------------------------


_PLAIN: Final = frozenset((bytes, bytearray, str, int, bool, type(None)))
_NAMES: dict[type, tuple[str, ...]] = {}


def _references(thing: object) -> list[object]:
    """Return the objects that an object's attributes refer to."""
    kind = type(thing)
    if kind not in _NAMES:
        slots = (name for each in kind.__mro__ for name in getattr(each, "__slots__", ()))
        _NAMES[kind] = (*slots, "__dict__")
    return [getattr(thing, name, None) for name in _NAMES[kind]]


def memory_of(thing: object) -> int:
    """Return the bytes of memory of an object and of all objects that it refers to."""
    waiting: list[Any] = [thing]
    seen = set[int]()
    size = 0
    while waiting:
        each = waiting.pop()
        if type(each) in _PLAIN:
            size += sys.getsizeof(each)
        elif not isinstance(each, Enum) and id(each) not in seen:
            seen.add(id(each))
            size += sys.getsizeof(each)
            if isinstance(each, dict):
                waiting += [*each, *each.values()]
            elif isinstance(each, list | tuple):
                waiting += each
            elif isinstance(each, StringIO):
                size += 4 * each.tell()
            else:
                waiting += _references(each)
    return size


def merge_text(values: Iterable[Any]) -> list[Any]:
    """Return values with adjacent data or text merged; only that may come in pieces."""
    joined: list[Any] = []
    for value in values:
        match joined[-1:], value:
            case ([bytes(before)], bytes()):
                joined[-1] = before + value
            case ([Data(before)], Data(more)):
                joined[-1] = Data(before + more)
            case ([keys.Text(typed)], keys.Text(text)):
                joined[-1] = keys.Text(typed + text)
            case _:
                joined.append(value)
    return joined


class LineProtocolCodec(LineProtocol):
    """The protocol of plain lines without a connection, used as the line codec is."""

    def __init__(self) -> None:
        super().__init__(None, None)  # type: ignore[arg-type]  # there is no conversation
        self._lines: list[str | line.CutLine] = []

    def lineReceived(self, line: bytes) -> None:
        self._lines.append(text_of(line))

    def lineLengthExceeded(self, exceeding: bytes) -> None:
        super().lineLengthExceeded(exceeding)
        cut = self._lines.pop()
        assert isinstance(cut, str)
        self._lines.append(line.CutLine(cut))

    def receive_data(self, data: bytes) -> list[str | line.CutLine]:
        """Return the lines that these bytes complete."""
        self.dataReceived(data)
        lines, self._lines = self._lines, []
        return lines

    def finish(self) -> list[str | line.CutLine]:
        """Return the line that the end of input ends."""
        self.readConnectionLost()
        return self.receive_data(b"")


def _is_line(text: str, most: int) -> bool:
    """Return whether a text is one line that is safe to display."""
    return len(text) <= most and safe(text) == text


def _are_lines(lines: tuple[str, ...], most: int, most_bytes: int) -> bool:
    """Return whether the lines of a message are safe to display, and none is empty."""
    few = len(lines) <= most and sum(map(len, lines)) <= most_bytes
    return few and all(line and _is_line(line, most_bytes) for line in lines)


def _is_valid_line(value: Any) -> bool:
    return _is_line(value.text if isinstance(value, line.CutLine) else value, LINE_BYTES)


def _is_valid_telnet(value: Any) -> bool:
    match value:
        case WindowSize(columns, rows):
            return columns in range(20, 501) and rows in range(5, 301)
        case TerminalType(name):
            return 0 < len(name) <= NAME_CHARACTERS and name.isascii() and safe(name) == name
        case bytes():
            return len(value) <= MOST_REPLIED
        case _:
            return bool(value != Data(b""))


def _is_valid_proxy(value: Any) -> bool:
    if isinstance(value, proxy.Proxied):
        ends = [end for end in (value.source, value.destination) if end]
        return all(str(ip_address(end.host)) == end.host and end.port < 65536 for end in ends)
    return isinstance(value, bytes) or _is_line(value.reason, 100)


def _is_valid_tcd(value: Any) -> bool:
    numbers: list[object] = [0]
    match value:
        case requests.Say(ref, join_id, nick, lines):
            texts, numbers = [nick, ref] if isinstance(ref, str) else [nick], [ref, join_id]
            if not lines or not _are_lines(lines, requests.MESSAGE_LINES, requests.MESSAGE_BYTES):
                return False
        case requests.Leave(ref, join_id, nick):
            texts, numbers = [nick, ref] if isinstance(ref, str) else [nick], [ref, join_id]
        case requests.Join(room, nick):
            texts = [room, nick]
        case requests.Helo(text) | requests.Disconnect(text) | requests.Bad(_, text):
            texts = [text]
        case _:
            return isinstance(value, requests.KillService)
    fits = all(_is_line(text, requests.HEADER_BYTES) for text in texts)
    known = [each for each in numbers if isinstance(each, int)]
    return fits and all(0 <= each <= requests.MOST_NUMBER for each in known)


def _is_valid_reply(value: Any) -> bool:
    most_lines, most_bytes = replies.MESSAGE_LINES, replies.MESSAGE_BYTES
    fields = [getattr(value, name) for name in value.__slots__]
    texts = [text for text in fields if isinstance(text, str)]
    lines = value.lines if isinstance(value, replies.Chat) else ()
    fits = all(_is_line(text, requests.HEADER_BYTES) for text in texts)
    return fits and _are_lines(lines, most_lines, most_bytes)


def _depth(value: object) -> int:
    """Return the nesting depth of a JSON value."""
    value = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _is_valid_json(value: Any) -> bool:
    if isinstance(value, BadObject):
        return _is_line(value.sentence, 100)
    request_from(value.fields)
    written = dumps(value.fields, ensure_ascii=False, allow_nan=False).encode()
    return len(written) <= 8 * OBJECT_BYTES and _depth(value.fields) <= NESTING


def _is_valid_key(value: Any) -> bool:
    if isinstance(value, keys.Key):
        return bool(value.name.encode())
    text, paste = value.text, isinstance(value, keys.Paste)
    loose = set(text) - ({"\n", "\t"} if paste else set())
    clean = not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in loose)
    return clean and (len(text) <= keys.PASTE_CHARACTERS if paste else bool(text))


# The codecs --------------------------------------------------------------------------------------


class OneHeader:
    """A PROXY header and the bytes after it; bytes after an error are dropped."""

    def __init__(self) -> None:
        self._codec: proxy.ProxyCodec | None = proxy.ProxyCodec()
        self._passes = False

    def receive_data(self, data: bytes) -> list[Any]:
        """Return the header without its rest, the rest, and all bytes after it."""
        if self._codec is None:
            return [data] * bool(self._passes and data)
        answer = self._codec.receive_data(data)
        if answer is None:
            return []
        self._codec, self._passes = None, isinstance(answer, proxy.Proxied)
        if isinstance(answer, proxy.NotProxy):
            return [answer]
        return [proxy.Proxied(answer.source, answer.destination, b""), *filter(None, [answer.rest])]


def _telnet(number: int) -> TelnetCodec:
    """Return a codec, every other time after its offer."""
    codec = TelnetCodec()
    if number % 2:
        codec.offer()
    return codec


def _finish_tcd(codec: TcdCodec) -> list[Any]:
    """Return the requests that a silence completes: some exactly when one was pending."""
    pending, values = codec.pending, codec.finish()
    assert pending == bool(values), "a pending request was not completed, or another one was"
    return values


@dataclass(frozen=True, slots=True)
class Target:
    """A codec to fuzz.

    ``make`` returns one for the number of an input, ``finish`` its values at the end of input,
    ``is_valid`` checks a value, and ``most_held`` is the most bytes that it may hold.  ``lengths``
    are its bounds, for the length of runs.  ``endless`` are inputs without an end when their last
    byte is repeated; they, ``beginnings`` and ``parts`` are separated by blanks, with escapes.
    """

    make: Callable[[int], Any]
    finish: Callable[[Any], list[Any]]
    is_valid: Callable[[Any], bool]
    most_held: int
    lengths: tuple[int, ...]
    endless: str
    beginnings: str
    parts: str


@cache
def parse_words(written: str) -> tuple[bytes, ...]:
    """Return the byte strings of a text in which they are separated by blanks, with escapes."""
    return tuple(
        part.encode().decode("unicode_escape").encode("latin-1") for part in written.split()
    )


def _line_target(codec: Callable[[], Any]) -> Target:
    return Target(
        lambda _: codec(),
        lambda codec: codec.finish(),
        _is_valid_line,
        LINE_BYTES,
        (LINE_BYTES,),
        r"x \xf0\x9f",
        r"hello\r\n /join\x20attic\n",
        r"""\n \r\n \r \0 \t \x80\x80\x80\x80 \xf0\x9f \xf0\x9f\x98\x80 \x1b[31m \xff\xfb \xff
        \xe2\x80\xae \xc3\xa9 e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81 \xe2\x80\x8b \xed\xa0\x80
        \xc2\x9b x""",
    )


TARGETS: Final = {
    "line": _line_target(line.LineCodec),
    "line protocol": _line_target(LineProtocolCodec),
    "telnet": Target(
        _telnet,
        lambda codec: [data] if (data := codec.data_to_send()) else [],
        _is_valid_telnet,
        SUBNEGOTIATION_BYTES * 9 // 8 + MOST_REPLIED * 9 // 8,
        (NAME_CHARACTERS, SUBNEGOTIATION_BYTES, UNFINISHED_BYTES, REPLY_BYTES),
        r"\xff\xfa \xff\xfa\x18\0",
        r"""\xff\xfb\x18\xff\xfa\x18\0xterm\xff\xf0 \xff\xfd\x01\xff\xfd\x03
        \xff\xfa\x1f\0P\0\x18\xff\xf0 \xff\xfb\x1f hello\r\0 \xff\xfa\x18\0 \xff\xfa
        \xff\xfb\x18\xff\xfa\x18\0
        \xff\xfb\x18\xff\xfa\x18\0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\xff\xf0""",
        r"""\xff \xff\xff \xff\xfa \xff\xf0 \xff\xfb \xff\xfc \xff\xfd \xff\xfe \0 \x01 \x03 \x06
        \x18 \x1f \x22 \xc9 \xff\xf4 \xff\xf3 \xff\xec \xff\xed \xff\xee \xff\xf6 \xff\xf7 \xff\xf8
        \r \n \r\n \r\0 hi \xe6 \xf0\x9f \x9c \xff\xfd\x06 \xff\xfa\x18\0vt\xff\xf0 \xff\xfd\x03
        x""",
    ),
    "proxy": Target(
        lambda _: OneHeader(),
        lambda _: [],
        _is_valid_proxy,
        proxy.V2_BYTES + 16,
        (proxy.V1_BYTES, proxy.V2_BYTES),
        r"PROXY\x20TCP4\x20 \r\n\r\n\0\r\nQUIT\n\x20\0\x10\0",
        r"""PROXY\x20TCP4\x20192.0.2.1\x20192.0.2.2\x2056324\x201134\r\n PROXY\x20UNKNOWN\r\nhi
        PROXY\x20TCP6\x202001:db8::1\x20::ffff:1.2.3.4\x201\x2065535\r\n PROXY\x20TCP6\x20 PROXY\x20
        \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\xdc\x04\x04\x6e
        \r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24 \r\n\r\n\0\r\nQUIT\n\x20\0\0\0 \r\n\r\n\0\r\nQUIT\n
        PROXY\x20TCP4\x201.2.3.4\x201.2.3.4\x2065536\x201\r\n PROXY\x20UNKNOWN
        PROXY\x20TCP6\x20fe80::1%x\x20::1\x201\x202\r\n
        \r\n\r\n\0\r\nQUIT\n\x20\0\x10\0 \r\n\r\n\0\r\nQUIT\n\x21\x31\x10\0""",
        r"""\r\n \x20 : . 0 1 255 256 65535 65536 ::1 fe80::1%eth0 1.2.3.4 \0\x0c \x21\x11 \x20 \x31
        \x10\0 \x10\x01 ffff \xb2 hi\r\n \0\0\0\0\0\0\0\0\0\0\xff\xff TCP4\x20 PROXY\x20 UNKNOWN""",
    ),
    "tcd": Target(
        lambda _: TcdCodec(),
        _finish_tcd,
        _is_valid_tcd,
        LONGEST_LINE + requests.MESSAGE_BYTES + 3 * requests.HEADER_BYTES,
        (requests.HEADER_BYTES, requests.MESSAGE_BYTES, LONGEST_LINE, requests.MESSAGE_LINES),
        r"x JOIN_CHATROOM: CHAT:1\nJOIN_ID:7\nCLIENT_NAME:a\nMESSAGE: CHAT:1\nJOIN_ID: HELO\x20",
        r"""JOIN_CHATROOM:\x20a\nCLIENT_IP:\x200\nPORT:\x200\nCLIENT_NAME:\x20ada\n HELO\x20x\n
        LEAVE_CHATROOM:\x201\nJOIN_ID:\x207\nCLIENT_NAME:\x20ada\n KILL_SERVICE\n
        CHAT:\x201\nJOIN_ID:\x207\nCLIENT_NAME:\x20ada\nMESSAGE:\x20hello\n\n CHAT:1\nMESSAGE:
        DISCONNECT:\x200\nPORT:\x200\nCLIENT_NAME:\x20ada\n CHAT:1\nJOIN_ID:7\nCLIENT_NAME:a\n
        CHAT:1\nJOIN_ID:7\nCLIENT_NAME:a\nMESSAGE:""",
        r"""\n \r\n \x20\r\n : \x20 JOIN_CHATROOM: JOIN\x20CHATROOM:a\n LEAVE_CHATROOM:1\n CHAT:1\n
        HELO HELO\x20 KILL_SERVICE DISCONNECT: CLIENT_NAME:ada\n JOIN_ID:7\n MESSAGE:x\n MESSAGE:\n
        9223372036854775808 000000000000000000001 PORT:0 \x1b \xe2\x80\xae \xff \xc2\x9b x \0""",
    ),
    "replies": Target(
        lambda _: replies.ReplyCodec(),
        lambda codec: codec.finish(),
        _is_valid_reply,
        replies.LONGEST_LINE + replies.MESSAGE_BYTES + 48 * replies.MESSAGE_LINES,
        (requests.HEADER_BYTES, replies.MESSAGE_BYTES, replies.MESSAGE_LINES),
        r"""x JOINED_CHATROOM: CHAT:1\nCLIENT_NAME:a\nMESSAGE: ERROR_CODE:1\nERROR_DESCRIPTION:
        HELO\x20""",
        r"""JOINED_CHATROOM:\x20a\nSERVER_IP:\x200\nPORT:\x200\nROOM_REF:\x201\nJOIN_ID:\x207\n
        LEFT_CHATROOM:\x201\nJOIN_ID:\x207\n ERROR_CODE:\x201\nERROR_DESCRIPTION:\x20no\n
        CHAT:\x201\nCLIENT_NAME:\x20ada\nMESSAGE:\x20hello\n\n CHAT:1\nCLIENT_NAME:ada\nMESSAGE:
        HELO\x20x\nIP:1.2.3.4\nPort:1134\nStudentID:1\n""",
        r"""\n \r\n \x20\r\n : \x20 JOINED_CHATROOM: LEFT\x20CHATROOM:1\n CHAT:-1\n ERROR_CODE:1\n
        HELO\n CLIENT_NAME:ada\n JOIN_ID:7\n ROOM_REF:1\n MESSAGE:x\n MESSAGE:\n hello PORT:0
        ERROR_DESCRIPTION:\n \x1b \xe2\x80\xae \xff \xc2\x9b \xcc\x81\xcc\x81\xcc\x81 \0""",
    ),
    "json": Target(
        lambda _: JsonCodec(),
        lambda _: [],
        _is_valid_json,
        OBJECT_BYTES * 9 // 8,
        (OBJECT_BYTES, NUMBER_CHARACTERS, NESTING),
        r"""{"id":9 {"id":0.1 {"message":"x [0 x {"a":\x20 \x20""",
        r"""{"username":"ada","version":2} {"message":"\\"}{\\\\","dm":null,"room":"a","id":5} {}
        {"a":{"b":[1,{}]}} {"history":"a","after":-1,"count":1e3} [{"a":[]}] {"disconnect":true}
        {"a":1e999} {"a":[NaN,-0.0]} {"id":"\\ud83d\\ude00\\ud800"} {"a":" {"message":"
        {"a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}
        {"a":{"a":[ {"a":1234567890""",
        r"""{ } [ ] " \\ \n : , \x20 {"a": {"a {"ping": "x" 1e999 -0.0 NaN true null
        12345678901234567890 \\u00 \\ud83d \\ude00 \\ud800 \xef\xbb\xbf \xff \0 \r\n {"ok":1} "id":"
        "message": \xc3 'x' 01 "} }}""",
    ),
    "keys": Target(
        lambda _: keys.Keys(),
        lambda codec: codec.flush_escape(),
        _is_valid_key,
        4 * (keys.PASTE_CHARACTERS + keys.PARAMETERS),
        (keys.PARAMETERS, keys.STRING_CHARACTERS, keys.PASTE_CHARACTERS),
        r"\x1b[1 \x1bO1 \x1b]x \x1bPx \x1b[200~x \x1b[200~\xf0\x9f\x98\x80 \x1b[2 \xf0\x9f",
        r"""\x1b[A \x1b[1;5C \x1b[200~one\rtwo\r\n\x1b[31m\x1b[201~ \x1b]11;rgb:0/0/0\x1b\\
        \x1b[97;5u \x1bP>|x\x1b\\ \x1b[27;6;65~ \x1b[200~ \x1b] \x1b[ hello\r
        \x1b[55296u \x1b[1114112u \x1b[27;5;9~ \x1bO5C \x1b[1;99999999999999999999A""",
        r"""\x1b \x1b\x1b [ O ] \\ \x1b\\ \r \n \r\n \x07 \xc2\x9c \xc2\x9b \x1b[200~ \x1b[201~
        \x1b[20 \xe6\x97 \xa5 \x1b[[ \x1b[[A \x1bO5C ; : ? 1 27 ~ u 55296 1114112 $ \0 \x7f x
        \x1b[3~""",
    ),
}
