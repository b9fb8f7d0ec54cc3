"""Chains of model files, looked into without TensorFlow."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import h5py
import pytest

from adapters.tensorflow import inspection
from adapters.tensorflow.files import model_file as opened
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.errors import ModelInvalid
from tests.models import chain_files, chain_folder, model_file

CHAIN = ChainSettings("adam", "mse", 0.001, ("mae",))


@pytest.fixture
def chain(tmp_path):
    """A good chain of three, to be spoiled."""
    return chain_folder(tmp_path / "chain", chain_files(3))


def refusal(folder, **settings) -> str:
    with pytest.raises(ModelInvalid) as refused:
        opened(folder, ModelSettings(**settings), CHAIN).inspect()
    return str(refused.value)


def change(path, **changes):
    """Change a model's own configuration in its file."""
    with h5py.File(path, "r+") as file:
        model = json.loads(file.attrs["model_config"])
        model["config"].update(changes)
        file.attrs["model_config"] = json.dumps(model)


def layers(path):
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])["config"]["layers"]


class TestOutline:
    @pytest.mark.parametrize("count", [2, 3])
    def test_uncompiled(self, tmp_path, count):
        """Sub-models need not be compiled: the platform says how."""
        opened(
            chain_folder(tmp_path, chain_files(count)), ModelSettings(), CHAIN
        ).inspect()

    def test_of_all(self, tmp_path, chain):
        """Chains are told apart by each of their sub-models, numbers in names apart."""
        two = chain_folder(tmp_path / "two", chain_files(2))
        other = chain_folder(tmp_path / "other", chain_files(3))
        same = chain_folder(tmp_path / "same", chain_files(3))
        change(same / "1.h5", name="model_7")
        config = layers(other / "3.h5")
        config[1]["config"]["activation"] = "tanh"
        change(other / "3.h5", layers=config)

        def outline(folder):
            return opened(folder, ModelSettings(), CHAIN).inspect()

        assert outline(chain) == outline(same)
        assert 3 == len({outline(chain), outline(two), outline(other)})

    def test_in_a_process(self, chain):
        """The job looks at a chain in a process of its own, without TensorFlow."""
        outline = opened(chain, ModelSettings(), CHAIN).inspect()

        assert outline == inspection.inspect(chain, ModelSettings(), CHAIN)

    def test_without_tensorflow(self, chain):
        """To look into a chain takes no Keras."""
        script = (
            "import sys; from pathlib import Path\n"
            "from adapters.tensorflow.files import model_file\n"
            "from adapters.tensorflow.model_settings import *\n"
            "settings = ChainSettings('adam', 'mse', 1.0)\n"
            "model_file(Path(sys.argv[1]), ModelSettings(), settings).inspect()\n"
            "assert not {'tensorflow', 'keras', 'tf_keras'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", script, chain], check=True)


class TestRefused:
    def test_same_names(self, chain):
        """Two of one name could not be told apart."""
        change(chain / "3.h5", name="model_1")

        assert "sub-models 1 and 3 are both called 'model_1': give" in refusal(chain)

    def test_one_output(self, chain):
        """One in the middle needs two outputs."""
        shutil.copyfile(model_file("chain_3"), chain / "2.h5")
        change(chain / "3.h5", name="another")

        assert (
            "sub-model 2: 'model_10' has 1 output(s), want two: what the next "
            "sub-model takes, and its own prediction"
        ) == refusal(chain)

    def test_last_with_two(self, chain):
        """The last one has nobody to give anything to."""
        (chain / "3.h5").unlink()

        assert "sub-model 2: 'model', the last one, has 2 outputs, want one" == refusal(
            chain
        )

    def test_does_not_fit(self, chain):
        """Sizes that the files tell have to fit."""
        config = layers(chain / "3.h5")
        config[0]["config"]["batch_input_shape"] = [None, 11]
        change(chain / "3.h5", layers=config)
        names = [layer["config"]["name"] for layer in layers(chain / "2.h5")]
        dense = [name for name in names if name.startswith("dense")]
        outputs = [[name, 0, 0] for name in dense]
        change(chain / "2.h5", output_layers=outputs)

        assert (
            "sub-model 3: 'model_10' takes 11 features, and 'model' before it gives 12"
            == refusal(chain)
        )

    def test_two_inputs(self, chain):
        """Data and what comes before are one thing."""
        change(chain / "2.h5", input_layers=[["a", 0, 0], ["b", 0, 0]])

        assert "sub-model 2: 'model' has 2 inputs, want one" == refusal(chain)

    @pytest.mark.parametrize("left", [0, 1])
    def test_too_few(self, chain, left):
        """One model, or none, is no chain."""
        for number in range(left + 1, 4):
            (chain / f"{number}.h5").unlink()

        assert f"{chain}: no chain, which is 1.h5, 2.h5, ..." == refusal(chain)

    def test_no_folder(self, tmp_path):
        """Nor is a file."""
        assert "no chain" in refusal(model_file("digits"))

    def test_broken(self, chain):
        """What is wrong with a file is said of its sub-model."""
        (chain / "2.h5").write_bytes(b"<html>502")

        assert "sub-model 2: the model file is neither" in refusal(chain)

    def test_code(self, chain):
        """Code is refused in every sub-model, unless it is allowed."""
        shutil.copyfile(model_file("code"), chain / "3.h5")

        reason = refusal(chain)

        assert "sub-model 3: the model holds Python code, which is not run" in reason

    def test_two_engines(self, chain):
        """One chain is of one Keras."""
        with h5py.File(chain / "2.h5", "r+") as file:
            file.attrs["keras_version"] = "3.8.0"

        assert "of Keras 2 and of Keras 3: save all with the same" in refusal(chain)

    def test_saved_model(self, chain):
        """A SavedModel is no part of a chain."""
        zipped = model_file("regression", "2.2").with_suffix(".zip")
        shutil.copyfile(zipped, chain / "2.h5")

        assert "sub-model 2: a SavedModel, which no chain may hold" in refusal(chain)
