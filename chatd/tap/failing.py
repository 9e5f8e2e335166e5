"""Failing to start, or to stop: status 1 at once, also as a daemon, and no pid file is left."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.logger import Logger

from chatd.tap.options import Options

#: Bytes of a sentence that fit into the pipe through which a daemon tells its parent how the start
#: went: the parent reads 100, two of which are the status.
_PIPE_BYTES = 98

_log = Logger()


class Startup(MultiService):
    """The services of a process, which ends with a sentence if one of them cannot start.

    A service says so by raising ``SystemExit`` with the sentence.
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options

    def privilegedStartService(self) -> None:
        """Do what only root may do; the user is changed afterwards."""
        self._start(self._privileged_start)

    def startService(self) -> None:
        """Start all services."""
        self._start(super().startService)

    def _privileged_start(self) -> None:
        _check_user(self._options)
        super().privilegedStartService()

    def _start(self, start: Callable[[], None]) -> None:
        try:
            start()
        except SystemExit as why:
            if not isinstance(why.code, str):
                raise
            cannot_start(self._options, why.code)


def _check_user(options: Options) -> None:
    """Check that twistd will be able to change the user: a daemon that is not would hang.

    :raises SystemExit: with a sentence.
    """
    twistd: Any = options.parent or {}  # twistd's own options
    wanted = (twistd.get("uid"), os.getuid()), (twistd.get("gid"), os.getgid())
    if os.geteuid() and any(new not in (None, own) for new, own in wanted):
        raise SystemExit("chatd cannot run as another user (--uid, --gid): only root may do that")


def cannot_start(options: Options, sentence: str) -> NoReturn:
    """End this process, which cannot start.

    twistd hands on an ``Exception`` to the parent of a daemon, with a traceback in the log, and
    nothing of a ``SystemExit``: then the parent, which has both ends of the pipe, waits for ever.

    :raises SystemExit: always.
    """
    twistd: Any = options.parent or {}  # twistd's own options
    _log.critical("{sentence}", sentence=sentence)
    _remove_pid_file(options)
    pipe = twistd.get("statusPipe")
    if pipe is not None:
        with suppress(OSError):
            os.write(pipe, b"1 " + sentence.encode()[:_PIPE_BYTES])
            os.close(pipe)
    elif twistd.get("logfile") not in (None, "-") and sys.__stderr__ is not None:
        print(sentence, file=sys.__stderr__)  # not the log, which is in a file
    raise SystemExit(1)


def end_at_once(options: Options) -> NoReturn:
    """End this process with status 1 although one of its threads hangs."""
    _remove_pid_file(options)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(1)


def _remove_pid_file(options: Options) -> None:
    """Remove the file that twistd has written, as it does when it stops by itself."""
    twistd: Any = options.parent or {}  # twistd's own options
    if pid_file := twistd.get("pidfile"):
        with suppress(OSError):
            os.unlink(pid_file)
