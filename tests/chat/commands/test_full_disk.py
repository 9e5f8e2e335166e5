"""Every command on a full disk: none says that it is done, and memory is as it was before."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pytest

from chatd.chat.commands import COMMANDS
from chatd.chat.model.entities import Room
from chatd.chat.records.accounts import read_key
from tests.support.full_store import REASON, FullStore
from tests.support.people import Server, User, result_of

NOT_DONE = f"-- That was not done: {REASON}"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBhWeo+EUTzWCXHIlmKAQRQs5H8YVBZlMXiUcBQWpj0l ada@laptop"
#: The public key of fay.
FAY_KEY = KEY.replace("IBhW", "IChW")
PASSWORD, NEW = "sesame and more", "more than sesame"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a user types, and whether it changes records, or posts what history keeps.

    ``before`` are lines of the same user while the disk has space, ``answers`` those to questions.
    """

    user: str
    text: str
    stores: bool = True
    posts: bool = False
    before: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


def says(text: str) -> Line:
    """Return a line that changes nothing that is stored."""
    return Line("ada", text, stores=False)


def posts(text: str, *before: str) -> Line:
    """Return a line that posts what history keeps."""
    return Line("ada", text, stores=False, posts=True, before=before)


ACCOUNTS = ("op", "ada", "bob", "dee", "mo", "eve", "lea", "cy", "gus", "fay")

#: Lines for every command, and for every subcommand of /server.  A command that changes what is
#: stored has a line for each kind of record that it changes.
LINES: dict[str, tuple[Line, ...]] = {
    "help": (says("/help"),),
    "dm": (Line("ada", "/dm cy hello"), says("/dm gus hello")),
    "reply": (says("/reply hello"),),
    "edit": (posts("/edit hello"),),
    "delete": (posts("/delete"), posts("/delete gus")),
    "me": (posts("/me waves"),),
    "bc": (posts("/bc hello"),),
    "history": (says("/history"),),
    "search": (says("/search hello"),),
    "join": (Line("ada", "/join hut"), Line("gus", "/join hut", stores=False)),
    "leave": (says("/leave"), Line("dee", "/leave den", stores=False, before=("/join den",))),
    "focus": (says("/focus lobby"),),
    "rooms": (says("/rooms"),),
    "users": (says("/users"),),
    "status": (says("/status"),),
    "whois": (says("/whois gus"),),
    "topic": (
        posts("/topic tea", "/room lasting off"),
        Line("ada", "/topic tea"),
        Line("op", "/topic tea", before=("/focus lobby",)),
    ),
    "invite": (Line("ada", "/invite lea"), Line("ada", "/invite fay", stores=False)),
    "uninvite": (Line("ada", "/uninvite dee"), Line("ada", "/uninvite eve")),
    "room": (
        Line("ada", "/room private off"),
        Line("ada", "/room slow 5"),
        Line("ada", "/room shouting kick"),
        Line("ada", "/room history 5"),
        Line("ada", "/room key sesame"),
        Line("ada", "/room topic tea"),
        Line("ada", "/room lasting off"),
        Line("ada", "/room lasting on", before=("/room lasting off",)),
        Line("op", "/room slow 5", before=("/focus lobby",)),
    ),
    "nick": (says("/nick ida"),),
    "away": (says("/away"),),
    "back": (says("/back"),),
    "ignore": (says("/ignore gus"),),
    "unignore": (says("/unignore bob"),),
    "set": (Line("ada", "/set bell all"), Line("gus", "/set bell all", stores=False)),
    "resume": (says("/resume"),),
    "quit": (says("/quit"),),
    "register": (
        Line("gus", f"/register {PASSWORD}"),
        Line("fay", "/register"),
        Line("gus", "/register", answers=(PASSWORD, PASSWORD)),
    ),
    "login": (Line("gus", f"/login cy {PASSWORD}", stores=False),),
    "password": (
        Line("ada", f"/password {PASSWORD}"),
        Line("lea", "/password", answers=(PASSWORD, NEW, NEW)),
        Line("lea", "/password off", answers=(PASSWORD,)),
    ),
    "keys": (
        Line("ada", f"/keys add {KEY}"),
        Line("ada", "/keys remove 2", before=(f"/keys add {KEY}",)),
        Line("lea", "/keys remove 1", answers=(PASSWORD,)),
        Line("fay", "/keys accept"),
        Line("fay", "/keys decline"),
        Line("ada", "/keys", stores=False),
    ),
    "sessions": (says("/sessions"), says("/sessions end others")),
    "kick": (Line("ada", "/kick dee"), Line("ada", "/kick gus", stores=False)),
    "ban": (
        Line("ada", "/ban bob"),
        Line("ada", "/ban gus 1h spam"),
        Line("ada", "/ban account:cy"),
        Line("ada", "/ban 198.51.100.0/24"),
        Line("op", "/ban gus", before=("/focus lobby",)),
    ),
    "unban": (Line("ada", "/unban 203.0.113.1"),),
    "bans": (says("/bans"),),
    "mute": (Line("ada", "/mute gus"),),
    "unmute": (Line("ada", "/unmute bob"),),
    "op": (Line("ada", "/op dee"),),
    "deop": (Line("ada", "/deop mo"),),
    "voice": (Line("ada", "/voice dee"), Line("ada", "/voice gus", stores=False)),
    "devoice": (Line("ada", "/devoice dee", before=("/voice dee",)),),
    "audit": (says("/audit"),),
    "server": (Line("op", "/server", stores=False),),
    "server ban": (Line("op", "/server ban gus"), Line("op", "/server ban 198.51.100.7 1h")),
    "server unban": (
        Line("op", "/server unban 203.0.113.9"),
        Line("op", "/server unban last 5m"),
    ),
    "server lock": (Line("op", "/server lock 5m raid"),),
    "server unlock": (Line("op", "/server unlock", before=("/server lock",)),),
    "server accounts": (Line("op", "/server accounts", stores=False),),
    "server forget": (
        Line("op", "/server forget cy", answers=("cy",)),
        Line("op", "/server forget eve", answers=("eve",)),
    ),
    "server suspend": (Line("op", "/server suspend cy"),),
    "server unsuspend": (Line("op", "/server unsuspend cy", before=("/server suspend cy",)),),
    "server reset": (Line("op", "/server reset cy"), Line("op", "/server reset dee keys")),
    "server bans": (Line("op", "/server bans", stores=False),),
    "server kick": (Line("op", "/server kick gus", stores=False),),
    "server rename": (
        Line("op", "/server rename gus ned", stores=False),
        Line("op", "/server rename ada ida"),
    ),
    "server close": (Line("op", "/server close den"),),
    "server say": (Line("op", "/server say hello", stores=False),),
    "server stats": (Line("op", "/server stats", stores=False),),
    "server status": (Line("op", "/server status", stores=False),),
}


