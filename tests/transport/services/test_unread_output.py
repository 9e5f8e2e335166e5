"""Clients that do not read what they ask for: all of them together take a bounded memory."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from chatd.chat.limits import PERSONAL_BYTES
from chatd.transport.services import unread_output
from chatd.transport.services.unread_output import CHECK_SECONDS, UnreadOutput
from tests.support.people import Server

BOUND = 10 * PERSONAL_BYTES


@pytest.mark.parametrize("at_once", [1, 2000])
def test_the_clients_with_the_most_unread_output_are_disconnected_at_the_bound(
    monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(unread_output, "UNREAD_BYTES", BOUND)
    monkeypatch.setattr(unread_output, "CHECKED_AT_ONCE", at_once)
    server, clock = Server(), Clock()
    small, *large = [server.enters(f"p{number}").client for number in range(6)]
    watch = UnreadOutput(server.chat, clock)
    watch.startService()
    small.unsent = b"x" * PERSONAL_BYTES  # which anybody may have
    for client in large:
        client.unsent = b"x" * (BOUND // len(large))
    clock.pump([CHECK_SECONDS] * 12)
    assert not any(client.aborted for client in (small, *large))
    for number in (1, 2, 4):
        large[number].unsent += b"x"
    with capturedLogs() as logged:
        clock.pump([CHECK_SECONDS] * (6 if at_once == 1 else 1))
    assert [client.aborted for client in large] == [False, True, True, False, True]
    assert not small.aborted
    assert [formatEvent(event) for event in logged] == [
        "unread: more than 0 MiB was asked for and not read; 3 connections closed"
    ]
    watch.stopService()
    assert not clock.getDelayedCalls()
