"""What a gateway is told of a job that has ended."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from domain.report import Metrics, TrainingReport
from domain.story import Story

FORMAT = "text/plain; version=0.0.4; charset=utf-8"
"""How it is written."""


def last_metrics(story: Story, code: int) -> bytes:
    """Return the metrics of a job whose *story* has ended with exit code *code*."""
    registry = CollectorRegistry()
    registry.register(_Last(story, code))
    return generate_latest(registry)


@define(eq=False)  # a registry remembers it
class _Last(Collector):
    """
    Metrics about the service, not about the run: no name in them is ever another.

    Attributes:
        story: What has happened.

        code: The exit code.
    """

    story: Story
    code: int

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; see prometheus_client."""
        ended, seconds = self.story.told, self.story.told - self.story.begun
        yield _gauge("end_timestamp_seconds", "When a job last ended.", ended)
        yield _gauge("exit_code", "Exit code of the last job.", self.code)
        yield _gauge("duration_seconds", "Time that the last job took.", seconds)
        if self.code:
            return
        text = "When a job last ended well."
        yield _gauge("success_timestamp_seconds", text, ended)
        text = "Time that the last job took which ended well."
        yield _gauge("success_duration_seconds", text, seconds)
        if self.story.report is not None:
            yield from _results(self.story.report)


def _results(report: TrainingReport) -> Iterator[Metric]:
    if report.stream is not None:
        text = "Records that the last accepted result was trained on."
        yield _gauge("success_rows", text, report.stream.examples)
    last = report.history[-1] if report.history else None
    found: dict[str, Metrics] = {"test": report.test}
    if last is not None:
        found |= {"training": last.training, "validation": last.validation}
    metrics = GaugeMetricFamily(
        "streamfit_last_success_metric",
        "Loss and metrics of the last accepted result, at its last epoch.",
        labels=("metric", "part"),
    )
    for part, values in found.items():
        for name, value in values.items():
            told = name.encode(errors="backslashreplace").decode()
            metrics.add_metric((told, part), value)
    yield metrics


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"streamfit_last_{name}", text, value=value)