def test_every_command_has_a_line() -> None:
    [server] = (command for command in COMMANDS if command.name == "server")
    subcommands = {f"server {each.split()[0]}" for each in server.more.split(".")[0].split("; ")}
    assert {*LINES} == {command.name for command in COMMANDS} | subcommands


class Scene:
    """A chat with accounts, guests and a persistent, private room, on a disk with space."""

    def __init__(self) -> None:
        self.store = FullStore(is_full=False)
        self.server = server = Server(self.store, incarnation="here-")
        self.users: dict[str, User] = {}
        for number, nick in enumerate(("op", "ada", "bob", "dee", "mo", "eve", "lea", "cy"), 1):
            key, address = f"SHA256:{nick}", f"192.0.2.{number}"
            user = server.enters(nick, fingerprint=key, operator=nick == "op", address=address)
            self.users[nick] = user
            self.types(nick, "/register")
        for nick in ("cy", "lea"):
            self.types(nick, f"/password {PASSWORD}")
        self.users.pop("cy").leaves()
        for number, nick in enumerate(("gus", "fay"), 1):
            own_key = read_key(FAY_KEY, 0.0).fingerprint if nick == "fay" else None
            address = f"198.51.100.{number}"
            self.users[nick] = server.enters(nick, fingerprint=own_key, address=address)
        self.types("eve", f"/keys add {FAY_KEY}")
        self.types("ada", "/join den", "/topic coffee")
        for nick in ("op", "bob", "mo", "gus"):
            self.types(nick, "/join den")
        self.types("ada", "/room private on", "/op mo", "/mute bob", "/ban 203.0.113.1 1h spam")
        self.types("ada", "/invite eve", "/invite dee", "/ignore bob", "hello")
        self.types("dee", "/join den")
        self.types("op", "/server ban 203.0.113.9")
        self.types("gus", "hello", "/dm ada hello")
        assert len(self.server.chat.rooms["den"].members) == 6

    def types(self, nick: str, *lines: str) -> None:
        """Let a user type lines, none of which is refused; everybody has seen what they show."""
        for line in lines:
            self.users[nick].types(line)
            shown = self.shown()
            assert not any("not done" in row or "refused" in row for row in shown[nick]), shown

    def shown(self) -> dict[str, list[str]]:
        """Return what every user has been shown since the last time."""
        return {nick: user.sees() for nick, user in self.users.items()}


