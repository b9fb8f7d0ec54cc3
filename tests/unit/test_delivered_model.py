"""Who hears of a delivery may look at the model, for as long as that lasts."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.memory.backend import MemoryBackend
from adapters.memory.journal import MemoryJournal
from adapters.memory.trainer import FakeModel
from domain.batches import ExampleBatch
from domain.events import ResultDelivered
from domain.improvement import ImprovementRule
from domain.live_training import LiveTraining
from domain.progress import LivePosition, LiveStreamProgress
from domain.serving import hand_in_once
from tests import stories
from tests.models import ArrayDataset


@pytest.fixture
def backend(tmp_path):
    return MemoryBackend(b"untrained", tmp_path)


class Looking:
    """Reads the models of deliveries while it is told of them."""

    def __init__(self):
        self.models = []
        self.paths = []

    def __call__(self, event):
        if isinstance(event, ResultDelivered):
            self.models.append(event.model.read_bytes())
            self.paths.append(event.model)


@pytest.mark.parametrize("kept_before", [False, True])
def test_result(kept_before, backend, tmp_path):
    """The one result of a job, whether it was trained now or by a process before."""
    run, looking = MemoryJournal(tmp_path).run("one"), Looking()
    model = tmp_path / "trained.h5"
    model.write_bytes(b"trained")
    if kept_before:
        run.put_into_outbox(stories.report(), model)

    hand_in_once(run, lambda: (stories.report(), model), backend, looking)

    (delivery,) = backend.deliveries
    assert [delivery.model] == looking.models == [b"trained"]


def test_better_models(backend, tmp_path):
    """Each better model of a stream without an end, before it is removed."""
    folder, looking = tmp_path / "trained", Looking()
    folder.mkdir()
    batch = ExampleBatch(np.zeros((4, 2), "<f4"), np.zeros((4, 1), "u1"))
    training = LiveTraining(
        run=MemoryJournal(tmp_path).run("one"),
        model=FakeModel(b"untrained", 2, folder),
        result_sink=backend,
        rule=ImprovementRule("accuracy", upwards=True, least=0.0),
        endless=True,
        every_time=False,
        on_event=looking,
        clock=lambda: 0.0,
    )

    for _ in range(3):
        training.fit(
            ArrayDataset(batch),
            ArrayDataset(batch),
            LiveStreamProgress(LivePosition("live")),
        )

    assert 2 == len(looking.models)  # the first one is what others are compared with
    assert [delivery.model for delivery in backend.deliveries] == looking.models
    assert not any(path.exists() for path in looking.paths)
