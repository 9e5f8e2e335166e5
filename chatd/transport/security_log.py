"""Security log: what tools such as fail2ban act on, in one form for every way in.

The lines are ``auth-fail addr=… account=… way=…`` (``room=…`` for the key of a room), ``refused
addr=… why=… way=…`` and ``flood addr=… why=… people=…``; ``contrib/fail2ban`` has a filter for
them.  Values are words without blanks: what clients choose is escaped, so no client can write a
line or a field of its own.
"""

from __future__ import annotations

from urllib.parse import quote

from twisted.logger import Logger

from chatd.chat.ratelimit.reports import Flood, SecurityReport, TurnedAway, WrongSecret

#: The value of a field that has none, such as the address of a Unix socket.
NONE = "-"
#: Characters that stay as they are, beside letters, digits and ``-._~``.
_SAFE = ":/+@#[]"

_log = Logger()


def escaped(text: str) -> str:
    """Return a text as one word of ASCII, percent-encoded (RFC 3986, 2.1)."""
    return quote(text, safe=_SAFE) or NONE


def _line(word: str, **fields: str) -> None:
    text = " ".join(f"{name}={escaped(value)}" for name, value in fields.items())
    _log.info("{word} {fields}", word=word, fields=text)


def report(what: SecurityReport) -> None:
    """Log a report of the chat."""
    match what:
        case WrongSecret(address=address, way=way, room="", account=account):
            _line("auth-fail", addr=address, account=account, way=way)
        case WrongSecret(address=address, way=way, room=room):
            _line("auth-fail", addr=address, room=room, way=way)
        case TurnedAway(address=address, way=way, why=why):
            _line("refused", addr=address, why=why, way=way)
        case Flood(address=address, why=why, people=people):
            _line("flood", addr=address, why=why, people=str(people))
