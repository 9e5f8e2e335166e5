"""Model of a server with clients of every kind: lists and dicts, without any of chatd's code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.support.all_clients.clients import (
    Act,
    AssignmentClient,
    DirectMessage,
    Focus,
    Join,
    JsonClient,
    Kick,
    Leave,
    Quit,
    Rename,
    Request,
    Say,
    SetTopic,
    Tail,
)
from tests.support.all_clients.renderings import AssignmentRendering, JsonEventRendering
from tests.support.all_clients.world import Person, Refused, Room, RoomEvent


class Model:
    """Rooms and users.  A refused request raises `Refused` and changes nothing."""

    def __init__(self) -> None:
        self.now = 0.0
        self.people: list[Person] = []
        self.ended: list[Person] = []
        self.rooms = {"lobby": Room("lobby", 1)}
        self._made = 1
        self.refs: dict[str, int] = {}

    def room(self, name: str) -> Room | None:
        return self.rooms.get(name.lower())

    def find_room(self, name: str) -> Room:
        room = self.room(name)
        if room is None:
            raise Refused("no-such-room", f"There is no room {name}; /rooms lists them.")
        return room

    def _find_room_for(self, person: Person, name: str) -> Room:
        """Return a room; a client of the socket assignment finds those that have a ROOM_REF."""
        room = self.find_room(name)
        if isinstance(person.rendering, AssignmentRendering) and not room.ref:
            raise Refused("no-such-room", f"There is no room {name}; /rooms lists them.")
        return room

    def joined_room(self, person: Person, room: Room | None) -> Room:
        """Return a room, of which the user must be a member."""
        if room is None:
            raise Refused("no-room", "You are in no room; /join ROOM takes you into one.")
        if person not in room.members:
            name = room.name
            raise Refused("not-in-room", f"You are not in {name}; /join {name} takes you there.")
        return room

    def person(self, nick: str) -> Person | None:
        return next((each for each in self.people if each.nick.lower() == nick.lower()), None)

    def free_variant(self, nick: str) -> str:
        """Return a nick, or the first free variant of it, as some protocols give one."""
        tries = [nick, *(f"{nick}{number}" for number in range(2, 50))]
        return next(each for each in tries if self.person(each) is None)

    def free_guest_nick(self) -> str:
        tries = (f"guest{number}" for number in range(1, 50))
        return next(each for each in tries if self.person(each) is None)

    # Events

    def post_event(
        self,
        what: str,
        room: Room,
        person: Person,
        text: str = "",
        other: str = "",
        unseen_by: Iterable[Person] = (),
        nick: str = "",
    ) -> None:
        """Add an event to a room for all its members, except some."""
        stored = what in ("said", "acted", "topic")
        meant = _mentioned(room, person, text) if what in ("said", "acted") else frozenset()
        seq = len(room.history) + stored
        event = RoomEvent(what, room, nick or person.nick, self.now, seq, text, other, meant)
        if stored:
            room.history.append(event)
        for each in room.members:
            if each not in unseen_by:
                each.pending.append((room, event))

    def post_to_all_rooms(self, what: str, person: Person, **more: str) -> None:
        """Add an event to all rooms of a user, in the order in which they were created."""
        shown_to = [person]
        for room in sorted(person.rooms, key=lambda room: room.number):
            self.post_event(what, room, person, unseen_by=list(shown_to), **more)
            shown_to += [each for each in room.members if not each.rendering.copy_per_room]

    def reply(self, person: Person, lines: list[str]) -> None:
        """Reply to a user: at once, where replies are in order with events."""
        if lines and person.rendering.in_order:
            person.show_personal(lines)
        elif lines:
            person.pending.append((None, lines))

    def end_turn(self) -> None:
        for person in self.people:
            person.show_pending()

    # Joining and leaving

    def join(self, person: Person, name: str) -> Room:
        room = self.room(name)
        if room is None:
            self._made += 1
            ref = self.refs.get(name.lower(), 0)
            room = self.rooms[name.lower()] = Room(name, self._made, ref, owner=person)
        if isinstance(person.rendering, AssignmentRendering):
            room.ref = self.refs.setdefault(name.lower(), len(self.refs) + 1)
        self.post_event("joined", room, person)
        room.members.append(person)
        person.rooms.append(room)
        person.focus = room
        return room

    def remove(self, person: Person, room: Room) -> None:
        person.show_pending(room)
        room.members.remove(person)
        person.rooms.remove(room)
        if person.focus is room:
            person.focus = person.rooms[-1] if person.rooms else None

    def close_or_hand_over(self, room: Room, person: Person) -> None:
        """Close a room that is empty; give one whose owner has left another owner."""
        if not room.members and room.number != 1:
            del self.rooms[room.name.lower()]
        elif room.owner is person and room.number != 1:
            room.owner = room.members[0]
            self.post_event("owner", room, room.owner)

    def leave(self, person: Person, reason: str = "") -> None:
        """Remove a user from the server."""
        self.post_to_all_rooms("gone", person, text=reason)
        for room in list(person.rooms):
            self.remove(person, room)
            self.close_or_hand_over(room, person)
        self.people.remove(person)

    # Requests

    def handle(self, person: Person, request: Request) -> None:
        """Handle a request and reply to it."""
        try:
            self._handle(person, request)
        except Refused as refusal:
            self.reply(person, person.rendering.refused(refusal, person.client))

    def _handle(self, person: Person, request: Request) -> None:
        rendering = person.rendering
        typed = not isinstance(person.client, (JsonClient, AssignmentClient))
        match request:
            case Join(room=name):
                known = self.room(name)
                already = known is not None and person in known.members
                if known is not None and already:
                    person.focus = known
                room = known if known is not None and already else self.join(person, name)
                self.reply(person, rendering.joined(person, room, already=already))
            case Leave(room=name):
                self._leave(person, self._find_room_for(person, name))
            case Focus(room=name):
                person.focus = self.joined_room(person, self.find_room(name))
                self.reply(person, rendering.focused(person.focus))
            case Say(room=name, text=text):
                by_name = isinstance(rendering, AssignmentRendering | JsonEventRendering)
                room = self.joined_room(
                    person, self._find_room_for(person, name) if by_name else person.focus
                )
                self._say("said", person, room, text)
                self.reply(person, rendering.acknowledged(request, person, room))
            case Act(text=text):
                self._say("acted", person, self.joined_room(person, person.focus), text)
            case DirectMessage(nick=nick, text=text):
                self._send_direct(person, nick, text)
                self.reply(person, rendering.acknowledged(request, person, None))
            case Rename(nick=nick):
                self._rename(person, nick)
            case SetTopic(room=name, topic=topic):
                room = self.joined_room(person, person.focus if typed else self.find_room(name))
                self.check_owner(person, room)
                room.topic = topic
                self.post_event("topic", room, person, topic)
                self.reply(person, rendering.acknowledged(request, person, room))
            case Kick(nick=nick, reason=reason):
                self._kick(person, self.joined_room(person, person.focus), nick, reason)
            case Quit(reason=reason):
                self.reply(person, rendering.goodbye(person))
                person.show_pending()
                self.leave(person, reason if typed else "")

    def _say(self, what: str, person: Person, room: Room, text: str) -> None:
        self.post_event(
            what, room, person, text, unseen_by=[person] * person.rendering.echoes_input
        )

    def _leave(self, person: Person, room: Room) -> None:
        rendering = person.rendering
        if isinstance(rendering, AssignmentRendering) and person not in room.members:
            assert isinstance(person.client, AssignmentClient)
            if room.ref in person.client.refs:
                self.reply(person, rendering.leaving(person, room))
                return
        self.joined_room(person, room)
        self.reply(person, rendering.leaving(person, room))
        self.remove(person, room)
        self.post_event("left", room, person)
        self.reply(person, rendering.left(person, room))
        self.close_or_hand_over(room, person)

    def _send_direct(self, person: Person, nick: str, text: str) -> None:
        other = self.person(nick)
        if other is None:
            raise Refused("nobody", f"There is nobody called {nick}; /users says who is here.")
        other.show_personal(other.rendering.private(person, other, text, self.now))
        other.bells += other.rendering.rings_bell
        person.show_personal(person.rendering.private_sent(person, other, text, self.now))

    def _rename(self, person: Person, nick: str) -> None:
        if nick == person.nick:
            raise Refused("nick-taken", f"You are {nick} already.")
        if self.person(nick) not in (None, person):
            raise Refused("nick-taken", f"{nick} is taken, or looks like a nick that is.")
        old, person.nick = person.nick, nick
        self.post_to_all_rooms("renamed", person, nick=old, other=nick)
        self.reply(person, person.rendering.renamed(nick))

    def check_owner(self, person: Person, room: Room) -> None:
        if room.owner is not person:
            raise Refused("not-moderator", f"Only a moderator of {room.name} may do that.")

    def _kick(self, person: Person, room: Room, nick: str, reason: str) -> None:
        self.check_owner(person, room)
        other = self.person(nick)
        if other is None:
            raise Refused("nobody", f"There is nobody called {nick}; /users says who is here.")
        if other is person:
            raise Refused("yourself", "You cannot do that to yourself.")
        if other not in room.members:
            raise Refused("not-in-room", f"{other.nick} is not in {room.name}.")
        self.remove(other, room)
        self.post_event("kicked", room, other, reason, person.nick)
        other.show_personal(other.rendering.kicked(room, person, reason, self.now))
        if isinstance(other.client, Tail):  # it has nothing more to read
            self.people.remove(other)
            self.ended.append(other)


def _mentioned(room: Room, author: Person, text: str) -> frozenset[Person]:
    words = {word.strip("@.,:;!?()") for word in text.lower().split()}
    return frozenset(
        each for each in room.members if each.nick.lower() in words and each is not author
    )


def matches_steps(lines: list[str], steps: list[list[list[str]]]) -> bool:
    """Return whether lines are those of the steps, each queue of a step in order."""
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
