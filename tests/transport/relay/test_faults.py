"""Faults: although messages between two servers are lost at random, all screens converge."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cluster.server_cluster import ServerCluster
from tests.support.ssh.clients import SshClient
from tests.transport.relay.test_screens import ann, nicks, session_count, stream_counts

STEPS = st.lists(
    st.sampled_from(
        ["say here", "say there", "lose messages", "wait", "type", "connect", "disconnect"]
    ),
    max_size=12,
)


def run_step(
    step: str, cluster: ServerCluster, here: SshClient, screens: list[SshClient], random: Random
) -> None:
    """Run a step; the last screen is the one on the other server that it concerns."""
    match step:
        case "say here":
            cluster.says(here, "hello\r")
        case "say there":  # the messages between the servers stay in the queue
            screens[-1].types("hello there\r")
            cluster.server(1).end_turn()
            cluster.server(0).end_turn()
        case "type":
            cluster.says(screens[-1], "x\x7f")
        case "lose messages":
            kept = [message for message in cluster.messages if random.random() < 0.5]
            cluster.messages.clear()
            cluster.messages.extend(kept)
        case "wait":
            cluster.run_for(random.choice((0.25, 1.0, 3.0)))
        case "connect" if len(screens) < 3:
            screens.append(cluster.ssh_client(1))
        case "disconnect" if len(screens) > 1:
            screens.pop().peer.hang_up()
        case _:
            pass


@settings(max_examples=30)
@given(STEPS, st.randoms(use_true_random=False))
def test_after_any_loss_of_messages_all_screens_of_one_person_show_the_same(
    steps: list[str], random: Random
) -> None:
    cluster = ServerCluster()
    here = ann(cluster)
    screens = [cluster.ssh_client(1)]
    for step in steps:
        run_step(step, cluster, here, screens, random)
    cluster.run_for(20)
    assert nicks(cluster, 0) == nicks(cluster, 1) == ["ann"]
    cluster.says(here, "the end\r")
    for screen in (here, *screens):
        assert cluster.sees(screen)[-2:] == ["ann: the end", "[lobby]"]
    assert session_count(cluster) == 1 + len(screens)
    assert stream_counts(cluster) == [len(screens)] * 2
