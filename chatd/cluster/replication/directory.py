"""Directory: looks up people on other servers by their proof of identity."""

from __future__ import annotations

from chatd.chat.model.entities import Person

#: A kind of proof, and the account (its folded nick) or the fingerprint of the key.
_Entry = tuple[str, str]


class Directory:
    """The people on other servers: owners by account, guests by ssh key."""

    def __init__(self) -> None:
        self._people: dict[_Entry, Person] = {}
        self._entries: dict[Person, _Entry] = {}

    def update(self, person: Person) -> None:
        """Add a person, or update the entry of one whose account or key has changed."""
        entry = _entry(person)
        if self._entries.get(person) == entry:
            return
        self.remove(person)
        if entry is not None:
            self._people[entry] = person
            self._entries[person] = entry

    def remove(self, person: Person) -> None:
        """Remove a person who is no longer on another server, if they are listed."""
        entry = self._entries.pop(person, None)
        if entry is not None and self._people.get(entry) is person:
            del self._people[entry]

    def find(self, account: str, fingerprint: str) -> Person | None:
        """Return the owner of an account, or (with none given) the guest with a key."""
        if account:
            return self._people.get(("account", account))
        return self._people.get(("key", fingerprint)) if fingerprint else None


def _entry(person: Person) -> _Entry | None:
    if person.account is not None:
        return "account", person.account
    return ("key", person.fingerprint) if person.fingerprint is not None else None
