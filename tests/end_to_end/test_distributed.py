"""The job as today's platform starts it for a chain of sub-models (case 3)."""

from __future__ import annotations

import io
import json
import signal

import h5py
import numpy as np
import pytest

from domain.phases import Phase
from tests.end_to_end.platform import ChainBackend, SubModel, message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.reference import own_metrics, train_chain
from tests.end_to_end.test_current import RAW_DIGITS, digits, part
from tests.faults import dying_job
from tests.models import chain_files, chain_folder, model_file

pytestmark = pytest.mark.kafka

METRICS = ["sparse_categorical_accuracy", "accuracy"]
NAMES = {2: ["model_1", "model_10"], 3: ["model_1", "model", "model_10"]}
EPOCHS = 3


@pytest.fixture
def chain_variables(variables):
    """The variables of case 3, but for the URLs, as the platform writes them."""
    return {
        **variables,
        "CASE": "3",
        "OPTIMIZER": "adam",
        "LEARNING_RATE": "0.250000",
        "LOSS": "sparse_categorical_crossentropy",
        "METRICS": ", ".join(METRICS),
    }


def back_end(server, count):
    """Return a back-end with results 8, 9, ... for a chain of *count* sub-models."""
    models = [path.read_bytes() for path in chain_files(count)]
    parts = [SubModel(number, [model]) for number, model in enumerate(models, 8)]
    return ChainBackend(server, parts)


def announced(sender, arrays, **fields):
    """Send *arrays* and announce them."""
    ranges = sender.send(raw(*arrays))
    count = len(arrays[0])
    sender.announce(message(ranges, count, input_config=RAW_DIGITS, **fields))


def plain(count, arrays, *, tested=True):
    """Do the same in a few lines of Keras, where the parts are 80, 10 and 10 %."""
    share = len(arrays[0]) // 10
    held_out = (9 * share, 10 * share)
    return train_chain(
        chain_files(count),
        part(arrays, 0, (8 if tested else 9) * share),
        part(arrays, *held_out),
        part(arrays, 8 * share, 9 * share) if tested else None,
        batch=16,
        epochs=EPOCHS,
        metrics=METRICS,
        loss_weight=0.25,
    )


def weights(content: bytes) -> list[np.ndarray]:
    """Return the weights in a model file, in Keras's order."""
    with h5py.File(io.BytesIO(content)) as file:
        group = file["model_weights"]
        return [
            group[layer][name][()]
            for layer in group.attrs["layer_names"]
            for name in group[layer].attrs["weight_names"]
        ]


