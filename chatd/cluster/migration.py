"""Migration: moves a detached session, with its person, from one server of a cluster to another.

A user who reconnects to another server is fetched from the one where they were; a server that stops
sends its detached sessions to other servers.  Other members of their rooms see nothing of it.
Servers ask each other for this by requests on the bus.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from chatd.chat.chat import Chat
from chatd.chat.entry.detached import DetachedSession
from chatd.chat.event_rows import from_row, to_row
from chatd.chat.events import (
    Announced,
    Invited,
    Notice,
    PrivateMessage,
    PutOut,
    Refusal,
    Refused,
)
from chatd.chat.limits import DETACHED_TAKEN_OVER, REPLAYED
from chatd.chat.model.entities import Person, Room
from chatd.chat.model.preferences import Preferences
from chatd.chat.peers import Proof
from chatd.chat.text.names import Name
from chatd.cluster.bus import State
from chatd.cluster.replication.local import LocalPeople
from chatd.cluster.replication.outgoing import Outgoing
from chatd.cluster.replication.remote import RemotePeople

#: The personal events that migrate with a session for which they are waiting.
_Migrating = Notice | Refusal | PrivateMessage | Invited | PutOut | Announced

CAME_BY_ANOTHER_SERVER = Notice("You have come in at another server; this connection ends.")
TAKEN = Notice("Another connection has taken your place.")


class Migration:
    """Fetches people from other servers, and sends people to them."""

    def __init__(
        self, chat: Chat, outgoing: Outgoing, local: LocalPeople, remote: RemotePeople
    ) -> None:
        self._chat = chat
        self._outgoing = outgoing
        self._local = local
        self._remote = remote
        self._accepts = True

    def stop_accepting(self) -> None:
        """Stop accepting handovers from other servers, as this one stops as well."""
        self._accepts = False

    # Moving here ----------------------------------------------------------------------------------

    async def fetch(self, proof: Proof) -> str:
        """Fetch the detached session that a proof is for, with its person.

        Return the server where that person has a working connection, and stays; otherwise an empty
        string, even when the proof matches no person on another server.
        """
        for server in self._remote.servers_to_ask(proof.account, proof.fingerprint):
            try:
                answer = await self._outgoing.request(server, {"fetch": asdict(proof)})
            except Refused:  # it is gone, though the liveness check has not noticed yet
                await self._adopt(server, proof)
                continue
            if "here" in answer:
                return server
            if "place" in answer:
                await self._import(server, answer)
                break
        return ""

    async def on_request(self, server: str, request: State) -> State:
        """Answer a request from another server."""
        if "fetch" in request:
            person = self._proved(Proof(**request["fetch"]))
            if person is None:
                return {}
            return await self._export(person, server, request["fetch"]["token"])
        if "keep" in request and self._accepts and len(self._chat.detached) < DETACHED_TAKEN_OVER:
            await self._import(server, request["keep"])
            return {"kept": True}
        return {}

    async def _import(self, server: str, state: State) -> None:
        """Take a person from another server, with their detached session."""
        person = self._remote.release(server, state["number"])
        name = Name(state["nick"], state["key"])
        if person is None:
            person = Person(name, state["came"])
        person.name, person.account = name, state["account"]
        person.away, person.fingerprint = state["away"], state["print"]
        person.address = state["address"]
        rooms = self._set_rooms(person, state["rooms"])
        detached = _restored(person, state["place"], rooms)
        await self._settle(person, state, detached, server)

    async def _adopt(self, server: str, proof: Proof) -> None:
        """Take over a person from a server that no longer answers.

        How far they had read is not known: messages since that server was last heard count as new.
        """
        number, last_heard = self._remote.last_known(proof.account, proof.fingerprint)
        person = self._remote.release(server, number)
        if person is None:
            return
        state: State = {"number": number, "token": None, "ignored": [], "held": []}
        detached = DetachedSession(person, {})
        await self._settle(person, state, detached, server)
        for room in tuple(person.rooms.values()):
            entries = await self._chat.history.last(room, REPLAYED)
            later = [each.number for each in entries if each.event.time > last_heard]
            detached.read[room] = min(later) - 1 if later else room.audience.number

    def _set_rooms(self, person: Person, state: State) -> dict[str, Room]:
        """Make a person a member of these rooms and no others; return the rooms by their ids."""
        for key in person.rooms.keys() - state.keys():
            self._remote.remove_from_room(person, person.rooms[key])
        for key, (shown, ident, role, *_) in state.items():
            self._remote.add_to_room(person, self._remote.open_room(key, shown, ident), role)
        return {room.id: room for room in person.rooms.values()}

    async def _settle(
        self, person: Person, state: State, detached: DetachedSession, server: str
    ) -> None:
        """Make a person from another server a local one, with a session to be resumed."""
        chat = self._chat
        person.server = ""
        if not chat.people.is_free(person.name):  # servers that were out of touch, perhaps
            person.name, _ = await chat.nicks.take_nearest(person.nick)
        chat.people.add(person)
        for room in (chat.rooms.get(key) for key in state["held"]):
            if room is not None:
                room.follow_nick(person)
        self._set_ignored(person, state["ignored"])
        chat.entrance.person_arrived(person)
        chat.detached.restore(detached, state["token"])
        self._outgoing.moved_here(person, server, state["number"])
        for room in person.rooms.values():
            chat.posting.follow(room)
        await self._sync_rooms(person.rooms.values())
        if not await chat.nicks.take_over(person.name):
            name, _ = await chat.nicks.take_nearest(person.nick)
            chat.set_nick(person, name, person.last_active)

    async def _sync_rooms(self, rooms: Iterable[Room]) -> None:
        """Wait until the number of the last event of each room is known."""
        for room in tuple(rooms):
            await self._chat.history.last(room, 0)

    def _set_ignored(self, person: Person, keys: Iterable[str]) -> None:
        for key in keys:
            person.ignored[key] = None
            other = self._chat.people.get(key)
            if other is not None:
                other.ignored_by[person] = None

    # Moving away ----------------------------------------------------------------------------------

    def _proved(self, proof: Proof) -> Person | None:
        """Return the person on this server that a proof is for."""
        chat = self._chat
        if proof.token:
            return chat.detached.person_of_token(proof.token)
        if proof.account:
            account = chat.accounts.get(proof.account)
            return chat.entrance.owner_here(account) if account is not None else None
        return chat.detached.lost_guest_of_key(proof.fingerprint)

    async def _export(self, person: Person, server: str, token: str) -> State:
        """Hand a person over to another server, unless they have a working connection here.

        A user who presents their token gives that connection up for another.
        """
        sessions = self._chat.detached
        if not (token or sessions.is_lost_entirely(person)):
            return {"here": True}
        detached = sessions.find(person) or DetachedSession(person, {})
        if detached.unreached:
            await sessions.rewind(detached)
        works = person.sessions and not token and not sessions.is_lost_entirely(person)
        is_void = bool(token) and sessions.person_of_token(token) is not person
        if works or is_void or self._chat.people.get(person.name.key) is not person:
            return {"here": True}  # they have reconnected meanwhile, or are gone
        state = self._state(person, detached)
        self._end_connections(person, TAKEN)
        self._move_away(person, server)
        return state

    async def send_away(self, person: Person, server: str) -> bool:
        """Send a person who has a detached session, and no connection, to another server.

        Return False when that server does not accept them.
        """
        sessions = self._chat.detached
        detached = sessions.find(person)
        try:
            if detached is None:
                return False
            if detached.unreached:
                await sessions.rewind(detached)
            request = {"keep": self._state(person, detached)}
            answer = await self._outgoing.request(server, request)
        except Refused:
            return False
        if answer.get("kept"):
            self._move_away(person, server)
        return bool(answer.get("kept"))

    def lives_elsewhere(self, number: int, server: str) -> None:
        """Release the person with a number here: another server has adopted them meanwhile."""
        person = self._local.person(number)
        if person is not None:
            self._end_connections(person, CAME_BY_ANOTHER_SERVER)
            self._move_away(person, server)

    def _end_connections(self, person: Person, notice: Notice) -> None:
        for session in tuple(person.sessions):
            session.deliver(notice)
            session.detach()
            session.client.close()

    def _state(self, person: Person, detached: DetachedSession) -> State:
        """Return the state of a person and their detached session, to send to another server."""
        waiting = [to_row(each) for each in detached.waiting if isinstance(each, _Migrating)]
        return {
            **self._local.state(person),
            "token": person.token,
            "ignored": list(person.ignored),
            "held": [room.name.key for room in person.named_in_bans],
            "place": {
                "read": {room.id: number for room, number in detached.read.items()},
                "saw_own": detached.echoed_input,
                "focus": detached.focus.id if detached.focus is not None else None,
                "preferences": asdict(detached.preferences),
                "waiting": waiting,
            },
        }

    def _move_away(self, person: Person, server: str) -> None:
        """Make a local person one of another server's; users here are shown nothing of it."""
        chat = self._chat
        for key in person.ignored:
            other = chat.people.get(key)
            if other is not None:
                other.ignored_by.pop(person, None)
        rooms = tuple(person.rooms.values())
        for room in rooms:
            self._remote.remove_from_room(person, room)
        chat.detached.person_left(person)
        chat.entrance.person_left(person)
        chat.people.remove(person)
        self._outgoing.moved_away(person, server)
        person.forget_references()
        for room in rooms:
            chat.posting.follow(room)


def _restored(person: Person, state: State, rooms: dict[str, Room]) -> DetachedSession:
    """Return the detached session that another server sent; ``rooms`` is keyed by room id."""
    read = {rooms[ident]: number for ident, number in state["read"].items() if ident in rooms}
    waiting = [each for each in map(from_row, state["waiting"]) if each is not None]
    return DetachedSession(
        person,
        read,
        echoed_input=state["saw_own"],
        focus=rooms.get(state["focus"] or ""),
        preferences=Preferences().restored(state["preferences"]),
        waiting=waiting,
    )
