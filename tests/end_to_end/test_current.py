"""The job as today's platform starts it (case 1)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.reference import train
from tests.models import model_file

pytestmark = pytest.mark.kafka

RAW_DIGITS = {
    "data_type": "uint8",
    "label_type": "uint8",
    "data_reshape": "8 8",
    "label_reshape": "1",
}


def digits(count=150):
    images, labels = load_digits(return_X_y=True)
    return (
        images[:count].reshape(-1, 8, 8).astype(np.uint8),
        labels[:count, None].astype(np.uint8),
    )


def part(arrays, start, stop):
    return tuple(array[start:stop] for array in arrays)


def assert_same_result(backend, history, tested):
    """Every loss and metric is Keras' own, to the last digit."""
    (result,) = backend.results
    training = {k: v for k, v in history.items() if not k.startswith("val_")}
    validation = {k[4:]: v for k, v in history.items() if k.startswith("val_")}
    assert training == result["train_metrics"]
    assert validation == result["val_metrics"]
    assert {name: [value] for name, value in tested.items()} == result["test_metrics"]
    assert result["indefinite"] is False


class TestRaw:
    def test_whole_job(self, backend, sender, variables):
        """Posts per epoch, metrics, confusion matrix and model, as Keras has them."""
        arrays = digits()
        ranges = sender.send(raw(*arrays))
        sender.announce(message(ranges, 150, input_config=RAW_DIGITS))

        job = run({**variables, "RESULT_URL": backend.url})

        history, tested, predicted = train(  # 0.8 * 150 is 120, of the rest half each
            model_file("digits"),
            part(arrays, 0, 120),
            validation=part(arrays, 135, 150),
            test=part(arrays, 120, 135),
            batch=16,
            epochs=3,
        )
        assert 0 == job.process.returncode
        assert_same_result(backend, history, tested)
        assert history["loss"] == backend.progress[-1]["train_metrics"]["loss"]
        truth, guess = arrays[1][120:135, 0], predicted.argmax(axis=1)
        labels = sorted({*truth, *guess})
        assert [
            [int(np.sum((truth == row) & (guess == column))) for column in labels]
            for row in labels
        ] == backend.results[0]["confusion_matrix"]
        assert b"\x89PNG" == backend.picture[:4]
        assert 1 == backend.downloads
        assert [] == backend.refused

    def test_several_partitions(self, backend, sender, variables):
        """Ranges come one after the other: labels lie sorted by partition."""
        images, labels = digits(100)
        odd = labels[:, 0] % 2 == 1
        arrays = (
            np.concatenate([images[odd], images[~odd]]),
            np.concatenate([labels[odd], labels[~odd]]),
        )
        first = sender.send(raw(images[odd], labels[odd]), partition=0)
        second = sender.send(raw(images[~odd], labels[~odd]), partition=1)
        sender.announce(
            message(f"{first},{second}", 100, test_rate=0, input_config=RAW_DIGITS)
        )

        job = run({**variables, "RESULT_URL": backend.url})

        history, tested, _ = train(
            model_file("digits"),
            part(arrays, 0, 90),
            validation=part(arrays, 90, 100),
            batch=16,
            epochs=3,
        )
        assert 0 == job.process.returncode
        assert_same_result(backend, history, tested)
        assert backend.results[0]["confusion_matrix"] is None

    def test_second_sending_and_foreign_records(self, backend, sender, variables):
        """The end of a range is exclusive: what lies right behind it is not ours."""
        images, labels = digits(60)
        sender.send(raw(images[:10], labels[:10]))
        ranges = sender.send(raw(images[10:], labels[10:]))
        sender.send([(None, b"foreign"), (b"\x01", b"too short")])
        sender.announce(
            message(ranges, 50, validation_rate=0, test_rate=0, input_config=RAW_DIGITS)
        )

        job = run({**variables, "RESULT_URL": backend.url})

        history, tested, _ = train(
            model_file("digits"), (images[10:], labels[10:]), batch=16, epochs=3
        )
        assert ranges.endswith(":0:10:60")
        assert 0 == job.process.returncode
        assert_same_result(backend, history, tested)

    def test_null_reshapes_and_float64(self, httpserver, backend, sender, variables):
        """What a sink announces of plain floats, without shapes: flat vectors."""
        table = load_breast_cancer()
        features = table.data[:100] / table.data.max(axis=0)
        labels = table.target[:100, None].astype(np.int64)
        backend.model = model_file("binary").read_bytes()
        ranges = sender.send(raw(features, labels))
        sender.announce(
            message(
                ranges,
                None,
                validation_rate=0.2,
                test_rate=None,
                input_config={
                    "data_type": "float64",
                    "label_type": "int64",
                    "data_reshape": None,
                    "label_reshape": None,
                },
            )
        )

        job = run({**variables, "RESULT_URL": backend.url})

        history, _, _ = train(
            model_file("binary"),
            (features[:80], labels[:80]),
            validation=(features[80:], labels[80:]),
            batch=16,
            epochs=3,
        )
        assert 0 == job.process.returncode
        (result,) = backend.results
        assert history["loss"] == result["train_metrics"]["loss"]
        assert history["val_loss"] == result["val_metrics"]["loss"]
        assert history["accuracy"] == result["train_metrics"]["accuracy"]

    def test_open_range(self, backend, sender, variables):
        """A bare topic name is partition 0, from 0 to its end."""
        arrays = digits(40)
        sender.send(raw(*arrays))
        sender.announce(
            message(
                sender.topic,
                None,
                validation_rate=0,
                test_rate=0,
                input_config=RAW_DIGITS,
            )
        )

        job = run({**variables, "RESULT_URL": backend.url})

        history, tested, _ = train(model_file("digits"), arrays, batch=16, epochs=3)
        assert 0 == job.process.returncode
        assert_same_result(backend, history, tested)


