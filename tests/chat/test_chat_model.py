"""The whole chat against a simple model of it: what each user is shown, and what they may do.

The model is lists and dictionaries, written from the description of the line protocol.  It is slow
where the chat is fast: every user has a queue of their own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatd.chat.commands import receive
from chatd.chat.events import Refused
from chatd.chat.limits import BAN_ADDRESS_SECONDS, SHARED_ADDRESS
from chatd.chat.model.preferences import Preferences
from chatd.store.memory import MemoryStore
from chatd.terminal.style import TextStyle
from tests.support.people import Client, Server, User, result_of

ROLES = ("member", "moderator", "owner", "operator")
#: The characters that look like an l in the nicks of this test.
LOOKS = str.maketrans("1I", "ll")
NICKS = ("ada", "bob", "cy", "Ada", "lola", "1ola", "Iola", "guest2", "server", "no nick")
ROOMS = ("attic", "lobby", "#Attic", "cellar", "attic", "a:b")
RULES = (
    ("private", "on"),
    ("slow", "5"),
    ("shouting", "kick"),
    ("topic", "tea"),
    ("key", "sesame"),
)
OTHER_RULES = (("private", "off"), ("slow", "0"), ("shouting", "warn"), ("key", "off"))
ADDRESSES = ("192.0.2.1", "198.51.100.2", "203.0.113.3")
#: The ssh keys with which users may enter.
SSH_KEYS = (None, None, "SHA256:one", "SHA256:two")
#: The most users at a time: with more, they would have too little to do with each other.
MOST_USERS = 5


# The model -------------------------------------------------------------------------------------

#: The target of a ban or a mute: its kind and value.
Target = tuple[str, str]


@dataclass(frozen=True)
class Ban:
    """A ban or a mute: the nick that was named, and what it covers until when."""

    label: str
    marks: tuple[tuple[Target, float], ...]

    @property
    def until(self) -> float:
        return self.marks[0][1]

    def targets(self, now: float) -> set[Target]:
        return {target for target, until in self.marks if now < until}

    def moved(self, old: Target, new: Target | None) -> Ban | None:
        """Return the ban with another target for one of its own, or (None) without that one."""
        marks = [(new if target == old else target, until) for target, until in self.marks]
        kept = tuple((target, until) for target, until in marks if target is not None)
        return Ban(self.label, kept) if kept else None


@dataclass(eq=False)
class Message:
    """An event that is kept, with the nick of its author and its text in /history."""

    number: int
    time: float
    nick: str
    head: str
    text: str
    spoken: bool = True

    @property
    def line(self) -> str:
        return self.head + self.text


@dataclass(eq=False)
class ModelRoom:
    """A room: the roles of its members, in the order of joining, and its rules.

    ``invited`` are nicks, which follow the persons in ``invited_people`` to another nick.  Bans and
    mutes of nicks follow the persons in ``named_in_bans``.
    """

    name: str
    members: dict[ModelPerson, str] = field(default_factory=dict)
    invited: set[str] = field(default_factory=set)
    invited_people: set[ModelPerson] = field(default_factory=set)
    bans: dict[Target, Ban] = field(default_factory=dict)
    mutes: dict[Target, Ban] = field(default_factory=dict)
    named_in_bans: set[ModelPerson] = field(default_factory=set)
    warned: set[ModelPerson] = field(default_factory=set)
    last_said: dict[ModelPerson, float] = field(default_factory=dict)
    last_spoke: dict[str, float] = field(default_factory=dict)
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "private": "off",
            "slow": "0",
            "shouting": "allow",
            "topic": "",
            "key": "",
        }
    )
    kept: list[Message] = field(default_factory=list)
    numbers: int = 0
    own: dict[ModelPerson, Message] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.name.lower()

    def role(self, person: ModelPerson) -> str:
        return "operator" if person.operator else self.members.get(person, "member")

    def remember(self, person: ModelPerson) -> None:
        """Remember when a former member spoke last, as slow mode goes on when they return."""
        said = self.last_said.pop(person, -1e9)
        if float(self.settings["slow"]):
            self.last_spoke[person.key] = said
        self.warned.discard(person)
        self.own.pop(person, None)

    def keep(self, now: float, person: ModelPerson, head: str, text: str, spoken: bool) -> None:
        self.numbers += 1
        self.kept.append(Message(self.numbers, now, person.nick, head, text, spoken))
        if spoken:
            self.own[person] = self.kept[-1]

    def may(self, person: ModelPerson, least: str) -> bool:
        return ROLES.index(self.role(person)) >= ROLES.index(least)

    @property
    def is_guarded(self) -> bool:
        return self.settings["private"] == "on" or bool(self.settings["key"])

    def is_covered(self, bans: dict[Target, Ban], person: ModelPerson, now: float) -> bool:
        """Whether a person is banned or muted; bans of addresses cover plain members only."""
        return not person.operator and any(
            target in person.targets and (target[0] != "address" or self.role(person) == "member")
            for ban in bans.values()
            for target in ban.targets(now)
        )

    def uninvite(self, person: ModelPerson) -> bool:
        """Take an invitation back; return whether there was one."""
        self.invited_people.discard(person)
        had = person.key in self.invited
        self.invited.discard(person.key)
        return had


@dataclass(eq=False)
class ModelPerson:
    """A person: their nick, their rooms in the order of joining, and what they are shown.

    ``shown`` is a list of steps, each of several queues of lines, which may be interleaved in any
    way; ``pending`` is shown at the end of the turn.
    """

    nick: str
    operator: bool
    echoes_input: bool
    address: str
    ssh_key: str | None
    rooms: list[ModelRoom] = field(default_factory=list)
    focus: ModelRoom | None = None
    ignored: set[str] = field(default_factory=set)
    ignored_by: set[ModelPerson] = field(default_factory=set)
    last_correspondent: ModelPerson | None = None
    joins: bool = True
    gone: bool = False
    pending: list[Event] = field(default_factory=list)
    shown: list[list[list[str]]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.nick.lower()

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that cover them, the most reliable first."""
        key = [("key", self.ssh_key)] if self.ssh_key else []
        return (*key, ("nick", self.key), ("address", self.address))

    @property
    def is_guest(self) -> bool:
        return self.key.startswith("guest")

    @property
    def own(self) -> set[ModelPerson]:
        """Those who are not shown this person's messages: nobody, or the person."""
        return {self} if self.echoes_input else set()


