"""Owners: which owners of accounts are on other servers, by the folded nick of the account."""

from __future__ import annotations

from chatd.chat.people import Person


class Owners:
    """Persons on other servers by their accounts.

    While two servers do not know of each other one account may have two.
    """

    def __init__(self) -> None:
        self._people: dict[str, dict[Person, None]] = {}

    def get(self, account: str) -> Person | None:
        """The owner of an account who is on another server; of two who came last."""
        return next(reversed(self._people.get(account, {})), None)

    def proved(self, person: Person, account: str | None) -> None:
        """Somebody has this account from now on, or none."""
        if person.account != account:
            self.lost(person)
            person.account = account
        if account is not None:
            self._people.setdefault(account, {})[person] = None

    def lost(self, person: Person) -> None:
        """Somebody is there no longer."""
        people = self._people.get(person.account or "", {})
        people.pop(person, None)
        if not people:
            self._people.pop(person.account or "", None)
