"""Claims on nicks, where one process is the whole server."""

from __future__ import annotations


class Claims:
    """The holders of nicks."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Claim a nick; return False when another holds it, unless for its ``owner``."""
        if owner:
            self._holders[nick] = holder
        return self._holders.setdefault(nick, holder) == holder

    def release(self, nick: str, holder: str) -> None:
        """Release a nick, if this holder has it."""
        if self._holders.get(nick) == holder:
            del self._holders[nick]
