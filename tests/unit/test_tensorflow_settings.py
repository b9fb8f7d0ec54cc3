"""The options for Keras, as the platform writes them."""

from __future__ import annotations

import inspect
import re

import keras
import pytest
import tf_keras
from attrs import fields

from adapters.tensorflow import TensorFlowSettings


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("{}", {}),
        ("", {}),
        ("null", {}),
        ("None", {}),
        (
            '{"epochs": 5, "steps_per_epoch": 1000}',
            {"epochs": 5, "steps_per_epoch": 1000},
        ),
        ("{'epochs': 5}", {"epochs": 5}),
        ("{'epochs': 5, 'shuffle': True}", {"epochs": 5, "shuffle": True}),
        ("{'epochs': 5, 'shuffle': true}", {"epochs": 5, "shuffle": True}),
        ("{'steps_per_epoch': None}", {"steps_per_epoch": None}),
        ('{"steps_per_epoch": null}', {"steps_per_epoch": None}),
        ('{"steps_per_epoch": 1875.0}', {"steps_per_epoch": 1875}),
        ('{"steps_per_epoch": 1562.5}', {"steps_per_epoch": 1563}),
        ('{"verbose": "auto"}', {"verbose": "auto"}),
        ('{"verbose": true}', {"verbose": 1}),
        ('{"shuffle": "batch"}', {"shuffle": "batch"}),
        ('{"initial_epoch": 0}', {"initial_epoch": 0}),
        ('{"callbacks": null, "validation_data": null, "batch_size": null}', {}),
        ('{"validation_split": 0.0}', {}),
    ],
)
def test_written_options(text, options):
    """JSON, Python, and JSON in single quotes say the same."""
    assert options == TensorFlowSettings(32, kwargs_fit=text).kwargs_fit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"epoch": 5}', "fit has no argument 'epoch' (did you mean 'epochs'?)"),
        ('{"speed": 5}', "fit has no argument 'speed' (known: epochs, "),
        ('{"callbacks": 5}', "'callbacks' is not for fit: code cannot be given"),
        ('{"class_weight": 1}', "'class_weight' is not for fit: STREAMFIT_CLASS_WEI"),
        ('{"batch_size": 32}', "'batch_size' is not for fit: the batch size is the"),
        ('{"validation_split": 0.1}', "'validation_split' is not for fit: the control"),
        ('{"epochs": 0}', "'epochs': want a whole number above 0, got 0"),
        ('{"epochs": true}', "'epochs': want a whole number above 0, got True"),
        ('{"epochs": 2.5}', "'epochs': want a whole number above 0, got 2.5"),
        ('{"epochs": "5"}', "'epochs': want a whole number above 0, got '5'"),
        ('{"epochs": null}', "'epochs': want a whole number above 0, got None"),
        ('{"initial_epoch": -1}', "'initial_epoch': want a whole number from 0 on"),
        ('{"steps_per_epoch": -1}', "'steps_per_epoch': want a number above 0 or null"),
        ('{"steps_per_epoch": Infinity}', "'steps_per_epoch': want a number above 0"),
        ('{"steps_per_epoch": NaN}', "'steps_per_epoch': want a number above 0"),
        ('{"shuffle": 2}', "'shuffle': want true or false, got 2"),
        ('{"verbose": 3}', "'verbose': want 0, 1, 2 or 'auto', got 3"),
        ('{"workers": [1]}', "'workers': want a whole number above 0, got [1]"),
        ("[1]", "want a JSON object, got '[1]'"),
        ("epochs=5", "want a JSON object, got 'epochs=5'"),
        ("__import__('os').getcwd()", "want a JSON object, got"),
    ],
)
def test_refused_options(text, message):
    """What Keras would refuse, or ignore, is refused at once and named."""
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        TensorFlowSettings(32, kwargs_fit=text)

    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_evaluate_has_arguments_of_its_own():
    """`steps` is for evaluate, `epochs` for fit."""
    assert {"steps": 7} == TensorFlowSettings(32, kwargs_val="{'steps': 7}").kwargs_val
    with pytest.raises(ValueError, match="evaluate has no argument 'epochs'"):
        TensorFlowSettings(32, kwargs_val='{"epochs": 5}')


def test_evaluate_returns_by_name():
    """How evaluate returns its metrics is the job's own matter."""
    assert {} == TensorFlowSettings(32, kwargs_val='{"return_dict": true}').kwargs_val


@pytest.mark.parametrize("engine", [tf_keras, keras], ids=["Keras 2", "Keras 3"])
@pytest.mark.parametrize(
    ("function", "variable"), [("fit", "kwargs_fit"), ("evaluate", "kwargs_val")]
)
def test_every_argument_is_known(engine, function, variable):
    """None of Keras's arguments is unknown: it is taken, or said who gives it."""
    parameters = inspect.signature(getattr(engine.Model, function)).parameters

    for name in parameters.keys() - {"self", "kwargs"}:
        with pytest.raises(ValueError, match=f"'{name}'") as refused:
            TensorFlowSettings(32, **{variable: {name: "a value of no use"}})
        assert "has no argument" not in str(refused.value)


class TestVariables:
    """What may be asked for beyond the original."""

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("steps_per_execution", "auto", None),
            ("steps_per_execution", "16", 16),
            ("early_stopping", "5", 5),
            ("checkpoint_best", "1", True),
            ("checkpoint_best", "false", False),
            ("class_weights", "balanced", "balanced"),
            ("seed", "0", 0),
            ("seed", "4294967295", 4294967295),
            ("jit", "0", False),
            ("jit", "true", True),
            ("require_gpu", "1", True),
        ],
    )
    def test_good(self, name, text, value):
        settings = TensorFlowSettings(32, **{f"streamfit_{name}": text})

        assert value == getattr(settings, f"streamfit_{name}")

    @pytest.mark.parametrize(
        ("name", "text", "message"),
        [
            ("steps_per_execution", "0", "want 'auto' or a whole number above 0, got"),
            ("steps_per_execution", "x", "want 'auto' or a whole number above 0, got"),
            ("early_stopping", "0", "want a number of epochs above 0, got '0'"),
            ("checkpoint_best", "best", "want 1 or 0, got 'best'"),
            ("class_weights", "fair", "want balanced, got 'fair'"),
            ("seed", "-1", "want a whole number from 0 up to 4294967295, got '-1'"),
            ("seed", "4294967296", "want a whole number from 0 up to 4294967295, got"),
            ("jit", "auto", "want 1 or 0, got 'auto'"),
            ("require_gpu", "2", "want 1 or 0, got '2'"),
        ],
    )
    def test_refused(self, name, text, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            TensorFlowSettings(32, **{f"streamfit_{name}": text})

    def test_all_are_off(self):
        """Without variables, training is that of the original."""
        settings = TensorFlowSettings(32)

        ours = [f.name for f in fields(TensorFlowSettings) if "streamfit" in f.name]
        assert {None, False} == {getattr(settings, name) for name in ours}


def test_batch():
    """A batch holds one example at least."""
    assert 1 == TensorFlowSettings(1).batch
    with pytest.raises(ValueError, match="must be > 0"):
        TensorFlowSettings(0)
