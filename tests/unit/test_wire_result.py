from __future__ import annotations

import json
import logging
import math
from decimal import Decimal

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from adapters.wire.dialect import Dialect
from adapters.wire.result import progress_text, result_text
from domain.report import ConfusionMatrix, EpochMetrics, TrainingReport

NAN = math.nan

HISTORY = (
    EpochMetrics({"loss": 0.9, "accuracy": 0.6}, {"loss": 0.8, "accuracy": 0.7}),
    EpochMetrics({"loss": 0.5, "accuracy": 0.8}, {"loss": 0.6, "accuracy": 0.7}),
)


def report(training=None, **changes):
    history = HISTORY if training is None else (EpochMetrics(training),)
    return evolve(TrainingReport(history, test={}, training_time=30.89081), **changes)


def current(report):
    return json.loads(result_text(report, Dialect.CURRENT))


def of_2020(report):
    return json.loads(result_text(report, Dialect.Y2020))


class TestRounds:
    def test_labelled(self):
        """How many were labelled is told where semi-supervised training was."""
        labelled = report(labelled=(12, 3))

        assert [12, 3] == current(labelled)["labelled_per_round"]
        assert of_2020(report()) == of_2020(labelled)
        assert "labelled_per_round" not in current(report())


class TestProgress:
    def test_as_in_the_contract(self):
        """The text is that of the contract, to the letter."""
        assert (
            '{"train_metrics": {"loss": [0.9, 0.5], "accuracy": [0.6, 0.8]}, '
            '"val_metrics": {"loss": [0.8, 0.6], "accuracy": [0.7, 0.7]}}'
        ) == progress_text(HISTORY)

    def test_no_validation(self):
        """Without validation there is no validation metric at all."""
        assert {
            "train_metrics": {"loss": [0.5]},
            "val_metrics": {},
        } == json.loads(progress_text((EpochMetrics({"loss": 0.5}),)))

    def test_every_other_validation(self):
        """Epochs without validation shorten its lists, and only these."""
        history = (
            EpochMetrics({"loss": 0.9}),
            EpochMetrics({"loss": 0.8}, {"loss": 0.7}),
            EpochMetrics({"loss": 0.6}),
        )

        assert {
            "train_metrics": {"loss": [0.9, 0.8, 0.6]},
            "val_metrics": {"loss": [0.7]},
        } == json.loads(progress_text(history))

    def test_metric_of_training_alone(self):
        """The platform finds each training metric in validation, if only empty."""
        history = (EpochMetrics({"loss": 0.9, "lr": 0.1}, {"loss": 0.7}),)

        assert {"loss": [0.7], "lr": []} == json.loads(progress_text(history))[
            "val_metrics"
        ]

    def test_no_epoch(self):
        """Before the first epoch's end both parts are empty."""
        assert '{"train_metrics": {}, "val_metrics": {}}' == progress_text(())

    @pytest.mark.parametrize("value", [NAN, math.inf, -math.inf])
    def test_not_finite(self, value, caplog):
        """What JSON cannot say becomes null, and the log says where."""
        history = (
            EpochMetrics({"loss": 0.5, "mse": 0.5}, {"loss": 0.5, "mse": value}),
            EpochMetrics({"loss": value, "mse": 0.5}),
        )

        text = progress_text(history)

        assert {
            "train_metrics": {"loss": [0.5, None], "mse": [0.5, 0.5]},
            "val_metrics": {"loss": [0.5], "mse": [None]},
        } == json.loads(text)
        assert [("training", ["loss"]), ("validation", ["mse"])] == [
            (record.part, record.metrics) for record in caplog.records
        ]

    def test_silent_otherwise(self, caplog):
        """Finite metrics are nothing to log."""
        progress_text(HISTORY)

        assert [] == [r for r in caplog.records if r.name == "adapters.wire.result"]


