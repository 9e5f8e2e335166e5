"""Clients for the end-to-end tests that need nothing but PyPI: a netcat, a telnet, an ssh.

Each collects what it receives in a thread of its own and waits for what a test expects.  They know
how to connect and their protocol; they know nothing of chatd's sentences, except `LineClient`.
"""

import asyncio
import contextlib
import re
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncssh
import pyte

from tests.support.served import PATIENCE, Served

_T = TypeVar("_T")

LOOPBACK = "127.0.0.1"
COLUMNS, ROWS = 80, 24


class ChatClient(ABC):
    """A connection, and all that it has received.

    ``hears`` continues where the last one ended, so expected texts have to arrive in that order.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self._consumed = 0
        self._over = False
        self._more = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.hang_up()
        if error is not None:
            error.add_note(f"{type(self).__name__} was sent: {bytes(self.data[-2000:])!r}")

    @abstractmethod
    def hang_up(self) -> None:
        """End the connection."""

    @abstractmethod
    def sends(self, data: bytes) -> None:
        """Send bytes as they are."""

    def greeted(self) -> str:
        """Wait until the server has welcomed the client; return what it sent."""
        return self.hears("/help says what you can do.")

    def says(self, line: str) -> None:
        """Send a line."""
        self.sends(f"{line}\n".encode())

    def hears(self, text: str) -> str:
        """Wait for a text; return what arrived since the last one, up to the end of this one."""
        sought = text.encode()
        with self._more:
            searched = began = self._consumed
            while (found := self.data.find(sought, searched)) < 0:
                searched = max(began, len(self.data) - len(sought) + 1)
                if self._over or not self._more.wait(PATIENCE):
                    raise AssertionError(f"{text!r} did not come, but {self._rest()!r}")
            self._consumed = found + len(sought)
            return self.data[began : self._consumed].decode("utf-8", "replace")

    def hears_the_end(self) -> str:
        """Wait until the server has closed the connection; return what came since the last text."""
        with self._more:
            if not self._more.wait_for(lambda: self._over, PATIENCE):
                raise AssertionError(f"The end did not come, but {self._rest()!r}")
            rest = self._rest()
            self._consumed = len(self.data)
            return rest

    def _rest(self) -> str:
        return self.data[self._consumed :][-2000:].decode("utf-8", "replace")

    def _received(self, data: bytes) -> None:
        with self._more:
            self.data += data
            self._more.notify_all()

    def _ended(self) -> None:
        with self._more:
            self._over = True
            self._more.notify_all()


class Netcat(ChatClient):
    """A plain TCP connection.

    ``first`` is sent at once.  ``receive_buffer`` is the size of the kernel's buffer in bytes;
    ``reading=False`` leaves what arrives unread, until ``reads``.
    """

    def __init__(
        self,
        port: int,
        first: bytes = b"",
        *,
        receive_buffer: int | None = None,
        reading: bool = True,
    ) -> None:
        super().__init__()
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(PATIENCE)
        self._socket.connect((LOOPBACK, port))
        self._socket.sendall(first)
        self._reader = threading.Thread(target=self._read, daemon=True)
        if reading:
            self.reads()

    def reads(self) -> None:
        """Read from now on."""
        self._socket.settimeout(None)
        self._reader.start()

    def sends(self, data: bytes) -> None:
        self._socket.sendall(data)

    def sends_urgently(self, data: bytes) -> None:
        """Send TCP urgent data; the last byte is the one that the mark is at."""
        self._socket.send(data, socket.MSG_OOB)

    def sends_no_more(self) -> None:
        """Close this half of the connection."""
        self._socket.shutdown(socket.SHUT_WR)

    def drops_connection(self) -> None:
        """Reset the connection, without a goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._stop_reading()
        self._socket.close()

    def hang_up(self) -> None:
        self._stop_reading()
        self._socket.close()

    def _stop_reading(self) -> None:
        """End the reading thread: it blocks in the kernel, where a close alone does not wake it."""
        if self._reader.is_alive():
            with contextlib.suppress(OSError):  # the server was faster
                self._socket.shutdown(socket.SHUT_RD)
            self._reader.join(PATIENCE)

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._socket.recv(65536):
                self._received(self._understood(data))
        self._ended()

    def _understood(self, data: bytes) -> bytes:
        """Return the text in received bytes."""
        return data


