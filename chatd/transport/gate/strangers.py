"""Strangers: clients of protocols that are not served here, by the first bytes that they send.

Their words are not meant for a chat.  Some would say what nobody may know: a PROXY header has the
address of a visitor, an IRC client begins with a password.  And a browser must not be able to
chat: any page that a user opens could post on their behalf.

It knows first bytes and answers; it knows no transport.
"""

from __future__ import annotations

import re
from typing import Final

from chatd.wire.proxy import begins_header

#: Bytes that may be needed to tell; a request line of HTTP needs the most.
SENSE_BYTES: Final = 8192

_NOT_HTTP: Final = (
    b"This is a chat server. It has no web page yet: use ssh, telnet or nc on this port.\r\n"
)
HTTP_REFUSAL: Final = (
    b"HTTP/1.1 426 Upgrade Required\r\nContent-Type: text/plain\r\nUpgrade: SSH/2.0\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_NOT_HTTP) + _NOT_HTTP
)
TLS_REFUSAL: Final = b"This port does not speak TLS; use ssh, telnet or nc.\r\n"
PROXY_REFUSAL: Final = b"A PROXY header is only taken from a proxy in --proxy-from.\r\n"
SSH_REFUSAL: Final = (
    b"Your ssh client came too late, or to a port that does not speak ssh. Try again.\r\n"
)
OTHER_REFUSAL: Final = (
    b"This is a chat server and not what your client looks for; use ssh, telnet or nc.\r\n"
)

#: The word for the log for each refusal.
REASONS: Final = {
    TLS_REFUSAL: "tls",
    HTTP_REFUSAL: "http",
    PROXY_REFUSAL: "proxy-header",
    SSH_REFUSAL: "ssh",
    OTHER_REFUSAL: "other-protocol",
}

_TLS: Final = b"\x16\x03"
_HTTP: Final = re.compile(rb"[A-Z]+ [^ \r\n]+ HTTP/\d")
_METHODS: Final = tuple(
    f"{method} ".encode()
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
)
#: Identification lines of ssh (RFC 4253 section 4.2).
_SSH: Final = (b"SSH-2.0-", b"SSH-1.99-", b"SSH-1.5-")
#: The first words of SIP and RTSP, of a mail client (RFC 5321: EHLO; RFC 2033: LHLO), of Redis
#: (RESP), of IRC (RFC 2812; CAP) and of a debugger for Java.
_OTHER: Final = re.compile(
    rb"[A-Z]+ [^ \r\n]+ (?:SIP|RTSP)/\d"
    rb"|[EL]HLO [^ \r\n]+\r\n"
    rb"|\*\d+\r\n\$\d+\r\n"
    rb"|CAP LS(?: \d+)?\r?\n|(?:PASS [^\r\n]+\r?\n)?NICK [^ \r\n]+\r?\nUSER |PASS [^\r\n]+\r\n"
    rb"|JDWP-Handshake"
)
#: A NUL of a binary protocol, and not of telnet, whose Enter may be CR NUL (RFC 854) and whose
#: commands begin with 0xFF.
_BINARY: Final = re.compile(rb"[^\xff]*?(?<!\r)\0")


def answer_to(data: bytes, *, takes_ssh: bool) -> bytes | None:
    """Return the answer to a protocol that is not served: empty for others, None to read more.

    :param data: The first bytes of a connection.
    :param takes_ssh: Whether an ssh client is welcome now, which `answer_to` leaves to others.
    """
    text = data.lstrip(b"\r\n") or data
    is_ssh = _begins(text, _SSH)
    if is_ssh and takes_ssh:
        return b""
    is_header = begins_header(data)
    is_binary = is_header is False and bool(_BINARY.match(data))
    answers = (
        (_begins(data, (_TLS,)), TLS_REFUSAL),
        (is_header, PROXY_REFUSAL),
        (is_ssh, SSH_REFUSAL),
        (_is_http(text), HTTP_REFUSAL),
        (is_binary or bool(_OTHER.match(text)), OTHER_REFUSAL),
    )
    for is_so, answer in answers:
        if is_so:
            return answer
    needs_more = any(is_so is None for is_so, _ in answers)
    return None if needs_more and len(data) < SENSE_BYTES else b""


def _begins(data: bytes, words: tuple[bytes, ...]) -> bool | None:
    """Return whether the data begins with one of the words; None when more bytes are needed."""
    if data.startswith(words):
        return True
    return None if any(word.startswith(data) for word in words) else False


def _is_http(data: bytes) -> bool | None:
    """Return whether the first line is an HTTP request; None when more bytes are needed."""
    line, ended, _ = data.partition(b"\n")
    if _HTTP.match(line):
        return True
    if not ended and (line.startswith(_METHODS) or any(m.startswith(line) for m in _METHODS)):
        return None
    return False
