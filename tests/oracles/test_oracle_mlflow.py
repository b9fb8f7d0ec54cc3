"""A real MLflow server says what it was told of a job."""

from __future__ import annotations

import math
import sys

import pytest
from attrs import evolve

from adapters.tracking import library
from adapters.tracking.listening import About, tracking
from adapters.tracking.settings import MlflowSettings
from domain.events import (
    EpochEnded,
    ExamplesLabelled,
    JobEnded,
    MiniBatchTrained,
    RequestSkipped,
    ResultDelivered,
    ResultMade,
    RunBegan,
)
from domain.phases import Phase
from domain.report import EpochMetrics
from tests import stories
from tests.oracles.mlflow_server import mlflow_server

pytestmark = pytest.mark.oracle

LARGEST = sys.float_info.max
"""What MLflow makes of infinity."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as server:
        yield server


def variables(patch, server):
    """Set what the library reads, until *patch* is undone."""
    for name in library.SWITCHES:
        patch.setenv(name, "")
    patch.setenv("MLFLOW_TRACKING_URI", server.url)
    patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


@pytest.fixture
def settings(server, request, monkeypatch):
    """An experiment for each test."""
    variables(monkeypatch, server)
    return MlflowSettings(server.url, request.node.name)


def about(**others):
    return About(
        "7",
        {"streamfit.deployment": "7", "streamfit.result": "3"},
        {"BATCH": "16", "fit.epochs": "12"},
        lambda: {"now.json": '{"täglich": 1}\n', "now.html": "<p>täglich</p>\n"},
        **others,
    )


def track(settings, *events, resumes=False, told=None):
    with tracking(settings, told or about(), resumes=resumes) as listener:
        for event in events:
            listener(event)


def begun(identity=stories.IDENTITY):
    return RunBegan(identity, stories.request())


def epochs(first, last, value=0.5):
    return [
        EpochEnded(number, EpochMetrics({"loss": value}))
        for number in range(first, last + 1)
    ]


@pytest.fixture(scope="module")
def run(server, tmp_path_factory):
    """Track a job from its beginning to its end."""
    settings = MlflowSettings(server.url, "whole")
    model = tmp_path_factory.mktemp("model") / "trained-x7.keras"
    model.write_bytes(bytes(range(256)) * 999)
    with pytest.MonkeyPatch.context() as patch:
        variables(patch, server)
        with tracking(settings, about(), resumes=False) as listener:
            stories.reading(listener)
            stories.training(listener)
            listener(ResultMade(stories.report()))
            listener(Phase.DELIVERING)
            listener(ResultDelivered(stories.report(), model))
            model.unlink()  # as who delivers it may do
            listener(JobEnded(0))
    return server.run("whole")


class TestWholeJob:
    def test_run(self, run):
        """Its name is short, its status that of the job, its times are in order."""
        assert f"7-{stories.IDENTITY[:8]}" == run.info["run_name"]
        assert "FINISHED" == run.status
        assert int(run.info["start_time"]) <= int(run.info["end_time"])

    def test_tags(self, run):
        """What tells it from others, and how it ended."""
        tags = run.tags

        assert ("7", "3", "0", stories.IDENTITY) == tuple(
            tags[f"streamfit.{name}"]
            for name in ("deployment", "result", "exit_code", "identity")
        )
        assert "digits:0:0:60000,digits:1:100:" == tags["streamfit.ranges"]
        assert "streamfit.reason" not in tags

    def test_parameters(self, run):
        """The settings and what the request asks for."""
        assert {
            "BATCH": "16",
            "fit.epochs": "12",
            "input_format": "RAW",
            "input.data_type": "uint8",
            "input.data_reshape": "28 28",
            "ranges": "digits:0:0:60000,digits:1:100:",
            "validation_rate": "0.1",
            "test_rate": "0.1",
            "total_msg": "70000",
        } == run.parameters

    @pytest.mark.parametrize("part", ["training", "validation"])
    @pytest.mark.parametrize("name", ["loss", "accuracy"])
    def test_epochs(self, run, part, name):
        """Each epoch has its step; what is no number stays none."""
        told = run.history(name if part == "training" else f"val_{name}")

        wanted = [
            (number, getattr(metrics, part)[name])
            for number, metrics in enumerate(stories.history(), 1)
        ]
        assert ("val_loss" == f"val_{name}" and part == "validation") == any(
            math.isnan(value) for _, value in told
        )
        assert repr(wanted) == repr(told)

    def test_result(self, run):
        """The test's metrics stand at the last epoch."""
        assert [(12, 0.2871)] == run.history("test_loss")
        assert [(12, 0.9333)] == run.history("test_accuracy")
        assert [(12, 43.21)] == run.history("training_time")

    def test_files(self, run):
        """Model and report, byte for byte."""
        assert {
            "model/trained_model.keras": bytes(range(256)) * 999,
            "report/now.json": '{"täglich": 1}\n'.encode(),
            "report/now.html": "<p>täglich</p>\n".encode(),
        } == run.files


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, "FINISHED"), (75, "FAILED"), (78, "FAILED"), (130, "KILLED"), (143, "KILLED")],
)
def test_status(code, status, settings, server):
    """However a job ends, its run has ended, too."""
    track(settings, begun(), Phase.READING, *epochs(1, 2), JobEnded(code, "why"))

    run = server.run(settings.mlflow_experiment_name)
    assert (status, str(code)) == (run.status, run.tags["streamfit.exit_code"])
    assert "why" == run.tags["streamfit.reason"]
    assert {"report/now.json", "report/now.html"} == run.files.keys()


