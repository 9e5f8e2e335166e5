"""Passwords for tests: hashed by nobody, at once."""

from chatd.chat.entry.passwords import NotCheckedError


class Hasher:
    """Keeps a password as it is, but for a word before it."""

    async def hash(self, password: str) -> str:
        return f"kept:{password}"

    async def matches(self, kept: str, password: str) -> bool:
        if not kept.startswith("kept:"):
            raise NotCheckedError
        return kept == f"kept:{password}"


class Checker:
    """Knows some people from elsewhere, unless it is ill."""

    def __init__(self, **people: str) -> None:
        self.people = people
        self.unavailable = False

    async def check(self, nick: str, password: str) -> bool:
        if self.unavailable:
            raise NotCheckedError
        return self.people.get(nick) == password
