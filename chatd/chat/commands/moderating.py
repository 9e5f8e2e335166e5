"""Commands of those who look after a room."""

from __future__ import annotations

from chatd.chat import moderation
from chatd.chat.commands.command import Call, Command
from chatd.chat.events import Role


def _kick(call: Call) -> None:
    nick, reason = call.split("NICK [REASON]")
    moderation.kick(call.chat, call.person, call.session.room(), nick, reason, call.now)


def _mute(call: Call) -> None:
    nick, _ = call.split("NICK")
    moderation.mute(call.chat, call.person, call.session.room(), nick, call.now)


def _unmute(call: Call) -> None:
    nick, _ = call.split("NICK")
    moderation.mute(call.chat, call.person, call.session.room(), nick, call.now, muted=False)


def _op(call: Call) -> None:
    nick, _ = call.split("NICK")
    room = call.session.room()
    moderation.give_role(call.chat, call.person, room, nick, Role.MODERATOR, call.now)


def _deop(call: Call) -> None:
    nick, _ = call.split("NICK")
    room = call.session.room()
    moderation.give_role(call.chat, call.person, room, nick, Role.MEMBER, call.now)


COMMANDS = (
    Command("kick", "NICK [REASON]", "put somebody out of this room", _kick, least=Role.MODERATOR),
    Command("mute", "NICK", "let somebody speak no more in this room", _mute, least=Role.MODERATOR),
    Command("unmute", "NICK", "let somebody speak again", _unmute, least=Role.MODERATOR),
    Command("op", "NICK", "make somebody a moderator of this room", _op, least=Role.OWNER),
    Command("deop", "NICK", "make a moderator a member again", _deop, least=Role.OWNER),
)
