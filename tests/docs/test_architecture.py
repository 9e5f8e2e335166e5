"""docs/architecture.rst and docs/glossary.rst: every file and folder that they name exists."""

import re

import pytest

from tests import ROOT

PAGES = ("docs/architecture.rst", "docs/glossary.rst", "CONTRIBUTING.rst")
PATH = re.compile(r"``((?:[a-z_]+/)+[a-z_]*(?:\.py)?|tests/[a-z_/.]+)``")


@pytest.mark.parametrize("page", PAGES)
def test_the_paths_of_a_page_exist(page: str) -> None:
    named = PATH.findall((ROOT / page).read_text(encoding="utf-8"))
    places = (ROOT, ROOT / "chatd")
    assert named
    assert [path for path in named if not any((top / path).exists() for top in places)] == []
