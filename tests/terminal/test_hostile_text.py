"""Hostile text: no text of another user reaches a screen except as printable characters.

Escape sequences, controls, combining marks and bidirectional overrides are put wherever users can
put text; the output to every user is checked as bytes, and on the screen of a terminal.
"""

import re
import unicodedata

import pytest

from chatd.chat.events import Acted, KeptEvent, Said, TopicSet
from chatd.chat.limits import MARKS_PER_CHARACTER
from chatd.chat.text.sanitizing import safe
from chatd.store.memory import MemoryStore
from chatd.terminal.text.themes import NAMES, theme
from chatd.transport.ssh.protocol.peer import client_name, user_name
from tests.support.displays import Display
from tests.support.memory_server import ClientConnection, MemoryServer
from tests.support.people import Server
from tests.transport.conversation.test_terminal import COLUMNS, ROWS, TerminalUser
from tests.transport.test_json import Program

#: Texts by their effect on a terminal that received them.
ATTACKS = {
    "write the clipboard": "\x1b]52;c;cm0gLXJmIH4K\x07",
    "ask for the title": "\x1b[21t\x1b]0;owned\x07\x1b[>c\x1b[c\x1b[6n\x05",
    "move the cursor": "\x1b[H\x1b[2J\x1b[3;1H\x1b[A\x1bM\x1b[1000D\x1b[5L\x1b7\x1b8",
    "change colours": "\x1b[31;5;7m\x1b[8m\x1b(0\x0e",
    "take the screen": "\x1b[?1049h\x1b[?1000h\x1b[?2004l\x1bc\x1b[!p\x1b[20h",
    "the same in C1": "\x9b2J\x9d0;owned\x9c\x90q\x9c\x84\x85\x8d\x98\x9e\x9f",
    "reverse what is read": "\u202egnp.exe\u202c \u2066\u2067\u2068\u2069\u200f\u061c",
    "stacks up marks": "a" + "\u0301" * 500 + "b" + "\u200d" * 500 + "c" + "\ufe0f\u20e3" * 250,
    "write over a line": "ada: hi\rroot: give me your password",
    "erase": "hello\b\b\b\b\b\x7f\x7f\x7f\x18\x1a",
    "ring and feed": "\a\a\a\v\f\x00\x11\x13",
    "begin a line": "x\u2028-- root joined lobby\u2029-- You are root\x85-- root",
    "hide": "\U000e0041\U000e0042\ufeff\ufff9\ufffa\ufffb\u2060\u2061",
}
EVERYTHING = "".join(ATTACKS.values())

#: Sequences that the server itself sends: colours, erasing, cursor movement, bracketed paste.
ALLOWED = re.compile(
    r"\r(?=\x1b\[[0-9]*[AJK])|\x1b\[(?:(?P<sgr>[0-9;]*)m|[0-9]*[ABCDGK]|J|H\x1b\[2J|\?2004[hl])"
)
#: Characters that no screen may receive outside of those.
FORBIDDEN = re.compile(
    "[\x00-\x06\x08\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ufff9-\ufffb\ufeff\U000e0000-\U000e007f]"
)
COLOURS = {
    colour
    for name in NAMES
    for depth in (16, 256, 1 << 24)
    for look in [theme(name, depth)]
    for field in look.__slots__
    for value in [getattr(look, field)]
    for colour in ([value] if isinstance(value, str) else value)
} | {"0"}


def check(data: bytes, *, drawn: bool) -> str:
    """Check a user's output for anything unsafe; return it without our own sequences."""
    text = data.decode()

    def allowed(found: re.Match[str]) -> str:
        assert drawn, found[0]
        assert found["sgr"] is None or found["sgr"] in COLOURS, found[0]
        return ""

    text = ALLOWED.sub(allowed, text)
    assert not FORBIDDEN.search(text), FORBIDDEN.search(text)
    assert "\r" not in text.replace("\r\n", "")
    marks = 0
    for char in text:
        stacks = unicodedata.category(char) in ("Mn", "Me") or char in "\u200b\u200c\u200d"
        marks = marks + 1 if stacks else 0
        assert marks <= MARKS_PER_CHARACTER
    return text


