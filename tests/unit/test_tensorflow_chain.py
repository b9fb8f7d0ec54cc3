"""Chains in training, compared with a plain script of the same procedure."""

from __future__ import annotations

from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tf_keras

from adapters.memory.journal import MemoryJournal
from adapters.tensorflow import (
    ChainSettings,
    ModelSettings,
    TensorFlowSettings,
    TensorFlowTrainer,
)
from domain.errors import ModelInvalid, SettingsInvalid
from tests.end_to_end.reference import own_metrics, train_chain
from tests.models import ArrayDataset, chain_files, chain_folder, examples
from tests.unit.test_tensorflow_resume import Killed, Mortal

BATCH, EPOCHS, RATE = 16, 3, 0.25
LOSS = "sparse_categorical_crossentropy"
METRICS = ("sparse_categorical_accuracy", "accuracy")
NAMES = {2: ("model_1", "model_10"), 3: ("model_1", "model", "model_10")}


def trainer_into(folder, models=None, *, block=None, **chain) -> TensorFlowTrainer:
    """Return a trainer of chains, as the platform's variables make it."""
    told = {"optimizer": "adam", "loss": LOSS, "learning_rate": str(RATE)} | chain
    return TensorFlowTrainer(
        TensorFlowSettings(
            BATCH,
            kwargs_fit={"epochs": EPOCHS},
            streamfit_steps_per_execution=block,
        ),
        folder,
        repeat=False,
        model_settings=models or ModelSettings(),
        chain_settings=ChainSettings(**{"metrics": ", ".join(METRICS)} | told),
    )


def parts(name="chain"):
    """Return training, validation and test part."""
    data = examples(name, 150)
    return data[:110], data[110:130], data[130:]


def pair(part):
    return part.features, part.labels


def trained(trainer, folder):
    """Train the chain in *folder*; returns epochs, test metrics and files."""
    training, validation, test = map(ArrayDataset, parts())
    epochs = []
    model = trainer.load(folder)
    model.fit(training, validation, epochs.append)
    return epochs, model.evaluate(test), model.save()


def of(metrics, name):
    """Return the metrics of a sub-model alone."""
    return {
        k[len(name) + 1 :]: v for k, v in metrics.items() if k[: k.rfind("/")] == name
    }


def weights(path: Path) -> list[np.ndarray]:
    """Return the weights in a model file, in Keras's order."""
    with h5py.File(path) as file:
        group = file["model_weights"]
        return [
            group[layer][name][()]
            for layer in group.attrs["layer_names"]
            for name in group[layer].attrs["weight_names"]
        ]


def weights_of(model) -> list[np.ndarray]:
    return [
        np.asarray(weight)
        for layer in model.layers
        for weight in layer.trainable_weights + layer.non_trainable_weights
    ]


def assert_like_plain_keras(found, reference, count):
    """Compare every number and every weight, to the last digit."""
    epochs, tested, folder = found
    history, plain_tested, models = reference
    for i, epoch in enumerate(epochs):
        assert history["loss"][i] == epoch.training["loss"]
        assert history["val_loss"][i] == epoch.validation["loss"]
    assert plain_tested["loss"] == tested["loss"]
    for name in NAMES[count]:
        assert own_metrics(history, name, METRICS) == {
            metric: [of(epoch.training, name)[metric] for epoch in epochs]
            for metric in of(epochs[0].training, name)
        }
        assert own_metrics(history, name, METRICS, "val_") == {
            metric: [of(epoch.validation, name)[metric] for epoch in epochs]
            for metric in of(epochs[0].validation, name)
        }
        assert own_metrics(plain_tested, name, METRICS) == of(tested, name)
    for number, model in enumerate(models, 1):
        plain = weights_of(model)
        ours = weights(folder / f"trained_model_{number}.h5")
        assert len(plain) == len(ours)
        for theirs, own in zip(plain, ours, strict=True):
            np.testing.assert_array_equal(theirs, own)


def plain(count, **options):
    training, validation, test = map(pair, parts())
    return train_chain(
        chain_files(count),
        training,
        validation,
        test,
        **{
            "batch": BATCH,
            "epochs": EPOCHS,
            "metrics": METRICS,
            "loss_weight": RATE,
            **options,
        },
    )


