"""The results of a chain, sub-model by sub-model (contract, section 10.3)."""

from __future__ import annotations

import json
import math

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.result import chain_progress_text, chain_result_text
from domain.report import ConfusionMatrix, EpochMetrics, TrainingReport

NAMES = st.lists(
    st.text("abl_/10", min_size=1, max_size=8), min_size=2, max_size=5, unique=True
)


def metrics(names, start=0.0):
    """Return metrics as a trainer orders them: all losses, then all the others."""
    told = {"loss": start}
    for own in ("loss", "loss_1", "acc"):
        told |= {f"{name}/{own}": start + len(told) for name in names}
    return told


def report(names, **changes):
    history = (
        EpochMetrics(metrics(names), metrics(names, 100.0)),
        EpochMetrics(metrics(names, 200.0), metrics(names, 300.0)),
    )
    whole = TrainingReport(history, test=metrics(names, 400.0), training_time=1.5)
    return evolve(whole, **changes)


@given(NAMES)
def test_each_its_own(names):
    """Whatever the names are, each sub-model gets its own numbers and no others."""
    whole = report(names)
    for index, name in enumerate(names):
        result = json.loads(chain_result_text(whole, index))
        for kind, starts in {
            "train_metrics": (0.0, 200.0),
            "val_metrics": (100.0, 300.0),
            "test_metrics": (400.0,),
        }.items():
            assert {
                own: [metrics(names, start)[f"{name}/{own}"] for start in starts]
                for own in ("loss", "loss_1", "acc")
            } == result[kind]
            assert "loss" == next(iter(result[kind]))
        assert json.loads(chain_progress_text(whole.history, index)) == {
            kind: result[kind] for kind in ("train_metrics", "val_metrics")
        }


def test_the_rest():
    """Time and flags are those of the whole; there is no confusion matrix."""
    whole = report("ab", confusion_matrix=ConfusionMatrix((0,), ((1,),)))

    result = json.loads(chain_result_text(whole, 1))

    assert (1.5, None) == (result["training_time"], result["confusion_matrix"])
    assert result["indefinite"] is False
    assert json.loads(chain_result_text(evolve(whole, indefinite=True), 1))[
        "indefinite"
    ]


@pytest.mark.parametrize("index", [0, 1])
def test_no_parts(index):
    """Without validation there is an empty object, without a test an empty list."""
    history = (EpochMetrics(metrics("ab")),)

    result = json.loads(
        chain_result_text(report("ab", history=history, test={}), index)
    )

    assert ({}, []) == (result["val_metrics"], result["test_metrics"])


def test_not_a_number():
    """One sub-model that diverges does not cost the others their numbers."""
    history = (EpochMetrics({"loss": math.nan, "a/loss": math.nan, "b/loss": 0.5}),)

    results = [
        json.loads(chain_result_text(report("ab", history=history), index))
        for index in (0, 1)
    ]

    assert [{"loss": [None]}, {"loss": [0.5]}] == [r["train_metrics"] for r in results]
