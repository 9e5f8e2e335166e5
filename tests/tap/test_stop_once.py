"""Stopping: a second request, by whatever signal or client, changes nothing and logs no failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from chatd.tap.stop_once import SIGNALS, StopOnce
from tests.support.callers import Connect, Netcat
from tests.support.cluster.nats import Nats
from tests.support.served import FAILURE_WORDS, PATIENCE, Ends, Served, killed
from tests.tap.test_supervisor import Two

#: A program with a real reactor that stops only a turn after it was asked to, and whose handlers
#: run one after the other within one turn of it.
PROGRAM = """
import os, signal, sys
from signal import SIGINT, SIGTERM

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.logger import globalLogBeginner, textFileLogObserver

from chatd.tap.stop_once import StopOnce

globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
stop = StopOnce(reactor)
stop.startService()
stop.startService()  # once more changes nothing

def send(number):
    os.kill(os.getpid(), number)

def stopping():
    {while_stopping}
    return deferLater(reactor, 0.01, print, "stopped")

def run():
    {at_once}

reactor.addSystemEventTrigger("before", "shutdown", stopping)
reactor.callWhenRunning(run)
reactor.run()
{at_last}
print("ended")
"""


def run(at_once: str, while_stopping: str = "pass", at_last: str = "pass") -> str:
    """Run the program with these statements; return what it printed and logged."""
    program = PROGRAM.format(at_once=at_once, while_stopping=while_stopping, at_last=at_last)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stderr == ""
    printed: str = done.stdout
    assert "stopped\n" in printed
    assert printed.endswith("ended\n")
    assert not any(word in printed for word in (*FAILURE_WORDS, "#critical"))
    return printed


REQUESTS = ["send(SIGTERM)", "send(SIGINT)", "stop.stop()"]


@pytest.mark.parametrize("first", REQUESTS)
@pytest.mark.parametrize("second", REQUESTS)
def test_a_second_request_to_stop_is_ignored_whenever_it_comes(first: str, second: str) -> None:
    run(f"{first}; {second}", while_stopping=f"{second}; {second}", at_last=second)


def test_a_request_is_ignored_when_something_else_has_stopped_the_reactor() -> None:
    run("reactor.stop()", while_stopping="; ".join(REQUESTS))


def test_the_first_signal_decides_how_the_process_ends() -> None:
    printed = run("send(SIGTERM); send(SIGINT)", at_last="print(reactor._exitSignal)")
    assert printed.count("Received SIG") == 1
    assert f"{int(signal.SIGTERM)}\n" in printed


def test_a_reactor_that_does_not_run_keeps_its_signal_handlers() -> None:
    reactor = MemoryReactorClock()
    before = [signal.getsignal(number) for number in SIGNALS]
    stop = StopOnce(reactor)
    stop.startService()
    assert [signal.getsignal(number) for number in SIGNALS] == before
    stop.stop(), stop.stop()
    assert reactor.hasStopped


# The real server ----------------------------------------------------------------------------------


def signal_at_once(*pids: int) -> None:
    """Send SIGTERM and SIGINT to processes so that each has both at the same moment."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_a_server_that_gets_two_signals_at_once_says_goodbye_and_ends(tmp_path: Path) -> None:
    server = Served(tmp_path, ["line"])
    with ExitStack() as stack, killed(server), Netcat(server.port("line")) as ada:
        ada.greeted()
        end = Ends(stack, server.pid)
        signal_at_once(server.pid)
        ada.hears("server is stopping.")
        assert end.end()
    assert not any(word in server.log for word in FAILURE_WORDS), server.log


def test_a_second_kill_service_is_ignored(tmp_path: Path) -> None:
    server = Served(tmp_path, ["tcd"], ["--allow-kill"])
    with ExitStack() as stack, killed(server):
        end = Ends(stack, server.pid)
        with Netcat(server.port("tcd"), b"KILL_SERVICE\nKILL_SERVICE\n"):
            assert end.end()
    assert not any(word in server.log for word in FAILURE_WORDS), server.log


def test_several_processes_that_get_two_signals_at_once_end(
    nats: Nats, tmp_path: Path, line_client: Connect
) -> None:
    server = Two(tmp_path, nats.account(), line_client)
    with ExitStack() as stack, killed(server):
        pids = (server.pid, server.pid_of(1), server.pid_of(2))
        ends = Ends(stack, *pids)
        signal_at_once(*pids)
        assert ends.end()
    assert not any(word in server.log for word in FAILURE_WORDS), server.log
