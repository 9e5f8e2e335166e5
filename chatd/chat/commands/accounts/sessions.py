"""The command for the connections of a user."""

from __future__ import annotations

from chatd.chat.actions.accounts.sessions import end_named, end_others, listed
from chatd.chat.commands.command import Call, Command
from chatd.chat.events import Refused

_SESSIONS = "[end N|others]"


def _sessions(call: Call) -> None:
    chat, session, now = call.chat, call.session, call.now
    match call.words.lower().split():
        case []:
            call.list("Your connections:", listed(chat, session))
        case ["end", "others"]:
            count = end_others(chat, session, now)
            one = "1 other connection is" if count == 1 else f"{count} other connections are"
            call.answer(f"{one} ended." if count else "You have no other connection.")
        case ["end", name]:
            end_named(chat, session, name, now)
            call.answer(f"Connection {name} is ended.")
        case _:
            raise Refused("usage", f"How to use it: /{call.name} {_SESSIONS}")


COMMANDS = (
    Command(
        "sessions",
        _SESSIONS,
        "where you are connected; end a connection",
        _sessions,
        more="end NUMBER ends that one, end others all but this one; a command such as ssh tail is "
        "listed, and ended, by its nick.",
    ),
)
