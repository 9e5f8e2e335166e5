"""Deadline: runs a step that may hang in a thread, and reports whether it ended in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from chatd.store.threads.main_thread import MainThread, Promise


def run_within(
    seconds: float, step: Callable[[], None], main_thread: MainThread, promise: Promise
) -> None:
    """Run a step in a thread, and resolve the promise with whether it ended in so many seconds.

    The promise fails with what the step raises.  A step that hangs keeps its thread, which does not
    keep the process.
    """
    errors: list[Exception] = []

    def run() -> None:
        try:
            step()
        except Exception as error:
            errors.append(error)

    def wait() -> None:
        running = threading.Thread(target=run, name="chatd closes", daemon=True)
        running.start()
        running.join(seconds)
        if errors:
            main_thread.call_soon(partial(promise.fail, errors[0]))
        else:
            main_thread.call_soon(partial(promise.resolve, not running.is_alive()))

    threading.Thread(target=wait, name="chatd waits", daemon=True).start()
