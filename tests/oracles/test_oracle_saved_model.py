"""SavedModels that the real TensorFlow 2.7 wrote, trained here and read by it again."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from attrs import frozen

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from ports import TrainableModel
from tests.models import ArrayDataset, examples, model_file
from tests.oracles import tensorflow_27

pytestmark = pytest.mark.oracle

BATCH, EPOCHS = 32, 2
MODELS = ("cnn", "two_outputs", "bidirectional", "nested", "operations")


@frozen
class Case:
    """One model, trained here from a SavedModel and by TensorFlow 2.7 itself."""

    name: str
    model: TrainableModel
    trained: Path
    from_untrained: Mapping[str, np.ndarray]
    from_trained: Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Let TensorFlow 2.7 write and train, train here, let it read and train again."""
    tensorflow_27.require()
    folder = tmp_path_factory.mktemp("oracle")

    def job(name: str, model: Path, output: str, **more: str) -> dict[str, object]:
        data = examples(name)
        np.savez(folder / f"{name}.npz", x=data.features, y=data.labels)
        return {
            "model": str(model),
            "examples": str(folder / f"{name}.npz"),
            "batch": BATCH,
            "epochs": EPOCHS,
            "output": str(folder / f"{name}-{output}.npz"),
            **more,
        }

    tensorflow_27.run(
        [
            job(n, model_file(n), "untrained", saved_model=str(folder / n))
            for n in MODELS
        ],
        folder,
    )
    settings = TensorFlowSettings(BATCH, kwargs_fit={"epochs": EPOCHS})
    trainer = TensorFlowTrainer(settings, folder, repeat=False)
    models = {}
    for name in MODELS:
        zipped = shutil.make_archive(f"{folder / name}-zip", "zip", folder / name)
        models[name] = model = trainer.load(Path(zipped))
        model.fit(ArrayDataset(examples(name)), None, lambda _: None)
        shutil.unpack_archive(model.save(), folder / f"{name}-trained")
    tensorflow_27.run(
        [job(n, folder / f"{n}-trained", "trained") for n in MODELS], folder
    )
    return {
        name: Case(
            name,
            models[name],
            folder / f"{name}-trained",
            np.load(folder / f"{name}-untrained.npz"),
            np.load(folder / f"{name}-trained.npz"),
        )
        for name in MODELS
    }


@pytest.fixture(params=MODELS)
def case(request: pytest.FixtureRequest, cases: dict[str, Case]) -> Case:
    return cases[request.param]


def test_same_training(case: Case) -> None:
    """From the same SavedModel and examples, TensorFlow 2.7 trains the same weights."""
    weights = [
        np.asarray(weight)
        for layer in case.model.keras_model.layers
        for weight in layer.trainable_weights + layer.non_trainable_weights
    ]

    assert len(weights) == sum(n.startswith("weight_") for n in case.from_untrained)
    for i, weight in enumerate(weights):
        np.testing.assert_allclose(
            case.from_untrained[f"weight_{i}"], weight, rtol=0, atol=1e-5
        )


def test_same_predictions(case: Case) -> None:
    """The trained SavedModel predicts in TensorFlow 2.7 what it predicts here."""
    x = examples(case.name).features

    outputs = case.model.keras_model.predict(x, batch_size=BATCH, verbose=0)

    outputs = outputs if isinstance(outputs, list) else [outputs]
    for i, output in enumerate(outputs):
        np.testing.assert_allclose(
            case.from_trained[f"predicted_{i}"], output, rtol=1e-5, atol=3e-7
        )


def test_goes_on_training(case: Case) -> None:
    """TensorFlow 2.7 goes on training it: the loss goes on from where it was."""
    first = case.from_untrained["history_loss"]
    then = case.from_trained["history_loss"]

    assert np.isfinite(then).all()
    assert then[0] < first[0]


def test_nothing_else_changed(case: Case) -> None:
    """The graphs and the description are those that came, to the byte."""
    untrained = case.trained.with_name(case.name)

    for name in ("saved_model.pb", "keras_metadata.pb"):
        assert (untrained / name).read_bytes() == (case.trained / name).read_bytes()