@dataclass(frozen=True, eq=False)
class Event:
    """An event of a room: the nick of its author, its text, and who is mentioned in it."""

    room: ModelRoom
    author: str
    line: str
    spoken: bool = False
    joins_or_leaves: bool = False
    mentioned: frozenset[ModelPerson] = frozenset()

    def as_shown_to(self, person: ModelPerson) -> str:
        unfocused = self.spoken and person.focus is not self.room
        bell = person in self.mentioned and not person.echoes_input
        return f"[{self.room.name}] " * unfocused + self.line + "\a" * bell


class Model:
    """What a chat does.  A method that refuses returns the code, and has changed nothing."""

    def __init__(self) -> None:
        self.lobby = ModelRoom("lobby")
        self.rooms = {"lobby": self.lobby}
        self.people: list[ModelPerson] = []
        self.now = 0.0

    # Showing

    def happen(self, event: Event, unseen_by: Iterable[ModelPerson] = ()) -> None:
        for person in event.room.members:
            if person not in unseen_by:
                person.pending.append(event)

    def announce(self, room: ModelRoom, author: ModelPerson, line: str) -> None:
        self.happen(Event(room, author.key, f"-- {line}"))

    def show(self, person: ModelPerson, room: ModelRoom | None = None) -> None:
        """Show a person what is pending for them in one room, or in all."""
        queues: dict[ModelRoom, list[str]] = {}
        left = []
        for each in person.pending:
            if room not in (None, each.room):
                left.append(each)
            elif each.author not in person.ignored and (person.joins or not each.joins_or_leaves):
                queues.setdefault(each.room, []).append(each.as_shown_to(person))
        person.pending = left
        person.shown.append(list(queues.values()))

    def tell(self, person: ModelPerson, *lines: str) -> None:
        """Show lines to one person alone, after what is pending for them."""
        self.show(person)
        person.shown.append([list(lines)])

    def end_turn(self) -> None:
        for person in self.people:
            self.show(person)

    # People

    def person(self, nick: str) -> ModelPerson | None:
        return next((each for each in self.people if each.key == nick.lower()), None)

    def is_free(self, nick: str, by: ModelPerson | None = None) -> bool:
        looks = {nick.lower(), *_looks(nick)}
        return not any(looks & {each.key, *_looks(each.nick)} for each in self.people if each != by)

    def enter(
        self, asked: str, *, operator: bool, echoes_input: bool, address: str, ssh_key: str | None
    ) -> ModelPerson:
        wanted = {"server": "", "no nick": "nonick"}.get(asked, asked)
        first, stem, number = (wanted, wanted, 2) if wanted else ("guest1", "guest", 2)
        nick = first
        while not self.is_free(nick):
            nick, number = f"{stem}{number}", number + 1
        person = ModelPerson(nick, operator, echoes_input, address, ssh_key)
        self.people.append(person)
        if not self.refuses(self.lobby, person):
            self.go_in(person, self.lobby, "member")
        return person

    def leave(self, person: ModelPerson, reason: str) -> None:
        words = {room: self.words_of(person, room, reason) for room in person.rooms}
        self.everywhere(
            person,
            lambda room: f"-- {person.nick} left{_in_brackets(words[room])}",
            joins_or_leaves=True,
        )
        for room in list(person.rooms):
            del room.members[person]
            room.remember(person)
            self.has_left(room)
        person.rooms.clear()
        self.people.remove(person)
        person.gone = True
        for room in self.rooms.values():
            if person in room.invited_people | room.named_in_bans:
                room.invited.discard(person.key)
                for bans in (room.bans, room.mutes):
                    if person.is_guest:
                        follow(bans, ("nick", person.key), None)
        for other in self.people:
            other.ignored_by.discard(person)
            if person.is_guest and other in person.ignored_by:
                other.ignored.discard(person.key)

    def words_of(self, person: ModelPerson, room: ModelRoom, words: str) -> str:
        """Return the leave message of a person, or nothing if they may not say it in the room."""
        loud = room.settings["shouting"] != "allow" and words.isupper()
        return "" if loud or self.may_speak(person, room) else words

    def everywhere(
        self,
        person: ModelPerson,
        line: str | Callable[[ModelRoom], str],
        *,
        unseen_by: Iterable[ModelPerson] = (),
        spoken: bool = False,
        joins_or_leaves: bool = False,
    ) -> None:
        """Show an event in all rooms of a person, in the order of rooms, to each member once."""
        seen = set(unseen_by)
        for room in [each for each in self.rooms.values() if each in person.rooms]:
            text = line if isinstance(line, str) else line(room)
            mentioned = _mentioned(room, person, text) if spoken else frozenset()
            event = Event(room, person.key, text, spoken, joins_or_leaves, mentioned)
            self.happen(event, seen)
            seen |= set(room.members)

    def rename(self, person: ModelPerson, nick: str) -> str | None:
        if nick in ("server", "no nick"):
            return "bad-nick"
        if nick == person.nick or not self.is_free(nick, person):
            return "nick-taken"
        old, old_key, person.nick = person.nick, person.key, nick
        if old_key != person.key:
            if person.ignored_by:
                self.end_turn()  # messages under the old nick are filtered by it
            for other in person.ignored_by:
                other.ignored = other.ignored - {old_key} | {person.key}
            for room in self.rooms.values():
                if person in room.invited_people | room.named_in_bans:
                    if old_key in room.invited:
                        room.invited ^= {old_key}
                        room.invited |= {person.key}
                    for bans in (room.bans, room.mutes):
                        follow(bans, ("nick", old_key), ("nick", person.key))
        self.everywhere(person, f"-- {old} is now known as {nick}", unseen_by={person})
        self.tell(person, f"-- You are now known as {nick}.")
        return None

    def ignore(self, person: ModelPerson, nick: str) -> str | None:
        other = self.person(nick)
        if other is None or other is person:
            return "yourself" if other else "nobody"
        person.ignored.add(other.key)
        other.ignored_by.add(person)
        self.tell(
            person,
            f"-- You are shown nothing of {other.nick} any more; /unignore {other.nick} ends it.",
        )
        return None

    def unignore(self, person: ModelPerson, nick: str) -> str | None:
        other, key = self.person(nick), nick.lower()
        if key not in person.ignored:
            return "nobody"
        person.ignored.remove(key)
        if other:
            other.ignored_by.discard(person)
        self.tell(person, f"-- You are shown {other.nick if other else key} again.")
        return None

    def set_joins(self, person: ModelPerson, value: str) -> None:
        person.joins = value == "on"
        self.tell(person, f"-- joins is {value} now.")

    # Rooms

    def room(self, person: ModelPerson, text: str) -> ModelRoom | str:
        """Return the room with the focus, or the named one if the person may see it."""
        if not text:
            return person.focus or "no-room"
        if ":" in text:
            return "bad-room"
        room = self.rooms.get(text.lower().lstrip("#"))
        known = room and (
            room.settings["private"] == "off" or person in room.members or person.operator
        )
        return room if room and known else "no-such-room"

    def refuses(self, room: ModelRoom, person: ModelPerson, key: str = "") -> str | None:
        if room.is_covered(room.bans, person, self.now):
            return "banned"
        if not room.is_guarded or person.operator or person.key in room.invited:
            return None
        if not room.settings["key"]:
            return "private"
        if key != room.settings["key"]:
            return "wrong-key" if key else "key-needed"
        return None

    def join(self, person: ModelPerson, text: str, key: str = "") -> str | None:
        if ":" in text:
            return "bad-room"
        name = text.lstrip("#")
        room, role = self.rooms.get(name.lower()), "member"
        if room is not None and person in room.members:
            person.focus = room
            self.tell(person, f"-- You are in {room.name} already; it has the focus now.")
            return None
        if room is None:
            room, role = self.rooms.setdefault(name.lower(), ModelRoom(name)), "owner"
        else:
            refusal = self.refuses(room, person, key)
            if refusal:
                return refusal
        company = [other.nick for other in room.members]
        self.go_in(person, room, role)
        topic = room.settings["topic"]
        line = f"-- You are in {room.name}, with {', '.join(company)}."
        if not company:
            alone = f"-- You are in {room.name}, alone so far."
            line = alone if room is self.lobby else f"-- You opened {room.name}; it is yours."
        self.tell(person, f"{line} Topic: {topic}" if topic else line)
        return None

    def go_in(self, person: ModelPerson, room: ModelRoom, role: str) -> None:
        joined = f"-- {person.nick} joined {room.name}"
        self.happen(Event(room, person.key, joined, joins_or_leaves=True))
        room.members[person] = role
        if person.key in room.last_spoke:
            room.last_said[person] = room.last_spoke.pop(person.key)
        person.rooms.append(room)
        person.focus = room

    def go_out(self, person: ModelPerson, room: ModelRoom) -> None:
        """Take a person out of a room after showing them what has happened in it."""
        self.show(person, room)
        del room.members[person]
        room.remember(person)
        person.rooms.remove(room)
        if person.focus is room:
            person.focus = person.rooms[-1] if person.rooms else None

    def has_left(self, room: ModelRoom) -> None:
        """Drop an empty room; give one without an owner to a moderator or its oldest member."""
        if room is self.lobby:
            return
        if not room.members:
            del self.rooms[room.key]
        elif "owner" not in room.members.values():
            by_rank = sorted(room.members, key=lambda each: room.members[each] != "moderator")
            successor = by_rank[0]
            room.members[successor] = "owner"
            self.announce(room, successor, f"{successor.nick} is the owner of {room.name} now")

    def part(self, person: ModelPerson, text: str) -> str | None:
        room = self.room(person, text)
        if isinstance(room, str):
            return room
        if person not in room.members:
            return "not-in-room"
        self.go_out(person, room)
        if room.is_guarded:  # they may come back
            room.invited.add(person.key)
            room.invited_people.add(person)
        left = f"-- {person.nick} left {room.name}"
        self.happen(Event(room, person.key, left, joins_or_leaves=True))
        self.has_left(room)
        where = " and are in no room now; /join ROOM takes you into one."
        if person.focus:
            where = f"; {person.focus.name} has the focus now."
        self.tell(person, f"-- You left {room.name}{where}")
        return None

    def focus(self, person: ModelPerson, text: str) -> str | None:
        room = self.room(person, text)
        if isinstance(room, str):
            return room
        if person not in room.members:
            return "not-in-room"
        person.focus = room
        self.tell(person, f"-- What you type goes to {room.name} now.")
        return None

    # Speaking

    def may_speak(self, person: ModelPerson, room: ModelRoom) -> str | None:
        if room.is_covered(room.mutes, person, self.now):
            return "muted"
        since = self.now - room.last_said.get(person, -1e9)
        if since < float(room.settings["slow"]) and not room.may(person, "moderator"):
            return "slow"
        return None

    def say(self, person: ModelPerson, text: str, *, act: bool = False) -> str | None:
        room = person.focus
        if room is None:
            return "no-room"
        refusal = self.may_speak(person, room)
        if refusal:
            return refusal
        shouted = self.shouted(person, room, text)
        if shouted is not None:
            return shouted or None
        room.last_said[person] = self.now
        head = f"* {person.nick} " if act else f"{person.nick}: "
        room.keep(self.now, person, head, text, True)
        mentioned = _mentioned(room, person, text)
        self.happen(
            Event(room, person.key, head + text, spoken=True, mentioned=mentioned), person.own
        )
        return None

    def shouted(self, person: ModelPerson, room: ModelRoom, text: str) -> str | None:
        """Return the refusal of a line that is shouted: "" is a kick, None no refusal."""
        shouting = room.settings["shouting"]
        if shouting == "allow" or not text.isupper():
            return None
        kicks = shouting == "kick" and room.role(person) == "member"
        if not kicks or person not in room.warned:
            room.warned.add(person)
            return "shouting"
        self.remove(person, room, person, "the server", " (shouting)")
        return ""

    def edit(self, person: ModelPerson, text: str) -> str | None:
        room = person.focus
        if room is None:
            return "no-room"
        message = room.own.get(person)
        if message not in room.kept:
            return "nothing-said"
        refusal = self.may_speak(person, room)
        if refusal:
            return refusal
        shouted = self.shouted(person, room, text)
        if shouted is not None:
            return shouted or None
        room.last_said[person] = self.now
        message.text = f"{text} (edited)"
        line = f"* {person.nick} corrects: {text}"
        mentioned = _mentioned(room, person, text)
        self.happen(Event(room, person.key, line, spoken=True, mentioned=mentioned))
        return None

    def delete(self, person: ModelPerson) -> str | None:
        room = person.focus
        if room is None:
            return "no-room"
        message = room.own.get(person)
        if message not in room.kept:
            return "nothing-said"
        room.kept.remove(message)
        self.announce(room, person, f"{person.nick} deleted a message in {room.name}")
        return None

    def delete_other(self, person: ModelPerson, whose: str) -> str | None:
        room = person.focus
        if room is None:
            return "no-room"
        if not room.may(person, "moderator"):
            return "not-moderator"
        theirs = [
            message
            for message in room.kept
            if whose == f"#{message.number}"
            or (message.spoken and whose.lower() == message.nick.lower())
        ]
        if not theirs:
            return "no-such-message"
        room.kept.remove(theirs[-1])
        nick = theirs[-1].nick
        of = "" if nick == person.nick else f" of {nick}"
        self.announce(room, person, f"{person.nick} deleted a message{of} in {room.name}")
        return None

    def say_everywhere(self, person: ModelPerson, text: str) -> str | None:
        if not person.rooms:
            return "no-room"
        for room in person.rooms:
            refusal = self.may_speak(person, room)
            if refusal:
                return refusal
            if room.settings["shouting"] != "allow" and text.isupper():
                return "shouting"
        line = f"{person.nick}: {text}"
        for room in person.rooms:
            room.last_said[person] = self.now
            room.keep(self.now, person, f"{person.nick}: ", text, True)
        self.everywhere(person, line, unseen_by=person.own, spoken=True)
        others = len({each for room in person.rooms for each in room.members}) - 1
        people = "1 other person" if others == 1 else f"{others} other people"
        rooms = "1 room" if len(person.rooms) == 1 else f"{len(person.rooms)} rooms"
        self.tell(person, f"-- Said in {rooms}, to {people}.")
        return None

    def whisper(self, person: ModelPerson, other: ModelPerson | None, text: str) -> str | None:
        if other is None or other.gone:
            return "nobody"
        if person.key not in other.ignored:
            self.tell(other, f"[{person.nick} -> you] {text}{'' if other.echoes_input else chr(7)}")
            other.last_correspondent = person
        self.tell(person, f"[you -> {other.nick}] {text}")
        return None

    def history(self, person: ModelPerson, count: int, *, numbered: bool) -> str | None:
        room = person.focus
        if room is None:
            return "no-room"
        rows = [
            f"   {datetime.fromtimestamp(message.time, UTC):%H:%M} "
            f"{f'#{message.number} ' * numbered}{message.line}"
            for message in room.kept[-count:]
            if message.nick.lower() not in person.ignored
        ]
        nothing = f"-- Nothing was said in {room.name} yet."
        more = "; page:2 shows earlier ones" if len(room.kept) > count else ""
        last = "one" if len(rows) == 1 else len(rows)
        heading = f"-- {room.name}, the last {last}{more}:" if rows else nothing
        self.tell(person, heading, *rows)
        return None

    # Moderating

    def remove(
        self,
        person: ModelPerson,
        room: ModelRoom,
        author: ModelPerson,
        by: str,
        because: str,
        banned: str = "",
    ) -> None:
        self.go_out(person, room)
        room.uninvite(person)
        how = f"banned from {room.name} {banned}" if banned else f"kicked from {room.name}"
        self.announce(room, author, f"{person.nick} was {how} by {by}{because}")
        self.tell(person, f"-- You were {how} by {by}{because}.")
        self.has_left(room)

    def target(
        self, person: ModelPerson, nick: str, least: str
    ) -> tuple[ModelRoom, ModelPerson] | str:
        """Return the room with the focus and the person to act upon, or a refusal."""
        room, other = person.focus, self.person(nick)
        if room is None:
            return "no-room"
        if not room.may(person, least):
            return f"not-{least}"
        if other is None:
            return "nobody"
        if other is person:
            return "yourself"
        if other not in room.members:
            return "not-in-room"
        if room.may(other, room.role(person)):
            return "outranked"
        return room, other

    def kick(self, person: ModelPerson, nick: str, reason: str) -> str | None:
        found = self.target(person, nick, "moderator")
        if isinstance(found, str):
            return found
        room, other = found
        self.remove(other, room, person, person.nick, _in_brackets(reason))
        return None

    def coverage(self, room: ModelRoom, other: ModelPerson) -> tuple[list[Target], str]:
        """Return what a ban of a person covers, and why not their address."""
        covered, why = [], ""
        for target in other.targets:
            others = [each for each in self.people if each is not other and target in each.targets]
            spared = any(room.role(each) != "member" for each in others)
            if target[0] == "nick":
                if not other.is_guest:
                    covered.append(target)
            elif target[0] == "address" and spared:
                why = f"a moderator of {room.name} has it too"
            elif target[0] == "address" and len(others) > SHARED_ADDRESS:
                why = f"{len(others)} others here have it too; ban address:{other.nick} to cover it"
            elif not spared:
                covered.append(target)
        return covered or [("nick", other.key)], why

    def expire(self, bans: dict[Target, Ban]) -> None:
        for target in [target for target, ban in bans.items() if ban.until <= self.now]:
            del bans[target]

    def add_ban(
        self,
        bans: dict[Target, Ban],
        room: ModelRoom,
        person: ModelPerson,
        other: ModelPerson,
        seconds: int,
    ) -> list[Target]:
        targets, _ = self.coverage(room, other)
        self.expire(bans)
        until = self.now + seconds if seconds else float("inf")
        a_day = min(until, self.now + BAN_ADDRESS_SECONDS)
        marks = [(target, a_day if target[0] == "address" else until) for target in targets]
        earlier = bans.get(targets[0])
        for target, before in earlier.marks[1:] if earlier else ():
            if self.now < before and target not in targets:
                marks.append((target, min(before, marks[0][1])))
        bans[targets[0]] = Ban(other.nick, tuple(marks))
        if ("nick", other.key) in targets:
            room.named_in_bans.add(other)
        return targets

    def ban(self, person: ModelPerson, nick: str, seconds: int) -> str | None:
        room, other = person.focus, self.person(nick)
        if room is None:
            return "no-room"
        if not room.may(person, "moderator"):
            return "not-moderator"
        if other is None:
            return "nobody"
        if other is person:
            return "yourself"
        role = room.role(other)
        if role == "owner" or (role != "member" and room.may(other, room.role(person))):
            return "outranked"
        _, why = self.coverage(room, other)
        targets = self.add_ban(room.bans, room, person, other, seconds)
        until = room.bans[targets[0]].until
        how_long = f"for {seconds} s" if seconds else "for good"
        if until == self.now + BAN_ADDRESS_SECONDS:
            how_long = "for 1 day"
        out = [each for each in room.members if each is other or {*targets} & {*each.targets}]
        for each in out:
            self.remove(each, room, person, person.nick, "", how_long)
        parts = []
        for kind, value in targets:
            hidden = kind == "address" and not person.operator
            part = (
                "their address" if hidden else value if kind == "address" else f"the {kind} {value}"
            )
            shorter = kind == "address" and until > self.now + BAN_ADDRESS_SECONDS
            parts.append(part + " (for 1 day)" * shorter)
        covered = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
        alone = " alone" * (len(parts) == 1 and targets[0][0] == "nick")
        more = f" Their address is left out: {why}." * bool(why)
        self.tell(person, f"-- The ban of {other.nick} covers {covered}{alone}, {how_long}.{more}")
        return None

    def ended(self, bans: dict[Target, Ban], nick: str) -> list[Target]:
        """Return the targets that were named so, or else those that cover the user of the nick."""
        self.expire(bans)
        named = [
            target
            for target, ban in bans.items()
            if ban.label.lower() == nick.lower()
            or any(each == ("nick", nick.lower()) for each, _ in ban.marks)
        ]
        return named or self.covering(bans, self.person(nick))

    def covering(self, bans: dict[Target, Ban], other: ModelPerson | None) -> list[Target]:
        covered = {*other.targets} if other is not None else set()
        return [target for target, ban in bans.items() if ban.targets(self.now) & covered]

    def unban(self, person: ModelPerson, nick: str) -> str | None:
        room = person.focus
        if room is None:
            return "no-room"
        if not room.may(person, "moderator"):
            return "not-moderator"
        ended = self.ended(room.bans, nick)
        if not ended:
            return "no-change"
        label = room.bans[ended[0]].label
        for target in ended:
            del room.bans[target]
        self.tell(person, f"-- {label} may come into {room.name} again.")
        return None

    def mute(self, person: ModelPerson, nick: str, seconds: int) -> str | None:
        found = self.target(person, nick, "moderator")
        if isinstance(found, str):
            return found
        room, other = found
        if room.is_covered(room.mutes, other, self.now):
            return "no-change"
        targets = self.add_ban(room.mutes, room, person, other, seconds)
        how_long = f" for {seconds} s" if seconds else ""
        if room.mutes[targets[0]].until == self.now + BAN_ADDRESS_SECONDS:
            how_long = " for 1 day"
        line = f"{other.nick} is muted in {room.name}{how_long}, by {person.nick}"
        self.announce(room, person, line)
        return None

    def unmute(self, person: ModelPerson, nick: str) -> str | None:
        room, other = person.focus, self.person(nick)
        if room is None:
            return "no-room"
        if not room.may(person, "moderator"):
            return "not-moderator"
        if other is not None and other in room.members:
            found = self.target(person, nick, "moderator")
            if isinstance(found, str):
                return found
            self.expire(room.mutes)
            ended, label = self.covering(room.mutes, other), other.nick
        else:
            ended = self.ended(room.mutes, nick)
            label = room.mutes[ended[0]].label if ended else ""
            if not ended and other is None:
                return "nobody"
        if not ended:
            return "no-change"
        for target in ended:
            del room.mutes[target]
        self.announce(room, person, f"{label} may speak again in {room.name}, by {person.nick}")
        return None

    def give_role(self, person: ModelPerson, nick: str, role: str) -> str | None:
        found = self.target(person, nick, "owner")
        if isinstance(found, str):
            return found
        room, other = found
        if room.members[other] in (role, "owner"):
            return "no-change" if room.members[other] == role else "outranked"
        room.members[other] = role
        self.announce(
            room, person, f"{other.nick} is a {role} of {room.name} now, by {person.nick}"
        )
        return None

    def invite(self, person: ModelPerson, nick: str, text: str) -> str | None:
        room, other = self.room(person, text), self.person(nick)
        if isinstance(room, str):
            return room
        if person not in room.members:
            return "not-in-room"
        if room.is_guarded and not room.may(person, "moderator"):
            return "not-moderator"
        if other is None:
            return "nobody"
        if other in room.members:
            return "no-change"
        if room.is_guarded:
            room.invited.add(other.key)
            room.invited_people.add(other)
        if person.key not in other.ignored:
            into = f"{room.name}; /join {room.name} takes you there."
            self.tell(other, f"-- {person.nick} invites you into {into}")
        self.tell(person, f"-- {other.nick} is invited into {room.name}.")
        return None

    def uninvite(self, person: ModelPerson, nick: str) -> str | None:
        room, other = person.focus, self.person(nick)
        if room is None:
            return "no-room"
        if not room.may(person, "moderator"):
            return "not-moderator"
        if other is None:
            return "nobody"
        if not room.uninvite(other):
            return "no-change"
        self.tell(person, f"-- {other.nick} is not invited into {room.name} any more.")
        return None

    def set_room(self, person: ModelPerson, name: str, value: str) -> str | None:
        room = person.focus
        if room is None:
            return "no-room"
        if not room.may(person, "moderator"):
            return "not-moderator"
        if name == "topic" and room.is_covered(room.mutes, person, self.now):
            return "muted"
        room.settings[name] = "" if (name, value) == ("key", "off") else value
        shown = "on" if (name, value) == ("key", "sesame") else value
        line = f"{person.nick} set {name} of {room.name} to {shown}"
        if name == "topic":
            line = f"{person.nick} set the topic of {room.name}: {value}"
            room.keep(self.now, person, "-- ", line, False)
        self.announce(room, person, line)
        return None