def assert_same_result(backend, reference):
    """Every sub-model's metrics and weights are Keras's own, to the last digit."""
    history, tested, models = reference
    names = NAMES[len(backend.parts)]
    for index, (sub, name) in enumerate(zip(backend.parts, names, strict=True)):
        result = sub.results[-1]
        assert own_metrics(history, name, METRICS) == result["train_metrics"]
        assert own_metrics(history, name, METRICS, "val_") == result["val_metrics"]
        if tested:
            own = own_metrics(tested, name, METRICS)
            assert {k: [v] for k, v in own.items()} == result["test_metrics"]
        else:
            assert [] == result["test_metrics"]
        assert result["confusion_matrix"] is None
        assert result["indefinite"] is False
        assert f"trained_model_{index + 1}.h5" == sub.file_names[-1]
        expected = [
            np.asarray(weight)
            for layer in models[index].layers
            for weight in layer.trainable_weights + layer.non_trainable_weights
        ]
        for one, other in zip(expected, weights(sub.trained), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("count", [2, 3])
def test_whole_job(httpserver, sender, chain_variables, count):
    """Posts per epoch and results go to every sub-model's URL, its own to each."""
    backend, arrays = back_end(httpserver, count), digits()
    announced(sender, arrays)

    job = run({**chain_variables, **backend.variables})

    assert 0 == job.process.returncode
    assert_same_result(backend, plain(count, arrays))
    for sub in backend.parts:
        assert 1 == sub.downloads
        assert 1 == len(sub.results)
        assert sub.progress
        for state in sub.progress:
            epochs = len(state["train_metrics"]["loss"])
            for kind in ("train_metrics", "val_metrics"):
                told = sub.results[0][kind]
                assert {k: v[:epochs] for k, v in told.items()} == state[kind]


def test_no_test_part(httpserver, sender, chain_variables):
    """Without a test there is an empty list, whatever CONF_MAT_CONFIG says."""
    backend, arrays = back_end(httpserver, 2), digits(60)
    announced(sender, arrays, test_rate=0)

    job = run({**chain_variables, **backend.variables, "CONF_MAT_CONFIG": "true"})

    assert 0 == job.process.returncode
    assert_same_result(backend, plain(2, arrays, tested=False))


def test_one_not_accepted(httpserver, sender, chain_variables):
    """If the last one is not accepted, all are sent again."""
    backend, arrays = back_end(httpserver, 3), digits(60)
    backend.parts[-1].statuses.append(503)
    announced(sender, arrays)

    job = run({**chain_variables, **backend.variables})

    assert 0 == job.process.returncode
    assert [2, 2, 2] == [len(sub.results) for sub in backend.parts]
    assert_same_result(backend, plain(3, arrays))


def test_away_at_delivery(httpserver, sender, chain_variables, tmp_path):
    """What was trained is delivered by the next process, and trained once."""
    backend, arrays = back_end(httpserver, 2), digits(60)
    backend.parts[-1].statuses += [503] * 20
    announced(sender, arrays)
    variables = {
        **chain_variables,
        **backend.variables,
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
        "STREAMFIT_DELIVERY_DEADLINE": "1",
    }

    first = run(variables)
    backend.parts[-1].statuses.clear()
    second = run(variables)
    told = [len(sub.results) for sub in backend.parts]
    third = run(variables)

    assert [75, 0, 0] == [job.process.returncode for job in (first, second, third)]
    assert first.logged("engine ready")
    assert not second.logged("engine ready")
    assert third.logged("result was delivered before")
    assert told == [len(sub.results) for sub in backend.parts]
    assert_same_result(backend, plain(2, arrays))


def test_killed(httpserver, sender, chain_variables, tmp_path):
    """A job that is killed in its training goes on with the models that it had."""
    backend, arrays = back_end(httpserver, 3), digits()
    for sub in backend.parts:
        sub.models.append(other_weights(sub.models[0]))
    announced(sender, arrays)
    variables = {
        **chain_variables,
        **backend.variables,
        "STREAMFIT_STATE_DIR": str(tmp_path / "state"),
        "STREAMFIT_CHECKPOINT_SECONDS": "0",
        "STREAMFIT_STEPS_PER_EXECUTION": "1",
    }

    death = dying_job.death(Phase.REPORTING, 2, signal.SIGKILL)
    with running(variables | death, dying_job.COMMAND) as job:
        assert -signal.SIGKILL == job.wait()
    second = run(variables)

    assert 0 == second.process.returncode
    (line,) = second.logged("training goes on")
    assert 1 == line["epochs"]
    assert [2, 2, 2] == [sub.downloads for sub in backend.parts]
    assert [1, 1, 1] == [len(sub.results) for sub in backend.parts]
    assert_same_result(backend, plain(3, arrays))


def other_weights(model: bytes) -> bytes:
    """Return the same model as the platform makes it once more."""
    content = io.BytesIO(model)
    with h5py.File(content, "r+") as file:

        def move(_: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                item[...] = item[()] + 1

        file["model_weights"].visititems(move)
    return content.getvalue()


class TestVariables:
    def test_all_at_once(self, chain_variables):
        """What is missing or wrong of case 3 is told in one message."""
        for name in ("OPTIMIZER", "LOSS"):
            del chain_variables[name]
        job = run(
            {
                **chain_variables,
                "RESULT_URL": "http://127.0.0.1:9/results/3",
                "LEARNING_RATE": "None",
                "METRICS": "accuracy, ",
            }
        )

        (line,) = job.logged("job failed")
        assert 78 == job.process.returncode
        for reason in (
            "RESULT_URL: want a Python list of URLs",
            "OPTIMIZER is missing",
            "LOSS is missing",
            "LEARNING_RATE: want a number above 0, got 'None'",
            "METRICS: want names that Keras knows",
        ):
            assert reason in line["reason"]

    def test_not_read_elsewhere(self, sender, backend, variables):
        """In other cases they are nobody's business."""
        announced(sender, digits(40))

        job = run(
            {
                **variables,
                "RESULT_URL": backend.url,
                "OPTIMIZER": "no such thing",
                "LEARNING_RATE": "None",
            }
        )

        assert 0 == job.process.returncode


def test_models_refused(httpserver, chain_variables):
    """A chain that is none is refused before anybody waits for a message."""
    backend = back_end(httpserver, 2)
    backend.parts[0].models[0] = model_file("digits").read_bytes()

    job = run({**chain_variables, **backend.variables})

    (line,) = job.logged("job failed")
    assert 65 == job.process.returncode
    assert "sub-model 1: 'digits' has 1 output(s), want two" in line["reason"]
    assert not job.logged("waiting for a control message")


def test_files(sender, chain_variables, tmp_path):
    """Without a back-end, a chain is a folder, and so is the result."""
    arrays, result = digits(60), tmp_path / "result"
    announced(sender, arrays)

    job = run(
        {
            **chain_variables,
            "STREAMFIT_BACKEND": "file",
            "STREAMFIT_MODEL_FILE": str(
                chain_folder(tmp_path / "chain", chain_files(3))
            ),
            "STREAMFIT_RESULT_FOLDER": str(result),
        }
    )

    assert 0 == job.process.returncode
    history, _, models = plain(3, arrays)
    told = json.loads((result / "result.json").read_text())["train_metrics"]
    assert history["loss"] == told["loss"]
    assert history["model_10_loss"] == told["model_10/loss"]
    for number, model in enumerate(models, 1):
        trained = weights((result / f"trained_model_{number}.h5").read_bytes())
        expected = {w.shape for w in model.get_weights()}
        assert expected == {w.shape for w in trained}
