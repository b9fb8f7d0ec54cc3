"""The variables of chains of sub-models (contract, section 2.2)."""

from __future__ import annotations

import pytest

from adapters.tensorflow import ChainSettings
from bootstrap.checking import check_environment
from bootstrap.container import Container
from bootstrap.settings import Settings, load
from domain.errors import SettingsInvalid

VARIABLES = {
    "OPTIMIZER": "adam",
    "LEARNING_RATE": "0.001000",
    "LOSS": "sparse_categorical_crossentropy",
    "METRICS": "sparse_categorical_accuracy, accuracy,mae",
}
CHAIN = VARIABLES | {
    "DEPLOYMENT_ID": "7",
    "BATCH": "32",
    "CASE": "3",
    "CONF_MAT_CONFIG": "true",
    "RESULT_URL": "['http://backend:8000/results/8', 'http://backend:8000/results/9']",
    "STREAMFIT_BROKER": "memory",
}


def test_as_the_platform_writes_them():
    """Names with commas and spaces, and a rate that is a weight."""
    assert ChainSettings(
        "adam",
        "sparse_categorical_crossentropy",
        0.001,
        ("sparse_categorical_accuracy", "accuracy", "mae"),
        "loss-weight",
    ) == load(ChainSettings, VARIABLES)


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("OPTIMIZER", "", "OPTIMIZER is missing"),
        ("LOSS", "", "LOSS is missing"),
        ("LEARNING_RATE", "", "LEARNING_RATE is missing"),
        ("LEARNING_RATE", "0", "LEARNING_RATE: want a number above 0"),
        ("LEARNING_RATE", "nan", "LEARNING_RATE: want a number above 0"),
        ("OPTIMIZER", "adam()", "OPTIMIZER: want one name that Keras knows"),
        ("LOSS", "mse, mae", "LOSS: want one name that Keras knows"),
        ("METRICS", "mae,,mse", "METRICS: want names that Keras knows"),
        ("STREAMFIT_LEARNING_RATE_AS", "rate", "want loss-weight or optimizer"),
        ("RESULT_URL", "http://backend/results/8", "RESULT_URL: want a Python list"),
    ],
)
def test_refused(variable, text, reason):
    """What is wrong is told before anything starts, ..."""
    with pytest.raises(SettingsInvalid, match=reason):
        check_environment({**CHAIN, variable: text})


@pytest.mark.parametrize("case", ["1", "3"])
def test_only_where_they_are_read(case):
    """... where the model is a chain; elsewhere nobody reads them."""
    wrong = {**CHAIN, "CASE": case, "LOSS": "()"}
    if case == "1":
        wrong["RESULT_URL"] = "http://backend:8000/results/8"
        check_environment(wrong)
    else:
        check_environment(CHAIN)
        with pytest.raises(SettingsInvalid, match="LOSS"):
            check_environment(wrong)


@pytest.mark.parametrize(
    ("case", "url", "prefix", "chained"),
    [
        ("3", CHAIN["RESULT_URL"], "HttpChain", load(ChainSettings, VARIABLES)),
        ("1", "http://backend:8000/results/8", "Http", None),
    ],
)
def test_wired(case, url, prefix, chained):
    """The adapters behind the ports are those for chains, or those for a model."""
    container = Container(environ={**CHAIN, "CASE": case, "RESULT_URL": url})

    found = [container.model_repository(), container.result_sink()]

    kinds = ("Repository", "Sink") if chained else ("ModelRepository", "ResultSink")
    assert [f"{prefix}{kind}" for kind in kinds] == [type(a).__name__ for a in found]
    assert chained == container.trainer().chain_settings
    container.shutdown_resources()


def test_no_confusion_matrix():
    """Whatever CONF_MAT_CONFIG says, a chain has none."""
    wanted = [
        load(Settings, {**CHAIN, "CASE": case}).wants_confusion_matrix
        for case in ("1", "3")
    ]

    assert [True, False] == wanted


def test_another_training():
    """A training with another weight is another one; in case 1 it is the same."""

    def fingerprint(case, rate):
        environ = {**CHAIN, "CASE": case, "LEARNING_RATE": rate}
        return Container(environ=environ).train_deployment.kwargs["fingerprint"]()

    assert fingerprint("3", "0.1") != fingerprint("3", "0.2")
    assert fingerprint("1", "0.1") == fingerprint("1", "0.2")
