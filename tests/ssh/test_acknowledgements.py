"""Acknowledgements: how much an ssh client has read, although TCP has taken more."""

from __future__ import annotations

import re
from typing import cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.conch.ssh.keys import Key
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from chatd.chat.limits import DEAD_SECONDS
from chatd.transport.net.outbox import StreamOutbox
from chatd.transport.ssh.acknowledgements import (
    QUESTIONS_PER_SECOND,
    Acknowledgements,
    DeliveryTracker,
)
from chatd.wire.ssh import uint32
from tests.support.ssh.clients import SshClient, SshServer
from tests.support.ssh.peer import USER_KEY

OTHER_KEY = Key(Ed25519PrivateKey.generate())
CHANNEL_SUCCESS, CHANNEL_FAILURE = 99, 100
ALIVE = b"keepalive@openssh.com"


class Answering(SshClient):
    """An ssh client that answers keepalives, and can be stopped."""

    stopped = False
    answer = CHANNEL_FAILURE

    def reads(self) -> list[str]:
        """Return the messages that the client shows; none once it is stopped."""
        if self.stopped:
            return []
        text = self.receives()
        self.answers()
        return said(text)

    def answers(self) -> None:
        """Answer the keepalives, and those that the answers bring about."""
        while asked := [each for each in self.requests if ALIVE in each]:
            self.requests = [each for each in self.requests if each not in asked]
            for _ in asked:
                self.peer.send(self.answer, uint32(self.channel))
            self.receives()


