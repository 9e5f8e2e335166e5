"""Greeting: the messages and the lobby's history that a user is shown after entering."""

from __future__ import annotations

from chatd.chat.actions import replay
from chatd.chat.commands.describe import greeting, resume_hint
from chatd.chat.events import Listing, Notice, Refused
from chatd.chat.model.entities import Room, Session
from chatd.transport.host import Host

#: The hint for new users, where no program may be reading.
TO_TRY = Listing(
    "Three things to try:",
    (
        "hello, everyone   type it, press Enter, and all who are here read it",
        "/rooms            which rooms there are; /join ROOM takes you into one",
        "/dm NICK TEXT     something for one person alone",
    ),
)


async def greet(host: Host, session: Session, remark: str, *, guides: bool) -> None:
    """Let a user join the lobby, and greet them.

    :param remark: A sentence about their nick, or nothing.
    :param guides: Whether a person reads it rather than a program.
    """
    for text in (*host.motd, *([remark] if remark else [])):
        session.deliver(Notice(text))
    lobby: Room | None = None
    try:
        lobby = await host.chat.join(session, host.chat.lobby.name.shown, host.now())
        sentence = greeting(lobby, session.person)
    except Refused as refused:
        sentence = f"You are {session.person.nick}. {refused.sentence}"
    session.deliver(Notice(sentence))
    if lobby is not None and guides and session.person.account is None:
        session.deliver(TO_TRY)
    if sentence := resume_hint(host.chat, session.person):
        session.deliver(Notice(sentence))
    if lobby is not None:
        await replay.on_join(host.chat, session, lobby)
