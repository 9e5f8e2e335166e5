"""Directory: where in a cluster somebody is, by what proves who they are."""

from __future__ import annotations

from chatd.chat.model.entities import Person

#: What somebody goes by: their account, or the fingerprint of their key.
_Entry = tuple[str, str]


class Directory:
    """The people on other servers, by their accounts, and by their keys when they have none."""

    def __init__(self) -> None:
        self._people: dict[_Entry, Person] = {}
        self._entries: dict[Person, _Entry] = {}

    def learn(self, person: Person) -> None:
        """Somebody is on another server, or goes by something else than before."""
        entry = _entry(person)
        if self._entries.get(person) == entry:
            return
        self.forget(person)
        if entry is not None:
            self._people[entry] = person
            self._entries[person] = entry

    def forget(self, person: Person) -> None:
        """Somebody is on no other server any more."""
        entry = self._entries.pop(person, None)
        if entry is not None and self._people.get(entry) is person:
            del self._people[entry]

    def find(self, account: str, fingerprint: str) -> Person | None:
        """Who has an account, or is a guest with a key."""
        if account:
            return self._people.get(("account", account))
        return self._people.get(("key", fingerprint)) if fingerprint else None


def _entry(person: Person) -> _Entry | None:
    if person.account is not None:
        return "account", person.account
    return ("key", person.fingerprint) if person.fingerprint is not None else None
