"""What Prometheus reads of a story."""

from __future__ import annotations

import logging
import math
import re

import pytest
from attrs import define, evolve
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from adapters.status.metrics import Retries, StoryCollector, exposition
from adapters.status.pulse import Pulse, lives, serves
from domain.chronicle import Chronicle
from domain.events import (
    EpochEnded,
    JobEnded,
    PartsCut,
    RecordsRead,
    RunBegan,
    StepsDone,
    TopicFollowed,
)
from domain.phases import Phase
from domain.report import EpochMetrics
from domain.story import Epoch
from tests import stories


def samples(story, step_seconds=None, retries=0, **facts):
    collector = StoryCollector(
        lambda: story, lambda: step_seconds, lambda: retries, facts
    )
    text = exposition(collector)().decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_running():
    """Rows, bytes, bad records, lag, epoch, metrics, phases, steps, retries, memory."""
    found = samples(stories.running(), 0.02, 3, deployment="7")

    told = {
        name.removeprefix("streamfit_"): value
        for (name, *labels), value in found.items()
        if name.startswith("streamfit_") and not labels
    }
    assert {
        "lag_offsets": 0,
        "epochs_total": 5,
        "step": 800,
        "steps": 1747,
        "step_seconds": 0.02,
        "retries_total": 3,
        "checkpoints_total": 5,
        "results_total": 0,
        "skipped_messages_total": 0,
        "mini_batches_total": 0,
        "labelled_examples_total": 0,
    } == told
    assert 60_000 == found["streamfit_records_read_total", "0", "digits"]
    assert 9900 * 785 == found["streamfit_bytes_read_total", "1", "digits"]
    assert 20 == found["streamfit_bad_records_total", "0", "digits"]
    assert 100 == found["streamfit_missing_offsets_total", "1", "digits"]
    assert 0.5 == found["streamfit_metric", "loss", "training"]
    assert math.isnan(found["streamfit_metric", "loss", "validation"])
    assert 1 == found["streamfit_phase", "training"]
    assert 1 == found["streamfit_info", stories.IDENTITY, "7"]
    assert found["streamfit_phase_seconds_total", "waiting for a control message"] > 0
    assert found["process_resident_memory_bytes",] > 1e6


def test_ended():
    """What came of the test, and where the reading's time went."""
    found = samples(stories.delivered())

    assert 0.9333 == found["streamfit_metric", "accuracy", "test"]
    assert 3.4 == found["streamfit_stage_seconds_total", "fetch"]
    assert 1 == found["streamfit_results_total",]


def test_lag():
    """How many offsets are still to come."""
    chronicle = Chronicle()
    stories.reading(chronicle)
    story = evolve(chronicle.story(), expected=70_500)

    assert 500 == samples(story)["streamfit_lag_offsets",]


def test_lag_of_a_topic():
    """Of a topic that is followed, what was there when it was read last."""
    chronicle = Chronicle()
    chronicle(TopicFollowed("live", ((0, 7), (1, 0))))
    assert 0 == samples(chronicle.story())["streamfit_lag_offsets",]

    chronicle(RecordsRead("live", 0, 7, 9, 3, 0, 30, end=15))
    chronicle(RecordsRead("live", 1, 0, 1, 2, 0, 20))  # whose end is not known
    assert 5 == samples(chronicle.story())["streamfit_lag_offsets",]

    chronicle(RecordsRead("live", 0, 10, 14, 5, 0, 50, end=16))
    assert 1 == samples(chronicle.story())["streamfit_lag_offsets",]


def test_unknown():
    """What nobody knows is not told as a number."""
    found = samples(Chronicle().story())

    names = {name for name, *_ in found}
    assert not {"streamfit_lag_offsets", "streamfit_step_seconds"} & names
    assert "streamfit_phase" not in names


def test_hostile_names():
    """Names from the network cannot end a line."""
    hostile = 'a"b\\c\nstreamfit_evil 1\n'
    chronicle = Chronicle()
    stories.reading(chronicle, hostile)
    epoch = Epoch(1.0, EpochMetrics({hostile: 0.5}))

    found = samples(evolve(chronicle.story(), epochs=(epoch,)))

    assert not [name for name, *_ in found if "evil" in name]
    assert 0.5 == found["streamfit_metric", *sorted((hostile, "training"))]


def test_names():
    """Names are as Prometheus wants them, and have help."""
    collector = StoryCollector(stories.running, lambda: 1.0, lambda: 0, {})

    for family in text_string_to_metric_families(exposition(collector)().decode()):
        assert re.fullmatch(r"(streamfit|process)(_[a-z]+)*", family.name)
        assert family.documentation.endswith(".")


def test_no_global_registry():
    """Nothing is left where other libraries look."""
    before = {metric.name for metric in REGISTRY.collect()}
    exposition(StoryCollector(stories.running, lambda: 1.0, lambda: 0, {}))()

    assert before == {metric.name for metric in REGISTRY.collect()}


def test_retries():
    """Every retry counts that is logged, while somebody counts."""
    retries, logger = Retries(), logging.getLogger("stamina")
    retries.attach()
    logger.warning("stamina.retry_scheduled")
    logger.warning("stamina.retry_scheduled")
    retries.detach()
    logger.warning("stamina.retry_scheduled")

    assert 2 == retries.count


@define
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def test_step_seconds():
    """Blocks of steps are divided by their number; validation is no step."""
    clock = Clock()
    pulse = Pulse(clock)
    told = []

    for seconds, event in (
        (99, Phase.TRAINING),
        (99, StepsDone(1, 2, 64, 128)),  # it compiles, and may have begun in between
        (6.4, StepsDone(1, 2, 128, 128)),
        (99, Phase.REPORTING),
        (0, EpochEnded(1, EpochMetrics({}))),
        (12.8, StepsDone(2, 2, 64, 128)),
        (99, EpochEnded(2, EpochMetrics({}))),
        (99, Phase.TRAINING),
        (99, StepsDone(1, 2, 64, 128)),
    ):
        clock.now += seconds
        pulse(event)
        told.append(pulse.step_seconds)

    assert [None, None] == told[:2]
    assert pytest.approx([0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2]) == told[2:]


def test_silence():
    """Any event is a sign of life."""
    clock = Clock()
    pulse = Pulse(clock)
    clock.now += 5
    assert 5 == pulse.silence

    pulse(PartsCut(1, 0, 0))
    assert 0 == pulse.silence


@pytest.mark.parametrize("phase", Phase)
def test_dead(phase):
    """Only where something is told again and again does silence mean anything."""
    chronicle = Chronicle()
    chronicle(phase)
    story = chronicle.story()

    assert lives(story, 899, 900)
    works = phase in {Phase.READING, Phase.LOADING, Phase.TRAINING}
    assert works == (not lives(story, 901, 900))


def test_silent_topic():
    """A topic that is followed may be silent for ever."""
    chronicle = Chronicle()
    chronicle(Phase.READING)
    chronicle(TopicFollowed("live", ((0, 7),)))

    assert lives(chronicle.story(), 1e6, 900)


def test_ready():
    """It serves from the moment that it has its model to its end."""
    chronicle = Chronicle()
    assert not serves(chronicle.story())
    for phase, ready in (
        (Phase.FETCHING, False),
        (Phase.WAITING, True),
        (Phase.TRAINING, True),
    ):
        chronicle(phase)
        assert ready == serves(chronicle.story())
    chronicle(RunBegan(stories.IDENTITY, stories.request()))
    chronicle(JobEnded(75))
    assert not serves(chronicle.story())
