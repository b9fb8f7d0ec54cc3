"""What every result sink does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import pytest
from attrs import evolve

from domain.errors import DeploymentInvalid, Unavailable
from domain.report import ConfusionMatrix, EpochMetrics, TrainingReport

TRAINED = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 300

HISTORY = (
    EpochMetrics({"loss": 0.9, "accuracy": 0.6}, {"loss": 0.8, "accuracy": 0.7}),
    EpochMetrics({"loss": 0.5, "accuracy": 0.8}, {"loss": 0.6, "accuracy": 0.7}),
)

REPORT = TrainingReport(
    history=HISTORY,
    test={"loss": 0.7, "accuracy": 0.75},
    training_time=30.89081,
    confusion_matrix=ConfusionMatrix((0, 1), ((3, 1), (0, 4))),
)

EPOCHS_DOCUMENT = {
    "train_metrics": {"loss": [0.9, 0.5], "accuracy": [0.6, 0.8]},
    "val_metrics": {"loss": [0.8, 0.6], "accuracy": [0.7, 0.7]},
}

RESULT_DOCUMENT = EPOCHS_DOCUMENT | {
    "test_metrics": {"loss": [0.7], "accuracy": [0.75]},
    "training_time": 30.8908,
    "confusion_matrix": [[3, 1], [0, 4]],
    "indefinite": False,
}


def eventually(condition: Callable[[], bool]) -> bool:
    """Return whether *condition* comes true within ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class ResultSinkContract:
    """
    Subclasses provide *sink*; *seen*, with the documents ``result()`` and
    ``progress()`` and the bytes ``model()`` that have come in there; *refusing*, whose
    back-end takes no result; *absent*, whose back-end is away.
    """

    @pytest.fixture
    def model(self, tmp_path):
        path = tmp_path / "trained.h5"
        path.write_bytes(TRAINED)
        return path

    def test_hands_in(self, sink, seen, model):
        """The report and the model are there once deliver returns."""
        sink.deliver(REPORT, model)

        assert RESULT_DOCUMENT == seen.result()
        assert TRAINED == seen.model()

    def test_twice(self, sink, seen, model):
        """The same result once more changes nothing."""
        sink.deliver(REPORT, model)
        sink.deliver(REPORT, model)

        assert RESULT_DOCUMENT == seen.result()
        assert TRAINED == seen.model()

    def test_least_result(self, sink, seen, model):
        """There need be neither validation nor test nor confusion matrix."""
        history = (EpochMetrics({"loss": 0.5}),)

        sink.deliver(TrainingReport(history, test={}, training_time=1.0), model)

        assert {
            "train_metrics": {"loss": [0.5]},
            "val_metrics": {},
            "test_metrics": {},
            "training_time": 1.0,
            "confusion_matrix": None,
            "indefinite": False,
        } == seen.result()

    def test_not_a_number(self, sink, seen, model):
        """A loss that has left the numbers does not cost the result."""
        history = (EpochMetrics({"loss": math.nan}),)

        sink.deliver(evolve(REPORT, history=history), model)

        assert {"loss": [None]} == seen.result()["train_metrics"]

    def test_last_progress_wins(self, sink, seen):
        """However fast they come, the last epochs' state is the one that stays."""
        for _ in range(20):
            sink.report_progress(HISTORY[:1])
        sink.report_progress(HISTORY)

        assert eventually(lambda: seen.progress() == EPOCHS_DOCUMENT)

    def test_result_follows_progress(self, sink, seen, model):
        """Progress under way does not get into the result's way."""
        sink.report_progress(HISTORY)
        sink.deliver(REPORT, model)

        assert RESULT_DOCUMENT == seen.result()

    def test_refused(self, refusing, model):
        """No restart helps against a refusal."""
        with pytest.raises(DeploymentInvalid):
            refusing.deliver(REPORT, model)

    def test_absent(self, absent, model):
        """Progress to nowhere goes unnoticed, a result does not."""
        absent.report_progress(HISTORY)

        with pytest.raises(Unavailable):
            absent.deliver(REPORT, model)
