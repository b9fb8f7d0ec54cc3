"""Malicious model files: what they would do is not done, and leaves no mark."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from adapters.tensorflow import ModelSettings, TensorFlowSettings, TensorFlowTrainer
from adapters.tensorflow.files.configuration import refuse_code
from adapters.tensorflow.files.functions import (
    only_computes,
    operation_only_computes,
)
from domain.errors import ModelInvalid
from tests.models import model_file
from tests.models.keras_3 import save


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What the payloads write; the tests see to it that they could."""
    return tmp_path / "mark"


@pytest.fixture
def trainer(tmp_path: Path):
    def trainer(**settings: object) -> TensorFlowTrainer:
        return TensorFlowTrainer(
            TensorFlowSettings(32),
            tmp_path,
            repeat=False,
            model_settings=ModelSettings(**settings),
        )

    return trainer


@pytest.fixture
def refused(trainer, mark):
    """Try to inspect and to load a file; return what is said, the same both times."""

    def refused(path: Path) -> str:
        mark.unlink(missing_ok=True)
        said = set()
        for method in ("inspect", "load"):
            with pytest.raises(ModelInvalid) as error:
                getattr(trainer(), method)(path)
            said.add(str(error.value))
        assert not mark.exists()
        (message,) = said
        return message

    return refused


def with_mark(mark: Path):
    """Return a function that leaves a mark and hands on its input."""
    text = str(mark)

    # Keras writes the bytecode of lambdas alone.
    return lambda x: (__import__("pathlib").Path(text).touch(), x)[1]


def description(path: Path) -> dict:
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])


@pytest.fixture
def described(tmp_path):
    """Make a model file with another description."""

    def described(edit, name="operations", tensorflow="2.7"):
        path = shutil.copy(model_file(name, tensorflow), tmp_path / "edited.h5")
        config = description(path)
        for layer in config["config"]["layers"]:
            edit(layer)
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
        return Path(path)

    return described


class TestLambda:
    """Lambda layers, whose bytecode runs while Keras loads them."""

    @pytest.fixture(params=["keras2.h5", "keras3.h5", "keras3.keras", "keras2.keras"])
    def path(self, request, mark, tmp_path):
        engine = keras if "keras3" in request.param else tf_keras
        model = engine.Sequential(
            [
                engine.Input((4,)),
                engine.layers.Lambda(with_mark(mark), name="payload"),
                engine.layers.Dense(1),
            ]
        )
        model.compile("sgd", "mse")
        model.save(tmp_path / request.param)
        return tmp_path / request.param

    def test_refused(self, path, refused):
        """It is refused by its name, before any Keras sees it."""
        assert (
            "the model holds Python code, which is not run: the Lambda layer 'payload'"
            == refused(path)
        )

    def test_allowed(self, path, trainer, mark):
        """It runs for those who must have it: the payload is one."""
        mark.unlink(missing_ok=True)
        allowed = trainer(streamfit_allow_unsafe_models="1")
        allowed.inspect(path)

        try:
            allowed.load(path).keras_model.predict(np.zeros((1, 4)), verbose=0)
        finally:
            ran = mark.exists()

        assert ran

    def test_bombs_stay_refused(self, path, trainer):
        """That leave is for code alone, not for any size."""
        allowed = trainer(
            streamfit_allow_unsafe_models="1", streamfit_max_model_bytes=8
        )

        with pytest.raises(ModelInvalid, match="more than 8 bytes"):
            allowed.inspect(path)


