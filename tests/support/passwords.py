"""A password hasher and a password checker for tests, which answer at once."""

from chatd.chat.entry.passwords import NotCheckedError
from tests.support.steps import Step

#: The beginning of each hash; nobody is ever shown it.
HASHED = "kept:"


class Hasher:
    """A hasher whose hash is the password after a prefix; while it ``is_slow``, it takes a step."""

    def __init__(self) -> None:
        self.is_slow = False

    async def hash(self, password: str) -> str:
        await self._wait()
        return HASHED + password

    async def matches(self, password_hash: str, password: str) -> bool:
        await self._wait()
        if not password_hash.startswith(HASHED):
            raise NotCheckedError
        return password_hash == HASHED + password

    async def _wait(self) -> None:
        if self.is_slow:
            await Step()


class Checker:
    """A password checker that knows some users' passwords; it can be made unavailable."""

    def __init__(self, **people: str) -> None:
        self.people = people
        self.unavailable = False

    async def check(self, nick: str, password: str) -> bool:
        if self.unavailable:
            raise NotCheckedError
        return self.people.get(nick) == password