class TestAvro:
    def test_whole_job(self, backend, sender, variables):
        """Thirty floats and a boolean label; a picture where no matrix is wanted."""
        table = load_breast_cancer()
        features = (table.data[:120] / table.data.max(axis=0)).astype("<f4")
        labels = table.target[:120, None].astype(bool)
        backend.model = model_file("binary").read_bytes()
        ranges = sender.send(raw(features, labels))  # Avro writes these types so too
        fields = [{"name": f"f{i}", "type": "float"} for i in range(30)]
        scheme = {"type": "record", "name": "data", "fields": fields}
        label = {
            "type": "record",
            "name": "label",
            "fields": [{"name": "benign", "type": "boolean"}],
        }
        sender.announce(
            message(
                ranges,
                120,
                input_format="AVRO",
                input_config={
                    "data_scheme": json.dumps(scheme),
                    "label_scheme": json.dumps(label).replace('"', "'"),
                },
            )
        )

        job = run({**variables, "RESULT_URL": backend.url})

        history, tested, predicted = train(
            model_file("binary"),
            (features[:96], labels[:96]),
            validation=(features[108:], labels[108:]),
            test=(features[96:108], labels[96:108]),
            batch=16,
            epochs=3,
        )
        assert 0 == job.process.returncode
        (result,) = backend.results
        assert history["loss"] == result["train_metrics"]["loss"]
        assert history["val_accuracy"] == result["val_metrics"]["accuracy"]
        assert [tested["loss"]] == result["test_metrics"]["loss"]
        truth, guess = labels[96:108, 0], predicted[:, 0] > 0.5
        assert int(np.sum(truth == guess)) == sum(
            row[i] for i, row in enumerate(result["confusion_matrix"])
        )


class TestControlTopic:
    def test_message_after_the_start(self, backend, sender, variables):
        """A job that is already waiting takes the message when it comes."""
        ranges = sender.send(raw(*digits(40)))
        body = message(ranges, 40, input_config=RAW_DIGITS)

        with running({**variables, "RESULT_URL": backend.url}) as job:
            job.wait_for("waiting for a control message")
            sender.announce(body)
            code = job.wait()

        assert 0 == code
        assert 1 == len(backend.results)

    def test_sent_twice(self, backend, sender, variables):
        """The first of two identical messages is trained, the second is left alone."""
        ranges = sender.send(raw(*digits(40)))
        body = message(ranges, 40, input_config=RAW_DIGITS)
        sender.announce(body)
        sender.announce(body)

        job = run({**variables, "RESULT_URL": backend.url})

        assert 0 == job.process.returncode
        assert 1 == len(backend.results)
        assert (
            f"{sender.control}[0]@0"
            == job.wait_for("control message received")["position"]
        )

    def test_unusable_messages(self, backend, sender, variables):
        """What cannot be honoured is logged with position and reason, and passed by."""
        ranges = sender.send(raw(*digits(40)))
        good = message(ranges, 40, input_config=RAW_DIGITS)
        sender.announce(good, key=None)
        sender.announce(good, key=b"7")  # deployment 55, for a sink that takes text
        sender.announce("no JSON")
        sender.announce(None)
        sender.announce(message(ranges, 40, input_format="TELEGRAF_STR_JSON"))
        sender.announce(message("nowhere:0:0:4", 4, input_config=RAW_DIGITS))
        sender.announce(
            message(ranges, 40, input_config={**RAW_DIGITS, "data_reshape": "9 9"})
        )
        sender.announce(
            message(ranges, 40, input_config={**RAW_DIGITS, "data_reshape": "16 4"})
        )
        sender.announce(
            message(ranges, 40, validation_rate=0.99, input_config=RAW_DIGITS)
        )
        sender.announce(good, key=b"\x00\x07")

        job = run({**variables, "RESULT_URL": backend.url})

        assert 0 == job.process.returncode
        assert 1 == len(backend.results)
        skipped = job.logged("control message skipped")
        assert [f"{sender.control}[0]@{i}" for i in range(2, 9)] == [
            line["position"] for line in skipped
        ]
        reasons = [
            "not JSON",
            "not JSON",
            "'TELEGRAF_STR_JSON' is not served",
            "nowhere",
            r"data has 64 bytes, wanted 81",
            "16, 4",
            "0 records to train on",
        ]
        for reason, line in zip(reasons, skipped, strict=True):
            assert reason in line["reason"]
