"""Encoding of remote calls on the bus, which servers of other versions understand."""

import json

import pytest

from chatd.chat.events import Role
from chatd.chat.peers import (
    Announce,
    CloseRoom,
    Disconnect,
    Invite,
    Kick,
    LastActive,
    Notify,
    RemoteCall,
    Rename,
    SendDirect,
    SetRole,
)
from chatd.cluster.calls import decode, encode

#: Remote calls, each with its word on the bus and its values in order.
ON_THE_BUS = [
    (Kick("attic", "why", 1.5), "kick", ["attic", "why", 1.5, None]),
    (Kick("attic", "", 1.5, ("nick:bob", "{}")), "kick", ["attic", "", 1.5, ["nick:bob", "{}"]]),
    (Invite(1.5, "Attic"), "invite", [1.5, "Attic"]),
    (Notify("hello"), "notice", ["hello"]),
    (Disconnect("why", 1.5), "disconnect", ["why", 1.5]),
    (SetRole("attic", Role.MODERATOR), "role", ["attic", "moderator"]),
    (Announce(1.5, "hello"), "announce", [1.5, "hello"]),
    (CloseRoom("attic", "why", 1.5), "close", ["attic", "why", 1.5]),
    (SendDirect(1.5, "hello"), "whisper", [1.5, "hello"]),
    (Rename("bob", 1.5), "rename", ["bob", 1.5]),
    (LastActive(), "seen", []),
]


@pytest.mark.parametrize(("call", "word", "values"), ON_THE_BUS)
def test_a_call_is_encoded_as_its_word_and_its_values_in_order(
    call: RemoteCall, word: str, values: list[object]
) -> None:
    assert json.loads(json.dumps(encode(call))) == [word, values]
    assert decode(word, values) == call
    assert decode(word, [*values, "of a newer server"]) == call


def test_an_unknown_or_incomplete_call_is_decoded_as_none() -> None:
    assert decode("dance", ["bob"]) is None
    assert decode("kick", ["too few"]) is None


def test_an_unknown_role_of_a_newer_server_is_decoded_as_member() -> None:
    assert decode("role", ["attic", "bishop"]) == SetRole("attic", Role.MEMBER)