@pytest.mark.parametrize("resumes", [True, False])
@pytest.mark.parametrize("code", [75, 143])
def test_goes_on(code, resumes, settings, server):
    """What goes on where another process was goes on in its run; else it is new."""
    first = [begun(), Phase.READING, *epochs(1, 3), JobEnded(code)]
    then = [begun(), Phase.READING, *epochs(3, 5, value=0.25), JobEnded(0)]

    track(settings, *first, resumes=resumes)
    track(settings, *then, resumes=resumes)

    runs = server.runs(settings.mlflow_experiment_name)
    if resumes:
        (run,) = runs
        assert ("FINISHED", "0") == (run.status, run.tags["streamfit.exit_code"])
        steps = [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.25), (5, 0.25)]
        assert steps == run.history("loss")
    else:
        assert [3, 3] == [len(run.history("loss")) for run in runs]


def test_process_that_was_killed(settings, server):
    """A run that nobody has ended is gone on with, too."""
    with tracking(settings, about(), resumes=True) as listener:
        for event in (begun(), Phase.READING, *epochs(1, 2)):
            listener(event)
        listener.sender.finish(60)
    assert "RUNNING" == server.run(settings.mlflow_experiment_name).status

    track(settings, begun(), Phase.READING, *epochs(3, 4), JobEnded(0), resumes=True)

    run = server.run(settings.mlflow_experiment_name)
    assert ("FINISHED", [1, 2, 3, 4]) == (
        run.status,
        [s for s, _ in run.history("loss")],
    )


def test_other_settings(settings, server):
    """Parameters of a run cannot be changed: those of the beginning stay."""
    track(settings, begun(), Phase.READING, JobEnded(143), resumes=True)
    other = evolve(about(), parameters={"BATCH": "32", "STREAMFIT_LOG": "json"})

    track(settings, begun(), Phase.READING, JobEnded(0), resumes=True, told=other)

    run = server.run(settings.mlflow_experiment_name)
    assert ("16", "json") == (run.parameters["BATCH"], run.parameters["STREAMFIT_LOG"])
    assert "FINISHED" == run.status


def test_finished_run(settings, server):
    """A training that was finished is not gone on with: the next one is another."""
    for _ in range(2):
        track(settings, begun(), Phase.READING, JobEnded(0), resumes=True)

    assert 2 == len(server.runs(settings.mlflow_experiment_name))


def test_delivered_before(settings, server):
    """A process that finds nothing left to do makes no run."""
    track(settings, begun(), Phase.READING, JobEnded(0), resumes=True)

    track(settings, Phase.OPENING, begun(), JobEnded(0), resumes=True)

    assert 1 == len(server.runs(settings.mlflow_experiment_name))


def test_failed_at_once(settings, server):
    """A request that could not even be begun with has its run."""
    track(settings, Phase.OPENING, begun(), JobEnded(75, "no room"))

    run = server.run(settings.mlflow_experiment_name)
    assert ("FAILED", "no room") == (run.status, run.tags["streamfit.reason"])


def test_skipped_request(settings, server):
    """Each request has a run; one that was skipped has failed."""
    track(
        settings,
        begun("a" * 32),
        Phase.READING,
        *epochs(1, 1),
        RequestSkipped("control[0]@3", "no such topic"),
        RequestSkipped("control[0]@4", "no JSON"),
        begun("b" * 32),
        Phase.READING,
        *epochs(1, 2),
        JobEnded(0),
    )

    runs = server.runs(settings.mlflow_experiment_name)
    skipped, served = sorted(runs, key=lambda run: run.info["run_name"])
    assert ("FAILED", "no such topic") == (
        skipped.status,
        skipped.tags["streamfit.reason"],
    )
    assert [1, 2] == [len(run.history("loss")) for run in (skipped, served)]
    assert {} == skipped.files
    assert "FINISHED" == served.status


