"""The platform's own TensorFlow, 2.7, opens the sub-models that we hand in."""

from __future__ import annotations

import numpy as np
import pytest
import tf_keras

from adapters.tensorflow import ChainSettings, TensorFlowSettings, TensorFlowTrainer
from tests.models import ArrayDataset, chain_files, chain_folder, examples
from tests.oracles import tensorflow_27

pytestmark = pytest.mark.oracle


def test_same_predictions(tmp_path):
    """Every sub-model predicts there what it predicts here: all of its outputs."""
    tensorflow_27.require()
    data = examples("chain")
    trainer = TensorFlowTrainer(
        TensorFlowSettings(16, kwargs_fit={"epochs": 2}),
        tmp_path,
        repeat=False,
        chain_settings=ChainSettings("adam", "sparse_categorical_crossentropy", 0.5),
    )
    model = trainer.load(chain_folder(tmp_path / "chain", chain_files(3)))
    model.fit(ArrayDataset(data), None, lambda _: None)
    folder = model.save()

    jobs, expected, features = [], [], data.features
    for number in (1, 2, 3):
        here = tmp_path / f"{number}.npz"
        np.savez(here, x=features, y=data.labels)
        path = folder / f"trained_model_{number}.h5"
        jobs.append(
            {
                "model": str(path),
                "examples": str(here),
                "batch": 16,
                "epochs": 0,
                "output": str(tmp_path / f"{number}-there.npz"),
            }
        )
        sub_model = tf_keras.models.load_model(path, compile=False)
        outputs = sub_model.predict(features, batch_size=16, verbose=0)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        expected.append(outputs)
        features = outputs[0]
    tensorflow_27.run(jobs, tmp_path)

    assert [2, 2, 1] == list(map(len, expected))
    for job, outputs in zip(jobs, expected, strict=True):
        found = np.load(job["output"])
        for i, output in enumerate(outputs):
            np.testing.assert_allclose(
                found[f"predicted_{i}"], output, rtol=1e-5, atol=3e-7
            )