class TestNumbers:
    @pytest.mark.parametrize("count", [2, 3])
    def test_loss_weight(self, tmp_path, count):
        """Losses, metrics and weights are those of a few lines of Keras 2."""
        folder = chain_folder(tmp_path / "chain", chain_files(count))

        found = trained(trainer_into(tmp_path), folder)

        assert_like_plain_keras(found, plain(count), count)

    def test_learning_rate(self, tmp_path):
        """If the user wants so, the learning rate is one."""
        folder = chain_folder(tmp_path / "chain", chain_files(3))
        trainer = trainer_into(tmp_path, streamfit_learning_rate_as="optimizer")

        found = trained(trainer, folder)

        optimizer = tf_keras.optimizers.Adam(RATE)
        reference = plain(3, loss_weight=None, optimizer=optimizer)
        assert_like_plain_keras(found, reference, 3)

    def test_our_own_settings(self, tmp_path):
        """Each of our own variables replaces one of the platform's."""
        folder = chain_folder(tmp_path / "chain", chain_files(2))
        models = ModelSettings(
            streamfit_optimizer="sgd",
            streamfit_loss=LOSS,
            streamfit_metrics=",".join(METRICS),
            streamfit_learning_rate=0.05,
        )
        trainer = trainer_into(
            tmp_path, models, optimizer="adam", loss="mse", metrics="mae"
        )

        found = trained(trainer, folder)

        reference = plain(2, optimizer=tf_keras.optimizers.SGD(0.05))
        assert_like_plain_keras(found, reference, 2)

    def test_no_metrics(self, tmp_path):
        """Without metrics there are the losses."""
        folder = chain_folder(tmp_path / "chain", chain_files(2))

        epochs, _, _ = trained(trainer_into(tmp_path, metrics=()), folder)

        assert ["loss", "model_1/loss", "model_10/loss"] == list(epochs[0].training)


class TestNames:
    def test_total_first(self, tmp_path):
        """The total loss comes first, and the sub-models in their order."""
        folder = chain_folder(tmp_path / "chain", chain_files(3))

        epochs, tested, _ = trained(trainer_into(tmp_path), folder)

        for metrics in (epochs[0].training, epochs[0].validation, tested):
            assert ["loss", "model_1/loss", "model/loss", "model_10/loss"] == list(
                metrics
            )[:4]
            assert ["loss", *METRICS] == list(of(metrics, "model_1"))

    @pytest.mark.parametrize(
        ("first", "last"),
        [
            ("m", "m_sparse"),  # m_sparse_categorical_accuracy is of both
            ("val_x", "x"),
            ("loss", "loss_loss"),
            ("2", "1"),
        ],
    )
    def test_exact(self, tmp_path, first, last):
        """Whatever sub-models are called, none gets another one's numbers."""
        metrics = "categorical_accuracy, sparse_categorical_accuracy"
        plain = made(tf_keras, tmp_path / "plain", ("first", "last"))
        tricky = made(tf_keras, tmp_path / "tricky", (first, last))
        trainer = trainer_into(tmp_path, metrics=metrics)

        expected, expected_tested, _ = trained(trainer, plain)
        found, tested, _ = trained(trainer, tricky)

        for one, other in [
            *((e.training, f.training) for e, f in zip(expected, found, strict=True)),
            *(
                (e.validation, f.validation)
                for e, f in zip(expected, found, strict=True)
            ),
            (expected_tested, tested),
        ]:
            assert one["loss"] == other["loss"]
            assert of(one, "first") == of(other, first)
            assert of(one, "last") == of(other, last)
            assert 3 == len(of(other, last))


def made(engine, folder, names, suffix=".h5", *, width=6):
    """Make two sub-models with weights that are always the same."""
    engine.utils.set_random_seed(3)
    layers = engine.layers
    folder.mkdir()
    inputs = engine.Input((8, 8))
    hidden = layers.Dense(6, activation="relu")(layers.Flatten()(inputs))
    own = layers.Dense(10, activation="softmax")(hidden)
    first = engine.Model(inputs, [hidden, own], name=names[0])
    inputs = engine.Input((width,))
    own = layers.Dense(10, activation="softmax")(inputs)
    last = engine.Model(inputs, own, name=names[1])
    for number, model in enumerate((first, last), 1):
        model.save(folder / f"model{suffix}")
        (folder / f"model{suffix}").rename(folder / f"{number}.h5")
    return folder


