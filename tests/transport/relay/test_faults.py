"""Faults: messages between two servers are lost at random; all screens are the same in the end."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cluster.server_cluster import Street
from tests.support.ssh.clients import Guest
from tests.transport.relay.test_screens import ann, everyone, sessions, streams

STEPS = st.lists(
    st.sampled_from(["here", "there", "loses", "waits", "half", "comes", "goes"]), max_size=12
)


def take(step: str, street: Street, here: Guest, screens: list[Guest], random: Random) -> None:
    """Take one step."""
    match step:
        case "here":
            street.says(here, "hello\r")
        case "there":  # and what that makes the servers say is still under way
            screens[-1].types("hello there\r")
            street.house(1).end_turn()
            street.house(0).end_turn()
        case "half":
            street.says(screens[-1], "x\x7f")
        case "loses":
            kept = [letter for letter in street.letters if random.random() < 0.5]
            street.letters.clear()
            street.letters.extend(kept)
        case "waits":
            street.passes(random.choice((0.25, 1.0, 3.0)))
        case "comes" if len(screens) < 3:
            screens.append(street.guest(1))
        case "goes" if len(screens) > 1:
            screens.pop().peer.hang_up()
        case _:
            pass


@settings(max_examples=30)
@given(STEPS, st.randoms(use_true_random=False))
def test_after_any_loss_of_messages_there_is_one_person_and_all_screens_show_the_same(
    steps: list[str], random: Random
) -> None:
    street = Street()
    here = ann(street)
    screens = [street.guest(1)]
    for step in steps:
        take(step, street, here, screens, random)
    street.passes(20)
    assert everyone(street, 0) == everyone(street, 1) == ["ann"]
    street.says(here, "the end\r")
    for screen in (here, *screens):
        assert street.sees(screen)[-2:] == ["ann: the end", "[lobby]"]
    assert sessions(street) == 1 + len(screens)
    assert streams(street) == [len(screens)] * 2
