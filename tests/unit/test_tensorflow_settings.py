"""The options for Keras, as the platform writes them."""

from __future__ import annotations

import re

import pytest

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
    ],
)
def test_written_options(text, options):
    """JSON, Python, and JSON in single quotes say the same."""
    assert options == TensorFlowSettings(32, kwargs_fit=text).kwargs_fit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"epoch": 5}', "fit has no argument 'epoch' (did you mean 'epochs'?)"),
        ('{"callbacks": 5}', "fit has no argument 'callbacks' (known: epochs, "),
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


def test_batch():
    """A batch holds one example at least."""
    assert 1 == TensorFlowSettings(1).batch
    with pytest.raises(ValueError, match="must be > 0"):
        TensorFlowSettings(0)
