"""Flood control: limits lines to the rates of their person and address, without losing any."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall

from chatd.chat.entry.entrance import Visitor
from chatd.chat.events import Notice
from chatd.chat.limits import Rate
from chatd.chat.model.entities import Session
from chatd.chat.ratelimit.line_budget import LineBudget, Reservation, Sender
from chatd.transport.host import Host


def sender_of(host: Host, session: Session) -> Sender:
    """Return who sends the lines of a session."""
    person = session.person
    account = person.effective_account or ""
    return _sender(host, account, session.address, session.operator)


def sender_of_visitor(host: Host, visitor: Visitor) -> Sender:
    """Return who sends the commands of a visitor, who need not enter."""
    found = host.chat.accounts.get(visitor.account)
    found = found or host.chat.accounts.of_key(visitor.fingerprint)
    account = found.name.key if found is not None else ""
    return _sender(host, account, visitor.address, visitor.operator)


def _sender(host: Host, account: str, address: str, operator: bool) -> Sender:
    return Sender(account, address, host.standing(account, operator=operator))


class FloodControl:
    """Decides whether the next line may be sent, and calls back when it may.

    It knows its connection only while a line waits: the connection has it, and not the other way.

    :param budget: that of the connection, if several channels share it.
    """

    __slots__ = ("_budget", "_call", "_host", "_paid", "_reservation", "_warned")

    def __init__(self, host: Host, budget: LineBudget | None = None) -> None:
        self._host = host
        self._budget = budget  # made with the first line: most people only listen
        self._call: IDelayedCall | None = None
        self._reservation: Reservation | None = None
        self._paid = False  # a line may be sent: it has waited for its tokens
        self._warned = False

    def must_wait(
        self,
        sender: Sender,
        go_on: Callable[[], None],
        warn: Callable[[Notice], None] | None = None,
    ) -> bool:
        """Return whether the next line has to wait; otherwise it counts as sent.

        :param go_on: called when the line may be sent.
        :param warn: shows a notice of the limit to the user, once until `calm`; None: there is no
            user who reads it.
        """
        if self._call is not None:
            return True
        if self._paid:
            self._paid = False
            return False
        clock = self._host.clock
        if self._budget is None:
            self._budget = LineBudget(self._host.budgets)
        reservation = self._budget.reserve(sender, clock.seconds())
        if not reservation.wait:
            return False
        self._reservation = reservation
        self._call = clock.callLater(reservation.wait, self._turn, go_on)
        if reservation.of_address:
            self._host.chat.alerts.line_waits(sender.address, clock.seconds())
        if warn is not None and not self._warned:
            self._warned = True
            warn(Notice(self._warning(of_address=reservation.of_address)))
        return True

    def _warning(self, *, of_address: bool) -> str:
        budgets = self._host.budgets
        rate = (budgets.address if of_address else budgets.person) or Rate()
        if of_address:
            return (
                "Much is written from your address: lines from there go out at "
                f"{rate.per_second:g} a second now, and none is lost."
            )
        return (
            f"You write fast: your lines go out at {rate.per_second:g} a second now, "
            "and none is lost."
        )

    def _turn(self, go_on: Callable[[], None]) -> None:
        self._call = self._reservation = None
        self._paid = True
        go_on()

    def calm(self) -> None:
        """Warn again the next time: no line is pending any longer."""
        self._warned = False

    def stop(self) -> None:
        """Stop the timer; a line that was waiting is not sent."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._reservation is not None:
            self._reservation.give_back()
            self._reservation = None
