"""chatd as it is installed here; the wheel is installed and tried by ``nox -s packaging``."""

import subprocess
import sys
from pathlib import Path

import pytest
from twisted.application.service import IServiceMaker, ServiceMaker
from twisted.plugin import getPlugins

from tests import ROOT


@pytest.mark.parametrize("program", ["twistd", "twist"])
def test_chatd_is_listed_by_twisted_in_any_directory(program: str, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name(program)), "--help"]
    helped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert helped.returncode == 0, helped.stderr
    assert "One chat server that every client can walk into" in helped.stdout


def test_one_plugin_makes_the_service_and_names_where_it_is_made() -> None:
    (maker,) = [each for each in getPlugins(IServiceMaker) if each.tapname == "chatd"]
    assert isinstance(maker, ServiceMaker)
    assert (maker.name, maker.module) == ("chatd", "chatd.tap")


@pytest.mark.parametrize("directory", ["twisted", "twisted/plugins"])
def test_the_plugin_directories_do_not_hide_twisted_itself(directory: str) -> None:
    assert not (ROOT / directory / "__init__.py").exists()