def said(text: bytes) -> list[str]:
    """Return bob's messages in an output."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.decode())
    return re.findall(r"bob: (\w+)", plain)


def arrives(server: SshServer) -> Answering:
    """Connect a user with a key, for the first time or again."""
    guest = Answering(server, key=USER_KEY)
    guest.opens_shell(b"xterm")
    return guest


@pytest.fixture
def server() -> SshServer:
    return SshServer()


@pytest.fixture
def bob(server: SshServer) -> SshClient:
    return SshClient(server, b"bob").opens_shell()


@pytest.mark.parametrize("answer", [CHANNEL_SUCCESS, CHANNEL_FAILURE])
def test_a_stopped_client_misses_nothing_and_sees_nothing_twice(
    server: SshServer, bob: SshClient, answer: int
) -> None:
    ann = arrives(server)
    ann.answer = answer
    ann.reads()
    bob.types("one\n")
    assert ann.reads() == ["one"]
    bob.types("two\n")
    assert ann.reads() == ["two"]
    ann.stopped = True
    bob.types("three\n"), bob.types("four\n")
    server.memory_server.end_turn()
    server.clock.advance(1)
    ann.peer.hang_up()
    server.memory_server.end_turn()
    bob.types("five\n")
    back = arrives(server)
    assert back.reads() == ["three", "four", "five"]
    bob.types("six\n")
    assert back.reads() == ["six"]


def test_a_new_connection_takes_over_from_a_stopped_client(
    server: SshServer, bob: SshClient
) -> None:
    ann = arrives(server)
    ann.reads()
    bob.types("one\n"), ann.reads()
    ann.stopped = True
    bob.types("two\n")
    server.memory_server.end_turn()
    server.memory_server.end_turn()
    server.clock.advance(DEAD_SECONDS)
    back = arrives(server)
    assert back.reads() == ["two"]
    assert "[lobby]" in "".join(back.sees())
    bob.receives()
    ann.peer.hang_up()
    assert bob.receives() == b""


@pytest.mark.parametrize("registers", [True, False])
def test_replay_that_is_still_being_read_when_the_connection_is_lost_comes_again(
    server: SshServer, bob: SshClient, monkeypatch: pytest.MonkeyPatch, registers: bool
) -> None:
    ann = arrives(server)
    if registers:
        ann.types("/register\r")
    ann.reads()
    ann.peer.hang_up()
    server.memory_server.end_turn()
    bob.types("one\n"), bob.types("/dm ann alone\n"), bob.receives()
    reading: Deferred[None] = Deferred()

    async def before(*asked: object) -> object:
        await reading
        monkeypatch.undo()
        return await server.memory_server.store.before(*asked)  # type: ignore[arg-type]

    monkeypatch.setattr(server.memory_server.store, "before", before)
    back = arrives(server)
    assert back.reads() == []
    back.peer.hang_up()
    server.memory_server.end_turn()
    reading.callback(None)
    server.memory_server.end_turn()
    shown = arrives(server).receives()
    assert said(shown) == ["one"]
    assert shown.count(b"alone") == 1


def test_a_client_that_never_answers_sees_nothing_twice(server: SshServer, bob: SshClient) -> None:
    ann = arrives(server)
    ann.receives()
    bob.types("one\n")
    assert said(ann.receives()) == ["one"]
    ann.peer.hang_up()
    server.memory_server.end_turn()
    bob.types("two\n")
    assert arrives(server).reads() == ["two"]


def test_a_client_that_has_not_answered_yet_is_judged_by_its_tcp_acknowledgements(
    server: SshServer, bob: SshClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = arrives(server)
    ann.reads()
    ann.peer.hang_up()
    server.memory_server.end_turn()
    bob.types("one\n"), bob.types("/dm ann alone\n"), bob.receives()
    with monkeypatch.context() as lost:
        lost.setattr(StreamOutbox, "unreached", lambda outbox: (500, 1.0))
        back = arrives(server)
        assert said(back.receives()) == ["one"], "they were sent it"
        back.peer.hang_up()
        server.memory_server.end_turn()
    shown = arrives(server).receives()
    assert said(shown) == ["one"]
    assert b"alone" in shown


def test_a_client_is_asked_one_question_at_a_time(server: SshServer, bob: SshClient) -> None:
    ann = arrives(server)
    ann.reads()
    for word in ("one", "two", "three"):
        bob.types(f"{word}\n")
        ann.receives()
    assert sum(ALIVE in each for each in ann.requests) == 1
    ann.answers()
    assert ann.requests == []


def test_an_answer_without_a_question_is_ignored(server: SshServer) -> None:
    ann = arrives(server)
    ann.reads()
    for channel in (ann.channel, 77):
        ann.peer.send(CHANNEL_SUCCESS, uint32(channel))
    assert not ann.peer.is_gone()


@pytest.mark.parametrize("answers", [True, False])
def test_output_that_is_pending_for_the_window_is_not_missed(
    server: SshServer, bob: SshClient, answers: bool
) -> None:
    ann = Answering(server, key=USER_KEY)
    ann.opens_shell(None, window=200)
    ann.receives()
    if answers:
        ann.answers()
    for number in range(30):
        bob.types(f"w{number}\n")
        server.memory_server.end_turn()
    before = said(ann.receives())
    assert 5 < len(before) < 20, "some of it went through"
    ann.peer.hang_up()
    server.memory_server.end_turn()
    shown = arrives(server).reads()
    whole = [f"w{number}" for number in range(30)]
    if answers:  # what the window let through was not confirmed
        assert shown == whole
    else:  # the last one was cut
        assert shown == whole[len(before) - 1 :]


def test_the_rate_of_questions_is_bounded_for_the_whole_server() -> None:
    clock = Clock()
    acknowledgements = Acknowledgements(clock)
    asked: list[int] = []

    class Counted:
        def __init__(self, number: int) -> None:
            self.number = number

        def ask(self, now: float) -> None:
            asked.append(self.number)

    many = [cast(DeliveryTracker, Counted(number)) for number in range(3 * QUESTIONS_PER_SECOND)]
    for each in many:
        acknowledgements.schedule(each)
        acknowledgements.schedule(each)
    acknowledgements.forget(many[-1])
    clock.advance(0)
    assert len(asked) == QUESTIONS_PER_SECOND
    for _ in range(300):
        clock.advance(0.01)
    assert asked == list(range(3 * QUESTIONS_PER_SECOND - 1)), "each once, in turn"
    assert clock.getDelayedCalls() == []


def test_the_timer_is_cancelled_with_the_last_scheduled_question() -> None:
    clock = Clock()
    acknowledgements = Acknowledgements(clock)
    lonely = cast(DeliveryTracker, object())
    acknowledgements.schedule(lonely)
    acknowledgements.forget(lonely)
    assert clock.getDelayedCalls() == []


def test_a_client_with_another_key_resumes_nothing(server: SshServer, bob: SshClient) -> None:
    ann = arrives(server)
    ann.reads()
    ann.peer.hang_up()
    server.memory_server.end_turn()
    stranger = SshClient(server, key=OTHER_KEY)
    stranger.opens_shell()
    assert b"Welcome back" not in stranger.receives()
