"""docs/bots.rst: its bots are run unchanged, except for the port, with a real server."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import ROOT
from tests.support.callers import Netcat
from tests.support.served import PATIENCE, Served

TEXT = (ROOT / "docs" / "bots.rst").read_text(encoding="utf-8")


def script(name: str, port: int) -> str:
    """Return a bot of the document, which connects to this port."""
    found = re.search(
        rf"^\.\. code-block:: \w+\n   :name: {name}\n\n((?:   .*\n|\n)+)", TEXT, re.MULTILINE
    )
    assert found is not None, f"docs/bots.rst has no {name}"
    lines = [line.removeprefix("   ") for line in found[1].splitlines()]
    return "\n".join(lines).replace("1134", str(port)) + "\n"


@contextmanager
def running(command: list[str], program: str) -> Iterator[None]:
    """Run a bot during ``with``."""
    bot = subprocess.Popen([*command, program], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        bot.kill()
        bot.wait()


def test_the_python_bot_answers_in_its_rooms(tmp_path: Path) -> None:
    with Served(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("You are now known as ada.")
        with running([sys.executable, "-c"], script("dice", server.port())):
            ada.hears("-- dice joined lobby\r\n")
            ada.says("!roll")
            assert re.search(r"dice: ada rolls [1-6]\r\n", ada.hears("\r\n"))
            ada.says("/join games")
            ada.hears("You are in games, with dice.")
            ada.says("!roll again")
            assert re.search(r"dice: ada rolls [1-6]\r\n", ada.hears("rolls") + ada.hears("\r\n"))
        ada.hears("-- dice left\r\n")


@pytest.mark.parametrize("name", ["dice"])
def test_a_bot_whose_nick_is_taken_says_so_and_exits(tmp_path: Path, name: str) -> None:
    with Served(tmp_path) as server, Netcat(server.port(), f"/nick {name}\n".encode()) as ada:
        ada.hears(f"You are now known as {name}.")
        ended = subprocess.run(
            [sys.executable, "-c", script(name, server.port())],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (1, "Somebody is called dice already.\n")


def test_the_shell_bot_answers_in_the_lobby(tmp_path: Path) -> None:
    with Served(tmp_path) as server, Netcat(server.port(), b"/nick ada\n") as ada:
        ada.hears("You are now known as ada.")
        with running(["bash", "-c"], script("clock", server.port())):
            ada.hears("-- guest1 is now known as clock\r\n")
            ada.says("is anybody here?"), ada.says("!time")
            ada.hears("clock: ")
            assert re.search(r"\d\d:\d\d", ada.hears("\r\n"))
