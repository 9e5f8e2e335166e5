"""Convergence: after any actions on several servers, all of them have the same state."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.cluster.chat_cluster import ChatCluster
from tests.support.people import Server, User

NICKS = ("ada", "bob", "cy", "dan")
LINES = (
    "/join attic",
    "/join den",
    "/leave attic",
    "/focus lobby",
    "/focus attic",
    "/away lunch",
    "/back",
    "/topic old things",
    "/topic new things",
    "/room private on",
    "/room private off",
    "/room key sesame",
    "/room slow 5",
    "/room slow off",
    "/room lasting on",
    "/room lasting off",
    "/register a long password",
    "/nick eve",
    "/nick ada",
    "/nick bob",
    *(
        f"/{command} {nick}"
        for command in (
            "kick",
            "ban",
            "unban",
            "mute",
            "unmute",
            "op",
            "deop",
            "invite",
            "uninvite",
        )
        for nick in NICKS
    ),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.integers(0, len(NICKS) - 1), st.sampled_from(LINES)),
        st.tuples(st.integers(0, len(NICKS) - 1), st.just("leaves")),
        st.just((0, "deliver")),
    ),
    max_size=40,
)


def replicated_state(server: Server) -> dict[str, Any]:
    """Return the state that a server has to have in common with the others."""
    chat = server.chat
    return {
        "people": {
            person.name.key: (
                person.nick,
                person.account,
                person.away,
                person.address,
                person.is_detached,
                {key: room.members[person].role for key, room in person.rooms.items()},
            )
            for person in chat.people.everyone()
        },
        "rooms": {
            key: (
                room.settings,
                room.roles,
                room.bans.encoded(),
                room.mutes.encoded(),
                set(room.invited),
                set(room.invited_accounts),
                {person.name.key for person in room.members},
            )
            for key, room in chat.rooms.items()
        },
    }


def run_steps(steps: list[tuple[int, str]]) -> ChatCluster:
    """Run steps, each the index of a nick and a line, on three servers; return these."""
    cluster = ChatCluster(3)
    users: dict[int, User] = {}
    for index, line in steps:
        server = cluster.servers[index % 3]
        if line == "deliver":
            cluster.deliver_all()
        elif line == "leaves":
            if index in users:
                users.pop(index).leaves()
        else:
            if index not in users:
                users[index] = server.enters(NICKS[index], address=f"192.0.2.{index % 2}")
            user = users[index]
            if user.session in user.session.person.sessions:
                user.types(line)
    cluster.deliver_all()
    for _ in range(3):
        cluster.advance(5)
    return cluster


ROOM = (3, "/join attic")


@settings(max_examples=100, deadline=None)
@given(STEPS)
@example([ROOM, (3, "/topic new things"), (0, "deliver"), (3, "leaves"), (1, "/join attic")])
@example(
    [ROOM, (3, "/ban bob"), (0, "deliver"), (3, "/topic b"), (0, "/join attic"), (3, "leaves")]
)
@example([ROOM, (3, "/ban cy"), (0, "deliver"), (3, "/leave attic"), ROOM])
@example([ROOM, (0, "deliver"), (3, "leaves"), ROOM, (3, "/room slow 5")])
@example(
    [ROOM, (3, "/room private on"), (1, "/back"), (0, "deliver"), (3, "/invite bob"), (1, "leaves")]
)
@example(
    [
        (1, "/join attic"),
        ROOM,
        (0, "deliver"),
        (3, "leaves"),
        (1, "/topic old things"),
        (1, "leaves"),
        (0, "/join attic"),
    ]
)
def test_all_servers_converge_to_the_same_state(steps: list[tuple[int, str]]) -> None:
    first, *others = map(replicated_state, run_steps(steps).servers)
    for other in others:
        assert other == first
