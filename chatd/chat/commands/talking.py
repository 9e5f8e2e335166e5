"""Commands that send messages, and edit or delete them."""

from __future__ import annotations

from collections.abc import Awaitable

from chatd.chat.actions.direct_messages import send
from chatd.chat.actions.editing import delete, delete_other, edit
from chatd.chat.actions.messages import say, say_everywhere
from chatd.chat.commands.command import Call, Command, need
from chatd.chat.events import Refused
from chatd.chat.limits import EDIT_SECONDS
from chatd.chat.text.durations import duration


def _unquoted(text: str) -> str:
    """Return text without the quotes that may surround it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _dm(call: Call) -> Awaitable[None] | None:
    nick, text = call.split("NICK TEXT")
    text = need(call, _unquoted(text), "NICK TEXT")
    return send(call.chat, call.session, nick, text, call.now)


def _reply(call: Call) -> Awaitable[None] | None:
    text = need(call, _unquoted(call.words), "TEXT")
    other = call.person.last_correspondent
    if other is None:
        raise Refused("nobody", "Nobody has written to you alone yet.")
    if call.chat.people.get(other.name.key) is not other:
        raise Refused("nobody", f"{other.nick} is gone.")
    return send(call.chat, call.session, other.nick, text, call.now)


def _bc(call: Call) -> None:
    text = need(call, _unquoted(call.words), "TEXT")

    def said(rooms: int, people: int) -> None:
        others = "1 other person" if people == 1 else f"{people} other people"
        call.answer(f"Said in {rooms} room{'s' * (rooms != 1)}, to {others}.")

    say_everywhere(call.chat, call.session, text, call.now, said)


def _me(call: Call) -> None:
    say(call.chat, call.session, need(call, call.words, "TEXT"), call.now, act=True)


async def _edit(call: Call) -> None:
    await edit(call.chat, call.session, need(call, call.words, "TEXT"), call.now)


async def _delete(call: Call) -> None:
    if call.words:
        await delete_other(call.chat, call.session, call.words, call.now)
    else:
        await delete(call.chat, call.session, call.now)


COMMANDS = (
    Command(
        "dm",
        "NICK TEXT",
        "say something to one person alone",
        _dm,
        ("msg", "w", "tell", "whisper"),
    ),
    Command("reply", "TEXT", "answer who wrote to you alone last", _reply, ("r",)),
    Command(
        "edit",
        "TEXT",
        "put another text in the place of what you said last",
        _edit,
        more=f"Within {duration(EDIT_SECONDS)}, in this room; everyone is shown the new one.",
    ),
    Command(
        "delete",
        "[NICK|#NUMBER]",
        "take back what you said last",
        _delete,
        more=f"Within {duration(EDIT_SECONDS)}, in this room; its moderators may name somebody, or "
        "any message by its number, which /history # shows.",
    ),
    Command("me", "TEXT", "say what you do: * ada waves", _me, ("action",)),
    Command("bc", "TEXT", "say something in every room you are in, to each person once", _bc),
)
