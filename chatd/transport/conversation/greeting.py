"""Greeting: what somebody is told who has come in, and what they are shown of the lobby."""

from __future__ import annotations

from chatd.chat.actions import replay
from chatd.chat.commands.describe import way_back, welcome
from chatd.chat.events import Listing, Notice, Refused
from chatd.chat.model.entities import Room, Session
from chatd.transport.host import Host

#: What who comes for the first time is told to try, where no program may be reading.
TO_TRY = Listing(
    "Three things to try:",
    (
        "hello, everyone   type it, press Enter, and all who are here read it",
        "/rooms            which rooms there are; /join ROOM takes you into one",
        "/dm NICK TEXT     something for one person alone",
    ),
)


async def greet(host: Host, session: Session, remark: str, *, guides: bool) -> None:
    """Take somebody into the lobby and tell them where they are.

    ``remark`` is a sentence about their nick, or empty; ``guides`` says whether a person reads it.
    """
    for text in (*host.motd, *([remark] if remark else [])):
        session.deliver(Notice(text))
    lobby: Room | None = None
    try:
        lobby = host.chat.join(session, host.chat.lobby.name.shown, host.now())
        told = welcome(lobby, session.person)
    except Refused as refused:
        told = f"You are {session.person.nick}. {refused.sentence}"
    session.deliver(Notice(told))
    if lobby is not None and guides and session.person.account is None:
        session.deliver(TO_TRY)
    told = way_back(host.chat, session.person)
    if told:
        session.deliver(Notice(told))
    if lobby is not None:
        await replay.on_join(host.chat, session, lobby)
