"""A service that cannot start: what the parent of a daemon is told, and what is left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import Service
from twisted.logger import capturedLogs, formatEvent
from twisted.python.usage import Options as UsageOptions

from chatd.tap.failing import Startup, end_at_once
from chatd.tap.options import Options

SENTENCE = "chatd cannot listen: the port is in use."


class Failing(Service):
    """A service that cannot start."""

    def __init__(self, why: BaseException, *, privileged: bool = False) -> None:
        self.why = why
        self.privileged = privileged

    def privilegedStartService(self) -> None:
        if self.privileged:
            raise self.why

    def startService(self) -> None:
        raise self.why


def options(**twistd: Any) -> Options:
    made, parent = Options(), UsageOptions()
    parent.update(twistd)
    made.parent = parent
    return made


@pytest.mark.parametrize("privileged", [True, False])
@pytest.mark.parametrize("sentence", [SENTENCE, "é" * 100])
def test_the_parent_of_a_daemon_is_told_and_no_pid_file_is_left(
    tmp_path: Path, privileged: bool, sentence: str
) -> None:
    read, write = os.pipe()
    pid_file = tmp_path / "pid"
    pid_file.write_text("123")
    startup = Startup(options(statusPipe=write, pidfile=str(pid_file), logfile="log"))
    Failing(SystemExit(sentence), privileged=privileged).setServiceParent(startup)
    with capturedLogs() as logged, pytest.raises(SystemExit) as ended:
        startup.privilegedStartService() if privileged else startup.startService()
    assert ended.value.code == 1
    assert [formatEvent(event) for event in logged] == [sentence]
    assert os.read(read, 1000) == b"1 " + sentence.encode()[:98]
    assert os.read(read, 1) == b"", "the pipe is closed"
    os.close(read)
    assert not pid_file.exists()


@pytest.mark.parametrize("why", [SystemExit(2), ZeroDivisionError()])
def test_everything_else_is_passed_on(why: BaseException) -> None:
    startup = Startup(options())
    Failing(why).setServiceParent(startup)
    with pytest.raises(type(why)) as ended:
        startup.startService()
    assert ended.value is why


@pytest.mark.parametrize("name", ["uid", "gid"])
def test_only_root_changes_the_user(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, f"get{name}", lambda: 1000)
    own, other = Startup(options(**{name: 1000})), Startup(options(**{name: 1001}))
    own.privilegedStartService()
    with capturedLogs() as logged, pytest.raises(SystemExit):
        other.privilegedStartService()
    assert "only root may do that" in formatEvent(logged[0])


def test_a_process_that_cannot_stop_leaves_no_pid_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(os, "_exit", ends)
    (tmp_path / "pid").write_text("123")
    for _ in range(2):
        with pytest.raises(SystemExit) as ended:
            end_at_once(options(pidfile=str(tmp_path / "pid")))
        assert ended.value.code == 1
        assert not (tmp_path / "pid").exists()
