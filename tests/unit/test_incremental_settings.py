"""The variables of trainings on streams that are still being written."""

from __future__ import annotations

import pytest

from bootstrap.incremental import IncrementalSettings
from bootstrap.settings import load
from domain.errors import SettingsInvalid
from domain.improvement import ImprovementRule
from domain.mini_batches import Pace

RULE = {"MONITORING_METRIC": "loss", "CHANGE": "down", "IMPROVEMENT": "0.050000"}


def test_defaults():
    """They are those of the platform's own job."""
    settings = load(IncrementalSettings, {"STREAM_TIMEOUT": "60000"})

    assert Pace(10_000, 10.0, 60.0) == settings.pace
    assert settings.rule is None


@pytest.mark.parametrize("nothing", ["", " ", "None"])
def test_nothing(nothing):
    """However the platform writes that there is no value, there is none."""
    settings = load(
        IncrementalSettings,
        {"STREAM_TIMEOUT": "0", **dict.fromkeys(RULE, nothing)},
    )

    assert Pace(10_000, 10.0, 10.0) == settings.pace
    assert settings.rule is None


def test_endless():
    settings = load(IncrementalSettings, {"STREAM_TIMEOUT": "-1", **RULE})

    assert Pace(10_000, 10.0, None) == settings.pace
    assert ImprovementRule("loss", upwards=False, least=0.05) == settings.rule


@pytest.mark.parametrize("name", list(RULE))
def test_endless_needs_a_rule(name):
    """Without an end there are results only of what is better."""
    settings = load(IncrementalSettings, {"STREAM_TIMEOUT": "-1", **RULE, name: "None"})

    with pytest.raises(SettingsInvalid, match=f"^{name}: missing or empty"):
        _ = settings.rule


@pytest.mark.parametrize("timeout", ["60000", "-1"])
def test_chain(timeout):
    """Of a chain it is the total loss; nothing else is read, nor need it be set."""
    settings = load(
        IncrementalSettings, {"STREAM_TIMEOUT": timeout, "IMPROVEMENT": "0.050000"}
    )

    expected = ImprovementRule("loss", upwards=False, least=0.05)
    assert expected == settings.chain_rule


def test_chain_whatever_else_is_set():
    """What is watched of one model alone says nothing about a chain."""
    others = {"MONITORING_METRIC": "accuracy", "CHANGE": "up"}
    settings = load(IncrementalSettings, {"STREAM_TIMEOUT": "-1", **RULE, **others})

    expected = ImprovementRule("loss", upwards=False, least=0.05)
    assert expected == settings.chain_rule


@pytest.mark.parametrize("nothing", ["", " ", "None"])
def test_endless_chain_needs_an_improvement(nothing):
    settings = load(
        IncrementalSettings, {"STREAM_TIMEOUT": "-1", **RULE, "IMPROVEMENT": nothing}
    )

    with pytest.raises(SettingsInvalid, match=r"^IMPROVEMENT: missing or empty"):
        _ = settings.chain_rule


@pytest.mark.parametrize("nothing", ["", " ", "None"])
def test_chain_with_an_end_needs_none(nothing):
    settings = load(
        IncrementalSettings, {"STREAM_TIMEOUT": "60000", "IMPROVEMENT": nothing}
    )

    assert settings.chain_rule is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("STREAM_TIMEOUT", "soon"),
        ("STREAM_TIMEOUT", "-2"),
        ("STREAM_TIMEOUT", "1.5"),
        ("CHANGE", "sideways"),
        ("IMPROVEMENT", "-0.1"),
        ("IMPROVEMENT", "nan"),
        ("IMPROVEMENT", "some"),
        ("STREAMFIT_MINI_BATCH", "0"),
        ("STREAMFIT_MINI_BATCH_SECONDS", "0"),
    ],
)
def test_malformed(name, text):
    with pytest.raises(SettingsInvalid, match=f"^{name}: "):
        load(IncrementalSettings, {"STREAM_TIMEOUT": "0", name: text})
