"""Commands for moderators and owners of rooms."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from chatd.chat.actions.moderation import banning, members
from chatd.chat.actions.moderation.banning import ModeratorAct
from chatd.chat.actions.moderation.targets import ADDRESS_OF, OTHERS_HAVE_IT
from chatd.chat.commands.command import Call, Command
from chatd.chat.events import Refused, Role
from chatd.chat.limits import AUDIT_SHOWN, AUDIT_SHOWN_AT_MOST, LISTED
from chatd.chat.model import rules
from chatd.chat.model.bans import Ban, Bans, Kind, Target
from chatd.chat.model.entities import Actor
from chatd.chat.records.audit import AuditEntry
from chatd.chat.text.durations import term

_BAN = "TARGET [TIME] [REASON]"
_TARGETS = (
    "TARGET is a nick, account:NICK, SHA256:… of a key, an address, or a network such as "
    "192.0.2.0/24; TIME is such as 30m, 2h, 7d or 1w, and without one it is for good."
)


async def _kick(call: Call) -> None:
    nick, reason = call.split("NICK [REASON]")
    await members.kick(call.chat, call.session, call.session.room(), nick, reason, call.now)


def _act(call: Call) -> ModeratorAct:
    return ModeratorAct(call.chat, call.session, call.session.room(), call.now)


async def _ban(call: Call) -> None:
    target, words = call.split(_BAN)
    made, left_out = await banning.ban(_act(call), target, words)
    how_long = term(made.made, made.until)
    sentence = f"The ban of {made.label} covers {covers(made, call.session)}, {how_long}."
    call.answer(sentence + leaves_out(made, left_out))


def leaves_out(made: Ban, why: str) -> str:
    """Return a sentence about the address that a ban leaves out; empty if it leaves out none."""
    hint = f"; ban {ADDRESS_OF}{made.label} to cover it" * why.endswith(OTHERS_HAVE_IT)
    return f" Their address is left out: {why}{hint}." * bool(why)


def covers(made: Ban, actor: Actor) -> str:
    """Describe what a ban covers, with the time of what it covers for less long than the rest.

    Only operators see addresses.
    """
    hidden = made.is_named and not actor.operator
    parts = [
        _covered(mark.target, hidden=hidden)
        + (f" ({term(made.made, mark.until)})" if mark.until != made.until else "")
        for mark in made.marks
    ]
    if len(parts) > 1:
        return f"{', '.join(parts[:-1])} and {parts[-1]}"
    return parts[0] + " alone" * (made.target.kind is Kind.NICK)


def _covered(target: Target, *, hidden: bool) -> str:
    if target.kind is Kind.ADDRESS:
        return "their address" if hidden else target.value
    return f"the {target.kind.value} {target.value}"


async def _unban(call: Call) -> None:
    target, _ = call.split("TARGET")
    room = call.session.room()
    ended = await banning.unban(_act(call), target)
    call.answer(f"{ended[0].label} may come into {room} again.")


def ban_rows(bans: Bans, call: Call) -> list[str]:
    """Return one line per ban or mute, without expired ones."""
    bans.expire(call.now)
    shown = list(bans)[:LISTED]
    lines = [
        f"{made.label} ({covers(made, call.session)}), by {made.by}, {bans.rest(made, call.now)}"
        if made.is_named
        else f"{made.label}, by {made.by}, {bans.rest(made, call.now)}"
        for made in shown
    ]
    if len(bans) > LISTED:
        lines.append(f"… and {len(bans) - LISTED} more")
    return lines


def _bans(call: Call) -> None:
    room = call.room(call.words)
    rules.check_membership(room, call.person)
    rules.check_role(room, call.session, Role.MODERATOR)
    banned, muted = ban_rows(room.bans, call), ban_rows(room.mutes, call)
    if banned or not muted:
        call.list(f"Banned from {room}:" if banned else f"Nobody is banned from {room}.", banned)
    if muted:
        call.list(f"Muted in {room}:", muted)


async def _mute(call: Call) -> None:
    nick, words = call.split("NICK [TIME] [REASON]")
    await banning.mute(_act(call), nick, words)


async def _unmute(call: Call) -> None:
    nick, _ = call.split("NICK")
    await banning.unmute(_act(call), nick)


async def _op(call: Call) -> None:
    nick, _ = call.split("NICK")
    room = call.session.room()
    await members.give_role(call.chat, call.session, room, nick, Role.MODERATOR, call.now)


async def _deop(call: Call) -> None:
    nick, _ = call.split("NICK")
    room = call.session.room()
    await members.give_role(call.chat, call.session, room, nick, Role.MEMBER, call.now)


async def _voice(call: Call) -> None:
    nick, _ = call.split("NICK")
    await members.give_voice(call.chat, call.session, call.session.room(), nick, call.now)


async def _devoice(call: Call) -> None:
    nick, _ = call.split("NICK")
    await members.take_voice(call.chat, call.session, call.session.room(), nick, call.now)


def _audit(call: Call) -> None:
    count, name = AUDIT_SHOWN, ""
    for word in call.words.split():
        if word.isascii() and word.isdigit():
            count = max(1, min(int(word[:9]), AUDIT_SHOWN_AT_MOST))
        else:
            name = word
    if call.session.operator and not name:
        room = None
    else:
        room = call.room(name)
        if not call.session.operator:
            rules.check_membership(room, call.person)
        rules.check_role(room, call.session, Role.MODERATOR)
    entries = call.chat.audit.last(count, room)
    where = room if room is not None else "this server"
    if not entries:
        raise Refused("nothing", f"Nobody has looked after {where} yet.")
    call.list(
        f"What was done in {where}, the last {len(entries)}:",
        [_row(entry, call) for entry in entries],
    )


def _row(entry: AuditEntry, call: Call) -> str:
    zone = ZoneInfo(call.session.preferences.timezone)
    time = datetime.fromtimestamp(entry.time, zone).strftime("%Y-%m-%d %H:%M")
    by = entry.nick
    if entry.account not in (None, entry.nick.lower()):
        by += f" ({entry.account})"
    where = f"[{entry.room}] " if entry.room else ""
    row = f"{time} {where}{by}: {entry.what} {entry.whom}".rstrip()
    if entry.covered and call.session.operator:
        row += f", {entry.covered}"
    return f"{row} ({entry.reason})" if entry.reason else row


COMMANDS = (
    Command("kick", "NICK [REASON]", "put somebody out of this room", _kick, least=Role.MODERATOR),
    Command(
        "ban", _BAN, "keep somebody out of this room", _ban, least=Role.MODERATOR, more=_TARGETS
    ),
    Command("unban", "TARGET", "let somebody come in again", _unban, least=Role.MODERATOR),
    Command("bans", "[ROOM]", "who is banned or muted here", _bans, least=Role.MODERATOR),
    Command(
        "mute",
        "NICK [TIME] [REASON]",
        "let somebody speak no more in this room",
        _mute,
        least=Role.MODERATOR,
    ),
    Command("unmute", "NICK", "let somebody speak again", _unmute, least=Role.MODERATOR),
    Command(
        "voice",
        "NICK",
        "let somebody speak where not everyone may",
        _voice,
        least=Role.MODERATOR,
        more="where /room speak is voices, or registered; an account has it for good, a guest "
        "until they leave the server.",
    ),
    Command(
        "devoice",
        "NICK",
        "take a voice away",
        _devoice,
        ("unvoice",),
        least=Role.MODERATOR,
    ),
    Command("op", "NICK", "make somebody a moderator of this room", _op, least=Role.OWNER),
    Command("deop", "NICK", "make a moderator a member again", _deop, least=Role.OWNER),
    Command(
        "audit",
        "[N] [ROOM]",
        "what was done by those who look after this room",
        _audit,
        least=Role.MODERATOR,
        more=f"{AUDIT_SHOWN} entries unless you say how many, at most {AUDIT_SHOWN_AT_MOST}; "
        "operators see those of all rooms and of the server.",
    ),
)
