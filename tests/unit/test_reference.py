"""The page of all variables is what the classes say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import fields

from adapters.http.settings import HttpLimits, HttpSettings
from adapters.tensorflow import TensorFlowSettings
from bootstrap.settings import Settings
from docs import reference

ROOT = Path(__file__).parents[2]


def test_page():
    """It is up to date: `make docs` makes it anew."""
    assert reference.page() == reference.PAGE.read_text(encoding="utf-8")


def test_every_class():
    """Every settings class of the job is on it, wherever it is defined."""
    defined = {
        name
        for package in ("adapters", "bootstrap")
        for path in ROOT.joinpath(package).rglob("*.py")
        for name in re.findall(
            r"^class (\w*(?:Settings|Limits))\b", path.read_text(), re.MULTILINE
        )
    }

    shown = {cls.__name__ for each in reference.SECTIONS for cls in each.classes}

    assert defined == shown


def test_every_variable():
    """Whatever the sources call a variable of ours has a row."""
    used = {
        name
        for package in ("adapters", "bootstrap", "domain", "ports")
        for path in ROOT.joinpath(package).rglob("*.py")
        for name in re.findall(r"\"(STREAMFIT_[A-Z_]+)\"", path.read_text())
    }

    rows = set(re.findall(r"^\| `(\w+)` \|", reference.page(), re.MULTILINE))

    assert {"STREAMFIT_BROKER"} < used
    assert set() == used - rows


@pytest.mark.parametrize("section", reference.SECTIONS, ids=lambda s: s.title)
def test_meanings(section):
    """Every field has a meaning of its own words."""
    for cls in section.classes:
        told = reference.meanings(cls)

        assert {f.name for f in fields(cls) if not f.inherited} <= told.keys()
        assert all(text.endswith(".") for text in told.values())


@pytest.mark.parametrize(
    ("cls", "name", "kind", "default"),
    [
        (Settings, "batch", "whole number", "needed"),
        (Settings, "case", "whole number", "none"),
        (Settings, "unsupervised", "`true` or `false`", "`false`"),
        (Settings, "streamfit_log", "`json` or `console`", "`json`"),
        (HttpLimits, "streamfit_http_read_timeout", "number", "`60`"),
        (
            TensorFlowSettings,
            "kwargs_fit",
            "JSON object or Python dictionary",
            "`{}`",
        ),
        (TensorFlowSettings, "streamfit_require_gpu", "`1` or `0`", "`0`"),
        (TensorFlowSettings, "streamfit_class_weights", "`balanced`", "none"),
    ],
)
def test_rows(cls, name, kind, default):
    """Kinds and defaults in people's words."""
    meaning = reference.meanings(cls)[name].replace("``", "`")

    row = f"| `{name.upper()}` | {kind} | {default} | {meaning} |"
    assert row in reference.page().splitlines()


def test_inherited_ones_once():
    """What two classes share is told where it is defined."""
    assert fields(HttpSettings).streamfit_http_attempts.inherited
    assert 1 == reference.page().count("| `STREAMFIT_HTTP_ATTEMPTS` |")
