"""Clients of the socket assignment: what each of them is sent, line by line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatd.chat.limits import Rate
from chatd.transport.conversation.program import REQUESTS
from tests.support.memory_server import ClientConnection, MemoryServer


class Client:
    """A client of the assignment."""

    def __init__(self, server: MemoryServer, nick: str) -> None:
        self.connection: ClientConnection = server.connects()
        self.nick = nick
        self.refs: dict[str, tuple[int, int]] = {}

    def receives(self) -> str:
        return self.connection.receives().decode()

    def joins(self, room: str) -> str:
        """Join a room; return the answer without its JOIN_ID, and what follows it."""
        self.connection.sends(
            f"JOIN_CHATROOM: {room}\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: {self.nick}\n".encode()
        )
        answer = self.receives()
        found = re.search(r"ROOM_REF: (\d+)\nJOIN_ID: (\d+)\n", answer)
        if found is not None:
            self.refs[room] = (int(found[1]), int(found[2]))
            answer = answer.replace(found[2], "ID", 1)
        return answer

    def leaves(self, room: str) -> None:
        ref, join_id = self.refs[room]
        self.connection.sends(
            f"LEAVE_CHATROOM: {ref}\nJOIN_ID: {join_id}\nCLIENT_NAME: {self.nick}\n".encode()
        )

    def says(self, room: str, text: str) -> None:
        ref, join_id = self.refs[room]
        self.connection.sends(
            f"CHAT: {ref}\nJOIN_ID: {join_id}\nCLIENT_NAME: {self.nick}\n"
            f"MESSAGE: {text}\n\n".encode()
        )

    def disconnects(self) -> None:
        self.connection.sends(f"DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: {self.nick}\n".encode())


def joined(room: str, ref: int) -> str:
    return (
        f"JOINED_CHATROOM: {room}\nSERVER_IP: 10.0.0.1\nPORT: 12345\nROOM_REF: {ref}\nJOIN_ID: ID\n"
    )


def chat(ref: int, nick: str, text: str) -> str:
    return f"CHAT: {ref}\nCLIENT_NAME: {nick}\nMESSAGE: {text}\n\n"


def came(ref: int, nick: str) -> str:
    return chat(ref, nick, f"{nick} has joined this chatroom.")


def went(ref: int, nick: str) -> str:
    return chat(ref, nick, f"{nick} has left this chatroom.")


@pytest.fixture
def server() -> MemoryServer:
    return MemoryServer()


def test_helo_is_answered_with_the_address_that_was_reached(server: MemoryServer) -> None:
    connection = server.connects()
    connection.sends(b"HELO there\n")
    assert connection.receives() == b"HELO there\nIP:10.0.0.1\nPort:12345\nStudentID:0\n"


def test_behind_a_proxy_helo_is_answered_with_the_address_of_the_proxy() -> None:
    connection = MemoryServer(proxies=("10.0.0.0/8",)).connects("10.1.2.3")
    connection.sends(b"PROXY TCP4 198.51.100.7 192.0.2.9 4000 1134\r\nHELO there\n")
    assert connection.receives() == b"HELO there\nIP:192.0.2.9\nPort:1134\nStudentID:0\n"


def test_a_long_conversation_of_four_in_two_rooms(server: MemoryServer) -> None:
    ann, bob, cy, dee = (Client(server, nick) for nick in ("ann", "bob", "cy", "dee"))
    everyone = (ann, bob, cy, dee)
    assert ann.joins("one") == joined("one", 1) + came(1, "ann")
    assert bob.joins("one") == joined("one", 1) + came(1, "bob")
    assert ann.receives() == came(1, "bob")
    assert cy.joins("two") == joined("two", 2) + came(2, "cy")
    assert dee.joins("two") == joined("two", 2) + came(2, "dee")
    assert ann.joins("two") == joined("two", 2) + came(2, "ann")
    assert [each.receives() for each in everyone] == [
        "",
        "",
        came(2, "dee") + came(2, "ann"),
        came(2, "ann"),
    ]
    ann.says("one", "hello one"), ann.says("two", "hello two"), cy.says("two", "hi")
    one, two, hi = chat(1, "ann", "hello one"), chat(2, "ann", "hello two"), chat(2, "cy", "hi")
    assert [each.receives() for each in everyone] == [one + two + hi, one, two + hi, two + hi]
    assert ann.joins("two") == joined("two", 2), "joining twice announces nothing"
    ann.leaves("two")
    left = f"LEFT_CHATROOM: 2\nJOIN_ID: {ann.refs['two'][1]}\n"
    assert [each.receives() for each in everyone] == [
        left + went(2, "ann"),
        "",
        went(2, "ann"),
        went(2, "ann"),
    ]
    ann.leaves("two")
    assert [each.receives() for each in everyone] == [left, "", "", ""]
    ann.says("two", "still here?")
    assert ann.receives().startswith("ERROR_CODE: 6\nERROR_DESCRIPTION: ")
    assert ann.joins("two") == joined("two", 2) + came(2, "ann")
    for each in everyone:
        each.receives()
    ann.disconnects()
    assert [each.receives() for each in everyone] == [
        went(1, "ann") + went(2, "ann"),
        went(1, "ann"),
        went(2, "ann"),
        went(2, "ann"),
    ]
    assert ann.connection.closed
    ann.connection.loses_connection()
    again = Client(server, "ann")
    assert again.joins("one") == joined("one", 1) + came(1, "ann")
    assert [each.receives() for each in (bob, cy, dee)] == [came(1, "ann"), "", ""]


def test_a_departure_is_shown_in_each_shared_room(server: MemoryServer) -> None:
    ann, bob = Client(server, "ann"), Client(server, "bob")
    for each in (ann, bob):
        each.joins("one"), each.joins("two")
    ann.receives(), bob.receives()
    ann.disconnects()
    assert bob.receives() == went(1, "ann") + went(2, "ann")


def test_rooms_and_people_are_those_of_all_ways_in(server: MemoryServer) -> None:
    bob, ann = server.enters("bob"), Client(server, "ann")
    bob.receives(), ann.joins("lobby")
    assert bob.receives() == b"-- ann joined lobby\r\n"
    bob.sends(b"hello\n/me waves\n/dm ann psst\n/nick rob\n")
    assert ann.receives() == (
        chat(1, "bob", "hello")
        + chat(1, "bob", "* bob waves")
        + chat(1, "bob", "(private) psst")
        + chat(1, "bob", "bob is now known as rob.")
    )
    bob.receives()
    ann.says("lobby", "two\nlines")
    assert bob.receives() == b"ann: two\r\n    lines\r\n"
    assert Client(server, "rob").joins("lobby").startswith("ERROR_CODE: 10\n")


def test_the_connection_is_the_identity_whatever_join_id_it_sends(server: MemoryServer) -> None:
    ann, bob = Client(server, "ann"), Client(server, "bob")
    ann.joins("one"), bob.joins("one")
    ann.receives(), bob.receives()
    bob.refs["one"] = ann.refs["one"]
    bob.says("one", "hello")
    assert ann.receives() == chat(1, "bob", "hello")


def test_on_another_connection_join_id_and_name_have_to_belong_together(
    server: MemoryServer,
) -> None:
    ann, eve = Client(server, "ann"), Client(server, "eve")
    ann.joins("one"), ann.receives()
    eve.refs["one"] = ann.refs["one"]
    eve.says("one", "hello")
    assert eve.receives().startswith("ERROR_CODE: 7\n")
    eve.nick = "ann"
    eve.says("one", "hello")
    assert ann.receives() == chat(1, "ann", "hello")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"KILL_SERVICE\n", 11),
        (b"CHAT: 99\nJOIN_ID: 1\nCLIENT_NAME: ann\nMESSAGE: hi\n\n", 5),
        (b"CHAT: x\nJOIN_ID: 1\nCLIENT_NAME: ann\nMESSAGE: hi\n\n", 5),
        (b"JOIN_CHATROOM: a:b\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann\n", 8),
        (b"JOIN_CHATROOM: one\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: a:b\n", 9),
    ],
)
def test_a_request_that_cannot_be_met_is_an_error_and_the_connection_stays_open(
    server: MemoryServer, sent: bytes, code: int
) -> None:
    connection = server.connects()
    connection.sends(b"HELO x\n"), connection.receives()
    connection.sends(sent)
    assert connection.receives().startswith(b"ERROR_CODE: %d\nERROR_DESCRIPTION: " % code)
    connection.sends(b"ANYTHING 5828d335af7cc\nHELO again\n")
    assert connection.receives().startswith(b"HELO again\n")


def test_a_request_without_its_last_newline_is_complete_after_a_silence_or_at_the_end() -> None:
    server = MemoryServer()
    request = b"JOIN_CHATROOM: one\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann"
    ann = server.connects()
    ann.sends(request)
    assert ann.receives() == b""
    server.clock.advance(0.3)
    assert ann.receives().startswith(b"JOINED_CHATROOM: one\n")
    bob = server.connects()
    bob.sends(request.replace(b"ann", b"bob")), bob.ends_input()
    assert bob.receives().startswith(b"JOINED_CHATROOM: one\n")
    assert bob.closed


@given(st.integers(1, 150))
def test_a_conversation_cut_anywhere_is_the_same(cut: int) -> None:
    server = MemoryServer()
    connection = server.connects()
    sent = (
        b"HELO x\nJOIN_CHATROOM: one\nCLIENT_IP: 0\nPORT: 0\nCLIENT_NAME: ann\n"
        b"CHAT: 1\nJOIN_ID: 1\nCLIENT_NAME: ann\nMESSAGE: hi\n\n"
        b"DISCONNECT: 0\nPORT: 0\nCLIENT_NAME: ann\n"
    )
    connection.sends(sent[:cut]), connection.sends(sent[cut:])
    answer = re.sub(r"JOIN_ID: \d+", "JOIN_ID: ID", connection.receives().decode())
    assert answer == (
        "HELO x\nIP:10.0.0.1\nPort:12345\nStudentID:0\n"
        + joined("one", 1)
        + came(1, "ann")
        + went(1, "ann")
    ).replace(went(1, "ann"), chat(1, "ann", "hi") + went(1, "ann"))


def test_requests_above_the_flood_limit_are_delayed_and_none_is_lost() -> None:
    server = MemoryServer(flood=Rate(2, 1))
    connection = server.connects()
    connection.sends(b"".join(b"HELO %d\n" % n for n in range(4)))
    assert connection.receives().count(b"HELO") == 2
    server.clock.pump([1, 1])
    assert connection.receives().count(b"HELO") == 2


def test_blanks_in_names_are_replaced_and_the_answer_has_the_room_as_it_was_requested(
    server: MemoryServer,
) -> None:
    bob, john = server.enters("bob"), Client(server, "John Smith")
    assert john.joins("Distributed Systems") == joined("Distributed Systems", 1) + came(
        1, "John_Smith"
    )
    bob.sends(b"/join Distributed_Systems\n"), bob.receives(), john.receives()
    john.says("Distributed Systems", "hello")
    assert bob.receives() == b"John_Smith: hello\r\n"
    assert john.receives() == chat(1, "John_Smith", "hello")
    other = Client(server, "eve")
    other.joins("lobby"), other.receives()
    other.refs["attic"], other.nick = john.refs["Distributed Systems"], "John Smith"
    other.says("attic", "for John")
    assert bob.receives().endswith(b"John_Smith: for John\r\n")


def test_silence_is_not_counted_while_the_server_does_not_read() -> None:
    server = MemoryServer(flood=Rate(10, 100))
    bob, ann = server.enters("bob"), Client(server, "ann")
    ann.joins("lobby"), bob.receives()
    ref, join_id = ann.refs["lobby"]
    head = f"CHAT: {ref}\nJOIN_ID: {join_id}\nCLIENT_NAME: ann\nMESSAGE: ".encode()
    ann.connection.sends((head + b"x\n\n") * (REQUESTS + 50) + head + b"the first half and ")
    assert ann.connection.transport.paused
    server.clock.pump([0.1] * 4)
    while ann.connection.transport.paused:
        server.clock.advance(0.01)
    ann.connection.sends(b"the second\n\n")
    server.clock.pump([0.1] * 10)
    assert bob.receives().endswith(b"ann: the first half and the second\r\n")


def test_a_failed_join_sets_no_name(server: MemoryServer) -> None:
    ann = Client(server, "dora")
    assert ann.joins("!!!").startswith("ERROR_CODE: 8\n")
    assert len(server.chat.people) == 0
    ann.nick = "dora2"
    assert ann.joins("one") == joined("one", 1) + came(1, "dora2")


def test_names_are_compared_folded(server: MemoryServer) -> None:
    ann, eve = Client(server, "\u00c9lodie"), Client(server, "eve")
    ann.joins("one"), ann.receives()
    eve.refs["one"], eve.nick = ann.refs["one"], "E\u0301lodie"
    eve.says("one", "hello")
    assert ann.receives() == chat(1, "\u00c9lodie", "hello")


def test_a_closed_connection_leaves_nothing_behind(server: MemoryServer) -> None:
    ann = Client(server, "ann")
    ann.joins("one"), ann.connection.loses_connection()
    server.clock.advance(60)
    assert len(server.chat.people) == 0
    assert list(server.chat.rooms) == ["lobby"]
    assert server.clock.getDelayedCalls() == []


def test_a_room_with_a_key_and_bans_have_sentences_of_their_own() -> None:
    server = MemoryServer()
    olga, ada = server.enters("olga"), Client(server, "ada")
    person = server.chat.people.find("olga")
    assert person is not None
    person.sessions[0].operator = True
    person.sessions_changed()
    olga.sends(b"/join hall\n/join attic\n/room key sesame\n")
    assert ada.joins("attic") == (
        "ERROR_CODE: 11\n"
        "ERROR_DESCRIPTION: That room needs a key, which this protocol cannot give.\n"
    )
    ada.joins("hall")
    olga.sends(b"/server say tea\n/focus hall\n/ban ada 1h spam\n")
    ref = ada.refs["hall"][0]
    assert ada.receives() == (
        f"CHAT: {ref}\nCLIENT_NAME: olga\nMESSAGE: (to everyone) tea\n\n"
        f"CHAT: {ref}\nCLIENT_NAME: olga\n"
        "MESSAGE: You were banned from this chatroom by olga (spam).\n\n"
    )
    assert ada.joins("hall") == (
        "ERROR_CODE: 11\nERROR_DESCRIPTION: You are banned from hall for another 1 hour (spam).\n"
    )
    assert not ada.connection.closed
    olga.sends(b"/server kick ada\n")
    told = "ERROR_CODE: 11\nERROR_DESCRIPTION: You were kicked from this server by olga.\n"
    assert ada.receives() == told
    assert ada.connection.closed


def test_room_refs_count_the_rooms_that_these_clients_have_joined_and_stay(
    server: MemoryServer,
) -> None:
    olga = server.enters("olga")
    olga.sends(b"/join attic\n/join hall\n")
    ann = Client(server, "ann")
    assert ann.joins("hall").startswith(joined("hall", 1))
    assert ann.joins("Lobby").startswith(joined("Lobby", 2))
    olga.sends(b"/leave hall\n"), ann.leaves("hall"), ann.receives()
    assert "hall" not in server.chat.rooms
    bob = Client(server, "bob")
    assert bob.joins("attic").startswith(joined("attic", 3))
    assert bob.joins("hall").startswith(joined("hall", 1)), "a new room of an old name"


@pytest.mark.parametrize("ref", ["hall", "HALL", "#hall", "1"])
@pytest.mark.parametrize("join_id", ["0", "7", "x", "", str(2**70)])
def test_on_its_own_connection_a_room_may_be_named_and_any_join_id_is_taken(
    server: MemoryServer, ref: str, join_id: str
) -> None:
    olga, ann = server.enters("olga"), Client(server, "ann")
    olga.sends(b"/join hall\n"), ann.joins("hall"), ann.receives(), olga.receives()
    head = f"{ref}\nJOIN_ID: {join_id}\nCLIENT_NAME: ann\n"
    ann.connection.sends(f"CHAT: {head}MESSAGE: hello\n\n".encode())
    assert olga.receives() == b"ann: hello\r\n"
    assert ann.receives() == chat(1, "ann", "hello")
    ann.connection.sends(f"LEAVE_CHATROOM: {head}".encode())
    assert ann.receives().startswith("LEFT_CHATROOM: 1\nJOIN_ID: ")
    assert olga.receives() == b"-- ann left hall\r\n"


def test_a_join_id_fits_into_31_bits_and_is_not_given_twice(server: MemoryServer) -> None:
    clients = [Client(server, f"c{number}") for number in range(20)]
    for each in clients:
        each.joins("one")
    given = {each.refs["one"][1] for each in clients}
    assert len(given) == 20
    assert all(0 < join_id < 2**31 for join_id in given)
