"""What the README says is so; see also test_docs."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from bootstrap.checking import check_environment
from domain.errors import SettingsInvalid

ROOT = Path(__file__).parents[1]
README = ROOT.joinpath("README.md").read_text()

FIRST_SCREEN = "\n".join(README.splitlines()[:24])


def environment(command):
    """Return the variables that a container is started with."""
    words = shlex.split(command.replace("\\\n", " "))
    return dict(word.split("=", 1) for flag, word in pairwise(words) if flag == "-e")


def containers(text):
    """Return every command that starts a container, as it stands."""
    return re.findall(r"^docker run .*?[^\\]$", text, re.DOTALL | re.MULTILINE)


def test_first_screen():
    """One sentence, a command that runs it, one that tests it, and the container."""
    sentence = FIRST_SCREEN.split("\n\n")[1]
    assert 1 == sentence.count(". ") + sentence.endswith(".")
    for command in ("make demo ", "make test ", "docker build ", "docker run "):
        assert 1 == len(re.findall(rf"^{command}", FIRST_SCREEN, re.MULTILINE))


def test_targets():
    """The commands that it names are there."""
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    named = set(re.findall(r"^make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= set(targets)


@pytest.mark.parametrize("page", ["README.md", "docs/modes.md"])
def test_containers(page):
    """Every container that is shown has the variables that it needs, and no others."""
    commands = containers(ROOT.joinpath(page).read_text())
    assert commands
    rows = ROOT.joinpath("docs", "variables.md").read_text()
    known = set(re.findall(r"^\| `(\w+)` \|", rows, re.MULTILINE))

    for command in commands:
        variables = environment(command)
        assert set(variables) <= known
        variables.pop("STREAMFIT_STATE_DIR", None)  # of the container
        check_environment(variables)
        with pytest.raises(SettingsInvalid, match="BATCH is missing"):
            check_environment({**variables, "BATCH": ""})