class TestTensorFlowFunctions:
    """Layers that call TensorFlow by name."""

    @pytest.mark.parametrize(
        "function",
        [
            "io.write_file",
            "io.read_file",
            "io.gfile.rmtree",
            "py_function",
            "numpy_function",
            "load_op_library",
            "load_library",
            "raw_ops.WriteFile",
            "compat.v1.py_func",
            "compat.v1.io.write_file",
            "nn.fixed_unigram_candidate_sampler",
            "random.fixed_unigram_candidate_sampler",
            "data.experimental.save",
            "saved_model.load",
            "keras.models.load_model",
            "keras.utils.get_file",
            "zeros",
            "eye",
            "linalg.eye",
            "print",
            "map_fn",
            None,
        ],
    )
    def test_refused(self, described, refused, function):
        """Only functions that compute are called."""

        def edit(layer):
            if layer["config"].get("function") == "nn.relu":
                layer["config"]["function"] = function

        assert f"the layer 'tf.nn.relu' calls {function!r} of TensorFlow" in refused(
            described(edit)
        )

    def test_payload(self, described, refused, mark):
        """The name of a function and its arguments are all that a payload needs."""

        def edit(layer):
            if layer["config"].get("function") == "nn.relu":
                layer["config"]["function"] = "io.write_file"
                layer["inbound_nodes"] = [
                    ["_CONSTANT_VALUE", -1, str(mark), {"contents": "was here"}]
                ]

        path = described(edit)

        with pytest.raises(AttributeError, match="_keras_history"):
            tf_keras.models.load_model(path)
        assert mark.exists()  # Keras itself runs it
        assert "'io.write_file'" in refused(path)

    @pytest.mark.parametrize(
        "call",
        [
            ["_CONSTANT_VALUE", -1, [1.0], {}],
            ["_CONSTANT_VALUE", -1, [1.0], {"name": ["no layer", 0, 0]}],
        ],
    )
    def test_constants(self, described, refused, call):
        """A function of constants alone would compute while the model is loaded."""

        def edit(layer):
            if layer["config"].get("function") == "nn.relu":
                layer["inbound_nodes"] = [call]

        assert "'tf.nn.relu' computes while the model is loaded" in refused(
            described(edit)
        )

    @pytest.mark.parametrize(
        "argument", [[1.0], ["input_layer", 0, 0], {"keras_history": ["dense", 0, 0]}]
    )
    def test_constants_in_keras_3(self, tmp_path, refused, argument):
        """Nor does one of Keras 3, whatever looks like another layer's output."""
        path = save("operations", tmp_path / "model.keras")

        def edit(config):
            for layer in config["config"]["layers"]:
                if layer["class_name"] == "Multiply":
                    layer["inbound_nodes"] = [{"args": [argument, 2.0], "kwargs": {}}]

        rewrite(path, "config.json", edit)

        message = refused(path)
        assert "the layer 'multiply" in message
        assert message.endswith("computes while the model is loaded")

    @pytest.mark.parametrize("operation", ["WriteFile", "ReadFile", "PyFunc", "Fill"])
    def test_operations(self, described, refused, operation):
        """TensorFlow 2.2 wrote operations into models, with the same dangers."""

        def edit(layer):
            node = layer["config"].get("node_def", {})
            if node.get("op") == "Relu":
                node["op"] = operation

        path = described(edit, tensorflow="2.2")

        assert f"the layer 'Relu' runs {operation!r} of TensorFlow" in refused(path)

    def test_operation_as_text(self, described, refused):
        """The same as JSON within JSON."""

        def edit(layer):
            if layer["config"].get("node_def", {}).get("op") == "Relu":
                layer["config"]["node_def"] = json.dumps({"name": "x", "op": "PyFunc"})

        path = described(edit, tensorflow="2.2")

        assert "the layer 'Relu' runs 'PyFunc' of TensorFlow" in refused(path)

    def test_list_of_functions(self):
        """No function on the list reads, writes, calls Python or makes others do so."""
        from tensorflow.python.util import tf_export

        known = list(tf_export._NAME_TO_SYMBOL_MAPPING)
        allowed = {name for name in known if only_computes(name)}

        assert len(allowed) > 300
        suspicious = (
            "io",  "file", "save", "load", "py_func", "numpy_function", "library",
            "print", "restore", "queue", "rpc", "summary", "distribute", "dataset",
            "map_fn", "while_loop", "cond", "sampler", "import", "lookup.", "debug.",
        )  # fmt: skip
        words = {
            name: part
            for name in allowed
            for part in suspicious
            if part in name.replace("compat.v1.", "").split(".")
            or (len(part) > 4 and part in name)
        }
        assert {} == words

    def test_list_of_operations(self):
        """Every operation on the list exists, and has no state."""
        from tensorflow.python.framework import op_def_registry

        names = [n for n in dir(tf.raw_ops) if operation_only_computes(n)]

        assert len(names) > 150
        for name in names:
            assert not op_def_registry.get(name).is_stateful


