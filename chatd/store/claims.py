"""Claims on nicks within a single process."""

from __future__ import annotations


class Claims:
    """The nicks that are claimed, and their holders."""

    def __init__(self) -> None:
        self._holders: dict[str, str] = {}

    def claim(self, nick: str, holder: str, *, owner: bool = False) -> bool:
        """Claim a nick; return False if another holds it, unless the claim is for its ``owner``."""
        if owner:
            self._holders[nick] = holder
        return self._holders.setdefault(nick, holder) == holder

    def release(self, nick: str, holder: str) -> None:
        """Release a nick, if this holder has it."""
        if self._holders.get(nick) == holder:
            del self._holders[nick]
