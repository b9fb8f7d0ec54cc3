"""Fair parts and a new order every epoch."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.sampling import NumpySampler, SamplingSettings, sampler_for
from bootstrap.checking import check_environment
from bootstrap.container import Container
from domain.errors import SettingsInvalid, TrainingFailed
from domain.split import Split

SPLIT = Split(range(700), validation=range(800, 1000), test=range(700, 800))
SORTED = np.repeat([3, 5, 9], [600, 300, 100])
"""Labels as they come from a topic whose partitions go by label."""


def parts(positions):
    return [
        positions[part.start : part.stop]
        for part in (SPLIT.training, SPLIT.test, SPLIT.validation)
    ]


def shares(labels, positions):
    return [np.mean(labels[positions] == kind) for kind in np.unique(labels)]


@pytest.mark.parametrize("seed", [None, 0, 7])
@pytest.mark.parametrize("stratified", [False, True])
def test_every_example_once(seed, stratified):
    """Nothing is lost, and nothing is in two parts."""
    positions = NumpySampler(seed, stratified=stratified).arrange(SPLIT, SORTED)

    assert list(range(1000)) == sorted(positions)


def test_fair_split():
    """Shuffled, a stream sorted by label has every class in every part."""
    positions = NumpySampler(1, stratified=False).arrange(SPLIT, SORTED)

    for part in parts(positions):
        np.testing.assert_allclose([0.6, 0.3, 0.1], shares(SORTED, part), atol=0.1)


@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize(
    "labels",
    [
        SORTED,
        SORTED[:, None].astype(np.uint8),
        SORTED.astype(np.float32),
        np.eye(10, dtype=np.float32)[SORTED],
        np.roll(SORTED, 123),
    ],
    ids=["numbers", "column", "floats", "one-hot", "another order"],
)
def test_same_shares(seed, labels):
    """Stratified, every part has each class in proportion, to within one example."""
    positions = NumpySampler(seed, stratified=True).arrange(SPLIT, labels)

    classes = labels.argmax(axis=1) if labels.shape[1:] == (10,) else labels.reshape(-1)
    for part in parts(positions):
        counts = [np.sum(classes[part] == kind) for kind in (3, 5, 9)]
        wanted = np.array([0.6, 0.3, 0.1]) * len(part)
        assert (np.abs(counts - wanted) <= 1).all()


def test_order_of_the_stream():
    """Without a seed, each part keeps the order in which its examples came."""
    positions = NumpySampler(None, stratified=True).arrange(SPLIT, SORTED)

    for part in parts(positions):
        assert sorted(part) == list(part)


def test_unseeded_epochs():
    """Without a seed, every epoch has the same order."""
    sampler = NumpySampler(None, stratified=True)

    assert [4, 2, 9] == list(sampler.order(np.array([4, 2, 9]), 3))


def test_epochs():
    """Every epoch has another order, of the same examples."""
    sampler, positions = NumpySampler(7, stratified=False), np.arange(100, 200)

    orders = [tuple(sampler.order(positions, epoch)) for epoch in range(5)]

    assert 5 == len(set(orders))
    assert {tuple(range(100, 200))} == {tuple(sorted(order)) for order in orders}


def test_order_is_known_from_seed_and_epoch():
    """A restarted job makes the same orders, and they are those of this version."""
    again = NumpySampler(7, stratified=False)
    for _ in range(3):
        again.order(np.arange(10), 0)

    # Worked out once: other numbers here would break resumed trainings.
    assert [4, 1, 7, 2, 5, 3, 6, 8, 9, 0] == list(again.order(np.arange(10), 2))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.linspace(0, 1, 1000), "labels with fractions are no classes"),
        (np.full(1000, np.nan), "labels with fractions are no classes"),
        (np.full(1000, b"x"), "labels of |S1 and shape () are no classes"),
        (np.zeros((1000, 2, 2)), "labels of float64 and shape (2, 2) are no classes"),
        (np.ones((1000, 2)), "labels of several numbers must be one-hot"),
    ],
    ids=["fractions", "nan", "text", "images", "two-hot"],
)
def test_no_classes(labels, message):
    """Labels without classes cannot be stratified, and the variable is named."""
    with pytest.raises(TrainingFailed) as failed:
        NumpySampler(None, stratified=True).arrange(SPLIT, labels)

    assert f"STREAMFIT_SPLIT=stratified: {message}" == str(failed.value)


def test_by_default():
    """Nothing is chosen: the stream is trained on as it comes."""
    assert sampler_for(SamplingSettings()) is None


ENVIRON = {
    "DEPLOYMENT_ID": "7",
    "BATCH": "32",
    "STREAMFIT_BROKER": "memory",
    "STREAMFIT_BACKEND": "memory",
    "STREAMFIT_ENGINE": "fake",
}


@pytest.mark.parametrize(
    ("variables", "sampler"),
    [
        ({}, None),
        ({"STREAMFIT_SPLIT": "stream"}, None),
        ({"STREAMFIT_SHUFFLE": "5"}, NumpySampler(5, stratified=False)),
        ({"STREAMFIT_SHUFFLE": "0"}, NumpySampler(0, stratified=False)),
        ({"STREAMFIT_SPLIT": "stratified"}, NumpySampler(None, stratified=True)),
    ],
)
def test_variables(variables, sampler):
    """The job gets what the variables ask for."""
    container = Container(environ={**ENVIRON, **variables})

    assert sampler == container.train_deployment().sampler


def test_variables_are_checked_at_once():
    """A mistake is found before the job waits for anything."""
    variables = {"STREAMFIT_SPLIT": "fair", "STREAMFIT_SHUFFLE": "yes"}

    with pytest.raises(SettingsInvalid) as refused:
        check_environment({**ENVIRON, **variables})

    for variable in variables:
        assert variable in str(refused.value)


@pytest.mark.parametrize("seed", ["x", "-1", "1.5"])
def test_refused_seed(seed):
    """A seed is a whole number."""
    with pytest.raises(ValueError, match="want a whole number from 0 on"):
        SamplingSettings(streamfit_shuffle=seed)
