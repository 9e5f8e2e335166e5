"""Claims on nicks, where one process is all there is."""

from __future__ import annotations


class Claims:
    """Who holds which nick."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Take a nick for a holder; False when another holds it, unless for its ``owner``."""
        if owner:
            self._holders[nick] = holder
        return self._holders.setdefault(nick, holder) == holder

    def release(self, nick: str, holder: str) -> None:
        """Give a nick back, if this holder has it."""
        if self._holders.get(nick) == holder:
            del self._holders[nick]
