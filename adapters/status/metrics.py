"""The story as Prometheus reads it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping

from attrs import define, field
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from domain.events import StepsDone
from domain.report import StageSeconds
from domain.story import Story

_RETRIES = "stamina"
"""Name of the logger that tells of each retry of a request."""


class Retries(logging.Handler):
    """Counts retries, which are logged; what the log shows does not matter."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count one; see logging."""
        del record
        self.count += 1

    def attach(self) -> None:
        """Begin to count."""
        logging.getLogger(_RETRIES).addHandler(self)

    def detach(self) -> None:
        """Count no more."""
        logging.getLogger(_RETRIES).removeHandler(self)


@define(eq=False)
class StoryCollector(Collector):
    """
    Makes metrics of a story when it is asked, and keeps none.

    Attributes:
        story: What has happened so far.

        step_seconds: How long a training step took lately.

        retries: How often a request was tried again.

        facts: Labels that tell this job from others.
    """

    story: Callable[[], Story]
    step_seconds: Callable[[], float | None]
    retries: Callable[[], int]
    facts: Mapping[str, str] = field(factory=dict)

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; see prometheus_client."""
        story = self.story()
        facts = {**self.facts, "run": story.identity}
        yield InfoMetricFamily("streamfit", "The job.", value=facts)
        yield from _stream(story)
        yield from _training(story)
        if (seconds := self.step_seconds()) is not None:
            yield _gauge("step_seconds", "Time of a training step, lately.", seconds)
        yield from _phases(story)
        yield _counter("retries", "Requests that were tried again.", self.retries())


def exposition(collector: StoryCollector) -> Callable[[], bytes]:
    """Return what writes *collector*'s metrics and the process's own."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(collector)
    return lambda: generate_latest(registry)


def _stream(story: Story) -> Iterator[Metric]:
    records = _family("records_read", "Records that were read.")
    sizes = _family("bytes_read", "Bytes of keys and values that were read.")
    bad = _family("bad_records", "Records that did not decode.")
    missing = _family("missing_offsets", "Offsets that held no record.")
    for one in story.partitions:
        labels = (one.topic, str(one.partition))
        records.add_metric(labels, one.records)
        sizes.add_metric(labels, one.size)
        bad.add_metric(labels, one.rejected)
        missing.add_metric(labels, one.missing)
    yield from (records, sizes, bad, missing)
    if story.expected or story.topics:
        yield _gauge("lag_offsets", "Offsets to the end of the stream.", _lag(story))
    skipped = len(story.skipped)
    yield _counter("skipped_messages", "Control messages passed over.", skipped)


def _lag(story: Story) -> int:
    """Offsets that are left of a range; of a topic, when it was read last."""
    if story.topics:
        return sum(one.lag for one in story.partitions)
    left = max(story.expected - story.counts.offsets, 0)
    return 0 if story.streams else left


def _training(story: Story) -> Iterator[Metric]:
    step = story.step or StepsDone(0, 0, 0, 0)
    yield _counter("epochs", "Epochs that have ended.", len(story.epochs))
    yield _gauge("step", "Steps done of the present epoch.", step.step)
    yield _gauge("steps", "Steps of the present epoch.", step.steps)
    values = GaugeMetricFamily(
        "streamfit_metric",
        "Loss and metrics: of the last epoch, and of the test.",
        labels=("name", "part"),
    )
    last = story.epochs[-1].metrics if story.epochs else None
    for part, metrics in (
        ("training", last.training if last else {}),
        ("validation", last.validation if last else {}),
        ("test", story.report.test if story.report else {}),
    ):
        for name, value in metrics.items():
            values.add_metric((name, part), value)
    yield values
    trained = len(story.mini_batches)
    yield _counter("mini_batches", "Mini-batches of a topic that is followed.", trained)
    labelled = sum(one.labelled for one in story.labelled)
    yield _counter("labelled_examples", "Examples labelled by the model.", labelled)
    yield _counter("checkpoints", "Times it was made safe.", story.checkpoints)
    yield _counter("results", "Results that were accepted.", story.deliveries)


def _phases(story: Story) -> Iterator[Metric]:
    now = GaugeMetricFamily(
        "streamfit_phase", "What the job is doing.", labels=("phase",)
    )
    if story.phase is not None:
        now.add_metric((story.phase,), 1)
    yield now
    seconds: dict[str, float] = {}
    for stage in story.stages:
        seconds[stage.phase] = seconds.get(stage.phase, 0.0) + stage.seconds
    phases = _family("phase_seconds", "Time of each phase.", "phase")
    for phase, taken in seconds.items():
        phases.add_metric((phase,), taken)
    yield phases
    stages = _family("stage_seconds", "Time of streams read, by stage.", "stage")
    for name in ("fetch", "decode", "spool", "wait"):
        taken = math.fsum(_of(name, one.seconds) for one in story.streams)
        stages.add_metric((name,), taken)
    yield stages


def _of(stage: str, seconds: StageSeconds) -> float:
    return float(getattr(seconds, stage))


def _family(name: str, text: str, *labels: str) -> CounterMetricFamily:
    labels = labels or ("topic", "partition")
    return CounterMetricFamily(f"streamfit_{name}", text, labels=labels)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"streamfit_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"streamfit_{name}", text, value=value)