def follow(bans: dict[Target, Ban], old: Target, new: Target | None) -> None:
    """Move bans to another nick, or (None) drop the nick; of two of a target the longer remains."""
    for target, ban in [*bans.items()]:
        if old in [each for each, _ in ban.marks]:
            del bans[target]
            moved = ban.moved(old, new)
            if moved is not None:
                first = moved.marks[0][0]
                if first not in bans or bans[first].until < moved.until:
                    bans[first] = moved


def _looks(nick: str) -> set[str]:
    return {nick.translate(LOOKS).lower(), nick.lower().translate(LOOKS)}


def _mentioned(room: ModelRoom, author: ModelPerson, text: str) -> frozenset[ModelPerson]:
    words = {word.strip("@!") for word in text.lower().split()}
    return frozenset(each for each in room.members if each.key in words and each is not author)


def _in_brackets(reason: str) -> str:
    return f" ({reason})" if reason else ""


# The chat as its users see it ------------------------------------------------------------------


class PlainClient(Client):
    """A connection without colours; a mention rings unless the terminal echoes input itself."""

    def style(self, preferences: Preferences) -> TextStyle:
        return TextStyle(
            bell="off" if self.echoes_input else "on",
            joins="off" if preferences.joins == "off" else "on",
        )


class Typist(User):
    """A user who remembers their last refusal, and can look without ending the turn."""

    refused: Refused | None = None

    def types(self, line: str) -> None:
        self.refused = None
        try:
            waited_for = receive(self.server.chat, self.session, line, self.server.now)
            if waited_for is not None:
                result_of(waited_for)
        except Refused as refused:
            self.refused = refused
            self.session.deliver(refused.as_event())

    def shown(self) -> list[str]:
        """Return the lines that were shown since the last time, within a turn."""
        received, self.client.received = self.client.received.decode(), b""
        *lines, rest = received.split("\r\n")
        assert rest == "", "only whole lines are sent"
        return lines