class DrawnScreen:
    """What a terminal of 80 x 24 shows of the received bytes."""

    def __init__(self, caller: ChatClient) -> None:
        self._caller = caller
        self._fed = 0
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)

    def rows(self) -> list[str]:
        """Return the rows that are not empty."""
        data = bytes(self._caller.data)
        self._stream.feed(data[self._fed :])
        self._fed = len(data)
        # A wide character fills two cells, and pyte leaves the second one empty.
        return [row for row in (line.rstrip() for line in self._screen.display) if row]

    def resize(self, columns: int, rows: int) -> None:
        """Change the size."""
        self._screen.resize(rows, columns)

    def shows(self, *last: str) -> None:
        """Wait until these are the last rows."""
        with self._caller._more:
            if not self._caller._more.wait_for(
                lambda: self.rows()[-len(last) :] == list(last), PATIENCE
            ):
                shown = "\n".join(self.rows())
                raise AssertionError(f"The screen does not show {last} but\n{shown}")


IAC, WILL, DO, SB, SE = 255, 251, 253, 250, 240
TTYPE, NAWS = 24, 31

#: A command that negotiates, one with a content, or the beginning of either at the end.
_COMMAND = re.compile(
    rb"\xff(?:\xfa(.*?)\xff\xf0|([\xfb-\xfe])(.)|(?:\xfa.*|[\xfb-\xfe])?\Z)", re.S
)


class Telnet(Netcat):
    """A telnet client that agrees to every option: a terminal in character mode."""

    def __init__(self, port: int) -> None:
        self._unfinished = b""
        self._agreed: set[bytes] = set()
        super().__init__(port)
        self.screen = DrawnScreen(self)

    def types(self, line: str) -> None:
        """Type a line and press Enter."""
        self.sends(f"{line}\r\0".encode())

    def _understood(self, data: bytes) -> bytes:
        data, self._unfinished = self._unfinished + data, b""
        return _COMMAND.sub(self._answer, data)

    def _answer(self, command: re.Match[bytes]) -> bytes:
        content, verb, option = command.groups()
        if content is not None:
            if content == bytes([TTYPE, 1]):
                self.sends(bytes([IAC, SB, TTYPE, 0]) + b"XTERM" + bytes([IAC, SE]))
        elif verb is None:
            self._unfinished = command[0]
        elif command[0] not in self._agreed and verb[0] in (WILL, DO):
            self._agreed.add(command[0])
            self.sends(bytes([IAC, WILL if verb[0] == DO else DO]) + option)
            if option[0] == NAWS:
                size = COLUMNS.to_bytes(2, "big") + ROWS.to_bytes(2, "big")
                self.sends(bytes([IAC, SB, NAWS]) + size + bytes([IAC, SE]))
        return b""


