"""Moving: somebody's place goes from one server of a cluster to another, and they with it.

Who comes back by another server than the one where they were is asked for there; a server that ends
hands over the places of its people.  In their rooms nobody sees anything of it.  What is said
between two servers for that is asked and answered (`chatd.cluster.bus`), as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

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
from chatd.chat.limits import PLACES_TAKEN, RECALLED
from chatd.chat.model.entities import Person, Room
from chatd.chat.model.preferences import Preferences
from chatd.chat.text.names import Name

if TYPE_CHECKING:
    from chatd.chat.chat import Chat

State = dict[str, Any]

#: What may wait for somebody, and goes along.
_Waiting = Notice | Refusal | PrivateMessage | Invited | PutOut | Announced

ELSEWHERE = Notice("You have come in at another server; this connection ends.")
TAKEN = Notice("Another connection has taken your place.")


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves that a place is somebody's: an account, the fingerprint of a key, or a token."""

    account: str = ""
    fingerprint: str = ""
    token: str = ""


class Migration:
    """Lets people come here from other servers, and go there.

    ``heed`` hears a room from now on if anybody here is in it, and else no more.  When this server
    is ``closed`` it takes nobody.
    """

    def __init__(self, chat: Chat, heed: Callable[[Room], None]) -> None:
        self._chat = chat
        self._follow = heed
        self.closed = False

    # Coming here ----------------------------------------------------------------------------------

    async def fetch(self, proof: Proof) -> str:
        """Let somebody be here, with their place, who has lost their connection to another server.

        Who has a connection there that works stays there: that server is returned.  In any other
        case nothing is, also when nobody elsewhere is proved.
        """
        for server in self._chat.elsewhere.remote.where(proof.account, proof.fingerprint):
            try:
                answer = await self._chat.elsewhere.ask_server(server, {"fetch": asdict(proof)})
            except Refused:  # it is gone, though nobody has missed it yet
                await self._adopt(server, proof)
                continue
            if "here" in answer:
                return server
            if "place" in answer:
                await self._import(server, answer)
                break
        return ""

    async def on_request(self, server: str, said: State) -> State:
        """Answer what another server asks."""
        if "fetch" in said:
            person = self._proved(Proof(**said["fetch"]))
            if person is None:
                return {}
            return await self._export(person, server, said["fetch"]["token"])
        if "keep" in said and not self.closed and len(self._chat.detached) < PLACES_TAKEN:
            await self._import(server, said["keep"])
            return {"kept": True}
        return {}

    async def _import(self, server: str, state: State) -> None:
        """Somebody comes here from another server, with their place."""
        person = self._chat.elsewhere.remote.release(server, state["number"])
        name = Name(state["nick"], state["key"])
        if person is None:
            person = Person(name, state["came"])
        person.name, person.account = name, state["account"]
        person.away, person.fingerprint = state["away"], state["print"]
        person.address = state["address"]
        rooms = self._into_rooms(person, state["rooms"])
        place = _place(person, state["place"], rooms)
        await self._settle(person, state, place, server)

    async def _adopt(self, server: str, proof: Proof) -> None:
        """Somebody was on a server that does not answer any more: they are here from now on.

        Nobody knows how far they had read: what was said since that server was heard counts as new.
        """
        elsewhere, archive = self._chat.elsewhere, self._chat.history
        number, heard = elsewhere.remote.find(proof.account, proof.fingerprint)
        person = elsewhere.remote.release(server, number)
        if person is None:
            return
        state: State = {"number": number, "token": None, "ignored": [], "held": []}
        place = DetachedSession(person, {})
        await self._settle(person, state, place, server)
        for room in tuple(person.rooms.values()):
            entries = await archive.last(room, RECALLED)
            later = [each.number for each in entries if each.event.time > heard]
            place.read[room] = min(later) - 1 if later else room.audience.number

    def _into_rooms(self, person: Person, state: State) -> dict[str, Room]:
        """Let somebody be in these rooms and in no others; return them by their ids."""
        elsewhere = self._chat.elsewhere
        for key in person.rooms.keys() - state.keys():
            elsewhere.remote.takes_out(person, person.rooms[key])
        for key, (shown, ident, role, *_) in state.items():
            elsewhere.remote.puts_in(person, elsewhere.remote.room(key, shown, ident), role)
        return {room.id: room for room in person.rooms.values()}

    async def _settle(
        self, person: Person, state: State, place: DetachedSession, server: str
    ) -> None:
        """Somebody who was elsewhere is here now, and has a place to which they may come."""
        chat = self._chat
        person.server = ""
        if not chat.people.is_free(person.name):  # servers that were out of touch, perhaps
            person.name, _ = await chat.nicks.nearest(person.nick)
        chat.people.add(person)
        for room in (chat.rooms.get(key) for key in state["held"]):
            if room is not None:
                room.follow_nick(person)
        self._ignores(person, state["ignored"])
        chat.entrance.moved_in(person)
        chat.detached.restore(place, state["token"])
        chat.elsewhere.came_from(person, server, state["number"])
        for room in person.rooms.values():
            self._follow(room)
        await self._hear_rooms(person.rooms.values())
        if not await chat.nicks.take_over(person.name):
            name, _ = await chat.nicks.nearest(person.nick)
            chat.carry(person, name, person.last_active)

    async def _hear_rooms(self, rooms: Iterable[Room]) -> None:
        """Wait until it is known how far each room is."""
        for room in tuple(rooms):
            await self._chat.history.last(room, 0)

    def _ignores(self, person: Person, keys: Iterable[str]) -> None:
        for key in keys:
            person.ignored[key] = None
            other = self._chat.people.get(key)
            if other is not None:
                other.ignored_by[person] = None

    # Going there ----------------------------------------------------------------------------------

    def _proved(self, proof: Proof) -> Person | None:
        """Who of those who are here is proved."""
        chat = self._chat
        if proof.token:
            return chat.detached.holder(proof.token)
        if proof.account:
            account = chat.accounts.get(proof.account)
            return chat.entrance.owner_here(account) if account is not None else None
        return chat.detached.of_key(proof.fingerprint)

    async def _export(self, person: Person, server: str, token: str) -> State:
        """Let somebody be at another server from now on, unless a connection of theirs works here.

        Who shows their token has left that connection for another.
        """
        places = self._chat.detached
        if not (token or places.is_lost_wholly(person)):
            return {"here": True}
        place = places.peek(person) or DetachedSession(person, {})
        if place.unreached:
            await places.go_back(place)
        works = person.sessions and not token and not places.is_lost_wholly(person)
        is_void = bool(token) and places.holder(token) is not person
        if works or is_void or self._chat.people.get(person.name.key) is not person:
            return {"here": True}  # they have come back meanwhile, or are gone
        state = self._state(person, place)
        for session in tuple(person.sessions):
            session.deliver(TAKEN)
            session.detach()
            session.client.close()
        self._goes(person, server)
        return state

    async def send_away(self, person: Person, server: str) -> bool:
        """Let who has a place here, and no connection any more, have it at another server.

        False when that server does not take it.
        """
        places = self._chat.detached
        place = places.peek(person)
        try:
            if place is None:
                return False
            if place.unreached:
                await places.go_back(place)
            answer = await self._chat.elsewhere.ask_server(
                server, {"keep": self._state(person, place)}
            )
        except Refused:
            return False
        if answer.get("kept"):
            self._goes(person, server)
        return bool(answer.get("kept"))

    def lives_elsewhere(self, person: Person, server: str) -> None:
        """Another server has taken somebody over, for it could not reach this one."""
        for session in tuple(person.sessions):
            session.deliver(ELSEWHERE)
            session.detach()
            session.client.close()
        self._goes(person, server)

    def _state(self, person: Person, place: DetachedSession) -> State:
        """Somebody and their place, as another server is told of them."""
        return {
            **self._chat.elsewhere.local.state(person),
            "token": person.token,
            "ignored": list(person.ignored),
            "held": [room.name.key for room in person.named_in_bans],
            "place": {
                "read": {room.id: number for room, number in place.read.items()},
                "saw_own": place.saw_own,
                "focus": place.focus.id if place.focus is not None else None,
                "preferences": asdict(place.preferences),
                "waiting": [to_row(each) for each in place.waiting if isinstance(each, _Waiting)],
            },
        }

    def _goes(self, person: Person, server: str) -> None:
        """Somebody is at another server from now on; nobody here sees anything of that."""
        chat = self._chat
        for key in person.ignored:
            other = chat.people.get(key)
            if other is not None:
                other.ignored_by.pop(person, None)
        rooms = tuple(person.rooms.values())
        for room in rooms:
            chat.elsewhere.remote.takes_out(person, room)
        chat.detached.left(person)
        chat.entrance.left(person)
        chat.people.remove(person)
        chat.elsewhere.went_to(person, server)
        for room in rooms:
            self._follow(room)


def _place(person: Person, state: State, rooms: dict[str, Room]) -> DetachedSession:
    """The place that another server tells of."""
    read = {rooms[ident]: number for ident, number in state["read"].items() if ident in rooms}
    waiting = [each for each in map(from_row, state["waiting"]) if each is not None]
    return DetachedSession(
        person,
        read,
        saw_own=state["saw_own"],
        focus=rooms.get(state["focus"] or ""),
        preferences=Preferences().restored(state["preferences"]),
        waiting=waiting,
    )
