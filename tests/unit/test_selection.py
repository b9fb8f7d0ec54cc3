"""Examples of a complete stream in an order of their own."""

from __future__ import annotations

import numpy as np
import pytest
from attrs import frozen

from adapters.spool import MemorySpool
from domain.batches import ExampleBatch
from domain.selection import Selection, selections
from domain.split import Split


@frozen
class Backwards:
    """From the last example to the first; every other epoch forwards again."""

    def arrange(self, split, labels):
        return np.arange(len(labels))[::-1].copy()

    def order(self, positions, epoch):
        return positions if epoch % 2 == 0 else positions[::-1]


@pytest.fixture
def spool():
    spool = MemorySpool(10)
    rows = np.arange(10)
    spool.append(ExampleBatch(np.stack([rows, rows], axis=1), rows))
    return spool


def labels(part, size=100, epoch=0):
    return [np.asarray(b.labels).tolist() for b in part.batches(size, epoch)]


def test_batches(spool):
    """Examples come in the order of the positions, the last batch being short."""
    selection = Selection(spool, np.array([7, 3, 5]))

    assert [[7, 3], [5]] == labels(selection, 2)
    assert [[7, 3], [5]] == labels(selection, 2, epoch=4)
    assert 3 == len(selection)
    assert spool.element_spec == selection.element_spec


def test_parts(spool):
    """Every part has its own examples; training alone changes its order."""
    split = Split(range(5), validation=range(7, 10), test=range(5, 7))

    training, validation, test = selections(Backwards(), split, spool)

    assert [[9, 8, 7, 6, 5]] == labels(training)
    assert [[5, 6, 7, 8, 9]] == labels(training, epoch=1)
    assert [[2, 1, 0]] == labels(validation) == labels(validation, epoch=1)
    assert [[4, 3]] == labels(test) == labels(test, epoch=1)


def test_no_parts(spool):
    """What the split leaves out is no part."""
    training, validation, test = selections(
        Backwards(), Split(range(4), None, None), spool
    )

    assert [[9, 8, 7, 6]] == labels(training)
    assert validation is None
    assert test is None
