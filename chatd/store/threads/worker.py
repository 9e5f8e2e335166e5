"""Worker: a thread with a queue of jobs, done in order, in batches.

It knows neither what the jobs are nor a database.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Worker(Generic[Job]):
    """Calls a function with all jobs that have gathered during its previous call.

    That makes group commits: the slower the disk, the more jobs share a transaction.  ``work`` runs
    in the worker's thread with at most ``batch_size`` jobs, and must not raise; ``idle`` runs there
    after ``idle_seconds`` without a job.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[list[Job]], None],
        *,
        batch_size: int = 1000,
        idle: Callable[[], None] | None = None,
        idle_seconds: float = 1.0,
    ) -> None:
        self._work = work
        self._batch_size = batch_size
        self._idle = idle
        self._idle_seconds = idle_seconds
        self._jobs: deque[Job] = deque()
        self._taken: list[Job] = []
        self._more = threading.Condition()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __len__(self) -> int:
        """Return the number of pending jobs."""
        return len(self._jobs)

    @property
    def unfinished(self) -> list[Job]:
        """The pending jobs, and those that are being done; callable from any thread."""
        with self._more:
            return [*self._taken, *self._jobs]

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def do(self, job: Job) -> None:
        """Queue a job; callable from any thread."""
        with self._more:
            self._jobs.append(job)
            if len(self._jobs) == 1:
                self._more.notify()

    def end(self) -> None:
        """Do the pending jobs, then end; returns immediately."""
        with self._more:
            self._ending = True
            self._more.notify()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._more:
                if not (self._jobs or self._ending):
                    self._more.wait(self._idle_seconds if self._idle else None)
                jobs = [self._jobs.popleft() for _ in range(min(len(self._jobs), self._batch_size))]
                self._taken = jobs
                if not jobs and self._ending:
                    return
            if jobs:
                self._work(jobs)
            elif self._idle is not None:
                self._idle()
