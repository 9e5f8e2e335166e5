"""Socket assignment replies: values to bytes.

See docs/protocol.rst, "The socket assignment's protocol".

Each function returns one complete reply; no text can break out of its field.
"""

from __future__ import annotations

import re

from chatd.chat.text.sanitizing import safe

#: The beginning of any header line or first line of this protocol.
_LIKE_A_HEADER = re.compile(r"[A-Z][A-Z_ ]{0,31}:|HELO\b|KILL_SERVICE\b")


def helo(text: str, address: str, port: int, student_id: str) -> bytes:
    """Return the reply to HELO: its text, and this server's address as the client sees it."""
    return _lines(
        f"HELO {_field(text)}",
        f"IP:{_field(address)}",
        f"Port:{port}",
        f"StudentID:{_field(student_id)}",
    )


def joined(room: str, address: str, port: int, ref: int, join_id: int) -> bytes:
    """Return the reply to JOIN_CHATROOM."""
    return _lines(
        f"JOINED_CHATROOM: {_field(room)}",
        f"SERVER_IP: {_field(address)}",
        f"PORT: {port}",
        f"ROOM_REF: {ref}",
        f"JOIN_ID: {join_id}",
    )


def left(ref: int, join_id: int) -> bytes:
    """Return the reply to LEAVE_CHATROOM."""
    return _lines(f"LEFT_CHATROOM: {ref}", f"JOIN_ID: {join_id}")


def chat(ref: int, nick: str, text: str) -> bytes:
    r"""Return a message in a room; lines of the text are separated by ``\n``.

    Empty lines are left out, because one would end the message.  A line after the first that looks
    like a header is indented by one space, so that no user can forge another's CHAT within their
    own.
    """
    first, *more = [line for part in text.split("\n") if (line := _field(part))] or [""]
    further = (f" {line}" if _LIKE_A_HEADER.match(line) else line for line in more)
    return _lines(f"CHAT: {ref}", f"CLIENT_NAME: {_field(nick)}", f"MESSAGE: {first}", *further, "")


def error(code: int, sentence: str) -> bytes:
    """Return the error for a request."""
    return _lines(f"ERROR_CODE: {code}", f"ERROR_DESCRIPTION: {_field(sentence)}")


def _field(text: str) -> str:
    """Return a text as one line, without control characters and trailing blanks."""
    return safe(text).rstrip()


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
