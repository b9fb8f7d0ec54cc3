"""The variables of semi-supervised training."""

from __future__ import annotations

import numpy as np
import pytest

from bootstrap.checking import check_environment
from bootstrap.modes import (
    fingerprint,
    is_semi_supervised,
    semi_supervised_order,
    semi_supervised_training,
)
from bootstrap.semi_supervised import SemiSupervisedSettings
from bootstrap.settings import Settings, load
from domain.errors import SettingsInvalid
from tests.unit.test_settings import FAKES

SET = {
    **FAKES,
    "BATCH": "16",
    "CASE": "1",
    "UNSUPERVISED": "True",
    "UNSUPERVISED_ROUNDS": "5",
    "CONFIDENCE": "0.900000",
}


def test_as_the_platform_writes_them():
    """Numbers come as its database has them."""
    settings = load(SemiSupervisedSettings, SET)

    assert SemiSupervisedSettings(5, 0.9) == settings
    check_environment(SET)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("UNSUPERVISED_ROUNDS", "None"),
        ("UNSUPERVISED_ROUNDS", "-1"),
        ("UNSUPERVISED_ROUNDS", "1.5"),
        ("CONFIDENCE", "None"),
        ("CONFIDENCE", "1.1"),
        ("CONFIDENCE", "nan"),
        ("STREAMFIT_SEMI_SUPERVISED_FIT", "tables"),
        ("UNSUPERVISED", "perhaps"),
    ],
)
def test_malformed(name, text):
    """What cannot be is refused by name before anything starts."""
    with pytest.raises(SettingsInvalid, match=f"^{name}: "):
        check_environment({**SET, name: text})


@pytest.mark.parametrize("name", ["UNSUPERVISED_ROUNDS", "CONFIDENCE"])
def test_needed(name):
    with pytest.raises(SettingsInvalid, match=f"^{name} is missing or empty"):
        check_environment({**SET, name: ""})


def test_not_read_elsewhere():
    """Where it is off, nothing of it counts."""
    off = {**SET, "UNSUPERVISED": "False"}
    nothing = {"UNSUPERVISED_ROUNDS": "None", "CONFIDENCE": "None"}

    check_environment({**off, **nothing})

    assert fingerprint(off) == fingerprint({**off, **nothing})
    assert fingerprint(SET) != fingerprint(off)
    assert fingerprint(SET) != fingerprint({**SET, "CONFIDENCE": "0.8"})


def test_not_served():
    """The platform of 2020 knows no such mode, and is told so."""
    environ = {name: value for name, value in SET.items() if name != "CASE"}

    with pytest.raises(
        SettingsInvalid, match=r"^UNSUPERVISED: without CASE .* set CASE"
    ):
        check_environment(environ)
    with pytest.raises(SettingsInvalid):
        is_semi_supervised(environ)


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({}, "semi_supervised"),
        ({"CASE": "3"}, "semi_supervised"),
        ({"CASE": "2"}, "semi_supervised_live"),
        ({"CASE": "4"}, "semi_supervised_live"),
        ({"UNSUPERVISED": "False"}, "deployment"),
    ],
)
def test_job(variables, job):
    assert job == load(Settings, {**SET, **variables}).job


class TestFit:
    def test_like_arrays(self):
        """The default is what Keras does with arrays, in an order of ours."""
        positions = np.arange(100)
        order = semi_supervised_order(SET).order

        assert 32 == semi_supervised_training(SET).batch
        first, second = (np.asarray(order(positions, epoch)) for epoch in (0, 1))
        assert sorted(first) == positions.tolist() == sorted(second)
        assert first.tolist() != second.tolist()
        np.testing.assert_array_equal(first, order(positions, 0))

    def test_like_streams(self):
        """It can be that of the other modes."""
        environ = {**SET, "STREAMFIT_SEMI_SUPERVISED_FIT": "stream"}
        positions = np.arange(100)

        assert 16 == semi_supervised_training(environ).batch
        np.testing.assert_array_equal(
            positions, semi_supervised_order(environ).order(positions, 1)
        )

    @pytest.mark.parametrize("fit", ["arrays", "stream"])
    def test_seed(self, fit):
        """A seed of the user's own counts either way."""
        environ = {
            **SET,
            "STREAMFIT_SEMI_SUPERVISED_FIT": fit,
            "STREAMFIT_SHUFFLE": "3",
        }
        positions = np.arange(100)
        found = np.asarray(semi_supervised_order(environ).order(positions, 0))

        assert positions.tolist() != found.tolist()
        assert semi_supervised_order(SET).order(positions, 0).tolist() != found.tolist()
