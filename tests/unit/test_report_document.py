"""What a report says of a story."""

from __future__ import annotations

import json

import pytest

from adapters.report.document import Document
from adapters.report.facts import facts_of
from adapters.report.making import document
from domain.chronicle import Chronicle
from domain.events import EpochEnded, JobEnded, MiniBatchTrained, RunBegan
from domain.phases import Phase
from domain.report import EpochMetrics
from domain.request import DecoderSpec, TrainingRequest
from tests import stories

FACTS = facts_of({"DEPLOYMENT_ID": "7", "BATCH": "32"})


def told(story):
    return json.loads(document(story, FACTS).json())


def test_delivered():
    """Everything that matters of a job that went well."""
    report = told(stories.delivered())

    run, data, training = report["run"], report["data"], report["training"]
    assert ("delivered", "7", stories.IDENTITY, 0, 1) == (
        run["state"],
        run["deployment"],
        run["identity"],
        run["code"],
        run["results"],
    )
    assert {"offsets": 70_000, "examples": 69_880, "rejected": 20} == data["counts"]
    assert (69_900 * 785, 70_000) == (data["bytes"], data["expected"])
    assert {"training": 55_904, "validation": 6988, "test": 6988} == data["parts"]
    assert [[5100, 5200]] == data["partitions"][1]["gaps"]
    assert 100 == data["partitions"][1]["missing"]
    assert [("digits", 0, 60_000), ("digits", 100, None)] == [
        (one["topic"], one["start"], one["end"]) for one in data["wanted"]
    ]
    assert 69_900 / 4.5 == pytest.approx(data["records_per_second"])
    assert 12 == len(training["epochs"])
    assert {"loss": 0.2871, "accuracy": 0.9333} == training["test"]
    assert 703 == training["confusion_matrix"]["counts"][9][9]
    assert 55_904 * 12 / 43.21 == pytest.approx(training["examples_per_second"])
    assert (12, 0.24) == (
        training["checkpoints"],
        pytest.approx(training["checkpoint_seconds"]),
    )
    assert "dense_1" == report["model"][3]["name"]
    assert {"DEPLOYMENT_ID": "7", "BATCH": "32"} == report["settings"]
    assert {"python", "streamfit", "tensorflow", "keras"} < set(report["versions"])


def test_not_finite():
    """What is no number is null: JSON knows nothing else."""
    epochs = told(stories.delivered())["training"]["epochs"]

    assert epochs[4]["validation"]["loss"] is None
    assert epochs[3]["validation"]["loss"] is not None


def test_epochs_are_training():
    """Between two epochs nobody waits: what follows the first is the second."""
    stages = told(stories.delivered())["stages"]

    phases = [stage["phase"] for stage in stages]
    assert "training" in phases
    assert "reporting an epoch" not in phases
    assert "done" not in phases
    assert ["training"] == [s["phase"] for s in stages if s["seconds"] > 1]
    assert {1} == {stage["times"] for stage in stages}


def test_running():
    """How far it is."""
    report = told(stories.running())

    assert ("running", None) == (report["run"]["state"], report["run"]["code"])
    assert {"epoch": 6, "epochs": 12, "step": 800, "steps": 1747} == (
        report["training"]["step"]
    )
    assert 5 == len(report["training"]["epochs"])


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, "delivered"), (65, "failed"), (75, "failed"), (130, "stopped")],
)
def test_states(code, state):
    """The exit code tells how it ended."""
    chronicle = Chronicle()
    chronicle(JobEnded(code, "why"))

    report = told(chronicle.story())

    assert (state, code, "why") == tuple(
        report["run"][name] for name in ("state", "code", "reason")
    )


def test_nothing():
    """Of a job that has not begun there is a report, too."""
    report = told(Chronicle().story())

    assert report["data"] is None
    assert [] == report["training"]["epochs"] == report["stages"]
    assert report["run"]["phase"] is None


def test_followed():
    """Of a topic that is followed the epochs of all mini-batches count."""
    chronicle = Chronicle()
    request = TrainingRequest((), DecoderSpec("RAW", {}), topic="live")
    chronicle(RunBegan(stories.IDENTITY, request))
    chronicle(Phase.TRAINING)
    for number in (1, 2, 3):
        chronicle(EpochEnded(number, EpochMetrics({"loss": 1 / number})))
        chronicle(MiniBatchTrained(number, 100, float("nan"), None, number == 2))

    report = told(chronicle.story())

    assert [1, 1 / 2, 1 / 3] == [
        epoch["training"]["loss"] for epoch in report["training"]["epochs"]
    ]
    assert [(None, False), (None, True), (None, False)] == [
        (one["value"], one["better"]) for one in report["training"]["mini_batches"]
    ]
    assert ("live", None) == (
        report["data"]["wanted"][0]["topic"],
        report["data"]["wanted"][0]["partition"],
    )


@pytest.mark.parametrize(
    "story", [stories.delivered, stories.failed, stories.running, stories.waiting]
)
def test_read_again(story):
    """A file tells what was written."""
    written = document(story(), FACTS)

    assert written == Document.from_json(written.json())


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"version": 2}', '{"version": 1}', "\x00", "7"]
)
def test_something_else(text):
    """What is no report is told from one."""
    with pytest.raises(ValueError, match=r"."):
        Document.from_json(text)
