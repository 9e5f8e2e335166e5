"""``say``: posts messages to a room, from standard input or from the command line."""

from __future__ import annotations

import re
from collections import deque

from chatd.chat.actions.messages import post_without_joining
from chatd.chat.events import Refused
from chatd.chat.limits import LINE_BYTES, PASTE_BYTES
from chatd.chat.model.entities import Session
from chatd.transport.ssh.exec.command import INTERRUPTED, REFUSED, Call, UsageError
from chatd.transport.ssh.exec.session import SessionCommand
from chatd.wire.line import BlockCodec, CutLine, LineCodec

#: The option with which the standard input is one message.
BLOCK = "--block"

_CTRL_C, _CTRL_D = b"\x03", b"\x04"


class Say(SessionCommand):
    """``say ROOM TEXT``, or without a text each line of standard input, within the flood limit of a
    user.

    The text is posted verbatim, without quotes around all of it; one of several lines is one
    message, its empty lines included.  With ``--block`` so is the standard input.  Nothing is
    dropped: too many pending lines pause the input.  It ends with status 0 once the last message is
    stored.
    """

    listens = False

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._lines: deque[str] = deque()
        self._waiting_size = 0
        self._unstored = 0
        self._first = True  # which counted as the command did
        option, _, rest = call.rest.partition(" ")
        is_block = option == BLOCK
        self._room, _, text = (rest.lstrip() if is_block else call.rest).partition(" ")
        self._text = _unquoted(text.strip())
        several = is_block or "\n" in self._text
        self._codec: LineCodec | BlockCodec = BlockCodec() if several else LineCodec()
        self._input_over = bool(self._text)

    def begin(self) -> None:
        """Take the text of the command line, then enter the chat."""
        if not self._room:
            raise UsageError("say ROOM TEXT, or say ROOM with lines on standard input")
        if self._input_over:
            self._take(self._codec.receive_data(f"{self._text}\n".encode()))
            self._take(self._codec.finish())
        self.enter()

    def unread(self) -> tuple[bytes, bool]:
        """Return the pending lines; the other server reads those of the command line itself."""
        if self._text:
            return b"", False
        read = "".join(f"{line}\n" for line in self._lines).encode() + self._codec.unfinished
        return read, self._input_over

    def entered(self, session: Session) -> None:
        """Post the pending lines, if the room exists."""
        self.call.host.chat.find_room(self._room, session)
        self._post_waiting()

    def data_received(self, data: bytes) -> None:
        """Handle lines of standard input; at a terminal Ctrl-C and Ctrl-D end it."""
        data, control = _typed(data) if self.call.channel.terminal else (data, b"")
        if not self._input_over:
            self._take(self._codec.receive_data(data))
            self.attempt(self._post_waiting)
        if control == _CTRL_C:
            self.finish(INTERRUPTED)
        elif control == _CTRL_D:
            self.input_ended()

    def input_ended(self) -> None:
        """Handle the last line, which may have no line end."""
        if not self._input_over:
            self._take(self._codec.finish())
            self._input_over = True
            self.attempt(self._post_waiting)

    def _take(self, lines: list[str | CutLine] | list[str]) -> None:
        for line in lines:
            if isinstance(line, CutLine):
                warning = f"chatd: a line was too long; its first {LINE_BYTES} bytes were taken.\n"
                self.call.channel.write_error(warning.encode())
                line = line.text
            if line.strip():
                self._lines.append(line)
                self._waiting_size += len(line)
        if self._waiting_size > PASTE_BYTES // 4:
            self.call.channel.pause()

    def _post_waiting(self) -> None:
        session = self.session
        if session is None:
            return
        host = self.call.host
        while self._lines and not self.ended:
            if not self._first and self.must_wait():
                return
            self._first = False
            line = self._lines.popleft()
            self._waiting_size -= len(line)
            room = host.chat.find_room(self._room, session)
            self._unstored += 1
            post_without_joining(host.chat, session, room, line, host.now(), self._stored)
        if self._input_over and not (self._lines or self._unstored):
            self.finish()
        elif not self._input_over:
            self.call.channel.resume()

    def line_may_go(self) -> None:
        """Post the next line."""
        self._post_waiting()

    def _stored(self, outcome: int | Refused) -> None:
        self._unstored -= 1
        if isinstance(outcome, Refused):
            self.fail(outcome.sentence, REFUSED)
        elif self._input_over and not (self._lines or self._unstored):
            # In the next turn: `_post_waiting`, which posted it, may still be running.
            self.call.host.clock.callLater(0, self.attempt, self._post_waiting)


def _unquoted(text: str) -> str:
    """Return a text without the quotes around all of it; an apostrophe is no quote."""
    quote = text[:1]
    if len(text) > 1 and quote in "\"'" and text.endswith(quote) and quote not in text[1:-1]:
        return text[1:-1]
    return text


def _typed(data: bytes) -> tuple[bytes, bytes]:
    """Return input from a terminal up to a Ctrl-C or Ctrl-D, with LF for CR, and that key."""
    found = re.search(rb"[\x03\x04]", data)
    end = found.start() if found else len(data)
    return data[:end].replace(b"\r", b"\n"), data[end : end + 1]
