"""Disk watch: reports a disk that takes nothing, or takes it slowly, to log and operators."""

from __future__ import annotations

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.chat.actions.status import counted
from chatd.chat.chat import Chat
from chatd.chat.events import Notice
from chatd.chat.store_health import SLOW_SECONDS, Transaction

#: Seconds between two checks.
CHECK_SECONDS = 0.5
#: Seconds between two reports of the same trouble.
REPORT_SECONDS = 60.0
#: Seconds between two attempts to write while the disk takes nothing.
RETRY_SECONDS = 5.0
#: Seconds without a failure until the disk counts as working again: an almost full one takes small
#: records and refuses others.
STEADY_SECONDS = 5.0


class DiskWatch(Service):
    """Watches the health of a chat's store while the service runs."""

    _log = Logger()

    def __init__(self, chat: Chat, clock: IReactorTime) -> None:
        self._chat = chat
        self._health = chat.health
        self._clock = clock
        self._failing_since: float | None = None
        self._working_since: float | None = None
        self._failures = 0
        self._lines = self._changes = 0
        self._report_at = self._retry_at = self._slow_report_at = 0.0
        self._waiting: tuple[Transaction, float] | None = None
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    def startService(self) -> None:
        """Start watching."""
        super().startService()
        checking = self._checks.start(CHECK_SECONDS, now=False)
        checking.addErrback(lambda failure: self._log.failure("a check failed", failure=failure))

    def stopService(self) -> None:
        """Stop watching."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()

    def _check(self) -> None:
        now = self._clock.seconds()
        self._check_failures(now)
        self._check_speed(now)

    # A disk that takes nothing --------------------------------------------------------------------

    def _check_failures(self, now: float) -> None:
        health = self._health
        failed_since = health.failures != self._failures
        self._failures = health.failures
        lines, changes = health.take_refused()
        self._lines += lines
        self._changes += changes
        if failed_since and self._failing_since is None:
            self._failing_since, self._retry_at = now, now + RETRY_SECONDS
            self._report_failure(now)
            self._tell_operators(f"The server stores nothing at present: {self._reason}")
        if self._failing_since is None:
            return
        if health.is_failing or failed_since:
            self._working_since = None
        elif self._working_since is None:
            self._working_since = now
        if self._working_since is not None and now - self._working_since >= STEADY_SECONDS:
            self._recovered(self._working_since - self._failing_since)
        elif health.is_failing and now >= self._retry_at:
            self._retry_at = now + RETRY_SECONDS
            self._chat.records.retry()
        elif health.is_failing and now >= self._report_at:
            self._report_failure(now)

    @property
    def _reason(self) -> str:
        return self._health.reason or "its disk refused something just now."

    @property
    def _refused(self) -> str:
        """How much was refused, as the end of a sentence."""
        lines, changes = counted(self._lines, "line"), counted(self._changes, "change")
        parts = [lines] * bool(self._lines or not self._changes) + [changes] * bool(self._changes)
        return " and ".join(parts)

    def _report_failure(self, now: float) -> None:
        self._report_at = now + REPORT_SECONDS
        self._log.error(
            "disk: cannot keep what is said: {error}; {refused} refused",
            error=self._health.error or "it failed just now",
            refused=self._refused,
        )

    def _recovered(self, seconds: float) -> None:
        was = "was" if self._lines + self._changes == 1 else "were"
        self._log.info(
            "disk: keeps again after {seconds:.0f} s; {refused} {was} refused",
            seconds=seconds,
            refused=self._refused,
            was=was,
        )
        self._tell_operators(
            f"The server stores everything again, after {seconds:.0f} s; "
            f"{self._refused} {was} refused."
        )
        self._failing_since = self._working_since = None
        self._lines = self._changes = 0

    def _tell_operators(self, sentence: str) -> None:
        for person in self._chat.people.here():
            if person.operator:
                self._chat.deliver(person, Notice(sentence))

    # A disk that takes it slowly ------------------------------------------------------------------

    def _check_speed(self, now: float) -> None:
        slow = self._health.take_slow()
        if slow is not None:
            self._report_slow(
                now, "disk: took {seconds:.1f} s to keep {lines}", slow.lines, slow.seconds
            )
        current = self._health.current
        if current is None or self._waiting is None or self._waiting[0] is not current:
            self._waiting = (current, now) if current is not None else None
        elif now - self._waiting[1] > SLOW_SECONDS:
            self._report_slow(
                now,
                "disk: has not kept {lines} for {seconds:.1f} s",
                current.lines,
                now - self._waiting[1],
            )

    def _report_slow(self, now: float, sentence: str, lines: int, seconds: float) -> None:
        if now >= self._slow_report_at:
            self._slow_report_at = now + REPORT_SECONDS
            self._log.warn(sentence, lines=counted(lines, "line"), seconds=seconds)
