"""A model of a server with everyone on it: lists and dicts, and nothing of chatd's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.support.all_clients.clients import (
    Act,
    Assignment,
    Focus,
    Join,
    Kick,
    Leave,
    Program,
    Quit,
    Rename,
    Request,
    Say,
    SetTopic,
    Tail,
    Whisper,
)
from tests.support.all_clients.renderings import AssignmentWords, EventWords
from tests.support.all_clients.world import Happening, No, Person, Room


class Model:
    """Rooms and people.  What is declined raises `No` and has changed nothing."""

    def __init__(self) -> None:
        self.now = 0.0
        self.people: list[Person] = []
        self.ended: list[Person] = []
        self.rooms = {"lobby": Room("lobby", 1)}
        self._made = 1

    def room(self, name: str) -> Room | None:
        return self.rooms.get(name.lower())

    def known(self, name: str) -> Room:
        room = self.room(name)
        if room is None:
            raise No("no-such-room", f"There is no room {name}; /rooms lists them.")
        return room

    def own(self, person: Person, room: Room | None) -> Room:
        """A room that somebody is in."""
        if room is None:
            raise No("no-room", "You are in no room; /join ROOM takes you into one.")
        if person not in room.members:
            name = room.name
            raise No("not-in-room", f"You are not in {name}; /join {name} takes you there.")
        return room

    def person(self, nick: str) -> Person | None:
        return next((each for each in self.people if each.nick.lower() == nick.lower()), None)

    def variant(self, nick: str) -> str:
        """The nick of somebody who asks for one, at a door that gives another when it is taken."""
        tries = [nick, *(f"{nick}{number}" for number in range(2, 50))]
        return next(each for each in tries if self.person(each) is None)

    def guest(self) -> str:
        tries = (f"guest{number}" for number in range(1, 50))
        return next(each for each in tries if self.person(each) is None)

    # Showing

    def happens(
        self,
        what: str,
        room: Room,
        person: Person,
        text: str = "",
        other: str = "",
        unseen_by: Iterable[Person] = (),
        nick: str = "",
    ) -> None:
        """Something happens in a room: all in it are to see it, but for some."""
        kept = what in ("said", "acted", "topic")
        meant = _meant(room, person, text) if what in ("said", "acted") else frozenset()
        seq = len(room.kept) + kept
        event = Happening(what, room, nick or person.nick, self.now, seq, text, other, meant)
        if kept:
            room.kept.append(event)
        for each in room.members:
            if each not in unseen_by:
                each.waiting.append((room, event))

    def everywhere(self, what: str, person: Person, **more: str) -> None:
        """Something happens in all rooms of somebody, in the order in which they were made."""
        seen = [person]
        for room in sorted(person.rooms, key=lambda room: room.number):
            self.happens(what, room, person, unseen_by=list(seen), **more)
            seen += [each for each in room.members if not each.words.copy_per_room]

    def answer(self, person: Person, lines: list[str]) -> None:
        """Somebody is answered: at once, where answers and happenings have no order."""
        if lines and person.words.in_order:
            person.is_told(lines)
        elif lines:
            person.waiting.append((None, lines))

    def end_turn(self) -> None:
        for person in self.people:
            person.is_shown()

    # Coming and going

    def go_in(self, person: Person, name: str) -> Room:
        room = self.room(name)
        if room is None:
            self._made += 1
            room = self.rooms[name.lower()] = Room(name, self._made, owner=person)
        self.happens("joined", room, person)
        room.members.append(person)
        person.rooms.append(room)
        person.focus = room
        return room

    def go_out(self, person: Person, room: Room) -> None:
        person.is_shown(room)
        room.members.remove(person)
        person.rooms.remove(room)
        if person.focus is room:
            person.focus = person.rooms[-1] if person.rooms else None

    def after(self, room: Room, person: Person) -> None:
        """A room that is empty is gone; one whose owner has left has another."""
        if not room.members and room.number != 1:
            del self.rooms[room.name.lower()]
        elif room.owner is person and room.number != 1:
            room.owner = room.members[0]
            self.happens("owner", room, room.owner)

    def leave(self, person: Person, words: str = "") -> None:
        """Somebody leaves the server."""
        self.everywhere("gone", person, text=words)
        for room in list(person.rooms):
            self.go_out(person, room)
            self.after(room, person)
        self.people.remove(person)

    # What somebody asks for

    def asks(self, person: Person, asked: Request) -> None:
        """Somebody asks for something, and is answered."""
        try:
            self._do(person, asked)
        except No as no:
            self.answer(person, person.words.declined(no, person.client))

    def _do(self, person: Person, asked: Request) -> None:
        words = person.words
        typed = not isinstance(person.client, (Program, Assignment))
        match asked:
            case Join(room=name):
                known = self.room(name)
                already = known is not None and person in known.members
                if known is not None and already:
                    person.focus = known
                room = known if known is not None and already else self.go_in(person, name)
                self.answer(person, words.joined(person, room, already=already))
            case Leave(room=name):
                self._leave(person, self.known(name))
            case Focus(room=name):
                person.focus = self.own(person, self.known(name))
                self.answer(person, words.focused(person.focus))
            case Say(room=name, text=text):
                by_name = isinstance(words, AssignmentWords | EventWords)
                room = self.own(person, self.known(name) if by_name else person.focus)
                self._say("said", person, room, text)
                self.answer(person, words.done(asked, person, room))
            case Act(text=text):
                self._say("acted", person, self.own(person, person.focus), text)
            case Whisper(nick=nick, text=text):
                self._whisper(person, nick, text)
                self.answer(person, words.done(asked, person, None))
            case Rename(nick=nick):
                self._rename(person, nick)
            case SetTopic(room=name, topic=topic):
                room = self.own(person, person.focus if typed else self.known(name))
                self.check_owner(person, room)
                room.topic = topic
                self.happens("topic", room, person, topic)
                self.answer(person, words.done(asked, person, room))
            case Kick(nick=nick, reason=reason):
                self._kick(person, self.own(person, person.focus), nick, reason)
            case Quit(words=why):
                self.answer(person, words.goodbye(person))
                person.is_shown()
                self.leave(person, why if typed else "")

    def _say(self, what: str, person: Person, room: Room, text: str) -> None:
        self.happens(what, room, person, text, unseen_by=[person] * person.words.echoes_input)

    def _leave(self, person: Person, room: Room) -> None:
        words = person.words
        if isinstance(words, AssignmentWords) and person not in room.members:
            assert isinstance(person.client, Assignment)
            if room.number in person.client.refs:
                self.answer(person, words.leaving(person, room))
                return
        self.own(person, room)
        self.answer(person, words.leaving(person, room))
        self.go_out(person, room)
        self.happens("left", room, person)
        self.answer(person, words.left(person, room))
        self.after(room, person)

    def _whisper(self, person: Person, nick: str, text: str) -> None:
        other = self.person(nick)
        if other is None:
            raise No("nobody", f"There is nobody called {nick}; /users says who is here.")
        other.is_told(other.words.private(person, other, text, self.now))
        other.bells += other.words.drawn
        person.is_told(person.words.wrote(person, other, text, self.now))

    def _rename(self, person: Person, nick: str) -> None:
        if nick == person.nick:
            raise No("nick-taken", f"You are {nick} already.")
        if self.person(nick) not in (None, person):
            raise No("nick-taken", f"{nick} is taken, or looks like a nick that is.")
        old, person.nick = person.nick, nick
        self.everywhere("renamed", person, nick=old, other=nick)
        self.answer(person, person.words.renamed(nick))

    def check_owner(self, person: Person, room: Room) -> None:
        if room.owner is not person:
            raise No("not-moderator", f"Only a moderator of {room.name} may do that.")

    def _kick(self, person: Person, room: Room, nick: str, reason: str) -> None:
        self.check_owner(person, room)
        other = self.person(nick)
        if other is None:
            raise No("nobody", f"There is nobody called {nick}; /users says who is here.")
        if other is person:
            raise No("yourself", "You cannot do that to yourself.")
        if other not in room.members:
            raise No("not-in-room", f"{other.nick} is not in {room.name}.")
        self.go_out(other, room)
        self.happens("kicked", room, other, reason, person.nick)
        other.is_told(other.words.put_out(room, person, reason, self.now))
        if isinstance(other.client, Tail):  # it has nothing more to read
            self.people.remove(other)
            self.ended.append(other)


def _meant(room: Room, author: Person, text: str) -> frozenset[Person]:
    words = {word.strip("@.,:;!?()") for word in text.lower().split()}
    return frozenset(
        each for each in room.members if each.nick.lower() in words and each is not author
    )


def is_shown_as(lines: list[str], steps: list[list[list[str]]]) -> bool:
    """Whether lines are what the steps say, each queue of a step in its order."""
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
