"""Asking: what one server asks another to do there, to somebody or to everybody, and the way back.

What is to be done is in `chatd.cluster.handlers`.  Who has gone to a third server meanwhile is asked
for there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from chatd.chat.events import Refused
from chatd.chat.model.entities import Person
from chatd.chat.peers import Errand
from chatd.cluster import handlers

if TYPE_CHECKING:
    from chatd.chat.chat import Chat
    from chatd.cluster.bus import Bus
    from chatd.cluster.cluster import Cluster

State = dict[str, Any]


class _No(NamedTuple):
    """What another server has refused."""

    code: str
    sentence: str


class Calls:
    """Asks other servers, and does what they ask; ``elsewhere`` knows who has which number where.

    Without ``neighbours`` there is nobody to ask.
    """

    def __init__(self, chat: Chat, elsewhere: Cluster, neighbours: Bus | None) -> None:
        self._chat = chat
        self._elsewhere = elsewhere
        self._neighbours = neighbours

    # Asking others --------------------------------------------------------------------------------

    def send(self, person: Person, by: Person | None, errand: Errand, *values: object) -> None:
        """Let the server of somebody do something there, in somebody's name."""
        assert self._neighbours is not None
        text = {
            "errand": errand,
            "to": self._elsewhere.remote.number_of(person),
            "by": self._elsewhere.introduce(by) if by is not None else None,
            "with": values,
        }
        self._neighbours.send(person.server, json.dumps(text))

    def send_all(self, by: Person, errand: Errand, *values: object) -> None:
        """Let every other server do something to everybody there, in somebody's name."""
        if self._neighbours is not None:
            number = self._elsewhere.introduce(by)
            text = {"errand": errand, "to": None, "by": number, "with": values}
            self._neighbours.broadcast(json.dumps(text))

    def tell_owner(self, account: str, text: str) -> None:
        """Say something to the owner of an account, if they are on another server."""
        owner = self._elsewhere.remote.owner(account)
        if owner is not None:
            self.send(owner, None, Errand.NOTICE, text)

    async def ask(self, person: Person, by: Person, errand: Errand, *values: object) -> State:
        """Let the server of somebody do something there, and return what it answers.

        :raises Refused: as it says, ``nobody`` or ``away``.
        """
        text = {
            "errand": errand,
            "to": self._elsewhere.remote.number_of(person),
            "by": self._elsewhere.introduce(by),
            "with": values,
        }
        try:
            answer = await self._elsewhere.ask_server(person.server, text)
            if "moved" in answer:
                there, text["key"] = answer["moved"]
                answer = await self._elsewhere.ask_server(there, text)
        except Refused as refused:
            if refused.code != "gone":
                raise
            raise Refused("away", f"The server of {person.nick} is gone; try again soon.") from None
        if "refused" in answer:
            no = _No(*answer["refused"][:2])
            raise Refused(no.code, no.sentence)
        if not answer.get("done"):
            raise Refused("nobody", f"{person.nick} is gone.")
        return answer

    # Asked by others ------------------------------------------------------------------------------

    def heard(self, name: str, said: State) -> None:
        """Do what another server asks, or let the server do it to which they have gone."""
        by = self._elsewhere.remote.person_of(said.get("sender", name), said.get("by"))
        if said["to"] is None:
            handlers.handle_broadcast(self._chat, by, said["errand"], said["with"])
            return
        person, gone_to = self._addressee(said), self._elsewhere.local.gone_to(said["to"])
        if person is not None:
            handlers.handle(self._chat, person, by, said["errand"], said["with"])
        elif gone_to is not None and "key" not in said:
            assert self._neighbours is not None
            there, key = gone_to
            self._neighbours.send(there, json.dumps({**said, "sender": name, "key": key}))

    async def answer(self, name: str, said: State) -> State:
        """Do what another server asks, and say what came of it."""
        by, person = self._elsewhere.remote.person_of(name, said.get("by")), self._addressee(said)
        if person is None:
            gone_to = self._elsewhere.local.gone_to(said["to"])
            return {"moved": gone_to} if gone_to is not None else {}
        try:
            answer = await handlers.answer(self._chat, person, by, said["errand"], said["with"])
        except Refused as refused:
            return {"refused": [refused.code, refused.sentence]}
        return {"done": True, **answer}

    def _addressee(self, said: State) -> Person | None:
        """Who is meant, if they are here: by their number, or by nick when they came from there."""
        if "key" not in said:
            return self._elsewhere.local.here(said["to"])
        person = self._chat.people.get(said["key"])
        return person if person is not None and not person.server else None
