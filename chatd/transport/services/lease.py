"""Lease: this server says that it lives, and lets go of everybody when the cluster cannot hear it.

The others give away the nicks of a server that they have not heard of for 30 s.  So one that could
not renew its lease for 25 s must have nobody any more by then: its people come again by another
server, or by this one when it is back.  That holds when the cluster is away, and when this process
stood still.  Long before that people are told that what they say waits.
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

#: Seconds between two renewals, and without one until everybody is let go of; how often that, and
#: whether another server is silent, is looked at.
RENEW_SECONDS = 5.0
LOOK_SECONDS = 1.0
FENCE_SECONDS = 25.0
#: Seconds without a connection, and with one but without an answer while what somebody said waits,
#: until people are told: what is over sooner they need not know.  A request is given as long.
BLIP_SECONDS = 2.0
UNANSWERED_SECONDS = 3.0
#: Seconds without an answer while nothing waits: it may be the lease alone that has no leader, for
#: as long as an election takes.
ELECTION_SECONDS = 13.0

#: Seconds between two reports that the cluster does not take something, which comes often then.
REPORT_SECONDS = 60.0

#: What people are told then, and who comes meanwhile.
LOST = "This server has lost touch with the others; connect again."
AWAY = "This server has lost touch with the others; try again in a moment."


class Leased(Protocol):
    """What keeps the lease."""

    @property
    def is_up(self) -> bool:
        """Whether there is a connection to the cluster."""

    @property
    def answers(self) -> int:
        """How often the cluster has said up to now that it has kept something."""

    def renew(self, renewed: Callable[[], None]) -> None:
        """Renew it, and say when that is done."""

    def declined(self) -> str:
        """Why the cluster has not taken something since this was asked; empty when it has."""


class Lease(Service):
    """Renews the lease while the service runs; ``now`` is the time of day."""

    _log = Logger()

    def __init__(
        self,
        chat: Chat,
        cluster: Cluster,
        leased: Leased,
        clock: IReactorTime,
        now: Callable[[], float],
        admission: Admission,
    ) -> None:
        self._chat = chat
        self._cluster = cluster
        self._leased = leased
        self._clock = clock
        self._now = now
        self._admission = admission
        self._renewed_at = self._renew_at = self._report_at = 0.0
        self._answers = 0
        self._felt_at = 0.0
        self._owed_since: float | None = None
        self._down_since: float | None = None
        self._beats = LoopingCall(self._beat)
        self._beats.clock = clock

    def startService(self) -> None:
        """Begin to renew."""
        super().startService()
        self._renewed_at = self._clock.seconds()
        self._beats.start(LOOK_SECONDS)

    def stopService(self) -> None:
        """Renew no more; that this server ends is said by who says farewell."""
        super().stopService()
        if self._beats.running:
            self._beats.stop()

    def _beat(self) -> None:
        now = self._clock.seconds()
        self._cluster.check_liveness(self._now())
        if now - self._renewed_at > FENCE_SECONDS:
            self._let_go()
        self._feel(now)
        self._report(now)
        if now >= self._renew_at:
            self._renew_at = now + RENEW_SECONDS
            self._renew(now)
            self._cluster.heartbeat(self._now())
        elif self._owed_since is not None or self._chat.unacknowledged.count:
            self._renew(now)

    def _renew(self, now: float) -> None:
        if self._owed_since is None:
            self._owed_since = now
        self._leased.renew(self._renewed)

    def _feel(self, now: float) -> None:
        """See whether the cluster answers, and let people know when it is otherwise than before.

        One that keeps what is said does, also when it does not renew the lease.
        """
        stood_still = now - self._felt_at > 2 * LOOK_SECONDS
        self._felt_at = now
        if stood_still:  # what came meanwhile is read only now
            self._owed_since = self._down_since = None
        answers, self._answers = self._answers, self._leased.answers
        if answers != self._answers:
            self._owed_since = None
        if self._leased.is_up:
            self._down_since = None
        elif self._down_since is None:
            self._down_since = now
            self._owed_since = now if self._owed_since is None else self._owed_since
        waiting = self._chat.unacknowledged
        patience = UNANSWERED_SECONDS if waiting.count else ELECTION_SECONDS
        if _longer(self._down_since, now, BLIP_SECONDS) or _longer(self._owed_since, now, patience):
            waiting.cluster_lost()
        elif self._owed_since is None:
            waiting.cluster_restored()

    def _report(self, now: float) -> None:
        """Say why the cluster does not take what it is given: who runs it can mend that alone."""
        why = self._leased.declined()
        if why and now >= self._report_at:
            self._report_at = now + REPORT_SECONDS
            self._log.error("cluster: did not take something: {why}", why=why)

    def _renewed(self) -> None:
        self._owed_since = None
        self._renewed_at = self._clock.seconds()
        self._cluster.lease_renewed(self._now())
        if self._admission.closed:
            self._admission.open()
            self._log.info("cluster: in touch again")

    def _let_go(self) -> None:
        """Part with everybody; nobody comes in until the lease is renewed."""
        if self._admission.closed:
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
            place = self._chat.detached.get(person)
            if place is not None:
                self._chat.expire(place, now)


def _longer(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since >= seconds
