"""The limit on open files: raised as far as allowed, and no more connections than fit."""

from __future__ import annotations

import resource

import pytest
from twisted.logger import capturedLogs, formatEvent

from chatd.transport.gate.admission import Admission
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
        (11_074, 11_074, 11_000, 11_074),
        (1024, 65536, 11_000, 11_074),
        (1024, UNLIMITED, 11_000, 11_074),
        (UNLIMITED, UNLIMITED, 11_000, UNLIMITED),
        (1024, 11_073, 11_000, 11_073),
        (1024, 11_063, 10_999, 11_063),
        (200, 200, 136, 200),
        (20, 20, 1, 20),
    ],
)
def test_so_many_connections_are_allowed_as_there_are_files_for(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: int, raised: int
) -> None:
    system = System(monkeypatch, soft, hard)
    assert allowed_connections(10_000, Admission(10_000, None)) == allowed
    assert system.limits == (raised, hard)


def test_a_limit_that_is_too_low_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    System(monkeypatch, 200, 200)
    with capturedLogs() as logged:
        allowed_connections(100, Admission(100, None))
        assert allowed_connections(10_000, Admission(10_000, None)) == 200 - OTHERS
    assert [formatEvent(event) for event in logged] == [
        "--max-connections 10000 needs 11074 open files, the system allows 200: 136 people may"
        " come; raise it with LimitNOFILE= or ulimit -n"
    ]


@pytest.mark.parametrize("people", [*range(1, 40), 136, 999, 10_999, 11_000, 20_000])
def test_as_many_are_admitted_as_fit_and_no_more(people: int) -> None:
    admission = Admission(10_000, None)
    admission.fit(people)
    assert admission.people <= people
    assert admission.most == 10_000 or people - admission.people <= 1
