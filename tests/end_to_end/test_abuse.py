"""The real twistd with malicious and broken clients."""

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatd.chat.limits import DETACHED_PER_ADDRESS
from tests.support.callers import ChatClient, Netcat, Ssh, Telnet
from tests.support.served import PATIENCE, Served

OPTIONS = ("--per-address", "none", "--flood", "none")

#: How much the server may grow, in bytes, once it has warmed up.
GROWTH = 5 * 1024 * 1024
#: How much is said while some do not read; CHATD_TEST_MEGABYTES says more for a longer look.
SAID = int(os.environ.get("CHATD_TEST_MEGABYTES", "12")) * 1024 * 1024
WARM_UP = 2 * 1024 * 1024
LINE = 1000
#: Lines that are said before whoever reads has to have them: fewer than a room keeps.
AT_ONCE = 100


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """Return a chatd with one port, without limits of connections and messages."""
    with Served(tmp_path, options=OPTIONS) as served:
        yield served


def resident(server: Served) -> int:
    """Return the resident memory of the server in bytes."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def waits_for_so_many(people: int, caller: ChatClient) -> None:
    """Wait until so many users are in the lobby, by listing them again and again."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        caller.says("/users")
        caller.hears("-- lobby: ")
        if caller.hears(" here\r\n") == f"{people} here\r\n":
            return
        time.sleep(0.05)
    raise AssertionError(f"There are not {people} in the lobby")