class Victim:
    """A user who receives eve's actions, on a display of some kind."""

    def __init__(self, server: MemoryServer, nick: str, *, kind: str) -> None:
        self.kind = kind
        self.display = Display(COLUMNS, ROWS)
        self.sitting: TerminalUser | None = None
        if kind == "lines":
            self.connection: ClientConnection | None = server.enters(nick)
        else:
            self.connection = None
            colours, ansi = kind in ("drawn", "mono"), kind != "dumb"
            self.sitting = TerminalUser(server, nick, colours=colours, ansi=ansi)
            for setting in {"mono": ["theme mono"], "plain": ["plain on"]}.get(kind, []):
                self.sitting.types(f"/set {setting}\r")
            self.sitting.types("/set joins on\r")

    def check_output(self) -> str:
        """Check the output since the last time."""
        if self.connection is not None:
            return check(self.connection.receives(), drawn=False)
        assert self.sitting is not None
        data = self.sitting.receives()
        self.display.feed(data)
        screen = self.display.screen
        assert screen.title == screen.icon_name == ""
        assert not screen.charset
        return check(data, drawn=self.kind != "dumb")

    def types(self, line: str) -> None:
        """Type a line."""
        if self.connection is not None:
            self.connection.sends(f"{line}\n".encode())
        else:
            assert self.sitting is not None
            self.sitting.types(f"{line}\r")


KINDS = ("drawn", "mono", "plain", "dumb", "lines")


def victims_of_each_kind(server: MemoryServer) -> list[Victim]:
    """Return users with every kind of display, in the lobby."""
    return [Victim(server, f"{kind}er", kind=kind) for kind in KINDS]


@pytest.mark.parametrize("attack", [*ATTACKS.values(), EVERYTHING], ids=[*ATTACKS, "everything"])
def test_hostile_text_never_reaches_a_screen_as_controls(attack: str) -> None:
    server = MemoryServer()
    victims = victims_of_each_kind(server)
    eve = server.enters("eve")
    for line in (
        "{}", "x{}y", "/me {}", "/nick {}", "/nick e{}ve", "/join {}", "/join attic{}",
        "/topic {}", "/away {}", "/focus lobby", "/dm drawner {}", "/dm liner {}", "/bc {}",
        "/dm {} hi", "/edit {}", "/search {}", "/history {}", "/whois {}", "/users {}",
        "/ignore {}", "/set theme {}", "/set timezone {}", "/set {} on", "/room topic {}",
        "/{}", "/help {}", "/kick {}", "/resume {}", "/register {}", "/keys add {}",
        "/leave lobby {}", "/join lobby",
    ):  # fmt: skip
        eve.sends(line.format(attack).encode("utf-8", "surrogatepass") + b"\n")
        check(eve.receives(), drawn=False)
        for victim in victims:
            victim.check_output()
    eve.sends(attack.encode("latin-1", "replace") + b"\xff\xfe\n")
    program = Program(server, "mallory")
    program.sends({"message": attack, "sender": "mallory", "dm": None})
    program.sends({"message": attack, "sender": "mallory", "dm": "drawner"})
    program.sends({"message": "x\n" + attack, "sender": attack, "dm": attack})
    typist = TerminalUser(server, "typist")
    typist.types(f"{attack}\r/topic {attack}\r")
    eve.sends(f"/quit {attack}\n".encode())
    for victim in victims:
        for line in ("/history", "/users", "/whois eve", "/rooms", "/topic", "/search hello", "hi"):
            victim.types(line)
            victim.check_output()
    assert safe(attack) == safe(safe(attack))


def test_an_erase_sequence_in_a_message_is_shown_as_letters() -> None:
    server = MemoryServer()
    ada, eve = Victim(server, "ada", kind="drawn"), server.enters("eve")
    ada.check_output()
    before = ada.display.lines
    eve.sends(b"\x1b[2J\x1b[H\x9b1;1Hhello\rroot: hi\n")
    ada.check_output()
    assert ada.display.lines[: len(before) - 1] == before[:-1]
    assert ada.display.lines[-2:] == ["eve: [2J[H\ufffd1;1Hhello root: hi", "[lobby]"]


def history_of(event: KeptEvent) -> list[str]:
    """Return the history that a user is shown of an event that was stored earlier."""
    store = MemoryStore()
    server = Server(store, replay=10)
    store.post("lobby", "1", event)
    ada = server.enters("ada")
    ada.types("/history")
    return ada.sees()


@pytest.mark.parametrize("attack", [*ATTACKS.values(), EVERYTHING], ids=[*ATTACKS, "everything"])
def test_stored_text_is_sanitized_again_when_it_is_shown(attack: str) -> None:
    for event in (Said(0.0, attack, attack), Acted(0.0, "eve", attack), TopicSet(0, "eve", attack)):
        for line in history_of(event):
            check(line.encode(), drawn=False)
    assert history_of(Said(0.0, "eve", "two\nlines"))[-2:] == ["   00:00 eve: two", "    lines"]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_an_ssh_version_and_user_name_are_shown_as_plain_text(attack: str) -> None:
    assert client_name(b"SSH-2.0-" + attack.encode()).isprintable()
    server = MemoryServer()
    sitting = TerminalUser(server, user_name(attack.encode()))
    victim = server.enters("bob")
    victim.sends(b"/users\n")
    check(sitting.receives(), drawn=True)
    check(victim.receives(), drawn=False)
