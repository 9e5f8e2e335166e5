"""Searches in progress: how many one user, one address and the whole server may have at once.

A search costs the server more than most lines do, and flood control does not know of it.  What is
refused here has cost nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chatd.chat.events import Refused
from chatd.chat.limits import SEARCHES, SEARCHES_OF_GUESTS, SEARCHES_PER_ADDRESS
from chatd.chat.model.entities import Person
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.store import too_many_searches

#: What identifies a user: the kind of their proof, and the proof.
_User = tuple[str, str]


class Searches:
    """The searches in progress, by user and by address prefix."""

    def __init__(self) -> None:
        self._users: set[_User] = set()
        self._addresses: Counter[str] = Counter()
        self._count = 0

    @contextmanager
    def begin(self, person: Person) -> Iterator[None]:
        """Count a search of a person for as long as the context lasts.

        An operator's counts for no address.  A person without account, key and nick, as a guest has
        who only runs a command over ssh, is bounded by their address alone.

        :raises Refused: ``busy``, on entering the context.
        """
        user, address = _user(person), "" if person.operator else prefix(person.address)
        is_guest = person.effective_account is None and not person.operator
        if user in self._users:
            raise Refused("busy", "Your last search is still in progress; wait for its results.")
        if address and self._addresses[address] >= SEARCHES_PER_ADDRESS:
            sentence = "Other searches from your address are in progress; try again in a moment."
            raise Refused("busy", sentence)
        if self._count >= (SEARCHES_OF_GUESTS if is_guest else SEARCHES):
            raise too_many_searches()
        self._count += 1
        self._addresses[address] += 1
        if user is not None:
            self._users.add(user)
        try:
            yield
        finally:
            self._count -= 1
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
            if user is not None:
                self._users.discard(user)


def _user(person: Person) -> _User | None:
    """Return what identifies a person, whatever they connect with; None: nothing does."""
    for kind, proof in (
        ("account", person.effective_account),
        ("key", person.fingerprint),
        ("nick", person.name.key),
    ):
        if proof:
            return kind, proof
    return None
