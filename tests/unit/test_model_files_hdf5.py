"""Model files in HDF5, looked into and written without TensorFlow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from adapters.tensorflow.files import hdf5
from adapters.tensorflow.files import model_file as opened
from adapters.tensorflow.model_settings import ModelSettings
from domain.errors import ModelInvalid
from tests.models import IN_2020, TRAINABLE, model_file


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A copy of a good model, to be spoiled."""
    return Path(shutil.copy(model_file("digits"), tmp_path / "model.h5"))


def refusal(path: Path, **settings: object) -> str:
    with pytest.raises(ModelInvalid) as refused:
        opened(path, ModelSettings(**settings)).inspect()
    return str(refused.value)


def set_json(path: Path, name: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs[name] = json.dumps(value)


class TestInspect:
    @pytest.mark.parametrize("name", TRAINABLE)
    def test_of_tensorflow_2_7(self, name):
        """Compiled models of today's platform pass."""
        opened(model_file(name, "2.7"), ModelSettings()).inspect()

    @pytest.mark.parametrize("name", IN_2020)
    def test_of_tensorflow_2_2(self, name):
        """So do those of the platform of 2020."""
        opened(model_file(name, "2.2"), ModelSettings()).inspect()

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                b"",
                "neither HDF5 nor zip but empty: the platform could not build",
            ),
            (
                b"\n <html><body>502",
                "neither HDF5 nor zip but a web page, perhaps an error of a",
            ),
            (b"<!DOCTYPE html>", "neither HDF5 nor zip but a web page"),
            (
                b"Traceback (most\n  File",
                "neither HDF5 nor zip but text: 'Traceback (most'",
            ),
            ("Modèle".encode(), "neither HDF5 nor zip but text: 'Modèle'"),
            (
                b"\x89HDF\n",
                "neither HDF5 nor zip but something else, which begins with 89 48",
            ),
            (
                b"\x80\x04\x95",
                "neither HDF5 nor zip but something else, which begins with 80 04 95",
            ),
        ],
    )
    def test_other_files(self, tmp_path, content, message):
        """A file that is no HDF5 is told by what it looks like."""
        path = tmp_path / "model.h5"
        path.write_bytes(content)

        assert f"the model file is {message}" in refusal(path)

    def test_missing(self, tmp_path):
        """No file is no model."""
        assert "cannot be read" in refusal(tmp_path / "nowhere.h5")

    def test_cut_off(self, digits):
        """Half a file is damaged."""
        digits.write_bytes(digits.read_bytes()[:6000])

        assert refusal(digits).startswith("the HDF5 file is damaged: ")

    def test_no_model(self, tmp_path):
        """HDF5 of another kind is no model."""
        path = tmp_path / "data.h5"
        with h5py.File(path, "w") as file:
            file["x"] = [1, 2]

        assert "the HDF5 file holds no model (no model_config)" == refusal(path)

    @pytest.mark.parametrize(
        ("version", "writer"),
        [("4.0.0", "Keras 4.0.0"), ("1.2.2", "Keras 1.2.2"), ("20.1", "Keras 20.1")],
    )
    def test_other_keras(self, digits, version, writer):
        """Files of other generations of Keras are refused."""
        with h5py.File(digits, "r+") as file:
            file.attrs["keras_version"] = version

        assert (
            f"the model was written by {writer}, and only Keras 2 and 3 are supported"
            == refusal(digits)
        )

    def test_unknown_keras(self, digits):
        """Keras 1 did not say who it was."""
        with h5py.File(digits, "r+") as file:
            del file.attrs["keras_version"]

        assert "an unknown version of Keras" in refusal(digits)

    def test_not_compiled(self):
        """A model without loss and optimizer cannot be trained."""
        assert (
            "the model is not compiled: compile it before it is saved, or set "
            "STREAMFIT_OPTIMIZER and STREAMFIT_LOSS (and STREAMFIT_METRICS, "
            "STREAMFIT_LEARNING_RATE)" == refusal(model_file("uncompiled"))
        )

    def test_half_compiled(self):
        """An optimizer without a loss is not enough, ..."""
        assert "the model is not compiled" in refusal(
            model_file("uncompiled"), streamfit_optimizer="adam"
        )

    def test_compiled_by_variables(self):
        """... but both are."""
        settings = ModelSettings(streamfit_optimizer="adam", streamfit_loss="mse")

        opened(model_file("uncompiled"), settings).inspect()

    def test_lambda_inside(self):
        """A Lambda layer, which loading would run, is found inside another model."""
        assert (
            "the model holds Python code, which is not run: the Lambda layer 'double'"
            == refusal(model_file("code"))
        )

    @pytest.mark.parametrize("attribute", ["model_config", "training_config"])
    @pytest.mark.parametrize(
        ("config", "found"),
        [
            ({"class_name": "__lambda__", "config": {"value": ["4w=="]}}, "a lambda"),
            (
                {"class_name": "function", "config": "system", "module": "os"},
                "'function' from the module 'os'",
            ),
            (
                {"class_name": "Popen", "config": {}, "module": "keras_evil.x"},
                "'Popen' from the module 'keras_evil.x'",
            ),
        ],
    )
    def test_code_elsewhere(self, digits, attribute, config, found):
        """Neither lambdas nor modules other than Keras's get in by another way."""
        with h5py.File(digits) as file:
            good = json.loads(file.attrs[attribute])
        set_json(digits, attribute, {**good, "deep": [{"er": [config]}]})

        assert refusal(digits).endswith(f"which is not run: {found}")

    def test_modules_of_keras(self, digits):
        """TensorFlow 2.12 and later name Keras's own modules."""
        with h5py.File(digits) as file:
            good = json.loads(file.attrs["model_config"])
        zeros = {"class_name": "Zeros", "config": {}, "module": "keras.initializers"}
        set_json(digits, "model_config", {**good, "more": zeros})

        opened(digits, ModelSettings()).inspect()

    def test_not_json(self, digits):
        """A broken description is named."""
        with h5py.File(digits, "r+") as file:
            file.attrs["training_config"] = "{"

        assert refusal(digits).startswith("the model's training_config is not JSON: ")

    @pytest.mark.parametrize(
        "link", [h5py.SoftLink("/model_weights"), h5py.ExternalLink("other.h5", "/")]
    )
    def test_links(self, digits, link):
        """A file that points elsewhere is refused."""
        with h5py.File(digits, "r+") as file:
            file["model_weights/dense/more"] = link

        assert "the HDF5 file holds a link: model_weights/dense/more" == refusal(digits)

    def test_arrays_in_other_files(self, digits):
        """So is one whose weights are the bytes of another file."""
        with h5py.File(digits, "r+") as file:
            file.create_dataset(
                "model_weights/secret", (4,), "u1", external=[("/etc/hostname", 0, 4)]
            )

        assert "the HDF5 file refers to another file: model_weights/secret" == refusal(
            digits
        )

    def test_too_large(self, digits):
        """Arrays that a few bytes declare are counted before anybody reads them."""
        with h5py.File(digits, "r+") as file:
            file.create_dataset(
                "model_weights/bomb", (1 << 20, 1 << 20), "f4", chunks=(64, 64)
            )
        assert digits.stat().st_size < 100_000

        assert (
            "the arrays of the HDF5 file take more than 2147483648 bytes "
            "(STREAMFIT_MAX_MODEL_BYTES): model_weights/bomb" == refusal(digits)
        )

    def test_too_large_in_sum(self, digits):
        """So are many that are small, by the limit that is set."""
        assert "more than 4000 bytes" in refusal(digits, streamfit_max_model_bytes=4000)
        opened(digits, ModelSettings(streamfit_max_model_bytes=5_000_000)).inspect()

    def test_text_of_any_length(self, digits):
        """Texts may be stored once and read many times: weights are none."""
        with h5py.File(digits, "r+") as file:
            file["model_weights/texts"] = np.full(3, "x", object)

        assert (
            "the HDF5 file holds an array that is no numbers: model_weights/texts"
            == refusal(digits)
        )

    def test_deep(self, digits):
        """A description that would exhaust the stack is refused."""
        with h5py.File(digits, "r+") as file:
            file.attrs["model_config"] = "[" * 300 + "]" * 300

        assert "the model's description is too deep" == refusal(digits)

    def test_without_tensorflow(self):
        """Looking into a model leaves neither TensorFlow nor HDF5 behind."""
        program = (
            "import sys\n"
            "from pathlib import Path\n"
            "from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer\n"
            "trainer = TensorFlowTrainer(TensorFlowSettings(32), Path('.'), False)\n"
            "trainer.inspect(Path(sys.argv[1]))\n"
            "vendors = {'h5py', 'keras', 'tensorflow', 'tf_keras'}\n"
            "print(sorted(vendors & set(sys.modules)))\n"
        )

        printed = subprocess.run(
            [sys.executable, "-c", program, model_file("digits")],
            capture_output=True,
            check=True,
            text=True,
            cwd=Path(__file__).parents[2],
        ).stdout

        assert "[]\n" == printed


