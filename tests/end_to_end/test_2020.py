"""The job as the platform of 2020 starts it: eight variables, no CASE."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run
from tests.end_to_end.reference import train
from tests.end_to_end.test_current import RAW_DIGITS, digits, part
from tests.models import model_file

pytestmark = pytest.mark.kafka


def text(metrics):
    return "".join(f"{k}: {round(v, 10)}\n" for k, v in metrics.items() if k != "loss")


def test_raw(backend_2020, sender, variables_2020):
    """Whole batches train, the rest is evaluated afterwards; text metrics."""
    images, labels = digits(120)
    ranges = sender.send(raw(images, labels[:, 0]))
    config = {**RAW_DIGITS, "label_reshape": ""}
    sender.announce(message(ranges, 120, current=False, input_config=config))

    job = run({**variables_2020, "RESULT_URL": backend_2020.url})

    history, tested, _ = train(  # int(0.9 * 7.5) is 6 batches, 96 records
        model_file("digits", "2.2"),
        (images[:96], labels[:96, 0]),
        test=(images[96:], labels[96:, 0]),
        batch=16,
        epochs=3,
    )
    last = {name: values[-1] for name, values in history.items()}
    assert 0 == job.process.returncode
    assert [
        {
            "train_loss": round(last["loss"], 10),
            "train_metrics": text(last),
            "val_loss": round(tested["loss"], 10),
            "val_metrics": text(tested),
        }
    ] == backend_2020.results
    assert [] == backend_2020.progress


def test_avro(backend_2020, sender, variables_2020):
    """A nullable field, mixed types and single-quoted schemas, as old senders had."""
    backend_2020.model = model_file("regression", "2.2").read_bytes()
    random = np.random.default_rng(1)
    features = random.integers(0, 50, (64, 5))
    labels = features.sum(axis=1, dtype=np.float64)[:, None] / 250
    types = ["int", "long", ["null", "int"], "int", "int"]
    fields = [{"name": f"f{i}", "type": t} for i, t in enumerate(types)]
    scheme = {"type": "record", "name": "data", "fields": fields}
    label = {
        "type": "record",
        "name": "label",
        "fields": [{"name": "sum", "type": "double"}],
    }
    # Zigzag doubles a number; below 64 that is one byte.  02 is the union's branch 1.
    values = [
        bytes([2 * a, 2 * b, 2, 2 * c, 2 * d, 2 * e]) for a, b, c, d, e in features
    ]
    keys = [target.tobytes() for target in labels]
    ranges = sender.send(list(zip(keys, values, strict=True)))
    sender.announce(
        message(
            ranges,
            64,
            current=False,
            input_format="AVRO",
            validation_rate=0.25,
            input_config={
                "data_scheme": json.dumps(scheme).replace('"', "'"),
                "label_scheme": json.dumps(label),
            },
        )
    )

    job = run(
        {
            **variables_2020,
            "KWARGS_FIT": "{'epochs': 2, 'steps_per_epoch': 3}",
            "KWARGS_VAL": "{'steps': 1}",
            "RESULT_URL": backend_2020.url,
        }
    )

    history, tested, _ = train(
        model_file("regression", "2.2"),
        part((features, labels), 0, 48),
        test=part((features, labels), 48, 64),
        batch=16,
        epochs=2,
        metrics=["mae"],
    )
    (result,) = backend_2020.results
    assert 0 == job.process.returncode
    assert round(history["loss"][-1], 10) == result["train_loss"]
    assert round(tested["loss"], 10) == result["val_loss"]
