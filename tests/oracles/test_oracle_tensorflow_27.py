"""The platform's own TensorFlow, 2.7, reads what we train and trains what we train."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import tf_keras
from attrs import frozen

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from domain.batches import ExampleBatch
from domain.report import EpochMetrics
from tests.models import IN_2020, TRAINABLE, ArrayDataset, examples, model_file

pytestmark = pytest.mark.oracle

PYTHON = Path(__file__).parents[2] / ".oracles/tensorflow-2.7/bin/python"
SCRIPT = Path(__file__).parent / "predict.py"
BATCH, EPOCHS = 32, 2
MODELS = [(n, "2.7") for n in TRAINABLE] + [(n, "2.2") for n in IN_2020]


@frozen
class Case:
    """One model, trained here, and what TensorFlow 2.7 made of it."""

    trained: Path
    examples: ExampleBatch
    epochs: list[EpochMetrics]
    from_untrained: Mapping[str, np.ndarray]
    from_trained: Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Case]:
    """Train every model here and in TensorFlow 2.7, which takes one process."""
    if not PYTHON.exists():
        reason = "TensorFlow 2.7 is not there: make oracles"
        if os.environ.get("STREAMFIT_REQUIRE_ORACLES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("oracle")
    settings = TensorFlowSettings(BATCH, kwargs_fit={"epochs": EPOCHS})
    trainer = TensorFlowTrainer(settings, folder, repeat=False)
    jobs, trained, epochs = [], {}, {}
    for name, tensorflow in MODELS:
        here, key = folder / f"{name}-{tensorflow}", (name, tensorflow)
        data = examples(name)
        np.savez(f"{here}.npz", x=data.features, y=data.labels)
        model = trainer.load(model_file(*key))
        epochs[key] = []
        model.fit(ArrayDataset(data), None, epochs[key].append)
        trained[key] = model.save()
        for start in (model_file(*key), trained[key]):
            jobs.append(
                {
                    "model": str(start),
                    "examples": f"{here}.npz",
                    "batch": BATCH,
                    "epochs": EPOCHS,
                    "output": f"{here}-{len(jobs) % 2}.npz",
                }
            )
    (folder / "jobs.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [PYTHON, SCRIPT, folder / "jobs.json"],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": "", "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert 0 == done.returncode, done.stderr
    return {
        (name, tensorflow): Case(
            trained[name, tensorflow],
            examples(name),
            epochs[name, tensorflow],
            *(np.load(folder / f"{name}-{tensorflow}-{i}.npz") for i in (0, 1)),
        )
        for name, tensorflow in MODELS
    }


@pytest.fixture(params=MODELS, ids="-".join)
def case(request: pytest.FixtureRequest, cases: dict[tuple[str, str], Case]) -> Case:
    return cases[request.param]


def weights(path: Path) -> list[np.ndarray]:
    """Return the weights in a model file, in Keras's order."""
    with h5py.File(path) as file:
        group = file["model_weights"]
        return [
            group[layer][name][()]
            for layer in group.attrs["layer_names"]
            for name in group[layer].attrs["weight_names"]
        ]


def test_same_predictions(case: Case) -> None:
    """A trained file predicts in TensorFlow 2.7 what it predicts here."""
    model = tf_keras.models.load_model(case.trained)

    outputs = model.predict(case.examples.features, batch_size=BATCH, verbose=0)

    outputs = outputs if isinstance(outputs, list) else [outputs]
    for i, output in enumerate(outputs):
        np.testing.assert_allclose(
            case.from_trained[f"predicted_{i}"], output, rtol=1e-5, atol=3e-7
        )


def test_goes_on_training(case: Case) -> None:
    """TensorFlow 2.7 goes on training it: the weights move, and stay numbers."""
    before = weights(case.trained)
    after = [case.from_trained[f"weight_{i}"] for i in range(len(before))]

    assert all(np.isfinite(weight).all() for weight in after)
    assert any((old != new).any() for old, new in zip(before, after, strict=True))


def test_same_training(case: Case) -> None:
    """From the same file and examples, TensorFlow 2.7 trains the same weights."""
    for i, weight in enumerate(weights(case.trained)):
        np.testing.assert_allclose(
            case.from_untrained[f"weight_{i}"], weight, rtol=0, atol=1e-5
        )


def test_same_losses(case: Case) -> None:
    """And it reports the same losses; its accuracies are wrong, see compiling.py."""
    losses = [n for n in case.epochs[0].training if n.endswith("loss")]

    assert "loss" in losses
    for name in losses:
        np.testing.assert_allclose(
            case.from_untrained[f"history_{name}"],
            [epoch.training[name] for epoch in case.epochs],
            rtol=1e-5,
        )
