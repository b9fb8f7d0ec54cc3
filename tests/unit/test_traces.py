"""What a collector gets of a job."""

from __future__ import annotations

import itertools
import logging
import math
import sys
import threading
import time
from contextlib import contextmanager
from functools import partial

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.report.masking import hidden
from adapters.traces.spans import Spans
from domain.events import (
    CheckpointKept,
    EpochEnded,
    ExamplesLabelled,
    JobEnded,
    MiniBatchTrained,
    RecordsRead,
    RequestSkipped,
    ResultDelivered,
    RunBegan,
    StreamOpened,
    StreamRead,
    TopicFollowed,
)
from domain.offsets import OffsetRange
from domain.phases import Phase
from domain.report import EpochMetrics, StreamCounts
from tests import stories
from tests.collector import collecting
from tests.tracing import FACTS, SECONDS, TRACE, deliver, ours, settle, traced

PARENT = "b7ad6b7169203331"
CANARY = "c4n4ry-in-a-c0al-mine"


@pytest.fixture
def collector():
    with collecting() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """Keep the tests' own traces out of this, if there are any, and each other's."""
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    yield
    settle()


@pytest.fixture
def restless():
    """Have threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def warnings(caplog):
    """Return what was warned of, by anybody."""
    caplog.set_level(logging.INFO)

    def warned():
        return [one for one in caplog.records if one.levelno >= logging.WARNING]

    return warned


class TestJob:
    @pytest.fixture
    def spans(self, collector):
        """A whole job, as it was sent."""
        before = time.time_ns()
        with traced(collector.url) as listener:
            deliver(listener)
        assert all(before <= one.begun <= one.ended for one in collector.spans)
        assert all(one.ended <= time.time_ns() for one in collector.spans)
        return collector

    def test_names(self, spans):
        """One trace with a span for everything that took time."""
        assert {TRACE} == {span.trace for span in spans.spans}
        assert sorted(
            [
                *("streamfit", "download", "wait", "open", "load", "fit", "evaluate"),
                *("save", "keep", "upload", "finish", "decode"),
                *("read", "read", "epoch", "epoch"),
            ]
        ) == sorted(span.name for span in spans.spans)

    def test_parents(self, spans):
        """Epochs are within the fit, and all else is within the job."""
        (job,), (fit,) = spans.named("streamfit"), spans.named("fit")

        assert "" == job.parent
        for span in spans.spans:
            if span is not job:
                parent = fit if span.name == "epoch" else job
                assert parent.identity == span.parent
                assert parent.begun <= span.begun <= span.ended <= parent.ended

    def test_one_after_the_other(self, spans):
        """Each stage of the job begins where the one before it has ended."""
        (download,), (wait,) = spans.named("download"), spans.named("wait")
        first, second = spans.named("epoch")
        (fit,), (load,) = spans.named("fit"), spans.named("load")

        assert download.ended == wait.begun
        assert load.ended == fit.begun == first.begun
        assert first.ended == second.begun
        assert fit.ended == spans.named("evaluate")[0].begun

    def test_job(self, spans):
        """It says which job it was, and how that ended."""
        (job,) = spans.named("streamfit")

        assert {
            "deployment": "7",
            "version": "0.1.0",
            "run": stories.IDENTITY,
            "rows": 69_880,
            "training_seconds": 43.21,
            "test.loss": 0.2871,
            "test.accuracy": 0.9333,
            "exit_code": 0,
        } == ours(job)
        assert (0, "") == job.status

    def test_read(self, spans):
        """What was read of each partition, gaps and bad records included."""
        first, second = map(ours, spans.named("read"))

        assert {
            "topic": "digits",
            "partition": 0,
            "first_offset": 0,
            "last_offset": 59_999,
            "records": 60_000,
            "bad_records": 20,
            "bytes": 60_000 * 785,
            "missing_offsets": 0,
            "gaps": 0,
        } == first
        assert {
            "partition": 1,
            "first_offset": 100,
            "last_offset": 10_099,
            "records": 9900,
            "missing_offsets": 100,
            "gaps": 1,
        }.items() <= second.items()

    def test_decode(self, spans):
        """As long as the stream was read, with the seconds that stages were busy."""
        (decode,) = spans.named("decode")
        reads = spans.named("read")

        assert {
            "offsets": 70_000,
            "examples": 69_880,
            "rejected": 20,
            "fetch_seconds": 3.4,
            "decode_seconds": 0.8,
            "spool_seconds": 0.3,
            "wait_seconds": 1.1,
        } == ours(decode)
        assert decode.begun == reads[0].begun
        assert decode.ended == reads[-1].ended

    def test_epochs(self, spans):
        """Their numbers, and all of their metrics."""
        told = [ours(span) for span in spans.named("epoch")]

        assert [
            {
                "epoch": number,
                "training.loss": epoch.training["loss"],
                "training.accuracy": epoch.training["accuracy"],
                "validation.loss": epoch.validation["loss"],
                "validation.accuracy": epoch.validation["accuracy"],
            }
            for number, epoch in enumerate(stories.history(2), 1)
        ] == told


@contextmanager
def clocked():
    """Yield a listener whose clock says 1, 2, 3..., and the spans that it makes."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ticks = itertools.count(1)
    tracer = provider.get_tracer("tests")
    yield Spans(tracer, Context(), FACTS, str, partial(next, ticks)), exporter
    provider.shutdown()