class Ssh(ChatClient):
    """An ssh connection with one session: a shell, or a command.

    With ``terminal`` it has a pty of 80 x 24.  ``window`` is the initial window of the channel in
    bytes; ``reading=False`` leaves what arrives unread, until ``reads``.
    """

    def __init__(
        self,
        port: int,
        name: str,
        *,
        terminal: bool = False,
        command: str | None = None,
        key: asyncssh.SSHKey | None = None,
        window: int = 2**21,
        reading: bool = True,
    ) -> None:
        super().__init__()
        self.error = b""
        self.status: int | None = None
        self.host_key = b""
        self.screen = DrawnScreen(self)
        self.questions: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            self._channel = self._do(
                self._connect(port, name, terminal, command, key, window, reading)
            )
        except BaseException:
            self._stop()
            raise

    def _do(self, awaited: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(awaited, self._loop).result(PATIENCE)

    async def _connect(
        self,
        port: int,
        name: str,
        terminal: bool,
        command: str | None,
        key: asyncssh.SSHKey | None,
        window: int,
        reading: bool,
    ) -> asyncssh.SSHClientChannel[bytes]:
        self._connection, _client = await asyncssh.create_connection(
            lambda: _Client(self),
            LOOPBACK,
            port,
            username=name,
            client_keys=[key] if key is not None else None,
            agent_path=None,
            known_hosts=None,
            config=None,
            x509_trusted_certs=None,
        )
        host_key = self._connection.get_server_host_key()
        self.host_key = host_key.public_data if host_key is not None else b""
        channel, _session = await self._connection.create_session(
            lambda: _Session(self, reading),
            command,
            term_type="xterm-256color" if terminal else None,
            term_size=(COLUMNS, ROWS) if terminal else (0, 0),
            request_pty=terminal,
            encoding=None,
            window=window,
        )
        return channel

    def reads(self) -> None:
        """Read from now on."""
        self._loop.call_soon_threadsafe(self._channel.resume_reading)

    def sends(self, data: bytes) -> None:
        async def write() -> None:
            self._channel.write(data)

        self._do(write())

    def types(self, line: str) -> None:
        """Type a line and press Enter."""
        self.sends(f"{line}\r".encode())

    def sends_no_more(self) -> None:
        """Send the end of input."""
        self._loop.call_soon_threadsafe(self._channel.write_eof)

    def resizes(self, columns: int, rows: int) -> None:
        """Resize the terminal."""
        self.screen.resize(columns, rows)
        self._loop.call_soon_threadsafe(self._channel.change_terminal_size, columns, rows)

    def drops_connection(self) -> None:
        """Abort the connection, without a goodbye."""
        self._loop.call_soon_threadsafe(self._connection.abort)

    def hang_up(self) -> None:
        async def close() -> None:
            self._connection.abort()
            await self._connection.wait_closed()
            await asyncio.sleep(0)  # the transport closes its socket in a turn of its own

        self._do(close())
        self._stop()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


class _Client(asyncssh.SSHClient):
    """Records what the server asks during authentication, which should be nothing."""

    def __init__(self, caller: Ssh) -> None:
        self._caller = caller

    def kbdint_auth_requested(self) -> str:
        return ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Any
    ) -> list[str]:
        self._caller.questions += [prompt for prompt, _echo in prompts]
        return ["" for _prompt in prompts]


class _Session(asyncssh.SSHClientSession[bytes]):
    def __init__(self, caller: Ssh, reading: bool) -> None:
        self._caller = caller
        self._reading = reading

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        if not self._reading:
            chan.pause_reading()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if datatype is None:
            self._caller._received(data)
        else:
            self._caller.error += data

    def exit_status_received(self, status: int) -> None:
        self._caller.status = status

    def connection_lost(self, exc: Exception | None) -> None:
        self._caller._ended()


class LineClient:
    """A user with a netcat who has chosen a nick, and reads line by line."""

    def __init__(self, server: Served, nick: str) -> None:
        self._socket = socket.create_connection((LOOPBACK, server.port("line")), PATIENCE)
        self._lines = self._socket.makefile("r", encoding="utf-8", newline="\r\n")
        try:
            self.sees("-- You are ")
            self.says(f"/nick {nick}")
            self.sees(f"-- You are now known as {nick}.")
        except BaseException:
            self.close()
            raise

    def says(self, text: str) -> None:
        """Send a line."""
        self._socket.sendall(f"{text}\n".encode())

    def sees(self, text: str) -> str:
        """Read until a line has this in it, and return that line."""
        for line in self._lines:
            if text in line:
                return line.rstrip("\r\n")
        raise AssertionError(f"no line had {text!r}")

    def gets_nick(self, nick: str) -> None:
        """Ask for a nick until the server that had it has given it back."""
        answer = "taken"
        while "taken" in answer:
            self.says(f"/nick {nick}")
            answer = self.sees(f"{nick}")
        assert answer == f"-- You are now known as {nick}."

    def quits(self) -> None:
        """Leave the server."""
        self.says("/quit")
        self.sees("-- Goodbye.")
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._lines.close()
        self._socket.close()


#: The fixture ``line_client``: connects a client and closes it at the end of the test.
Connect = Callable[[Served, str], LineClient]