@pytest.mark.parametrize(
    ("engine", "suffix"),
    [(tf_keras, ".h5"), (tf_keras, ".keras"), (keras, ".h5"), (keras, ".keras")],
    ids=["Keras 2, HDF5", "Keras 2, archive", "Keras 3, HDF5", "Keras 3, archive"],
)
def test_formats(tmp_path, engine, suffix):
    """In every format: numbers of that Keras, and files with weights that moved."""
    names = ("edge", "cloud")
    folder = made(engine, tmp_path / "chain", names, suffix)

    epochs, _, trained_folder = trained(trainer_into(tmp_path), folder)

    models = []
    for number in (1, 2):
        path = folder / f"{number}{suffix}"
        (folder / f"{number}.h5").rename(path)
        models.append(engine.models.load_model(path, compile=False))
    history = fitted(engine, models)
    assert history["loss"] == [epoch.training["loss"] for epoch in epochs]
    files = sorted(path.name for path in trained_folder.iterdir())
    assert [f"trained_model_{number}{suffix}" for number in (1, 2)] == files
    for file, plain, name in zip(files, models, names, strict=True):
        ours = engine.models.load_model(trained_folder / file, compile=False)
        assert name == ours.name
        assert history[f"{name}_loss"] == [
            epoch.training[f"{name}/loss"] for epoch in epochs
        ]
        for one, other in zip(plain.get_weights(), ours.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


def fitted(engine, models):
    """Join two sub-models, fit them as any Keras does it, and return the history."""
    training = parts()[0]
    tensor, own = models[0](models[0].inputs[0])
    joined = engine.Model(models[0].inputs[0], [own, models[1](tensor)])
    joined.compile("adam", [LOSS] * 2, loss_weights=[RATE] * 2)
    return joined.fit(
        training.features,
        [training.labels] * 2,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
    ).history


@pytest.mark.parametrize(("left", "asks"), [(2, None), (8, None), (None, 4)])
def test_killed(tmp_path, left, asks):
    """A chain that was killed goes on to the same end, to the last bit."""
    folder = chain_folder(tmp_path / "chain", chain_files(3))

    def process(run, **deaths):
        model = trainer_into(tmp_path, block=1).load(folder)
        kept = Mortal(run, 110, 0, iter(range(10**6)).__next__, **deaths)
        training, validation, _ = map(ArrayDataset, parts())
        model.fit(training, validation, kept.add, kept)
        return kept.history, [v.numpy() for v in model.keras_model.variables]

    expected, variables = process(MemoryJournal(tmp_path).run("unbroken"))
    run = MemoryJournal(tmp_path).run("killed")
    with pytest.raises((Killed, SystemExit)):
        process(run, checkpoints_left=left, asks_left=asks)
    history, found = process(run)

    assert expected == history
    for one, other in zip(variables, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_early_stopping(tmp_path):
    """It goes by the total loss: a rate that throws it about ends the training."""
    folder = chain_folder(tmp_path / "chain", chain_files(2))
    trainer = TensorFlowTrainer(
        TensorFlowSettings(
            BATCH,
            kwargs_fit={"epochs": 40},
            streamfit_early_stopping=2,
            streamfit_checkpoint_best=True,
        ),
        tmp_path,
        repeat=False,
        chain_settings=ChainSettings("sgd", LOSS, 40.0),
    )

    epochs, _, _ = trained(trainer, folder)

    losses = [epoch.validation["loss"] for epoch in epochs]
    assert len(losses) < 40
    assert len(losses) - 1 == int(np.nanargmin(losses)) + 2


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision(tmp_path, precision):
    """What layers compute in is no matter of the files, nor of the names."""
    folder = chain_folder(tmp_path / "chain", chain_files(3))
    models = ModelSettings(streamfit_mixed_precision=precision)

    epochs, _, trained_folder = trained(trainer_into(tmp_path, models), folder)

    _, _, plain_models = plain(3)
    assert {"model_1", "model", "model_10"} == {
        name.rpartition("/")[0] for name in epochs[-1].training if name != "loss"
    }
    for number, model in enumerate(plain_models, 1):
        pairs = zip(
            weights_of(model),
            weights(trained_folder / f"trained_model_{number}.h5"),
            strict=True,
        )
        for one, other in pairs:
            assert (one.shape, one.dtype) == (other.shape, other.dtype)
            np.testing.assert_allclose(one, other, atol=0.1)


def test_compiled_sub_models(tmp_path):
    """How sub-models were compiled on their own does not count."""
    folder = chain_folder(tmp_path / "chain", chain_files(2))
    last = tf_keras.models.load_model(folder / "2.h5", compile=False)
    last.compile(tf_keras.optimizers.SGD(100.0), "mse", metrics=["mae"])
    last.save(folder / "2.h5")

    found = trained(trainer_into(tmp_path), folder)

    assert_like_plain_keras(found, plain(2), 2)


class TestRefused:
    def test_class_weights(self, tmp_path):
        """What Keras cannot do for several outputs is said before the wait."""
        settings = TensorFlowSettings(BATCH, streamfit_class_weights="balanced")
        trainer = TensorFlowTrainer(
            settings,
            tmp_path,
            repeat=False,
            chain_settings=ChainSettings("sgd", LOSS, 1.0),
        )

        with pytest.raises(SettingsInvalid, match="STREAMFIT_CLASS_WEIGHTS: not for"):
            trainer.inspect(chain_folder(tmp_path / "chain", chain_files(2)))

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"optimizer": "adamm"}, "OPTIMIZER: Keras knows no 'adamm'"),
            ({"loss": "crossentropie"}, "LOSS: Keras knows no 'crossentropie'"),
            ({"metrics": "accuracy, acuracy"}, "METRICS: Keras knows no 'acuracy'"),
        ],
    )
    def test_unknown_names(self, tmp_path, changes, reason):
        """What Keras does not know is said by its variable's name."""
        folder = chain_folder(tmp_path / "chain", chain_files(2))

        with pytest.raises(SettingsInvalid, match=f"^{reason}"):
            trainer_into(tmp_path, **changes).load(folder)

    def test_does_not_fit(self, tmp_path):
        """Sub-models that do not fit are told, if no file told it before."""
        folder = made(tf_keras, tmp_path / "chain", ("a", "b"))
        inputs = tf_keras.Input((8, 8))
        flat = tf_keras.layers.Flatten()(inputs)  # its size is in no description
        own = tf_keras.layers.Dense(10)(flat)
        model = tf_keras.Model(inputs, [flat, own], name="a")
        model.save(folder / "1.h5")
        trainer = trainer_into(tmp_path)
        trainer.inspect(folder)

        with pytest.raises(ModelInvalid, match="sub-model 2: 'b' cannot take what"):
            trainer.load(folder)