def test_times():
    """They are those of the events, not of whatever comes behind."""
    with clocked() as (listener, exporter):  # 1
        for event in (
            Phase.READING,  # 2
            StreamOpened((OffsetRange("t", 0, 0, 9),), StreamCounts(9, 0, 0)),  # 3
            RecordsRead("t", 0, 0, 4, 5, 0, 50),  # 4
            Phase.TRAINING,  # 5
            RecordsRead("t", 0, 5, 8, 4, 0, 40),  # 6
            Phase.REPORTING,  # 7
            EpochEnded(1, EpochMetrics({"loss": 0.5})),  # 8
            EpochEnded(2, EpochMetrics({"loss": 0.4})),  # 9
            Phase.SAVING,  # 10
            StreamRead(StreamCounts(9, 9, 0), SECONDS),  # 11
            JobEnded(0),  # 12
        ):
            listener(event)
        times = {
            (span.name, span.start_time): span.end_time
            for span in exporter.get_finished_spans()
        }

    assert {
        ("streamfit", 1): 12,
        ("decode", 3): 6,
        ("read", 3): 6,
        ("fit", 5): 10,
        ("epoch", 5): 8,
        ("epoch", 8): 9,
        ("save", 10): 12,
    } == times


def test_times_of_mini_batches():
    """What is read for one begins with the wait for it, and ends before its fit."""
    with clocked() as (listener, exporter):  # 1
        for event in (
            TopicFollowed("live", ((0, 0),)),  # 2
            Phase.READING,  # 3
            RecordsRead("live", 0, 0, 4, 5, 0, 50),  # 4
            RecordsRead("live", 1, 0, 4, 5, 0, 50),  # 5
            Phase.TRAINING,  # 6
            MiniBatchTrained(1, 10, None, None, False),  # 7
            CheckpointKept(1, 0.5),  # 8
            Phase.READING,  # 9
            RecordsRead("live", 0, 5, 9, 5, 0, 50),  # 10
            JobEnded(143),  # 11
        ):
            listener(event)
        times = [
            (span.name, span.start_time, span.end_time)
            for span in exporter.get_finished_spans()
        ]

    assert [
        ("read", 3, 4),
        ("read", 4, 5),
        ("fit", 6, 7),
        ("read", 9, 10),
        ("streamfit", 1, 11),
    ] == times


def test_failed(collector):
    """The job's span has the reason, without secrets; what was begun is ended."""
    reason = f"http://user:{CANARY}@host/x: 503"
    with traced(collector.url, partial(hidden, known=())) as listener:
        stories.reading(listener)
        listener(JobEnded(75, reason))

    (job,) = collector.named("streamfit")
    assert (2, "http://***@host/x: 503") == job.status
    assert 75 == ours(job)["exit_code"]
    assert 2 == len(collector.named("read"))
    assert [] == collector.named("decode")


def test_skipped(collector):
    """A message that is passed over is an event, and the job waits once more."""
    with traced(collector.url) as listener:
        listener(Phase.WAITING)
        listener(RequestSkipped("control[0]@2", "not JSON"))
        stories.reading(listener)
        listener(RequestSkipped("control[0]@3", f"digits: {CANARY[:4]}"))
        deliver(listener)

    (job,) = collector.named("streamfit")
    assert [
        ("message skipped", "control[0]@2", "not JSON"),
        ("message skipped", "control[0]@3", "digits: c4n4"),
    ] == [(e.name, *e.attributes.values()) for e in job.events]
    assert 0 == job.status[0]
    assert 4 == len(collector.named("read"))
    assert 1 == len(collector.named("decode"))
    # At first, in `reading`, behind the second message, and in `deliver`.
    waits = collector.named("wait")
    assert 4 == len(waits)
    assert waits[0].ended == collector.named("download")[0].begun
    assert waits[2].begun == job.events[1].at


