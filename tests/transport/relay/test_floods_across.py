"""Floods in a cluster: one budget for a person on two servers, and warnings for all operators."""

from __future__ import annotations

from chatd.chat.limits import FLOOD_LINES, Rate
from tests.support.cluster.server_cluster import ServerCluster

PERSON = Rate(10, 2)


def limited() -> ServerCluster:
    """Return a cluster whose servers limit the lines of each person."""
    cluster = ServerCluster()
    for number in range(len(cluster.servers)):
        cluster.server(number).memory_server.host.budgets.person = PERSON
    return cluster


def test_an_account_with_screens_on_two_servers_has_one_budget() -> None:
    cluster = limited()
    here = cluster.ssh_client(0)
    cluster.says(here, "/register\r")
    there = cluster.ssh_client(1)
    cluster.run_for(10)
    for _ in range(PERSON.burst):
        for screen in (here, there):
            cluster.says(screen, "flood\r")
    for screen in (here, there):
        assert cluster.sees(screen).count("ann: flood") == PERSON.burst


def test_operators_on_every_server_are_warned_of_a_flood() -> None:
    cluster = ServerCluster()
    root = cluster.netcat(0)
    person = cluster.servers[0].chat.people.get("guest1")
    assert person is not None
    person.sessions[0].operator = True
    person.sessions_changed()
    cluster.servers[0].chat.peers.person_changed(person)
    cluster.deliver_all()
    cluster.receives(root)
    for _ in range(FLOOD_LINES):
        cluster.servers[1].chat.alerts.line_waits("198.51.100.7", 1000.0)
    warned = [line for line in cluster.receives(root) if "A flood from 198.51.100.7" in line]
    assert len(warned) == 1
