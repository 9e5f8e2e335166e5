"""What is said in the socket assignment's protocol: values to bytes.

See docs/protocol.rst, "The socket assignment's protocol".

Each answer is bytes that are whole; no text can break out of the field that it stands in.
"""

from __future__ import annotations

import re

from chatd.chat.text.sanitizing import safe

#: How the first line of something of this protocol begins, or a header line.
_LIKE_A_HEADER = re.compile(r"[A-Z][A-Z_ ]{0,31}:|HELO\b|KILL_SERVICE\b")


def helo(text: str, address: str, port: int, student_id: str) -> bytes:
    """Answer HELO: what was said, and where this server is for who asks."""
    return _lines(
        f"HELO {_field(text)}",
        f"IP:{_field(address)}",
        f"Port:{port}",
        f"StudentID:{_field(student_id)}",
    )


def joined(room: str, address: str, port: int, ref: int, join_id: int) -> bytes:
    """Answer JOIN_CHATROOM."""
    return _lines(
        f"JOINED_CHATROOM: {_field(room)}",
        f"SERVER_IP: {_field(address)}",
        f"PORT: {port}",
        f"ROOM_REF: {ref}",
        f"JOIN_ID: {join_id}",
    )


def left(ref: int, join_id: int) -> bytes:
    """Answer LEAVE_CHATROOM."""
    return _lines(f"LEFT_CHATROOM: {ref}", f"JOIN_ID: {join_id}")


def chat(ref: int, nick: str, text: str) -> bytes:
    r"""Say something in a room; lines of the text are separated by ``\n``.

    Empty lines are left out, because one would end the message.  A further line that looks like a
    header is indented by one blank, so that nobody can write a CHAT of somebody else into
    their own.
    """
    first, *more = [line for part in text.split("\n") if (line := _field(part))] or [""]
    further = (f" {line}" if _LIKE_A_HEADER.match(line) else line for line in more)
    return _lines(f"CHAT: {ref}", f"CLIENT_NAME: {_field(nick)}", f"MESSAGE: {first}", *further, "")


def error(code: int, sentence: str) -> bytes:
    """Say what is wrong with a request."""
    return _lines(f"ERROR_CODE: {code}", f"ERROR_DESCRIPTION: {_field(sentence)}")


def _field(text: str) -> str:
    """Return a text as one line: without control characters, or blanks at its end."""
    return safe(text).rstrip()


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
