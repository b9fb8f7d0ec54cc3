"""What is told, as spans."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from attrs import asdict, define, field
from opentelemetry.context import Context
from opentelemetry.trace import Span, StatusCode, Tracer, set_span_in_context

from adapters.traces.streams import PartOfStream, Streams
from domain.events import (
    EpochEnded,
    Event,
    ExamplesLabelled,
    JobEnded,
    MiniBatchTrained,
    RecordsRead,
    RequestSkipped,
    ResultDelivered,
    ResultMade,
    RunBegan,
    StreamOpened,
    StreamRead,
)
from domain.phases import Phase
from domain.report import Metrics, TrainingReport

NAMES: Mapping[Phase, str] = {
    Phase.FETCHING: "download",
    Phase.WAITING: "wait",
    Phase.OPENING: "open",
    Phase.LOADING: "load",
    Phase.TRAINING: "fit",
    Phase.EVALUATING: "evaluate",
    Phase.SAVING: "save",
    Phase.KEEPING: "keep",
    Phase.DELIVERING: "upload",
    Phase.FINISHING: "finish",
}
"""What a phase's span is called.  Reading has spans by stream, an epoch is reported
within the fit, and the last phase is none."""

_LONGEST = 2000
"""Characters of an attribute."""

Attributes = Mapping[str, str | bool | float | None]
"""Of spans, without our prefix; None for what is not known."""


def steady() -> Callable[[], int]:
    """Return what tells the nanoseconds since 1970, and never goes back."""
    begun = time.time_ns() - time.monotonic_ns()
    return lambda: begun + time.monotonic_ns()


@define(eq=False)
class Spans:
    """
    A listener that makes one trace of a job; events may come from any thread.

    Spans end, and are on their way, as soon as what they stand for has ended.  A span
    `read` goes from when the job began to wait for the partition's records to the last
    one of them: up to the end of the stream, or of a mini-batch.  Nobody knows when a
    record was decoded, only how long that took altogether: so `decode` is as long as
    its stream was read, and has the seconds that each stage was busy.

    Attributes:
        tracer: Makes spans.

        parent: What the job is a part of.

        facts: Attributes that tell this job from others.

        hide: Takes secrets out of a text.

        clock: Nanoseconds since 1970, never going back.
    """

    tracer: Tracer
    parent: Context
    facts: Mapping[str, str]
    hide: Callable[[str], str]
    clock: Callable[[], int] = field(factory=steady)
    _job: Span = field(init=False)
    _phase: Phase | None = field(default=None, init=False)
    _stage: Span | None = field(default=None, init=False)
    _epoch_begun: int = field(default=0, init=False)
    _streams: Streams = field(factory=Streams, init=False)
    _making: threading.Lock = field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._job = self.tracer.start_span(
            "streamfit", self.parent, start_time=self.clock()
        )
        self._add(self._job, self.facts)

    def __call__(self, event: Event) -> None:
        """Make of *event* what it is worth."""
        with self._making:
            now = self.clock()
            match event:
                case RecordsRead() | StreamOpened() | StreamRead():
                    self._stream(event, now)
                case Phase():
                    self._enter(event, now)
                case EpochEnded() | MiniBatchTrained() | ExamplesLabelled():
                    self._learn(event, now)
                case RunBegan():
                    self._add(self._job, {"run": event.identity})
                case RequestSkipped():
                    self._skip(event, now)
                case ResultMade(report) | ResultDelivered(report):
                    self._add(self._job, _result(report))
                case JobEnded():
                    self._end(event, now)
                case _:
                    pass

    def _enter(self, phase: Phase, now: int) -> None:
        if phase is Phase.REPORTING:
            return
        self._leave(now)
        for part in self._streams.latest():
            self._read(part)
        if phase is Phase.READING:
            self._streams.wait(now)
        self._phase, self._epoch_begun = phase, now
        if name := NAMES.get(phase):
            self._stage = self._start(name, self._job, now)

    def _leave(self, now: int) -> None:
        if self._stage is not None:
            self._stage.end(now)
            self._stage = None

    def _learn(
        self, event: EpochEnded | MiniBatchTrained | ExamplesLabelled, now: int
    ) -> None:
        stage = self._stage or self._job
        match event:
            case EpochEnded():
                self._epoch(event, now)
            case ExamplesLabelled():
                stage.add_event("examples labelled", self._told(asdict(event)), now)
            case MiniBatchTrained():
                told = asdict(event)
                self._add(stage, {"mini_batch": told.pop("number"), **told})
                self._leave(now)

    def _epoch(self, event: EpochEnded, now: int) -> None:
        span = self._start("epoch", self._stage or self._job, self._epoch_begun)
        told = {**_metrics("training", event.metrics.training)}
        told |= _metrics("validation", event.metrics.validation)
        self._add(span, {"epoch": event.number, **told})
        span.end(now)
        self._epoch_begun = now

    def _stream(self, event: RecordsRead | StreamOpened | StreamRead, now: int) -> None:
        match event:
            case RecordsRead():
                self._streams.add(event, now)
            case StreamOpened():
                self._streams.open(event, now)
            case StreamRead():
                self._stream_read(event)

    def _stream_read(self, event: StreamRead) -> None:
        stream = self._streams.close()
        if stream is None or not stream.parts:  # another process has read it
            return
        span = self._start("decode", self._job, stream.begun)
        busy = {f"{name}_seconds": took for name, took in asdict(event.seconds).items()}
        self._add(span, {**asdict(event.counts), **busy})
        span.end(stream.told)
        for part in stream.take():
            self._read(part)

    def _read(self, part: PartOfStream) -> None:
        span = self._start("read", self._job, part.begun)
        read = part.read
        told: Attributes = {
            "topic": read.topic,
            "partition": read.partition,
            "first_offset": read.first,
            "last_offset": read.next - 1,
            "records": read.records,
            "bad_records": read.rejected,
            "bytes": read.size,
            "missing_offsets": read.missing,
            "gaps": len(read.gaps),
        }
        self._add(span, told)
        span.end(part.ended)

    def _skip(self, event: RequestSkipped, now: int) -> None:
        """Note it; and the job, without a word, waits for another message."""
        self._job.add_event("message skipped", self._told(asdict(event)), now)
        for part in self._streams.rest():
            self._read(part)
        if self._phase is not Phase.WAITING:
            self._enter(Phase.WAITING, now)

    def _end(self, event: JobEnded, now: int) -> None:
        self._leave(now)
        for part in self._streams.rest():
            self._read(part)
        self._add(self._job, {"exit_code": event.code})
        if event.code:
            self._job.set_status(StatusCode.ERROR, self._said(event.reason))
        self._job.end(now)

    def _start(self, name: str, parent: Span, begun: int) -> Span:
        context = set_span_in_context(parent, Context())
        return self.tracer.start_span(name, context, start_time=begun)

    def _add(self, span: Span, told: Attributes) -> None:
        span.set_attributes(self._told(told))

    def _told(self, told: Attributes) -> dict[str, str | bool | float]:
        return {
            f"streamfit.{self._said(name)}": (
                self._said(value) if isinstance(value, str) else value
            )
            for name, value in told.items()
            if value is not None
        }

    def _said(self, text: str) -> str:
        """Return what may be shown of *text*, and can be sent."""
        sent = self.hide(text)[:_LONGEST]
        return sent.encode(errors="backslashreplace").decode()


def _result(report: TrainingReport) -> Attributes:
    rows = report.stream.examples if report.stream else None
    told = {"rows": rows, "training_seconds": report.training_time}
    return {**told, **_metrics("test", report.test)}


def _metrics(part: str, metrics: Metrics) -> dict[str, float]:
    return {f"{part}.{name}": value for name, value in metrics.items()}
