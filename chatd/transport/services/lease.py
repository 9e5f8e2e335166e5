"""Lease: renews this server's lease, and disconnects all users when the cluster cannot be reached.

The other servers give away the nicks of a server whose lease has not been renewed for 30 s.  So a
server that could not renew it for 25 s must disconnect all its users (fencing): they reconnect, to
another server, or to this one when it is back.  That applies when the cluster is unreachable and
when this process was suspended.  Long before that, users are told that their messages are pending.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from chatd.chat.chat import Chat
from chatd.chat.events import Notice
from chatd.cluster.cluster import Cluster
from chatd.transport.gate.admission import Admission

#: Seconds between two renewals; between two checks of the lease and of the other servers' liveness;
#: and without a renewal until all users are disconnected.
RENEW_SECONDS = 5.0
CHECK_SECONDS = 1.0
FENCE_SECONDS = 25.0
#: Seconds without a connection, and with one but without an answer while lines are pending, until
#: users are told: they need not know of shorter interruptions.  Requests have the same timeout.
BLIP_SECONDS = 2.0
UNANSWERED_SECONDS = 3.0
#: Seconds without an answer while nothing is pending: perhaps only the lease has no leader, for as
#: long as an election takes.
ELECTION_SECONDS = 13.0

#: Seconds between two reports that the cluster refuses requests, which then happens often.
REPORT_SECONDS = 60.0

#: The sentences for users then, and for new clients meanwhile.
LOST = "This server has lost touch with the others; connect again."
AWAY = "This server has lost touch with the others; try again in a moment."


class Leased(Protocol):
    """The store of the cluster, which keeps the lease."""

    @property
    def is_up(self) -> bool:
        """Whether there is a connection to the cluster."""

    @property
    def answers(self) -> int:
        """How many times the cluster has confirmed a write so far."""

    def renew(self, renewed: Callable[[], None]) -> None:
        """Renew the lease, and call ``renewed`` when that is done."""

    def declined(self) -> str:
        """Return why the cluster has refused a request since the last call; else empty."""


class Lease(Service):
    """Renews the lease while the service runs.

    ``now`` is the time of day.  ``elapsed`` returns seconds on a clock that nobody can set and that
    goes on while the machine is suspended, as the clocks of the other servers do.
    """

    _log = Logger()

    def __init__(
        self,
        chat: Chat,
        cluster: Cluster,
        leased: Leased,
        clock: IReactorTime,
        now: Callable[[], float],
        elapsed: Callable[[], float],
        admission: Admission,
    ) -> None:
        self._chat = chat
        self._cluster = cluster
        self._leased = leased
        self._now = now
        self._elapsed = elapsed
        self._admission = admission
        self._renewed_at = self._renew_at = self._report_at = 0.0
        self._answers = 0
        self._checked_at = 0.0
        self._unanswered_since: float | None = None
        self._down_since: float | None = None
        self._checks = LoopingCall(self._check)
        self._checks.clock = clock

    def startService(self) -> None:
        """Start renewing."""
        super().startService()
        self._renewed_at = self._elapsed()
        self._checks.start(CHECK_SECONDS)

    def stopService(self) -> None:
        """Stop renewing; `chatd.transport.services.shutdown.Shutdown` notifies the others."""
        super().stopService()
        if self._checks.running:
            self._checks.stop()

    def _check(self) -> None:
        now = self._elapsed()
        self._cluster.check_liveness(self._now(), now)
        if now - self._renewed_at > FENCE_SECONDS:
            self._fence()
        self._check_touch(now)
        self._report(now)
        if now >= self._renew_at:
            self._renew_at = now + RENEW_SECONDS
            self._renew(now)
            self._cluster.heartbeat(self._now(), now)
        elif self._unanswered_since is not None or self._chat.unacknowledged.count:
            self._renew(now)

    def _renew(self, now: float) -> None:
        if self._unanswered_since is None:
            self._unanswered_since = now
        self._leased.renew(self._renewed)

    def _check_touch(self, now: float) -> None:
        """Check whether the cluster answers, and notify the chat when that has changed.

        A cluster that stores messages counts as answering, even if it does not renew the lease.
        """
        stood_still = now - self._checked_at > 2 * CHECK_SECONDS
        self._checked_at = now
        if stood_still:  # what arrived meanwhile is read only now
            self._unanswered_since = self._down_since = None
        answers, self._answers = self._answers, self._leased.answers
        if answers != self._answers:
            self._unanswered_since = None
        if self._leased.is_up:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
            self._unanswered_since = (
                now if self._unanswered_since is None else self._unanswered_since
            )
        unacknowledged = self._chat.unacknowledged
        patience = UNANSWERED_SECONDS if unacknowledged.count else ELECTION_SECONDS
        if _longer(self._down_since, now, BLIP_SECONDS) or _longer(
            self._unanswered_since, now, patience
        ):
            unacknowledged.cluster_lost()
        elif self._unanswered_since is None:
            unacknowledged.cluster_restored()

    def _report(self, now: float) -> None:
        """Log why the cluster refuses requests: only its operator can fix that."""
        why = self._leased.declined()
        if why and now >= self._report_at:
            self._report_at = now + REPORT_SECONDS
            self._log.error("cluster: did not take something: {why}", why=why)

    def _renewed(self) -> None:
        self._unanswered_since = None
        self._renewed_at = self._elapsed()
        self._cluster.lease_renewed(self._renewed_at)
        if self._admission.is_closed:
            self._admission.open()
            self._log.info("cluster: in touch again")

    def _fence(self) -> None:
        """Disconnect all users, and admit none until the lease is renewed."""
        if self._admission.is_closed:
            return
        self._admission.close(AWAY)
        self._cluster.hang_up(LOST)
        people = self._chat.people.here()
        self._log.error("cluster: out of touch, {count} people let go of", count=len(people))
        now = self._now()
        for person in people:
            for session in tuple(person.sessions):
                session.deliver(Notice(LOST))
                self._chat.leave(session, "", now)
                session.client.close()
            detached = self._chat.detached.get(person)
            if detached is not None:
                self._chat.expire(detached, now)


def _longer(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since >= seconds