class TestCurrentResult:
    def test_as_in_the_contract(self):
        """All six fields, in the contract's order and form."""
        assert (
            '{"train_metrics": {"loss": [0.9, 0.5], "accuracy": [0.6, 0.8]}, '
            '"val_metrics": {"loss": [0.8, 0.6], "accuracy": [0.7, 0.7]}, '
            '"test_metrics": {}, "training_time": 30.8908, '
            '"confusion_matrix": null, "indefinite": false}'
        ) == result_text(report(), Dialect.CURRENT)

    def test_indefinite(self):
        """A result after which others may follow says so."""
        assert current(report(indefinite=True))["indefinite"] is True

    def test_test_metrics(self):
        """The test's metrics are lists of one value."""
        result = current(report(test={"loss": 0.7, "accuracy": NAN}))

        assert {"loss": [0.7], "accuracy": [None]} == result["test_metrics"]

    def test_confusion_matrix(self):
        """The counts alone go out; a class's label is its place."""
        matrix = ConfusionMatrix((3, 7), ((1, 2), (0, 4)))

        result = current(report(confusion_matrix=matrix))

        assert [[1, 2], [0, 4]] == result["confusion_matrix"]

    @given(st.floats(0, 9e9))
    def test_training_time(self, seconds):
        """The platform's field takes 14 digits, 4 of them decimals."""
        text = result_text(report(training_time=seconds), Dialect.CURRENT)
        training_time = json.loads(text, parse_float=Decimal)["training_time"]

        assert fits(training_time, digits=14, decimals=4)
        assert abs(training_time - Decimal(seconds)) <= Decimal("0.0001")

    @pytest.mark.parametrize("seconds", [NAN, math.inf, -1.0, 1e10])
    def test_impossible_training_time(self, seconds, caplog):
        """A time that the field cannot hold does not cost the result."""
        result = current(report(training_time=seconds))

        assert "training_time" not in result
        assert result["train_metrics"]
        assert ["training time left out"] == caplog.messages


class TestResultOf2020:
    def test_as_in_the_contract(self):
        """What was evaluated after training is this dialect's validation."""
        last = {"loss": 0.12345678912, "accuracy": 0.98}

        text = result_text(
            report(last, test={"loss": 0.2, "accuracy": 0.97}), Dialect.Y2020
        )

        assert (
            '{"train_loss": 0.1234567891, "train_metrics": "accuracy: 0.98\\n", '
            '"val_loss": 0.2, "val_metrics": "accuracy: 0.97\\n"}'
        ) == text

    def test_last_epoch(self):
        """Of several epochs the last one counts; their validation is not asked for."""
        assert {
            "train_loss": 0.5,
            "train_metrics": "accuracy: 0.8\n",
        } == of_2020(report())

    def test_loss_alone(self):
        """A model without metrics has an empty text."""
        assert {"train_loss": 0.5, "train_metrics": ""} == of_2020(
            report({"loss": 0.5})
        )

    def test_no_epoch(self):
        """There is no loss if there was no epoch."""
        assert {"train_metrics": ""} == of_2020(report(history=()))

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.98, "0.98"),
            (1.0, "1.0"),
            (0.123456789123, "0.1234567891"),
            (0.00001, "0.00001"),
            (1e-11, "0.0"),
            (1e16, "10000000000000000"),
            (NAN, "nan"),
            (-math.inf, "-inf"),
        ],
    )
    def test_metric_as_text(self, value, text):
        """Metrics are written as Python prints them, without exponents."""
        result = of_2020(report({"loss": 0.5, "mse": value, "mae": 1.5}))

        assert f"mse: {text}\nmae: 1.5\n" == result["train_metrics"]

    @pytest.mark.parametrize(
        ("loss", "text"),
        [
            (NAN, "nan"),
            (math.inf, "inf"),
            (100000.0, "100000.0"),
            (-100000.5, "-100000.5"),
            (99999.99999999999, "100000.0"),
        ],
    )
    def test_loss_that_does_not_fit(self, loss, text, caplog):
        """The field is left out, which keeps its old value; the text tells the loss."""
        metrics = {"loss": loss, "accuracy": 0.5}

        result = of_2020(report(metrics, test=metrics))

        lines = f"loss: {text}\naccuracy: 0.5\n"
        assert {"train_metrics": lines, "val_metrics": lines} == result
        assert ["train_loss", "val_loss"] == [r.field for r in caplog.records]
        assert {logging.WARNING} == {r.levelno for r in caplog.records}

    @given(st.floats())
    def test_any_loss(self, loss):
        """Whatever the loss, the platform's field takes it or does not see it."""
        text = result_text(report({"loss": loss}), Dialect.Y2020)
        result = json.loads(text, parse_float=Decimal)

        if "train_loss" in result:
            assert fits(result["train_loss"], digits=15, decimals=10)
            assert "" == result["train_metrics"]
        else:
            assert not abs(loss) < 99999.9999999
            assert result["train_metrics"].startswith("loss: ")


def fits(number: Decimal, *, digits: int, decimals: int) -> bool:
    """Return whether the platform's decimal field (Django REST's) takes *number*."""
    _, digit_tuple, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    total = max(len(digit_tuple) + max(exponent, 0), -exponent)
    return (
        total <= digits
        and max(-exponent, 0) <= decimals
        and (total - max(-exponent, 0) <= digits - decimals)
    )