class TestForeign:
    """Classes and functions that are none of Keras's, and files besides the model's."""

    @pytest.mark.parametrize(
        ("config", "found"),
        [
            (
                {
                    "class_name": "__typespec__",
                    "spec_name": "system",
                    "module": "os",
                    "config": ["true"],
                },
                "the __typespec__ None, which runs what it names",
            ),
            (
                {"class_name": "function", "module": "builtins", "config": "eval"},
                "'function' from the module 'builtins'",
            ),
            (
                {"class_name": "get_file", "module": "keras.utils", "config": {}},
                "'get_file' from the module 'keras.utils'",
            ),
            (
                {"class_name": "utils.get_file", "module": "keras", "config": {}},
                "'utils.get_file' from the module 'keras'",
            ),
            (
                {"class_name": "function", "module": "keras", "config": "utils.x"},
                "'function' from the module 'keras'",
            ),
            (
                {"class_name": "X", "module": "kerasevil", "config": {}},
                "'X' from the module 'kerasevil'",
            ),
            (
                {"class_name": "TFSMLayer", "config": {"name": "saved"}},
                "the TFSMLayer 'saved', which runs what it names",
            ),
            (
                {"class_name": "keras>TorchModuleWrapper", "config": {"name": "t"}},
                "'t', which runs what it names",
            ),
            (
                {"class_name": "X", "registered_name": "p>Lambda", "config": {}},
                "a lambda",
            ),
            (
                {
                    "class_name": "InstanceProperty",
                    "config": {"name": "p", "attr_name": "__class__"},
                },
                "the layer 'p' takes '__class__' of a tensor",
            ),
            (
                {
                    "class_name": "StringLookup",
                    "config": {"name": "words", "vocabulary": "/etc/passwd"},
                },
                "'words' reads the file '/etc/passwd'",
            ),
        ],
    )
    def test_refused(self, config, found):
        """Each is named."""
        with pytest.raises(ModelInvalid) as error:
            refuse_code({"layers": [{"deep": (config,)}]})

        assert str(error.value).startswith(
            "the model holds Python code, which is not run: "
        )
        assert found in str(error.value)

    @pytest.mark.parametrize("part", ["module", "training"])
    def test_in_keras_archive(self, part, tmp_path, refused, mark):
        """In an archive the same search finds the same."""
        path = save("digits", tmp_path / "model.keras")
        call = {
            "module": "os",
            "class_name": "function",
            "config": "system",
            "registered_name": "function",
        }

        def edit(config):
            if part == "training":
                config["compile_config"]["loss"] = call
            else:
                config["config"]["layers"][2]["config"]["activation"] = call

        rewrite(path, "config.json", edit)

        assert "'function' from the module 'os'" in refused(path)

    def test_assets(self, tmp_path, refused):
        """What no model of layers needs is not let in."""
        path = save("digits", tmp_path / "model.keras")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("model.weights.npz", b"pickles")

        assert "the archive's member 'model.weights.npz' is not supported" == refused(
            path
        )

    def test_good_ones(self, tmp_path):
        """Nothing that Keras 3 writes by itself is taken for code."""
        layers = keras.layers
        inputs = keras.Input((8, 8, 1))
        hidden = layers.Conv2D(
            2,
            3,
            activation=keras.activations.gelu,
            kernel_regularizer=keras.regularizers.L1L2(0.1, 0.1),
            kernel_constraint=keras.constraints.MaxNorm(1),
            kernel_initializer=keras.initializers.HeNormal(3),
            dtype="mixed_bfloat16",
        )(inputs)
        hidden = keras.ops.reshape(keras.ops.max(hidden, axis=-1), (-1, 6, 6)) * 2
        hidden = layers.RNN([layers.LSTMCell(2), layers.GRUCell(2)])(hidden)
        outputs = layers.Dense(3, activation=keras.ops.softmax)(hidden)
        model = keras.Model(inputs, outputs)
        model.compile(
            keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(0.1, 10)),
            keras.losses.categorical_crossentropy,
            metrics=[keras.metrics.AUC(), keras.metrics.mean_squared_error, "acc"],
        )
        path = tmp_path / "model.keras"
        model.save(path)

        TensorFlowTrainer(TensorFlowSettings(32), tmp_path, repeat=False).load(path)


def rewrite(path: Path, member: str, edit) -> None:
    """Edit the JSON in an archive's member."""
    other = path.with_suffix(".new")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == member:
                config = json.loads(content)
                edit(config)
                content = json.dumps(config).encode()
            new.writestr(name, content)
    other.replace(path)


class TestShapeBombs:
    """Descriptions that ask for more weights than there is memory."""

    UNITS = 1 << 22  # squared, in float32: 64 TiB

    @pytest.mark.parametrize("tensorflow", ["2.7", "2.2"])
    def test_keras_2(self, described, trainer, tensorflow):
        """The weights are counted before they are made."""

        def edit(layer):
            if layer["class_name"] == "Dense":
                layer["config"]["units"] = self.UNITS

        path = described(edit, "digits", tensorflow)

        with pytest.raises(ModelInvalid) as error:
            trainer().load(path)

        assert "asks for more than 2147483648 bytes of weights" in str(error.value)
        assert "dense_1/kernel" in str(error.value)

    @pytest.mark.parametrize("suffix", [".keras", ".h5"])
    def test_keras_3(self, tmp_path, trainer, suffix):
        """So are those of Keras 3."""
        path = save("digits", tmp_path / f"model{suffix}")

        def edit(config):
            for layer in config["config"]["layers"]:
                if "units" in layer["config"]:
                    layer["config"]["units"] = self.UNITS
                layer.pop("build_config", None)

        if suffix == ".keras":
            rewrite(path, "config.json", edit)
        else:
            with h5py.File(path, "r+") as file:
                config = json.loads(file.attrs["model_config"])
                edit(config)
                file.attrs["model_config"] = json.dumps(config)

        with pytest.raises(ModelInvalid, match="asks for more than 2147483648 bytes"):
            trainer().load(path)

    def test_in_sum(self, trainer):
        """Many small ones count together: 1210 weights, and Adam's two of each."""
        trainer(streamfit_max_model_bytes=20_000).load(model_file("digits"))

        with pytest.raises(ModelInvalid, match="asks for more than 4840 bytes"):
            trainer(streamfit_max_model_bytes=4840).load(model_file("digits"))
