"""Password guard: keeps what may be a password out of rooms.

A user whose password was refused may not notice that the next line is a message again.  Times are
seconds since the epoch.
"""

from __future__ import annotations

from chatd.chat.events import Refused
from chatd.chat.limits import GUARDED_LINES, GUARDED_PASSWORDS


class PasswordGuard:
    """The passwords that one session has tried in vain, and whether its next lines are held back.

    The passwords are never posted while the session lasts, or until it proves an account.

    :param tried: The passwords, as they were typed; of more than `GUARDED_PASSWORDS`, the last.
    :param held: How many of the next lines may be passwords that were typed ahead; at most
        `GUARDED_LINES`.
    :param until: When that is over.
    """

    __slots__ = ("_held", "_quoted", "_until", "tried")

    def __init__(self, tried: tuple[str, ...], held: int, until: float) -> None:
        self.tried = tried[-GUARDED_PASSWORDS:]
        self._held = min(held, GUARDED_LINES)
        self._until = until
        self._quoted = ""  # the last message that was held back for a command in it

    @property
    def is_holding(self) -> bool:
        """Whether it may hold back lines that are no password that was tried."""
        return self._held > 0

    def check_quoted(self, line: str) -> None:
        """Check that a message with a command that may have a password has been sent before.

        :raises Refused: ``held-back``.
        """
        if line != self._quoted:
            self._quoted = line
            raise Refused(
                "held-back",
                "That was not posted, as there may be a password in it; send it again to say it.",
            )
        self._quoted = ""

    def check(self, line: str, now: float) -> None:
        """Check that a line may be posted; no other one is held back then.

        :raises Refused: ``held-back``.
        """
        if line.strip() in map(str.strip, self.tried):
            raise Refused("held-back", "That is a password that you tried; it was not posted.")
        if self._held and now < self._until:
            self._held -= 1
            raise Refused(
                "held-back",
                "That was not posted, as it may be a password, and none is asked for now; "
                "type it again to say it.",
            )
        self._held = 0