def of_room(room: Room) -> object:
    """Return what a room has: what is stored, and what its members have."""
    members = {person.nick: member.role for person, member in room.members.items()}
    bans = room.bans.encoded(), room.mutes.encoded()
    stored = room.roles, set(room.invited_accounts), bans
    guests = dict(room.invited), set(room.voices)
    return room.id, asdict(room.settings), members, guests, stored


def memory(server: Server) -> object:
    """Return what the chat has in memory that is also stored, and who is here."""
    chat = server.chat
    people = {
        person.nick: (person.account, [each.preferences for each in person.sessions])
        for person in chat.people.everyone()
    }
    accounts = {nick: chat.accounts.get(nick) for nick in ACCOUNTS}
    preferences = {nick: chat.profiles.preferences(nick) for nick in ACCOUNTS}
    rooms = {name: of_room(room) for name, room in chat.rooms.items()}
    audit = chat.audit.last(1000)
    access = chat.access.bans.encoded(), chat.access.lock(server.now)
    return people, accounts, preferences, rooms, access, audit


def stored(server: Server) -> object:
    """Return what the chat has in memory and has again after a restart."""
    chat = server.chat
    accounts = {nick: chat.accounts.get(nick) for nick in ACCOUNTS}
    preferences = {nick: chat.profiles.preferences(nick) for nick in ACCOUNTS}
    rooms = {}
    for name, room in chat.rooms.items():
        if room.is_persistent:
            bans = room.bans.encoded(), room.mutes.encoded()
            invited = set(room.invited_accounts)
            voices = {voice for voice in room.voices if voice.startswith("account:")}
            rooms[name] = (room.id, asdict(room.settings), room.roles, invited, voices, bans)
    return accounts, preferences, rooms, chat.access.bans.encoded(), chat.access.lock(server.now)


def cases() -> list[object]:
    """Return each line with a name for its test."""
    return [
        pytest.param(line, id=f"{number} {line.user} {line.text[:40]}")
        for number, line in enumerate(line for lines in LINES.values() for line in lines)
    ]


@pytest.mark.parametrize("line", cases())
def test_on_a_full_disk_a_command_is_undone_and_says_so(line: Line) -> None:
    scene = Scene()
    server, store, user = scene.server, scene.store, scene.users[line.user]
    scene.types(line.user, *line.before)
    before = memory(server)
    store.is_full = True
    user.client.answers[:] = line.answers
    user.types(line.text)
    shown = scene.shown()
    if line.posts:
        mine = shown.pop(line.user)
        assert mine
        assert all(row.startswith("-- That was not delivered: ") for row in mine), mine
        assert not any(shown.values()), "nobody is shown anything of it"
        assert memory(server) == before
        store.is_full = False
        user.types(line.text)
        assert not any("That was not" in row for row in scene.shown()[line.user])
    if not line.stores:
        assert store.refused == []
        return
    assert shown.pop(line.user) == [NOT_DONE]
    assert not any(shown.values()), "nobody is shown anything of it"
    assert store.quiet == []
    assert memory(server) == before

    store.is_full = False
    user.client.answers[:] = line.answers
    user.types(line.text)
    assert NOT_DONE not in scene.shown()[line.user]
    assert memory(server) != before or line.text.startswith("/dm")
    again = Server(store)
    result_of(again.chat.load(server.now))
    assert stored(again) == stored(server)


def test_a_message_that_was_not_kept_is_not_delivered_later() -> None:
    scene = Scene()
    scene.store.is_full = True
    scene.users["ada"].types("/dm cy hello")
    scene.store.is_full = False
    scene.users["ada"].types("/dm cy good evening")
    cy = scene.server.enters("cy", fingerprint="SHA256:cy")
    assert [row for row in cy.sees() if "ada" in row and "hello" in row] == []
