"""The program that floods a server: what it knows, what it says, and that it comes to an end."""

import pytest

from tests.hostile import __main__ as program
from tests.hostile.flood import Flood, Target
from tests.hostile.registry import ALL


def test_every_flood_has_a_name_of_its_own_and_the_control_comes_first() -> None:
    names = [flood.name for flood in ALL]
    assert len(set(names)) == len(names)
    assert names[0] == "control"
    assert max(map(len, names)) <= 18


def test_the_list_says_what_each_flood_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == len(ALL)
    assert all(flood.description in line for flood, line in zip(ALL, listed, strict=True))


@pytest.mark.parametrize(
    "given", [["--seconds", "0"], ["--seconds", "3600"], ["--connections", "0"], ["--bound", "x"]]
)
def test_what_it_does_is_bounded(given: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        program.main(given)
    assert stopped.value.code == 2


def test_an_unknown_flood_is_named_in_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["deluge"]) == 2
    assert "--list" in capsys.readouterr().err


@pytest.mark.parametrize(("bound", "status"), [("1e9", 0), ("0", 1)])
def test_a_flood_is_measured_and_the_bound_decides_the_status(
    bound: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["json-small", "--seconds", "0.3", "--connections", "2", "--bound", bound]
    assert program.main(given) == status
    assert "empty JSON objects" in capsys.readouterr().out


def test_a_flood_without_an_answer_is_beyond_every_bound(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def attack(target: Target) -> None:
        """Do nothing."""

    flood = Flood("silence", "nobody answers", attack)
    assert not program.report(flood, program.Outcome([], 0.0, 0.0), 1e9)
    assert "no answer" in capsys.readouterr().out