def test_endless(settings, server, tmp_path):
    """Mini-batches by their number, and the latest of the better models."""
    events = []
    for number in (1, 2, 3):
        model = tmp_path / f"trained-{number}.h5"
        model.write_bytes(b"%d" % number)
        report = evolve(stories.report(), indefinite=True)
        events += [
            *epochs(number, number),
            MiniBatchTrained(number, 64, 0.5 + number, None, better=True),
            ExamplesLabelled(number, 40, 24),
            ResultDelivered(report, model),
        ]

    track(settings, begun(), Phase.READING, *events, JobEnded(143))

    run = server.run(settings.mlflow_experiment_name)
    assert [(1, 1.5), (2, 2.5), (3, 3.5)] == run.history("mini_batch_metric")
    assert [(n, 64.0) for n in (1, 2, 3)] == run.history("mini_batch_examples")
    assert [(n, 40.0) for n in (1, 2, 3)] == run.history("labelled")
    assert b"3" == run.files["model/trained_model.h5"]
    assert "test_loss" not in run.metrics


def test_without_a_monitored_metric(settings, server):
    """There is nothing to draw then but how large they were."""
    trained = MiniBatchTrained(1, 64, None, None, better=False)

    track(settings, begun(), Phase.READING, trained, JobEnded(0))

    run = server.run(settings.mlflow_experiment_name)
    assert {"mini_batch_examples"} == run.metrics


def test_chain(settings, server, tmp_path):
    """Of a chain, the files of all sub-models; their metrics have a slash."""
    for number in (1, 2):
        (tmp_path / f"trained_model_{number}.h5").write_bytes(b"%d" % number)
    told = EpochEnded(1, EpochMetrics({"loss": 1.0, "sub-model 1/loss": 2.0}))

    track(
        settings,
        begun(),
        Phase.READING,
        told,
        ResultDelivered(stories.report(), tmp_path),
        JobEnded(0),
    )

    run = server.run(settings.mlflow_experiment_name)
    assert (b"1", b"2") == (
        run.files["model/trained_model_1.h5"],
        run.files["model/trained_model_2.h5"],
    )
    assert [(1, 2.0)] == run.history("sub-model 1/loss")


def test_whatever_it_says(settings, server):
    """Long values are cut, and names that MLflow does not take are changed."""
    long = evolve(
        about(),
        tags={"long": "t" * 20_000},
        parameters={"long": "p" * 20_000, "a(b)": "1", "n" * 300: "2"},
    )
    told = EpochEnded(1, EpochMetrics({"loss": math.inf, "f[0]@x": -math.inf}))

    track(settings, begun(), Phase.READING, told, JobEnded(0), told=long)

    run = server.run(settings.mlflow_experiment_name)
    assert ("p" * 6000, "1") == (run.parameters["long"], run.parameters["a_b_"])
    assert "2" == run.parameters["n" * 250]
    assert "t" * 5000 == run.tags["long"]
    assert [(1, LARGEST)] == run.history("loss")
    assert [(1, -LARGEST)] == run.history("f_0__x")
    assert "FINISHED" == run.status


def test_many_epochs(settings, server):
    """Epochs that fly past are all told."""
    track(settings, begun(), Phase.READING, *epochs(1, 1500), JobEnded(0))

    run = server.run(settings.mlflow_experiment_name)
    assert list(range(1, 1501)) == [step for step, _ in run.history("loss")]


def test_given_run(settings, server):
    """A run that somebody else has made is tracked in."""
    track(settings, begun(), Phase.READING, JobEnded(0))
    given = server.run(settings.mlflow_experiment_name)

    into = evolve(settings, mlflow_run_id=given.id)
    track(into, begun("f" * 32), Phase.READING, *epochs(1, 2), JobEnded(75))

    run = server.run(settings.mlflow_experiment_name)
    assert (given.id, "FAILED", 2) == (run.id, run.status, len(run.history("loss")))


def test_given_experiment(settings, server):
    """An experiment may be named by its number."""
    track(settings, begun(), Phase.READING, JobEnded(0))
    number = server.experiment(settings.mlflow_experiment_name)

    by_number = MlflowSettings(server.url, "nowhere", number)
    track(by_number, begun(), Phase.READING, JobEnded(0))

    assert 2 == len(server.runs(settings.mlflow_experiment_name))


def test_deleted_experiment(settings, server, caplog):
    """What the server does not take is said, once, with its words."""
    track(settings, begun(), Phase.READING, JobEnded(0))
    number = server.experiment(settings.mlflow_experiment_name)
    server.tell("experiments/delete", experiment_id=number)

    with caplog.at_level("WARNING"):
        track(settings, begun(), Phase.READING, *epochs(1, 3), JobEnded(0))

    (line,) = caplog.records
    assert "not everything is tracked" == line.message
    assert "active" in line.reason
