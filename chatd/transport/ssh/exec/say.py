"""``say``: from standard input, or from the words of the command, into a room."""

from __future__ import annotations

import re
from collections import deque

from twisted.internet.interfaces import IDelayedCall

from chatd.chat.actions.messages import post_without_joining
from chatd.chat.events import Refused
from chatd.chat.limits import LINE_BYTES, PASTE_BYTES
from chatd.chat.model.session import Session
from chatd.chat.ratelimit.bucket import TokenBucket
from chatd.transport.ssh.exec.command import INTERRUPTED, REFUSED, Call, Misused
from chatd.transport.ssh.exec.session import SessionCommand
from chatd.wire.line import CutLine, LineCodec

_CTRL_C, _CTRL_D = b"\x03", b"\x04"


class Say(SessionCommand):
    """``say ROOM TEXT``, or without a text each line of standard input, at the pace of a person.

    The text is taken as it is, but for quotes around all of it.  Nothing is dropped: lines that
    wait for their turn stop the input.  It ends, with status 0, once the last line is kept.
    """

    listens = False

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._codec = LineCodec()
        self._lines: deque[str] = deque()
        self._waiting = 0
        self._unkept = 0
        self._later: IDelayedCall | None = None
        flood = call.host.flood
        self._pace = TokenBucket(flood, call.host.clock.seconds()) if flood else None
        self._room, _, text = call.rest.partition(" ")
        self._text = _unquoted(text.strip())
        self._no_more = bool(self._text)

    def begin(self) -> None:
        """Read the words, then come in."""
        if not self._room:
            raise Misused("say ROOM TEXT, or say ROOM with lines on standard input")
        if self._no_more:
            self._take(self._codec.receive_data(f"{self._text}\n".encode()))
        self.enter()

    def unread(self) -> tuple[bytes, bool]:
        """Return the pending lines of standard input; the other server reads the words itself."""
        if self._text:
            return b"", False
        read = "".join(f"{line}\n" for line in self._lines).encode() + self._codec.unfinished
        return read, self._no_more

    def entered(self, session: Session) -> None:
        """Go on with what waits, if there is such a room."""
        self.call.host.chat.find_room(self._room, session.person)
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Lines of standard input; at a terminal Ctrl-C and Ctrl-D end it."""
        data, control = _typed(data) if self.call.channel.terminal else (data, b"")
        if not self._no_more:
            self._take(self._codec.receive_data(data))
            self.attempt(self._go_on)
        if control == _CTRL_C:
            self.finish(INTERRUPTED)
        elif control == _CTRL_D:
            self.input_ended()

    def input_ended(self) -> None:
        """The last line may have no end."""
        if not self._no_more:
            self._take(self._codec.finish())
            self._no_more = True
            self.attempt(self._go_on)

    def _take(self, lines: list[str | CutLine] | list[str]) -> None:
        for line in lines:
            if isinstance(line, CutLine):
                told = f"chatd: a line was too long; its first {LINE_BYTES} bytes were taken.\n"
                self.call.channel.write_error(told.encode())
                line = line.text
            if line.strip():
                self._lines.append(line)
                self._waiting += len(line)
        if self._waiting > PASTE_BYTES // 4:
            self.call.channel.pause()

    def _go_on(self) -> None:
        session = self.session
        if session is None or self._later is not None:
            return
        host = self.call.host
        while self._lines and not self.ended:
            wait = self._pace.wait(host.clock.seconds()) if self._pace else 0.0
            if wait:
                self._later = host.clock.callLater(wait, self._waited)
                return
            line = self._lines.popleft()
            self._waiting -= len(line)
            room = host.chat.find_room(self._room, session.person)
            self._unkept += 1
            post_without_joining(host.chat, session, room, line, host.now(), self._kept)
        if self._no_more and not (self._lines or self._unkept):
            self.finish()
        elif not self._no_more:
            self.call.channel.resume()

    def _waited(self) -> None:
        self._later = None
        self.attempt(self._go_on)

    def _kept(self, outcome: int | Refused) -> None:
        self._unkept -= 1
        if isinstance(outcome, Refused):
            self.fail(outcome.sentence, REFUSED)
        elif self._no_more and not (self._lines or self._unkept):
            # In the next turn: the step that posted it may still be under way.
            self.call.host.clock.callLater(0, self.attempt, self._go_on)

    def leave(self) -> None:
        """Leave the chat, and the clock."""
        if self._later is not None and self._later.active():
            self._later.cancel()
        super().leave()


def _unquoted(text: str) -> str:
    """A text without the quotes around all of it; an apostrophe is none."""
    quote = text[:1]
    if len(text) > 1 and quote in "\"'" and text.endswith(quote) and quote not in text[1:-1]:
        return text[1:-1]
    return text


def _typed(data: bytes) -> tuple[bytes, bytes]:
    """What somebody typed at a terminal, its lines ended by LF, up to a Ctrl-C or Ctrl-D."""
    found = re.search(rb"[\x03\x04]", data)
    end = found.start() if found else len(data)
    return data[:end].replace(b"\r", b"\n"), data[end : end + 1]
