"""Terminals for tests to type into and to read: a tmux server of its own.

It knows keys and screens; it knows nothing of what runs in them.
"""

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.served import PATIENCE

#: Seconds between two reads of a screen.
POLL_SECONDS = 0.05


class Tmux:
    """A tmux server that ends with the test, with all programs in it.

    ``home`` is the working folder and the HOME of these programs; the socket is in it too.
    """

    def __init__(self, program: str, home: Path) -> None:
        self._program = program
        self._home = home

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.run("kill-server", check=False)

    def run(self, *command: str, check: bool = True) -> str:
        """Run a command of tmux; return what it prints."""
        ended = subprocess.run(
            [self._program, "-u", "-f", os.devnull, "-S", str(self._home / "tmux"), *command],
            cwd=self._home,
            env=environment(self._home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=PATIENCE,
        )
        if check and ended.returncode:
            raise AssertionError(f"tmux {' '.join(command)}: {ended.stdout}")
        return ended.stdout

    def open(
        self, name: str, program: Sequence[str], columns: int = 80, rows: int = 24
    ) -> "Screen":
        """Run a program on a screen of its own, which stays when it has ended.

        Its shell stays too: tmux 3.3 now and then loses the last output of a pane that ends.
        """
        size = ("-x", str(columns), "-y", str(rows))
        # tmux 3.3 loses the status of a program now and then, so a shell writes it to a file.
        status = shlex.quote(str(self.status_of(name)))
        ended = f"echo $? >{status}.new; mv {status}.new {status}; exec sleep {PATIENCE * 10}"
        shell = f"{shlex.join(program)}; {ended}"
        self.run("new-session", "-d", "-s", name, *size, "--", "sh", "-c", shell)
        return Screen(self, name)

    def status_of(self, name: str) -> Path:
        """Return the file that has a program's exit status once it has ended."""
        return self._home / f"{name}.status"


class Screen:
    """One program on one screen."""

    def __init__(self, tmux: Tmux, name: str) -> None:
        self._tmux = tmux
        self.name = name

    def rows(self) -> list[str]:
        """Return the rows that are not empty, including those that have scrolled away."""
        shown = self._tmux.run("capture-pane", "-p", "-S", "-", "-t", self.name)
        return [row for row in (line.rstrip() for line in shown.split("\n")) if row]

    def types(self, text: str) -> None:
        """Type a text."""
        self._tmux.run("send-keys", "-t", self.name, "-l", "--", text)

    def presses(self, *keys: str) -> None:
        """Press keys, in tmux's names: ``Enter``, ``BSpace``, ``C-u``."""
        self._tmux.run("send-keys", "-t", self.name, *keys)

    def pastes(self, text: str) -> None:
        """Paste a text, marked as pasted if the program has asked for that."""
        self._tmux.run("set-buffer", "--", text, ";", "paste-buffer", "-p", "-t", self.name)

    def cursor(self) -> tuple[int, int]:
        """Return the column of the cursor, and its row counted from the last that is not empty."""
        row = self._tmux.run("display-message", "-p", "-t", self.name, "#{cursor_x} #{cursor_y}")
        x, y = map(int, row.split())
        shown = self._tmux.run("capture-pane", "-p", "-t", self.name).rstrip("\n").split("\n")
        return x, y - len(shown) + 1

    def says(self, line: str) -> None:
        """Type a line and press Enter."""
        self.types(line)
        self.presses("Enter")

    def resizes(self, columns: int, rows: int) -> None:
        """Resize the screen."""
        self._tmux.run("resize-window", "-t", self.name, "-x", str(columns), "-y", str(rows))

    def shows(self, *last: str) -> None:
        """Wait until these are the last rows."""
        self._wait(lambda rows: rows[-len(last) :] == list(last), f"end in {last}")

    def shows_somewhere(self, text: str) -> None:
        """Wait until a row contains this."""
        self._wait(lambda rows: any(text in row for row in rows), f"show {text!r}")

    def has_cursor_at(self, x: int, y: int) -> None:
        """Wait until the cursor is at this position, as `cursor` returns it."""
        self._wait(lambda _rows: self.cursor() == (x, y), f"have its cursor at {x}, {y}")

    def status(self) -> int:
        """Wait until the program has ended; return its exit status."""
        kept = self._tmux.status_of(self.name)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if kept.exists():
                return int(kept.read_text())
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{self.name} has not ended but {self._shown()}")

    def _wait(self, holds: Callable[[list[str]], bool], expected: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds(self.rows()):
            if time.monotonic() > end:
                raise AssertionError(f"{self.name} does not {expected} but {self._shown()}")
            time.sleep(POLL_SECONDS)

    def _shown(self) -> str:
        status = self._tmux.status_of(self.name)
        ended = f"has ended with {status.read_text().strip()} and " if status.exists() else ""
        return "\n".join([f"{ended}shows", *self.rows()])


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a user with this home folder, and without an ssh agent."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LC_")}
    for name in ("SSH_AUTH_SOCK", "SSH_ASKPASS", "TMUX", "DISPLAY", "NO_COLOR", "LANG"):
        kept.pop(name, None)
    return {
        **kept,
        "HOME": str(home),
        "PUTTYDIR": str(home / "putty"),  # else it may use the user's own folder
        "LC_ALL": "C.UTF-8",
        "TERM": "screen-256color",
    }