def test_endless(collector, monkeypatch):
    """Every mini-batch has its spans, which are sent as it goes on."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    with traced(collector.url) as listener:
        listener(RunBegan(stories.IDENTITY, stories.request()))
        listener(Phase.LOADING)
        listener(TopicFollowed("live", ((0, 10),)))
        for number in range(1, 4):
            listener(Phase.READING)
            start = 100 * number
            listener(RecordsRead("live", 0, start, start + 49, 50, 0, 500))
            listener(RecordsRead("live", 0, start + 50, start + 89, 40, 1, 400))
            listener(Phase.TRAINING)
            listener(Phase.REPORTING)
            listener(EpochEnded(number, EpochMetrics({"loss": 1 / number})))
            value, reference = (0.5, 0.25) if number == 2 else (None, None)
            listener(MiniBatchTrained(number, 89, value, reference, number == 2))
            if number == 2:
                listener(Phase.KEEPING)
                listener(Phase.SAVING)
                listener(Phase.DELIVERING)
                listener(ResultDelivered(stories.report()))
                listener(Phase.FINISHING)
            collector.wait_for("fit", number)  # and nothing has ended yet
        assert [] == collector.named("streamfit")
        assert 1 == len(collector.named("upload"))
        listener(JobEnded(143, "stopped by a signal"))

    fits = collector.named("fit")
    assert [
        {"mini_batch": 1, "rows": 89, "better": False},
        {
            "mini_batch": 2,
            "rows": 89,
            "value": 0.5,
            "reference": 0.25,
            "better": True,
        },
        {"mini_batch": 3, "rows": 89, "better": False},
    ] == [ours(span) for span in fits]
    epochs = collector.named("epoch")
    assert [fit.identity for fit in fits] == [epoch.parent for epoch in epochs]
    assert [
        {"first_offset": 100 * n, "last_offset": 100 * n + 89, "records": 90}
        for n in (1, 2, 3)
    ] == [
        {name: ours(span)[name] for name in ("first_offset", "last_offset", "records")}
        for span in collector.named("read")
    ]
    # What is missing in front of a mini-batch is missing.
    assert [0, 10, 10] == [
        ours(span)["missing_offsets"] for span in collector.named("read")
    ]
    (job,) = collector.named("streamfit")
    assert (2, "stopped by a signal") == job.status


def test_semi_supervised(collector):
    """Two streams, side by side, and a model that labels."""
    counts = StreamCounts(10, 10, 0)
    with traced(collector.url) as listener:
        listener(Phase.READING)
        listener(StreamOpened((OffsetRange("with", 0, 0, 10),), counts))
        listener(StreamOpened((OffsetRange("without", 0, 0, 10),), counts))
        listener(RecordsRead("with", 0, 0, 9, 10, 0, 1))
        listener(StreamRead(counts, SECONDS))
        listener(Phase.TRAINING)
        listener(RecordsRead("without", 0, 0, 9, 10, 0, 1))
        listener(EpochEnded(1, EpochMetrics({"loss": 0.5})))
        listener(ExamplesLabelled(1, 4, 6))
        listener(Phase.TRAINING)
        listener(EpochEnded(2, EpochMetrics({"loss": 0.4})))
        listener(Phase.SAVING)
        listener(StreamRead(counts, SECONDS))
        listener(JobEnded(0))

    assert ["with", "without"] == [ours(s)["topic"] for s in collector.named("read")]
    first, second = collector.named("fit")
    decodes = collector.named("decode")
    assert [True, False] == [one.ended < first.begun for one in decodes]
    (labelled,) = first.events
    assert {
        "streamfit.number": 1,
        "streamfit.labelled": 4,
        "streamfit.remaining": 6,
    } == labelled.attributes
    assert [first.identity, second.identity] == [
        epoch.parent for epoch in collector.named("epoch")
    ]


def test_read_before(collector):
    """A stream that another process has read takes no time in this one."""
    with traced(collector.url) as listener:
        listener(StreamOpened((), StreamCounts(10, 10, 0)))
        listener(StreamRead(StreamCounts(10, 10, 0), SECONDS))
        listener(JobEnded(0))

    assert ["streamfit"] == [span.name for span in collector.spans]


@pytest.mark.usefixtures("restless")
def test_threads(collector):
    """Records come from several threads, thousands in a second: none is lost."""
    places = [("t", partition) for partition in range(4)]
    rest = tuple(OffsetRange(*place, 0, 20_000) for place in places)

    def read(listener, place):
        for start in range(0, 20_000, 10):
            listener(RecordsRead(*place, start, start + 9, 10, 1, 100))

    with traced(collector.url) as listener:
        listener(StreamOpened(rest, StreamCounts(80_000, 0, 0)))
        readers = [threading.Thread(target=read, args=(listener, p)) for p in places]
        for reader in readers:
            reader.start()
        for number in range(1, 101):
            listener(EpochEnded(number, EpochMetrics({"loss": 0.5})))
        for reader in readers:
            reader.join()
        listener(StreamRead(StreamCounts(80_000, 72_000, 8000)))
        listener(JobEnded(0))

    told = [ours(span) for span in collector.named("read")]
    assert {0, 1, 2, 3} == {one["partition"] for one in told}
    assert [(20_000, 2000, 200_000, 0)] * 4 == [
        (one["records"], one["bad_records"], one["bytes"], one["missing_offsets"])
        for one in told
    ]
    assert 100 == len(collector.named("epoch"))


@pytest.mark.usefixtures("restless")
def test_beside():
    """Records that come while spans are made of those before them are in the next."""
    with clocked() as (listener, exporter):

        def read():
            for number in range(20_000):
                listener(RecordsRead("live", number % 7, number, number, 1, 0, 1))

        reader = threading.Thread(target=read)
        reader.start()
        while reader.is_alive():
            listener(Phase.READING)
            listener(Phase.TRAINING)
        reader.join()
        listener(JobEnded(0))
        spans = [one for one in exporter.get_finished_spans() if one.name == "read"]

    assert len(spans) > 7
    assert 20_000 == sum(span.attributes["streamfit.records"] for span in spans)


def test_odd_texts(collector, warnings):
    """Names that cannot be sent, numbers that are none, and secrets in either."""
    hostile = f"a\ud800\n{CANARY}"
    with traced(collector.url, lambda text: text.replace(CANARY, "***")) as listener:
        listener(EpochEnded(1, EpochMetrics({hostile: math.nan, "b": math.inf})))
        listener(RecordsRead(f"t-{CANARY}", 0, 0, 9, 10, 0, 1))
        listener(RequestSkipped(CANARY, 10_000 * "x"))
        listener(JobEnded(70, hostile))

    (epoch,), (job,) = collector.named("epoch"), collector.named("streamfit")
    told = ours(epoch)
    assert math.isnan(told["training.a\\ud800\n***"])
    assert math.inf == told["training.b"]
    assert "a\\ud800\n***" == job.status[1]
    assert 2000 == len(job.events[0].attributes["streamfit.reason"])
    assert CANARY.encode() not in b"".join(collector.bodies)
    assert [] == warnings()


class TestParent:
    def test_taken(self, collector):
        """The job is a part of the trace that the environment names."""
        parent = f"00-{'ab' * 16}-{PARENT}-01"
        with traced(collector.url, traceparent=parent, tracestate="a=b") as listener:
            deliver(listener)

        assert {"ab" * 16} == {span.trace for span in collector.spans}
        (job,) = collector.named("streamfit")
        assert PARENT == job.parent

    def test_not_sampled(self, collector, warnings):
        """Whoever has begun the trace has decided that it is not sent."""
        parent = f"00-{'ab' * 16}-{PARENT}-00"
        with traced(collector.url, traceparent=parent) as listener:
            deliver(listener)

        assert [] == collector.spans
        assert [] == warnings()

    @pytest.mark.parametrize(
        "parent",
        [
            "nonsense",
            f"00-{'0' * 32}-{PARENT}-01",
            f"00-{'ab' * 16}-{'0' * 16}-01",
            f"00-{'AB' * 16}-{PARENT}-01",
            f"ff-{'ab' * 16}-{PARENT}-01",
            f"00-{'ab' * 16}-{PARENT}-01-more",
        ],
    )
    def test_malformed(self, parent, collector):
        """The job begins a trace of its own, as W3C wants it."""
        with traced(collector.url, traceparent=parent) as listener:
            listener(JobEnded(0))

        (job,) = collector.spans
        assert (TRACE, "") == (job.trace, job.parent)