def waits_for_the_cut_off(people: int, caller: ChatClient) -> None:
    """Wait until there are so many detached sessions."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        caller.says("/users")
        caller.hears("-- lobby: ")
        caller.says("/away")
        if caller.hears("-- You are away now").count("(cut off)") == people:
            return
        time.sleep(0.05)
    raise AssertionError(f"There are not {people} who are cut off")


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(),
    reason="this system does not tell how large a process is",
)


# Who does not read --------------------------------------------------------------------------------


def says_numbered(speaker: ChatClient, numbers: range, readers: list[ChatClient]) -> None:
    """Send numbered lines; each receiver has to get all of them in order."""
    for first in range(numbers.start, numbers.stop, AT_ONCE):
        some = range(first, min(first + AT_ONCE, numbers.stop))
        speaker.sends(b"".join(b"%08d".ljust(LINE, b".") % number + b"\n" for number in some))
        for reader in readers:
            came = "".join(reader.hears(f": {number:08d}") for number in some)
            assert came.count(": 0") == len(some)


@needs_proc
def test_a_client_that_does_not_read_does_not_delay_the_others(server: Served) -> None:
    port = server.port()
    with (
        Netcat(port) as speaker,
        Netcat(port) as by_nc,
        Ssh(port, "reader") as by_ssh,
        Netcat(port, receive_buffer=4096, reading=False) as stalled_nc,
        Ssh(port, "stalled", window=4096, reading=False) as stalled_ssh,
        Ssh(port, "drawn", terminal=True, window=4096, reading=False) as stalled_terminal,
    ):
        readers: list[ChatClient] = [by_nc, by_ssh]
        for one in (speaker, *readers):
            one.greeted()
        waits_for_so_many(6, by_ssh)
        warm = WARM_UP // LINE
        says_numbered(speaker, range(warm), readers)
        before = resident(server)
        says_numbered(speaker, range(warm, warm + SAID // LINE), readers)
        grown = resident(server) - before
        print(f"{SAID} bytes said: grew from {before} by {grown}")
        assert grown < GROWTH
        for stalled in (stalled_nc, stalled_ssh, stalled_terminal):
            stalled.reads()
            stalled.hears("messages in lobby: you read too slowly.")
        speaker.says("and now?")
        for reader in (*readers, stalled_nc, stalled_ssh):
            reader.hears(": and now?\r\n")
        stalled_terminal.hears("and now?")


# Who goes in the middle ---------------------------------------------------------------------------


def a_terminal(port: int) -> Ssh:
    return Ssh(port, "guest2", terminal=True)


def without_a_terminal(port: int) -> Ssh:
    return Ssh(port, "guest2")


@pytest.mark.parametrize("walk_in", [Netcat, Telnet, a_terminal, without_a_terminal])
def test_half_a_line_is_not_sent_when_the_connection_is_lost(
    server: Served, walk_in: Callable[[int], Netcat | Ssh]
) -> None:
    with Netcat(server.port()) as ada, walk_in(server.port()) as eve:
        ada.greeted()
        eve.greeted()
        waits_for_so_many(2, ada)
        eve.sends(b"half a li")
        eve.drops_connection()
        waits_for_the_cut_off(1, ada)
        assert b"half" not in ada.data


def test_three_hundred_lost_connections_leave_as_many_detached_sessions(server: Served) -> None:
    with Netcat(server.port()) as ada:
        ada.greeted()
        for number in range(300):
            with Netcat(server.port(), (b"", b"SSH-2.0-x\r\n", b"hello\n")[number % 3]) as eve:
                if number % 2:
                    eve.drops_connection()
        with Netcat(server.port(), b"the last one is here\n"):
            ada.hears(": the last one is here\r\n")
        waits_for_the_cut_off(DETACHED_PER_ADDRESS, ada)
        waits_for_so_many(1 + DETACHED_PER_ADDRESS, ada)


# Who sends what nobody should ---------------------------------------------------------------------


@needs_proc
@pytest.mark.parametrize("walk_in", [Netcat, Telnet, a_terminal, without_a_terminal])
def test_a_line_of_a_megabyte_is_truncated_and_its_sender_is_notified(
    server: Served, walk_in: Callable[[int], Netcat | Ssh]
) -> None:
    with Netcat(server.port()) as ada, walk_in(server.port()) as eve:
        ada.greeted()
        eve.greeted()
        before = resident(server)
        eve.sends(b"x" * 1_000_000)
        eve.hears("That line was too long; the first 4096 bytes of it were taken.")
        eve.sends(b"\r" if isinstance(eve, Telnet) or walk_in is a_terminal else b"\n")
        said = ada.hears("x" * 4096 + "\r\n")
        assert max(map(len, re.findall("x+", said))) == 4096
        assert resident(server) - before < GROWTH


#: Beginnings that get random bytes further into each protocol.
BEGINNINGS = {
    "line": (b"", b"/", b"\xff"),
    "telnet": (b"", b"\xff\xfb\x18\xff\xfd\x01\xff\xfd\x03", b"\xff\xfa\x18\x00", b"\xff\xfa\x1f"),
    "ssh": (b"", b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n\x00\x00\x01\x0c\x0a\x14"),
    "auto": (b"", b"SSH-2.0-x\r\n", b"\xff\xfb\x18", b"\x16", b"GET ", b"PROXY "),
}
BLOBS = 300
AT_ONE_TIME = 50


def blobs(way: str) -> Iterator[bytes]:
    """Return random bytes, the same ones each time."""
    chance = random.Random(f"blobs for {way}")
    for number in range(BLOBS):
        beginning = BEGINNINGS[way][number % len(BEGINNINGS[way])]
        blob = chance.randbytes(chance.randrange(2000))
        if chance.random() < 0.5:  # mostly what telnets and terminals take for commands
            blob = bytes(chance.choice(b"\xff\xfa\xf0\x1b[\x00\r\n~\x18") for _byte in blob)
        yield beginning + blob


@needs_proc
@pytest.mark.parametrize("way", BEGINNINGS)
def test_random_bytes_do_no_harm(tmp_path: Path, way: str) -> None:
    options = (*OPTIONS, "--history", "none")  # what is kept is not what is grown here
    with Served(tmp_path, ways=(way,), options=options) as server:
        everything = list(blobs(way))
        grown = []
        for first in range(0, BLOBS, AT_ONE_TIME):
            with ExitStack() as here:
                for blob in everything[first : first + AT_ONE_TIME]:
                    thrown = here.enter_context(Netcat(server.port(way), blob))
                    if len(blob) % 4:
                        thrown.sends_no_more()
                        thrown.hears_the_end()
                    else:
                        thrown.drops_connection()
            grown.append(resident(server))
        assert grown[-1] - grown[0] < GROWTH
        with Ssh(server.port(way), "ada") if way == "ssh" else Netcat(server.port(way)) as ada:
            ada.greeted()
