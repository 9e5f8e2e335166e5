"""Security log: what tools such as fail2ban act on, in one form for every way in.

The lines are ``auth-fail addr=… account=… way=…`` (``room=…`` for the key of a room), ``refused
addr=… why=… way=…`` and ``flood addr=… why=… people=…``; ``contrib/fail2ban`` has a filter for
them.  Values are words without blanks: what clients choose is escaped, so no client can write a
line or a field of its own.  Nor can one fill the disk: an address that is refused thousands of
times a second is in the log as often as tools need.
"""

from __future__ import annotations

from urllib.parse import quote

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from chatd.chat.limits import Rate
from chatd.chat.ratelimit.addresses import prefix
from chatd.chat.ratelimit.bucket import BucketTable
from chatd.chat.ratelimit.reports import Flood, SecurityReport, TurnedAway, WrongSecret

#: The value of a field that has none, such as the address of a Unix socket.
NONE = "-"
#: Lines of one address that is refused for one reason: 100 at once, then one in six seconds, which
#: is far more than fail2ban waits for.  And addresses that are remembered for it.
REFUSED_LINES = Rate(100, 1 / 6)
REFUSED_ADDRESSES = 10_000
#: Characters that stay as they are, beside letters, digits and ``-._~``.
_SAFE = ":/+@#[]"

_log = Logger()


def escaped(text: str) -> str:
    """Return a text as one word of ASCII, percent-encoded (RFC 3986, 2.1)."""
    return quote(text, safe=_SAFE) or NONE


def _line(word: str, **fields: str) -> None:
    text = " ".join(f"{name}={escaped(value)}" for name, value in fields.items())
    _log.info("{word} {fields}", word=word, fields=text)


class SecurityLog:
    """Logs the reports of the chat."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._refused = BucketTable(REFUSED_LINES, REFUSED_ADDRESSES)

    def report(self, what: SecurityReport) -> None:
        """Log a report."""
        match what:
            case WrongSecret(address=address, way=way, room="", account=account):
                _line("auth-fail", addr=address, account=account, way=way)
            case WrongSecret(address=address, way=way, room=room):
                _line("auth-fail", addr=address, room=room, way=way)
            case TurnedAway(address=address, way=way, why=why):
                now = self._clock.seconds()
                if not self._refused.get(f"{prefix(address)} {why}", now).wait(now):
                    _line("refused", addr=address, why=why, way=way)
            case Flood(address=address, why=why, people=people):
                _line("flood", addr=address, why=why, people=str(people))
