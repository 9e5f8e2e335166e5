"""The codecs that are fuzzed: what each may hold and give, and what its inputs are made of."""

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
from chatd.chat.text.sanitizing import decode, safe
from chatd.terminal.editor import keys
from chatd.transport.line import LineProtocol
from chatd.wire import line, proxy
from chatd.wire.json import codec as json
from chatd.wire.tcd import codec as tcd
from chatd.wire.tcd import replies as tcd_replies
from chatd.wire.telnet import codec as telnet
from chatd.wire.telnet.frames import SUBNEGOTIATION_BYTES, UNFINISHED_BYTES

#: What a telnet may draw out of us at once: timing marks, and every option agreed to and refused.
MOST_REPLIED = telnet.REPLY_BYTES + 4096


# What a codec holds, and what it gives -----------------------------------------------------------


_PLAIN: Final = frozenset((bytes, bytearray, str, int, bool, type(None)))
_NAMES: dict[type, tuple[str, ...]] = {}


def _attributes(thing: object) -> list[object]:
    """Return what an object refers to."""
    kind = type(thing)
    if kind not in _NAMES:
        slots = (name for each in kind.__mro__ for name in getattr(each, "__slots__", ()))
        _NAMES[kind] = (*slots, "__dict__")
    return [getattr(thing, name, None) for name in _NAMES[kind]]


def held(thing: object) -> int:
    """Return the bytes of memory that an object takes with all that it leads to."""
    waiting: list[Any] = [thing]
    size = 0
    while waiting:
        each = waiting.pop()
        if type(each) in _PLAIN:
            size += sys.getsizeof(each)
        elif not isinstance(each, Enum):
            size += sys.getsizeof(each)
            if isinstance(each, dict):
                waiting += [*each, *each.values()]
            elif isinstance(each, list | tuple):
                waiting += each
            elif isinstance(each, StringIO):
                size += 4 * each.tell()
            else:
                waiting += _attributes(each)
    return size


def joined(values: Iterable[Any]) -> list[Any]:
    """Return values with what was typed in a row in one; only that may come in pieces."""
    joined: list[Any] = []
    for value in values:
        match joined[-1:], value:
            case ([bytes(before)], bytes()):
                joined[-1] = before + value
            case ([telnet.Data(before)], telnet.Data(more)):
                joined[-1] = telnet.Data(before + more)
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
        self._lines.append(decode(line))

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
    """Whether a text is one line that may be shown."""
    return len(text) <= most and safe(text) == text


def _are_lines(lines: tuple[str, ...], most: int, most_bytes: int) -> bool:
    """Whether the lines of a message may be shown, none of them empty."""
    few = len(lines) <= most and sum(map(len, lines)) <= most_bytes
    return few and all(line and _is_line(line, most_bytes) for line in lines)


def _fits_line(value: Any) -> bool:
    return _is_line(value.text if isinstance(value, line.CutLine) else value, LINE_BYTES)


def _fits_telnet(value: Any) -> bool:
    match value:
        case telnet.WindowSize(columns, rows):
            return columns in range(20, 501) and rows in range(5, 301)
        case telnet.TerminalType(name):
            return 0 < len(name) <= telnet.NAME_CHARACTERS and name.isascii() and safe(name) == name
        case bytes():
            return len(value) <= MOST_REPLIED
        case _:
            return bool(value != telnet.Data(b""))


def _fits_proxy(value: Any) -> bool:
    if isinstance(value, proxy.Proxied):
        ends = [end for end in (value.source, value.destination) if end]
        return all(str(ip_address(end.host)) == end.host and end.port < 65536 for end in ends)
    return isinstance(value, bytes) or _is_line(value.reason, 100)


def _fits_tcd(value: Any) -> bool:
    numbers = [0]
    match value:
        case tcd.Say(ref, join_id, nick, lines):
            texts, numbers = [nick], [ref, join_id]
            if not lines or not _are_lines(lines, tcd.MESSAGE_LINES, tcd.MESSAGE_BYTES):
                return False
        case tcd.Leave(ref, join_id, nick):
            texts, numbers = [nick], [ref, join_id]
        case tcd.Join(room, nick):
            texts = [room, nick]
        case tcd.Helo(text) | tcd.Disconnect(text) | tcd.Bad(_, text):
            texts = [text]
        case _:
            return isinstance(value, tcd.KillService)
    fits = all(_is_line(text, tcd.HEADER_BYTES) for text in texts)
    return fits and 0 <= min(numbers) <= max(numbers) <= tcd.MOST_NUMBER


def _fits_replies(value: Any) -> bool:
    most_lines, most_bytes = tcd_replies.MESSAGE_LINES, tcd_replies.MESSAGE_BYTES
    fields = [getattr(value, name) for name in value.__slots__]
    texts = [text for text in fields if isinstance(text, str)]
    lines = value.lines if isinstance(value, tcd_replies.Chat) else ()
    fits = all(_is_line(text, tcd.HEADER_BYTES) for text in texts)
    return fits and _are_lines(lines, most_lines, most_bytes)


