"""Passwords for tests: not hashed, and checked at once."""

from chatd.chat.entry.passwords import NotCheckedError


class Hasher:
    """A password hasher that only puts a prefix before the password."""

    async def hash(self, password: str) -> str:
        return f"kept:{password}"

    async def matches(self, kept: str, password: str) -> bool:
        if not kept.startswith("kept:"):
            raise NotCheckedError
        return kept == f"kept:{password}"


class Checker:
    """A password checker that knows some users' passwords; it can be made unavailable."""

    def __init__(self, **people: str) -> None:
        self.people = people
        self.unavailable = False

    async def check(self, nick: str, password: str) -> bool:
        if self.unavailable:
            raise NotCheckedError
        return self.people.get(nick) == password
