"""SavedModels, whose graphs are never run."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from domain.errors import ModelInvalid
from tests.models import ArrayDataset, examples, model_file

MODELS = ("digits", "cnn", "lstm", "two_outputs", "nested", "operations")


@pytest.fixture
def load(tmp_path):
    """Inspect and load a model, with variables."""

    def load(path, **settings):
        trainer = TensorFlowTrainer(
            TensorFlowSettings(32, kwargs_fit={"epochs": 2}),
            tmp_path,
            repeat=False,
            model_settings=ModelSettings(**settings),
        )
        trainer.inspect(path)
        return trainer.load(path)

    return load


def trained_weights(load, path, name, **settings):
    """Return the weights that *path* is trained to, and the model."""
    model = load(path, **settings)
    model.fit(ArrayDataset(examples(name)), None, lambda _: None)
    return model.keras_model.get_weights(), model


def assert_equal(some, others):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


def saved_model(keras_model, folder: Path) -> Path:
    """Write the folder and its archive; return the archive."""
    keras_model.save(folder, save_format="tf")
    return Path(shutil.make_archive(str(folder), "zip", folder))


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> dict[str, Path]:
    """The models of TensorFlow 2.7 as zipped SavedModels."""
    folder = tmp_path_factory.mktemp("saved_models")
    return {
        name: saved_model(tf_keras.models.load_model(model_file(name)), folder / name)
        for name in MODELS
    }


@pytest.mark.parametrize("name", MODELS)
def test_training(load, archives, name):
    """A model is trained to the same weights, whichever file it comes in."""
    weights, _ = trained_weights(load, archives[name], name)

    expected, _ = trained_weights(load, model_file(name), name)
    assert_equal(expected, weights)


@pytest.mark.parametrize("name", ["regression", "operations"])
def test_of_2020(load, name):
    """TensorFlow 2.2 kept the description among the graphs."""
    path = model_file(name, "2.2").with_suffix(".zip")

    weights, _ = trained_weights(load, path, name)

    expected, _ = trained_weights(load, model_file(name, "2.2"), name)
    assert_equal(expected, weights)


@pytest.mark.parametrize("name", MODELS)
def test_saved(load, archives, name, tmp_path):
    """What goes back is a zipped SavedModel, and Keras has the weights from it."""
    weights, model = trained_weights(load, archives[name], name)

    saved = model.save()

    assert ".zip" == saved.suffix
    shutil.unpack_archive(saved, tmp_path / "unpacked")
    assert_equal(
        weights, tf_keras.models.load_model(tmp_path / "unpacked").get_weights()
    )
    graphs = tf.saved_model.load(tmp_path / "unpacked")  # which bring weights along
    assert_equal(
        sorted(weights, key=np.size),
        sorted((v.numpy() for v in graphs.variables), key=np.size),
    )


def test_folder(load, archives):
    """A folder is as good as an archive, and is left alone."""
    folder = archives["digits"].with_suffix("")
    before = {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}

    weights, model = trained_weights(load, folder, "digits")

    expected, _ = trained_weights(load, model_file("digits"), "digits")
    assert_equal(expected, weights)
    assert_equal(weights, load(model.save()).keras_model.get_weights())
    assert before == {f: f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def test_folder_in_archive(load, archives, tmp_path):
    """The folder itself may be in the archive, and is there again in what goes back."""
    folder = archives["digits"].with_suffix("")
    path = Path(
        shutil.make_archive(tmp_path / "model", "zip", folder.parent, folder.name)
    )

    model = load(path)

    with zipfile.ZipFile(model.save()) as archive:
        assert "digits/saved_model.pb" in archive.namelist()


def test_trained_before(load, tmp_path):
    """A model that was trained keeps its weights; its optimizer starts anew."""
    keras_model = tf_keras.models.load_model(model_file("digits"))
    data = examples("digits")
    keras_model.fit(data.features, data.labels, verbose=0)

    model = load(saved_model(keras_model, tmp_path / "trained"))

    assert_equal(keras_model.get_weights(), model.keras_model.get_weights())


class TestUncompiled:
    @pytest.fixture
    def path(self, tmp_path):
        keras_model = tf_keras.models.load_model(model_file("uncompiled"))
        return saved_model(keras_model, tmp_path / "uncompiled")

    def test_refused(self, load, path):
        """Nobody said how to train."""
        with pytest.raises(ModelInvalid, match="the model is not compiled"):
            load(path)

    def test_compiled_by_variables(self, load, path):
        """The variables say it."""
        model = load(path, streamfit_optimizer="adam", streamfit_loss="mse")

        assert "mse" == model.keras_model.loss


class Marked(tf_keras.Model):
    """A class that is not in the file; its graphs are, and leave a mark."""

    def __init__(self, mark: str):
        super().__init__()
        self.mark = mark
        self.dense = tf_keras.layers.Dense(1)

    def call(self, inputs):
        with tf.control_dependencies([tf.io.write_file(self.mark, "was here")]):
            return self.dense(inputs)


class TestGraphs:
    @pytest.fixture
    def mark(self, tmp_path):
        return tmp_path / "mark"

    @pytest.fixture
    def path(self, mark, tmp_path):
        model = Marked(str(mark))
        model.compile("sgd", "mse")
        model.fit(np.zeros((2, 5)), np.zeros(2), verbose=0)
        mark.unlink()
        return saved_model(model, tmp_path / "marked")

    def test_class_refused(self, load, path, mark):
        """A model of a class of its own is refused; no graph takes its place."""
        mark.unlink(missing_ok=True)

        with pytest.raises(ModelInvalid, match="of a Python class, 'Marked'"):
            load(path)

        assert not mark.exists()

    def test_allowed(self, load, path, mark):
        """For those who must, the graphs run: the mark tells that they can."""
        mark.unlink(missing_ok=True)

        model = load(path, streamfit_allow_unsafe_models="1")
        model.evaluate(ArrayDataset(examples("regression")))

        assert mark.exists()
        assert ".zip" == model.save().suffix

    def test_graphs_exchanged(self, load, archives, path, mark, tmp_path):
        """Other graphs beside a good description are not run, either."""
        mark.unlink(missing_ok=True)
        mixed = tmp_path / "mixed"
        shutil.copytree(archives["digits"].with_suffix(""), mixed)
        shutil.copy(path.with_suffix("") / "saved_model.pb", mixed)

        _, model = trained_weights(load, mixed, "digits")
        model.evaluate(ArrayDataset(examples("digits")))
        model.save()

        assert not mark.exists()


class TestDamaged:
    @pytest.fixture
    def folder(self, archives, tmp_path):
        return Path(shutil.copytree(archives["digits"].with_suffix(""), tmp_path / "m"))

    def test_no_keras(self, load, folder):
        """TensorFlow's own SavedModels hold no Keras model."""
        (folder / "keras_metadata.pb").unlink()
        (folder / "saved_model.pb").write_bytes(b"")

        with pytest.raises(ModelInvalid, match="the SavedModel holds no Keras model"):
            load(folder)

    @pytest.mark.parametrize("content", [b"\x0a\xff", b"\x0b\x00", b"\xff" * 20])
    def test_description(self, load, folder, content):
        """A broken description is damage, not a bug."""
        (folder / "keras_metadata.pb").write_bytes(content)

        with pytest.raises(ModelInvalid, match="the SavedModel is damaged"):
            load(folder)

    def test_no_weights(self, load, folder):
        """A model without its weights is invalid."""
        shutil.rmtree(folder / "variables")

        with pytest.raises(ModelInvalid, match="cannot load the model"):
            load(folder)

    def test_other_weights(self, load, folder, archives):
        """So is one with the weights of another."""
        shutil.rmtree(folder / "variables")
        other = archives["two_outputs"].with_suffix("")
        shutil.copytree(other / "variables", folder / "variables")

        with pytest.raises(ModelInvalid):
            load(folder)

    def test_too_large(self, load, folder):
        """Weights are counted before they are read."""
        with pytest.raises(ModelInvalid, match="take more than 4000 bytes"):
            load(folder, streamfit_max_model_bytes=4000)

    def test_not_zipped_model(self, load, tmp_path):
        """Any other archive is told what it lacks."""
        path = tmp_path / "model.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "")

        with pytest.raises(ModelInvalid, match=r"no config.json\) nor a SavedModel"):
            load(path)
