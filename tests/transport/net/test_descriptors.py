"""The limit on open files: raised as far as allowed, and no more connections than fit."""

from __future__ import annotations

import resource

import pytest
from twisted.logger import capturedLogs, formatEvent

from chatd.transport.net.descriptors import OTHERS, allowed_connections

UNLIMITED = resource.RLIM_INFINITY


class System:
    """A system with these limits on open files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> None:
        self.limits = (soft, hard)
        monkeypatch.setattr(resource, "getrlimit", lambda kind: self.limits)
        monkeypatch.setattr(resource, "setrlimit", self._set)

    def _set(self, kind: int, limits: tuple[int, int]) -> None:
        assert kind == resource.RLIMIT_NOFILE
        self.limits = limits


@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "raised"),
    [
        (10_074, 10_074, 10_000, 10_074),
        (1024, 65536, 10_000, 10_074),
        (1024, UNLIMITED, 10_000, 10_074),
        (UNLIMITED, UNLIMITED, 10_000, UNLIMITED),
        (1024, 10_073, 10_000, 10_073),
        (1024, 10_063, 9_999, 10_063),
        (200, 200, 136, 200),
        (20, 20, 1, 20),
    ],
)
def test_so_many_connections_are_allowed_as_there_are_files_for(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: int, raised: int
) -> None:
    system = System(monkeypatch, soft, hard)
    assert allowed_connections(10_000, 10) == allowed
    assert system.limits == (raised, hard)


def test_a_limit_that_is_too_low_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    System(monkeypatch, 200, 200)
    with capturedLogs() as logged:
        allowed_connections(100, 10)
        assert allowed_connections(10_000, 10) == 200 - OTHERS
    assert [formatEvent(event) for event in logged] == [
        "--max-connections 10000 needs 10074 open files, the system allows 200: 136 people may"
        " come; raise it with LimitNOFILE= or ulimit -n"
    ]