def is_shown_as(lines: list[str], steps: list[list[list[str]]]) -> bool:
    """Whether lines are those of the steps in order, and each queue of a step is in its order."""
    start = 0
    for queues in steps:
        step = lines[start : start + sum(map(len, queues))]
        start += len(step)
        if Counter(step) != Counter(line for queue in queues for line in queue):
            return False
        for queue in queues:
            left = iter(step)
            if not all(line in left for line in queue):
                return False
    return start == len(lines)


# Both side by side -----------------------------------------------------------------------------

users = st.integers(0, MOST_USERS - 1)
nicks = st.sampled_from(NICKS)
#: A user who is here, or a nick that may be free.
user_or_nick = st.one_of(users, st.sampled_from(["bob", "Ada", "Iola", "guest2"]))
rooms = st.sampled_from(ROOMS)
#: The seconds of a ban or mute; 0: for good.
durations = st.sampled_from([0, 0, 3, 10])


class ChatModel(RuleBasedStateMachine):
    """Users do the same in the chat and in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.server = Server(self.store)
        self.model = Model()
        self.model.now = self.server.now
        self.pairs: list[tuple[Typist, ModelPerson]] = []
        self.texts = 0

    @initialize(
        moderated=st.booleans(),
        rules=st.sets(st.sampled_from(RULES)),
        addresses=st.tuples(*[st.sampled_from(ADDRESSES)] * 3),
    )
    def begin_with_three_users_in_a_room(
        self, moderated: bool, rules: set[tuple[str, str]], addresses: tuple[str, ...]
    ) -> None:
        people = (("ada", True), ("bob", False), ("cy", True))
        for (nick, echoes_input), address in zip(people, addresses, strict=True):
            self.enter(nick, False, echoes_input, address, None)
        for who in range(3):
            self.join(who, "attic")
        if moderated:
            self.give_role(0, 2, True)
        for change in sorted(rules):
            self.set_room(0, change)

    def text(self, mention: str = "", *, loud: bool = False) -> str:
        """Return a text that is new."""
        self.texts += 1
        return f"LOUD {self.texts}" if loud else f"{self.texts} {mention}".rstrip()

    def compare(self, who: int, line: str, refusal: str | None) -> None:
        """Have the chat do what the model has just done, and compare the refusal."""
        typist, person = self.pairs[who % len(self.pairs)]
        typist.types(line)
        assert (typist.refused.code if typist.refused else None) == refusal
        if typist.refused:
            self.model.tell(person, f"-- {typist.refused.sentence}")

    def person(self, who: int) -> ModelPerson:
        return self.pairs[who % len(self.pairs)][1]

    def nick(self, whom: int | str) -> str:
        return self.person(whom).nick if isinstance(whom, int) else whom

    # Coming and going

    @precondition(lambda self: len(self.pairs) < MOST_USERS)
    @rule(
        nick=st.one_of(st.just(""), nicks),
        operator=st.booleans(),
        echoes_input=st.booleans(),
        address=st.sampled_from(ADDRESSES),
        ssh_key=st.sampled_from(SSH_KEYS),
    )
    def enter(
        self, nick: str, operator: bool, echoes_input: bool, address: str, ssh_key: str | None
    ) -> None:
        person = self.model.enter(
            nick, operator=operator, echoes_input=echoes_input, address=address, ssh_key=ssh_key
        )
        client = PlainClient(echoes_input=echoes_input)
        entered = self.server.enters(
            nick,
            lobby=False,
            operator=operator,
            client=client,
            address=address,
            fingerprint=ssh_key,
        )
        self.pairs.append((Typist(self.server, entered.session, client), person))
        with suppress(Refused):
            result_of(self.server.chat.join(entered.session, "lobby", self.server.now))

    @precondition(lambda self: len(self.pairs) > 1)
    @rule(who=users)
    def go(self, who: int) -> None:
        typist, person = self.pairs.pop(who % len(self.pairs))
        self.model.leave(person, "")
        typist.leaves()

    @precondition(lambda self: len(self.pairs) > 1)
    @rule(who=users)
    def quit(self, who: int) -> None:
        typist, person = self.pairs.pop(who % len(self.pairs))
        self.model.tell(person, "-- Goodbye.")
        self.model.leave(person, "enough")
        typist.types("/quit enough")
        assert typist.client.closed
        assert is_shown_as(typist.shown(), person.shown)

    @rule(who=users, nick=nicks)
    def rename(self, who: int, nick: str) -> None:
        self.compare(who, f"/nick {nick}", self.model.rename(self.person(who), nick))

    # Rooms

    @rule(who=users, room=rooms, key=st.sampled_from(["", "sesame", "barley"]))
    def join(self, who: int, room: str, key: str = "") -> None:
        self.compare(who, f"/join {room} {key}", self.model.join(self.person(who), room, key))

    @rule(who=users, room=st.one_of(st.just(""), rooms))
    def leave(self, who: int, room: str) -> None:
        self.compare(who, f"/leave {room}", self.model.part(self.person(who), room))

    @rule(who=users, room=rooms)
    def focus(self, who: int, room: str) -> None:
        self.compare(who, f"/focus {room}", self.model.focus(self.person(who), room))

    # Speaking

    @rule(who=users, mention=st.sampled_from(["", "ada", "@bob!", "Iola"]), loud=st.booleans())
    def say(self, who: int, mention: str, loud: bool) -> None:
        text = self.text(mention, loud=loud)
        self.compare(who, text, self.model.say(self.person(who), text))

    @rule(who=users, mention=st.sampled_from(["", "bob"]))
    def act(self, who: int, mention: str) -> None:
        text = self.text(mention)
        self.compare(who, f"/me {text}", self.model.say(self.person(who), text, act=True))

    @rule(who=users, mention=st.sampled_from(["", "bob"]), loud=st.booleans())
    def say_everywhere(self, who: int, mention: str, loud: bool) -> None:
        text = self.text(mention, loud=loud)
        self.compare(who, f"/bc {text}", self.model.say_everywhere(self.person(who), text))

    @rule(who=users, whom=user_or_nick)
    def whisper(self, who: int, whom: int | str) -> None:
        text, nick = self.text(), self.nick(whom)
        other = self.model.person(nick)
        self.compare(who, f'/dm {nick} "{text}"', self.model.whisper(self.person(who), other, text))

    @rule(who=users)
    def reply(self, who: int) -> None:
        text, person = self.text(), self.person(who)
        self.compare(
            who, f"/reply {text}", self.model.whisper(person, person.last_correspondent, text)
        )

    @rule(who=users, count=st.integers(1, 5), numbered=st.booleans())
    def history(self, who: int, count: int, numbered: bool) -> None:
        refusal = self.model.history(self.person(who), count, numbered=numbered)
        self.compare(who, f"/history {count}{' #' * numbered}", refusal)

    # Changing what was said

    @rule(who=users, mention=st.sampled_from(["", "bob"]), loud=st.booleans())
    def edit(self, who: int, mention: str, loud: bool) -> None:
        text = self.text(mention, loud=loud)
        self.compare(who, f"/edit {text}", self.model.edit(self.person(who), text))

    @rule(who=users)
    def delete(self, who: int) -> None:
        self.compare(who, "/delete", self.model.delete(self.person(who)))

    @rule(who=users, whom=st.one_of(user_or_nick, st.sampled_from(["#1", "#2", "#x"])))
    def delete_other(self, who: int, whom: int | str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/delete {nick}", self.model.delete_other(self.person(who), nick))

    # What one is shown

    @rule(who=users, whom=user_or_nick)
    def ignore(self, who: int, whom: int | str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/ignore {nick}", self.model.ignore(self.person(who), nick))

    @rule(who=users, whom=user_or_nick)
    def unignore(self, who: int, whom: int | str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/unignore {nick}", self.model.unignore(self.person(who), nick))

    @rule(who=users, value=st.sampled_from(["on", "off"]))
    def show_joins(self, who: int, value: str) -> None:
        self.compare(who, f"/set joins {value}", self.model.set_joins(self.person(who), value))

    # Moderating

    @rule(who=users, whom=user_or_nick, reason=st.sampled_from(["", "enough"]))
    def kick(self, who: int, whom: int | str, reason: str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/kick {nick} {reason}", self.model.kick(self.person(who), nick, reason))

    @rule(who=users, whom=user_or_nick, seconds=durations)
    def mute(self, who: int, whom: int | str, seconds: int) -> None:
        nick = self.nick(whom)
        words = f"/mute {nick} {seconds}s" if seconds else f"/mute {nick}"
        self.compare(who, words, self.model.mute(self.person(who), nick, seconds))

    @rule(who=users, whom=user_or_nick)
    def unmute(self, who: int, whom: int | str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/unmute {nick}", self.model.unmute(self.person(who), nick))

    @rule(who=users, whom=user_or_nick, seconds=durations)
    def ban(self, who: int, whom: int | str, seconds: int) -> None:
        nick = self.nick(whom)
        words = f"/ban {nick} {seconds}s" if seconds else f"/ban {nick}"
        self.compare(who, words, self.model.ban(self.person(who), nick, seconds))

    @rule(who=users, whom=user_or_nick)
    def unban(self, who: int, whom: int | str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/unban {nick}", self.model.unban(self.person(who), nick))

    @rule(who=users, whom=user_or_nick, up=st.booleans())
    def give_role(self, who: int, whom: int | str, up: bool) -> None:
        command, role = ("/op", "moderator") if up else ("/deop", "member")
        nick = self.nick(whom)
        self.compare(who, f"{command} {nick}", self.model.give_role(self.person(who), nick, role))

    @rule(who=users, whom=user_or_nick, room=st.one_of(st.just(""), rooms))
    def invite(self, who: int, whom: int | str, room: str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/invite {nick} {room}", self.model.invite(self.person(who), nick, room))

    @rule(who=users, whom=user_or_nick)
    def uninvite(self, who: int, whom: int | str) -> None:
        nick = self.nick(whom)
        self.compare(who, f"/uninvite {nick}", self.model.uninvite(self.person(who), nick))

    @rule(who=users, whom=users)
    def take_along(self, who: int, whom: int) -> None:
        self.invite(who, whom, "")
        focus = self.person(who).focus
        if focus is not None:
            self.join(whom, focus.name)

    @rule(who=users, change=st.sampled_from((*RULES, *OTHER_RULES)))
    def set_room(self, who: int, change: tuple[str, str]) -> None:
        name, value = change
        self.compare(
            who, f"/room {name} {value}", self.model.set_room(self.person(who), name, value)
        )

    # Time

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.server.now += seconds
        self.model.now += seconds

    @rule()
    def end_turn(self) -> None:
        self.server.end_turn()
        self.model.end_turn()

    # What has to be the same, always

    @invariant()
    def users_were_shown_the_same(self) -> None:
        for typist, person in self.pairs:
            lines, steps, person.shown = typist.shown(), person.shown, []
            assert is_shown_as(lines, steps), (person.nick, lines, steps)
            assert not typist.client.bugs

    @invariant()
    def users_are_the_same(self) -> None:
        people = self.server.chat.people
        assert len(people) == len(self.pairs)
        for typist, model in self.pairs:
            person = typist.session.person
            assert person.nick == model.nick
            assert people.find(model.nick) is person
            assert set(person.ignored) == model.ignored
            assert list(person.rooms) == [room.key for room in model.rooms]
            focus = typist.session.focus
            assert (focus and focus.name.key) == (model.focus and model.focus.key)

    @invariant()
    def nicks_of_users_are_claimed_in_the_store(self) -> None:
        for nick in {nick.lower() for nick in NICKS}:
            claimed = not result_of(self.store.claim(nick, "elsewhere"))
            self.store.release(nick, "elsewhere")
            assert claimed == (self.model.person(nick) is not None)

    @invariant()
    def rooms_are_the_same(self) -> None:
        chat = self.server.chat
        assert set(chat.rooms) == set(self.model.rooms)
        for key, model in self.model.rooms.items():
            room = chat.rooms[key]
            assert room.name.shown == model.name
            assert [
                (person.nick, member.role.value) for person, member in room.members.items()
            ] == [(person.nick, role) for person, role in model.members.items()]
            for bans, expected in ((room.bans, model.bans), (room.mutes, model.mutes)):
                assert {
                    (ban.target.kind.value, ban.target.value, ban.label, ban.until or math.inf)
                    for ban in bans
                    if ban.holds(self.server.now)
                } == {
                    (*target, ban.label, ban.until)
                    for target, ban in expected.items()
                    if self.model.now < ban.until
                }
            assert set(room.invited) == model.invited
            for person in room.members:
                assert person.rooms[key] is room

    def teardown(self) -> None:
        self.end_turn()
        self.users_were_shown_the_same()
        for room in self.server.chat.rooms.values():
            assert room.audience.backlog == 0, "nobody is behind, so nothing is kept"


TestChatModel = ChatModel.TestCase
TestChatModel.settings = settings(max_examples=500, stateful_step_count=60)
