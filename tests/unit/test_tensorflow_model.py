"""What the TensorFlow trainer does beyond its contract."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tf_keras

from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from domain.batches import ExampleBatch
from domain.errors import ModelInvalid, TrainingFailed
from domain.report import ConfusionMatrix
from tests.models import ArrayDataset, examples, model_file


@pytest.fixture
def load(tmp_path):
    """Load one of the models, with options."""

    def load(name, kwargs_fit="{}", kwargs_val="{}", repeat=False, path=None):
        settings = TensorFlowSettings(32, kwargs_fit=kwargs_fit, kwargs_val=kwargs_val)
        trainer = TensorFlowTrainer(settings, tmp_path, repeat=repeat)
        return trainer.load(path or model_file(name))

    return load


def fit(model, data, validation=None):
    """Train *model*, and return its epochs."""
    epochs = []
    model.fit(
        ArrayDataset(data), validation and ArrayDataset(validation), epochs.append
    )
    return epochs


class TestAccuracy:
    """`accuracy` in a file, counted by hand."""

    @pytest.mark.parametrize("tensorflow", ["2.7", "2.2"])
    @pytest.mark.parametrize("shape", [(200,), (200, 1)])
    def test_of_integer_labels(self, load, tensorflow, shape):
        """The label is compared with the likeliest class, whatever the file says."""
        data = examples("digits", 200)
        data = ExampleBatch(data.features, data.labels.reshape(shape))
        model = load("digits", '{"epochs": 5}', path=model_file("digits", tensorflow))
        fit(model, data)

        predicted = model.keras_model.predict(data.features, verbose=0).argmax(axis=1)

        right = np.mean(predicted == data.labels.reshape(-1))
        assert 0 < right < 1
        assert right == pytest.approx(model.evaluate(ArrayDataset(data))["accuracy"])

    def test_of_one_hot_labels(self, load):
        """One-hot labels count by their highest entry."""
        data = examples("lstm", 200)
        model = load("lstm")

        predicted = model.keras_model.predict(data.features, verbose=0).argmax(axis=1)

        right = np.mean(predicted == data.labels.argmax(axis=1))
        assert 0 < right < 1
        assert right == pytest.approx(model.evaluate(ArrayDataset(data))["acc"])

    def test_of_one_unit(self, load):
        """A single unit is compared with one half."""
        data = examples("binary", 200)
        model = load("binary")

        predicted = model.keras_model.predict(data.features, verbose=0)[:, 0] > 0.5

        right = np.mean(predicted == data.labels)
        assert 0 < right < 1
        assert right == pytest.approx(model.evaluate(ArrayDataset(data))["accuracy"])

    @pytest.mark.parametrize("tensorflow", ["2.7", "2.2"])
    def test_of_several_outputs(self, load, tensorflow):
        """Each output has its own, under its own name; the label goes to all."""
        data = examples("two_outputs", 200)
        model = load("two_outputs", path=model_file("two_outputs", tensorflow))

        outputs = model.keras_model.predict(data.features, verbose=0)

        metrics = model.evaluate(ArrayDataset(data))
        for name, output in zip(["early", "late"], outputs, strict=True):
            right = np.mean(output.argmax(axis=1) == data.labels)
            assert 0 < right < 1
            assert right == pytest.approx(metrics[f"{name}_accuracy"])

    @pytest.mark.parametrize(
        "config",
        [
            {
                "class_name": "SparseCategoricalAccuracy",
                "config": {"name": "accuracy", "dtype": "float32"},
            },
            {
                "class_name": "MeanMetricWrapper",
                "config": {
                    "name": "accuracy",
                    "dtype": "float32",
                    "fn": "sparse_top_k_categorical_accuracy",
                },
            },
        ],
    )
    def test_name_given_by_the_user(self, load, tmp_path, config):
        """A metric that merely bears the name stays what it is."""
        path = Path(shutil.copy(model_file("digits"), tmp_path / "model.h5"))
        with h5py.File(path, "r+") as file:
            training = json.loads(file.attrs["training_config"])
            training["metrics"] = [[config]]
            file.attrs["training_config"] = json.dumps(training)
        data = examples("digits", 200)
        model = load("digits", path=path)

        expected = tf_keras.metrics.deserialize(config)
        expected.update_state(
            data.labels, model.keras_model.predict(data.features, verbose=0)
        )

        metrics = model.evaluate(ArrayDataset(data))
        assert float(expected.result()) == pytest.approx(metrics["accuracy"])


class TestSteps:
    """Epochs by number of steps: 70 examples are three batches of 32."""

    def counted(self, model, data):
        epochs = fit(model, data)
        return len(epochs), int(model.keras_model.optimizer.iterations)

    def test_all(self, load):
        """Without a number of steps, an epoch is a pass."""
        model = load("digits", '{"epochs": 2}')

        assert (2, 6) == self.counted(model, examples("digits", 70))

    @pytest.mark.parametrize(
        ("steps", "epochs", "batches"), [(1, 3, 3), (2, 2, 3), (3, 4, 12), (5, 1, 3)]
    )
    def test_data_end(self, load, steps, epochs, batches):
        """Training ends with the data, and no epoch without any is reported."""
        model = load("digits", f'{{"epochs": 4, "steps_per_epoch": {steps}}}')

        assert (epochs, batches) == self.counted(model, examples("digits", 70))

    @pytest.mark.parametrize("steps", [2, 5])
    def test_repeated(self, load, steps):
        """In the dialect of 2020 data start over as often as the steps need."""
        options = f'{{"epochs": 4, "steps_per_epoch": {steps}}}'
        model = load("digits", options, repeat=True)

        assert (4, 4 * steps) == self.counted(model, examples("digits", 70))

    def test_not_repeated_without_steps(self, load):
        """Without a number of steps, also there an epoch is a pass."""
        model = load("digits", '{"epochs": 2}', repeat=True)

        assert (2, 6) == self.counted(model, examples("digits", 70))

    def test_from_a_later_epoch(self, load):
        """Epochs that are taken as done are not counted."""
        options = '{"epochs": 9, "initial_epoch": 7, "steps_per_epoch": 2}'

        assert (2, 3) == self.counted(load("digits", options), examples("digits", 70))

    def test_validation(self, load):
        """Validation has its own frequency and steps."""
        options = '{"epochs": 4, "validation_freq": 2, "validation_steps": 1}'
        validation = examples("digits", 70, seed=1)
        model = load("digits", options)

        epochs = fit(model, examples("digits", 70), validation)

        assert [0, 2, 0, 2] == [len(e.validation) for e in epochs]
        first = ArrayDataset(validation[:32])
        assert epochs[3].validation == model.evaluate(first)

    @pytest.mark.parametrize("steps", [1, 2])
    def test_evaluate(self, load, steps):
        """So has evaluation, ..."""
        data = examples("digits", 70)

        metrics = load("digits", kwargs_val=f'{{"steps": {steps}}}').evaluate(
            ArrayDataset(data)
        )

        assert load("digits").evaluate(ArrayDataset(data[: 32 * steps])) == metrics

    def test_evaluate_repeated(self, load):
        """... which starts over in the dialect of 2020."""
        data = examples("digits", 64)
        twice = ExampleBatch(*(np.tile(a, (2, *[1] * (a.ndim - 1))) for a in (
            data.features, data.labels)))  # fmt: skip

        metrics = load("digits", kwargs_val='{"steps": 4}', repeat=True).evaluate(
            ArrayDataset(data)
        )

        assert load("digits").evaluate(ArrayDataset(twice)) == metrics


class TestConfusionMatrix:
    def test_counts(self, load):
        """The table is that of the predicted classes, counted one by one."""
        data = examples("lstm", 100)
        model = load("lstm")
        predicted = model.keras_model.predict(data.features, verbose=0).argmax(axis=1)
        table = np.zeros((3, 3), int)
        for true, chosen in zip(data.labels.argmax(axis=1), predicted, strict=True):
            table[true, chosen] += 1

        matrix = model.confusion_matrix(ArrayDataset(data))

        assert len(set(predicted)) > 1
        assert ConfusionMatrix((0, 1, 2), tuple(map(tuple, table.tolist()))) == matrix

    @pytest.mark.parametrize("repeat", [False, True])
    @pytest.mark.parametrize(("steps", "count"), [(2, 64), (3, 70), (9, 70)])
    def test_steps(self, load, steps, count, repeat):
        """Only the examples that were predicted are compared, and none twice."""
        data = ArrayDataset(examples("binary", 70))
        model = load("binary", kwargs_val=f'{{"steps": {steps}}}', repeat=repeat)

        matrix = model.confusion_matrix(data)

        assert count == sum(map(sum, matrix.counts))

    @pytest.mark.parametrize("name", ["regression", "two_outputs"])
    def test_no_classifier(self, load, name):
        """Regressions and models of several outputs have none."""
        data = ArrayDataset(examples(name, 40))

        assert load(name).confusion_matrix(data) is None


class TestUnsuitable:
    """Examples that do not suit the model, in one sentence each."""

    @pytest.mark.parametrize(
        "use",
        [
            fit,
            lambda model, data: model.evaluate(ArrayDataset(data)),
            lambda model, data: model.confusion_matrix(ArrayDataset(data)),
        ],
        ids=["fit", "evaluate", "confusion_matrix"],
    )
    def test_shape(self, load, use):
        """The shapes wanted and found are named."""
        data = examples("digits", 40)
        data = ExampleBatch(data.features[:, :7], data.labels)
        model = load("digits")

        with pytest.raises(TrainingFailed) as failed:
            use(model, data)

        assert (
            'the examples do not suit the model: Input 0 of layer "digits" is '
            "incompatible with the layer: expected shape=(None, 8, 8), "
            "found shape=(None, 7, 8)" == str(failed.value)
        )

    @pytest.mark.parametrize(
        ("name", "spoil", "message"),
        [
            ("digits", lambda x, y: (x, y + np.uint8(9)), "Received a label value of "),
            ("lstm", lambda x, y: (x + 20, y), "indices["),
            ("lstm", lambda x, y: (x, y[:, 0]), "Shapes (None, 1) and (None, 3) are"),
            ("binary", lambda x, y: (x.astype("S4"), y), "Cast string to float is not"),
        ],
        ids=["class", "word", "label shape", "text"],
    )
    def test_values(self, load, name, spoil, message):
        """Whatever finds the fault, Keras or TensorFlow, its sentence is found."""
        data = examples(name, 40)

        with pytest.raises(TrainingFailed) as failed:
            fit(load(name), ExampleBatch(*spoil(data.features, data.labels)))

        said = str(failed.value)
        assert said.startswith(f"the examples do not suit the model: {message}")
        assert "\n" not in said
        assert len(said) < 350


class TestLoad:
    def test_custom_objects(self, load, tmp_path):
        """A model that needs code we do not have is invalid, and says what."""
        path = Path(shutil.copy(model_file("digits"), tmp_path / "model.h5"))
        with h5py.File(path, "r+") as file:
            file.attrs["model_config"] = file.attrs["model_config"].replace(
                '"Flatten"', '"TheirLayer"'
            )

        with pytest.raises(
            ModelInvalid, match=r"cannot load the model: .*'TheirLayer'"
        ):
            load("digits", path=path)

    def test_code(self, load):
        """A model with code in it is not loaded, even if nobody inspected it."""
        with pytest.raises(ModelInvalid, match="Lambda layer 'double'"):
            load("code")

    def test_any_file_name(self, load, tmp_path):
        """The content tells what a file is, not its name."""
        path = Path(shutil.copy(model_file("digits"), tmp_path / "model.keras"))

        assert "digits" == load("digits", path=path).keras_model.name


@pytest.mark.parametrize("tensorflow", ["2.7", "2.2"])
def test_save_blocks(load, tensorflow):
    """Weights find their places in nested models too, where files order them anew."""
    model = load("cnn", path=model_file("cnn", tensorflow))
    fit(model, examples("cnn", 70))

    saved = tf_keras.models.load_model(model.save()).get_weights()

    for weight, stored in zip(model.keras_model.get_weights(), saved, strict=True):
        np.testing.assert_array_equal(weight, stored)


def test_quiet(load, capfd):
    """Keras prints nothing, unless asked to."""
    data = ArrayDataset(examples("digits", 40))
    model = load("digits")
    capfd.readouterr()

    model.fit(data, data, lambda _: None)
    model.evaluate(data)

    assert "" == capfd.readouterr().out
    load("digits", kwargs_val='{"verbose": 2}').evaluate(data)
    assert "loss: " in capfd.readouterr().out