def _depth(value: object) -> int:
    """Return how deep a JSON value is nested."""
    value = list(value.values()) if isinstance(value, dict) else value
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _fits_json(value: Any) -> bool:
    if isinstance(value, json.BadObject):
        return _is_line(value.sentence, 100)
    json.request_from(value.fields)
    written = dumps(value.fields, ensure_ascii=False, allow_nan=False).encode()
    return len(written) <= 8 * json.OBJECT_BYTES and _depth(value.fields) <= json.NESTING


def _fits_keys(value: Any) -> bool:
    if isinstance(value, keys.Key):
        return bool(value.name.encode())
    text, paste = value.text, isinstance(value, keys.Paste)
    loose = set(text) - ({"\n", "\t"} if paste else set())
    clean = not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in loose)
    return clean and (len(text) <= keys.PASTE_CHARACTERS if paste else bool(text))


# The codecs --------------------------------------------------------------------------------------


class OneHeader:
    """A PROXY header and what follows it; what follows something else is dropped."""

    def __init__(self) -> None:
        self._codec: proxy.ProxyCodec | None = proxy.ProxyCodec()
        self._passes = False

    def receive_data(self, data: bytes) -> list[Any]:
        """Return the header without its rest, the rest, and all that comes after it."""
        if self._codec is None:
            return [data] * bool(self._passes and data)
        answer = self._codec.receive_data(data)
        if answer is None:
            return []
        self._codec, self._passes = None, isinstance(answer, proxy.Proxied)
        if isinstance(answer, proxy.NotProxy):
            return [answer]
        return [proxy.Proxied(answer.source, answer.destination, b""), *filter(None, [answer.rest])]


def _telnet(number: int) -> telnet.TelnetCodec:
    """Return a codec that has made its offer, every other time."""
    codec = telnet.TelnetCodec()
    if number % 2:
        codec.offer()
    return codec


def _silence(codec: tcd.TcdCodec) -> list[Any]:
    """Return what silence completes, which is something exactly when something was pending."""
    pending, values = codec.pending, codec.finish()
    assert pending == bool(values), "what was pending and what came of it differ"
    return values


@dataclass(frozen=True, slots=True)
class Subject:
    """A codec: how it ends, what it may hold and give, and what its inputs are made of.

    ``lengths`` are its bounds, and those of runs; ``endless`` is what has no end when its last byte
    comes again and again.  These, ``begins`` and ``parts`` stand between blanks, with escapes.
    """

    fresh: Callable[[int], Any]
    ends: Callable[[Any], list[Any]]
    fits: Callable[[Any], bool]
    holds: int
    lengths: tuple[int, ...]
    endless: str
    begins: str
    parts: str


@cache
def read(written: str) -> tuple[bytes, ...]:
    """Return what is written with blanks between and escapes."""
    return tuple(
        part.encode().decode("unicode_escape").encode("latin-1") for part in written.split()
    )


def _line_subject(codec: Callable[[], Any]) -> Subject:
    return Subject(
        lambda _: codec(),
        lambda codec: codec.finish(),
        _fits_line,
        LINE_BYTES,
        (LINE_BYTES,),
        r"x \xf0\x9f",
        r"hello\r\n /join\x20attic\n",
        r"""\n \r\n \r \0 \t \x80\x80\x80\x80 \xf0\x9f \xf0\x9f\x98\x80 \x1b[31m \xff\xfb \xff
        \xe2\x80\xae \xc3\xa9 e\xcc\x81\xcc\x81\xcc\x81\xcc\x81\xcc\x81 \xe2\x80\x8b \xed\xa0\x80
        \xc2\x9b x""",
    )


SUBJECTS: Final = {
    "line": _line_subject(line.LineCodec),
    "line protocol": _line_subject(LineProtocolCodec),
    "telnet": Subject(
        _telnet,
        lambda codec: [data] if (data := codec.data_to_send()) else [],
        _fits_telnet,
        SUBNEGOTIATION_BYTES * 9 // 8 + MOST_REPLIED * 9 // 8,
        (telnet.NAME_CHARACTERS, SUBNEGOTIATION_BYTES, UNFINISHED_BYTES, telnet.REPLY_BYTES),
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
    "proxy": Subject(
        lambda _: OneHeader(),
        lambda _: [],
        _fits_proxy,
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
    "tcd": Subject(
        lambda _: tcd.TcdCodec(),
        _silence,
        _fits_tcd,
        tcd.LONGEST_LINE + tcd.MESSAGE_BYTES + 3 * tcd.HEADER_BYTES,
        (tcd.HEADER_BYTES, tcd.MESSAGE_BYTES, tcd.LONGEST_LINE, tcd.MESSAGE_LINES),
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
    "replies": Subject(
        lambda _: tcd_replies.ReplyCodec(),
        lambda codec: codec.finish(),
        _fits_replies,
        tcd_replies.LONGEST_LINE + tcd_replies.MESSAGE_BYTES + 48 * tcd_replies.MESSAGE_LINES,
        (tcd.HEADER_BYTES, tcd_replies.MESSAGE_BYTES, tcd_replies.MESSAGE_LINES),
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
    "json": Subject(
        lambda _: json.JsonCodec(),
        lambda _: [],
        _fits_json,
        json.OBJECT_BYTES * 9 // 8,
        (json.OBJECT_BYTES, json.NUMBER_CHARACTERS, json.NESTING),
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
    "keys": Subject(
        lambda _: keys.Keys(),
        lambda codec: codec.flush_escape(),
        _fits_keys,
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