def datasets(path: Path) -> dict[str, np.ndarray]:
    """Return every array of a file by its name."""
    found = {}

    def keep(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


class TestGraft:
    @pytest.fixture
    def weights(self):
        random = np.random.default_rng(3)
        shapes = [[(64, 16), (16,)], [(16, 10), (10,)]]
        return [[random.normal(size=s).astype("f4") for s in layer] for layer in shapes]

    def test_weights_replaced(self, digits, tmp_path, weights):
        """The copy differs from the file that came in its weights alone."""
        before = digits.read_bytes()
        copy = tmp_path / "trained.h5"

        hdf5.graft(digits, weights, copy)

        assert before == digits.read_bytes()
        stored = datasets(copy)
        assert datasets(digits).keys() == stored.keys()
        for name, weight in {
            "model_weights/dense/dense/kernel:0": weights[0][0],
            "model_weights/dense/dense/bias:0": weights[0][1],
            "model_weights/dense_1/dense_1/kernel:0": weights[1][0],
            "model_weights/dense_1/dense_1/bias:0": weights[1][1],
        }.items():
            np.testing.assert_array_equal(weight, stored.pop(name))
        assert {} == stored
        with h5py.File(digits) as old, h5py.File(copy) as new:
            assert dict(old.attrs) == dict(new.attrs)

    def test_optimizer_dropped(self, digits, tmp_path, weights):
        """The optimizer's state does not go with weights that it never saw."""
        with h5py.File(digits, "r+") as file:
            file["optimizer_weights/Adam/iter:0"] = 7

        hdf5.graft(digits, weights, tmp_path / "trained.h5")

        with h5py.File(tmp_path / "trained.h5") as file:
            assert {"model_weights"} == set(file)

    def test_long_lists_of_names(self, digits, tmp_path, weights):
        """Keras cuts lists of names that HDF5 finds too long."""
        with h5py.File(digits, "r+") as file:
            group = file["model_weights"]
            names = group.attrs["layer_names"]
            del group.attrs["layer_names"]
            group.attrs["layer_names0"], group.attrs["layer_names1"] = (
                names[:2],
                names[2:],
            )

        hdf5.graft(digits, weights, tmp_path / "trained.h5")

        np.testing.assert_array_equal(
            weights[1][1],
            datasets(tmp_path / "trained.h5")["model_weights/dense_1/dense_1/bias:0"],
        )

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda w: w[:1],
            lambda w: [*w, w[0]],
            lambda w: [w[0][:1], w[1]],
            lambda w: [w[0], [w[1][0], w[1][1][:1]]],  # HDF5 would stretch it
            lambda w: [w[0], [w[1][0].T, w[1][1]]],
            lambda w: [w[0], [w[1][0], w[1][1].astype("f8")]],
        ],
    )
    def test_misfit(self, digits, tmp_path, weights, spoil):
        """Weights that do not fit one by one are refused, not squeezed in."""
        misfit = r"is longer|is shorter|is float32"
        with pytest.raises(ValueError, match=misfit):
            hdf5.graft(digits, spoil(weights), tmp_path / "trained.h5")
        with pytest.raises(ValueError, match=misfit):  # found before training
            hdf5.require_places(digits, spoil(weights))
