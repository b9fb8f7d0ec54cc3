"""What a collector gets of a job as the platform runs it."""

from __future__ import annotations

import json
import signal

import pytest

from tests.broker.topics import KafkaTopics, unique
from tests.collector import collecting
from tests.end_to_end.platform import LiveBackend, OnlineSender, message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits
from tests.models import model_file

pytestmark = pytest.mark.kafka

CANARY = "c4n4ry-in-a-c0al-mine"
PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"


@pytest.fixture
def collector():
    with collecting() as running:
        yield running


@pytest.fixture
def traced(variables, backend, collector):
    """The variables of a job that is traced."""
    return {
        **variables,
        "RESULT_URL": backend.url,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }


def ours(span):
    return {
        name.removeprefix("streamfit."): told for name, told in span.attributes.items()
    }


def test_whole_job(backend, sender, traced, collector):
    """Spans of all that took time, with what the back-end and the log know of it."""
    arrays = digits()
    sender.send(raw(*arrays), partition=1)
    ranges = sender.send(raw(*arrays), partition=1)  # 150 to 300
    sender.announce("no JSON")
    sender.announce(message(ranges, 150, input_config=RAW_DIGITS))

    job = run(traced)

    assert 0 == job.process.returncode
    (whole,), (fit,) = collector.named("streamfit"), collector.named("fit")
    for span in collector.spans:
        parent = fit if span.name == "epoch" else whole
        assert span is whole or parent.identity == span.parent
        assert parent.begun <= span.begun <= span.ended <= parent.ended
    assert {"wait", "download", "read", "decode", "fit", "evaluate", "upload"} < {
        span.name for span in collector.spans
    }
    assert [whole.trace] * len(job.lines) == [line["trace_id"] for line in job.lines]
    assert {whole.trace} == {span.trace for span in collector.spans}

    (read,), (decode,) = collector.named("read"), collector.named("decode")
    told = ours(read)
    assert (sender.topic, 1, 150, 299, 150, 0, 150 * 65) == tuple(
        told[name]
        for name in (
            *("topic", "partition", "first_offset", "last_offset"),
            *("records", "bad_records", "bytes"),
        )
    )
    assert 150 == ours(decode)["examples"]
    assert 0 < ours(decode)["decode_seconds"] < (whole.ended - whole.begun) / 1e9
    (result,) = backend.results
    epochs = [ours(span) for span in collector.named("epoch")]
    assert [1, 2, 3] == [epoch["epoch"] for epoch in epochs]
    for part, known in (("training", "train_metrics"), ("validation", "val_metrics")):
        for name, values in result[known].items():
            assert values == [epoch[f"{part}.{name}"] for epoch in epochs]
    about = ours(whole)
    assert result["test_metrics"]["loss"] == [about["test.loss"]]
    assert ("7", 0, 150) == (about["deployment"], about["exit_code"], about["rows"])
    assert 32 == len(about["run"])
    (skipped,) = whole.events
    assert f"{sender.control}[0]@0" == skipped.attributes["streamfit.position"]
    assert {"streamfit"} == {s.resource["service.name"] for s in collector.spans}


def test_failed(backend, traced, collector):
    """A part of somebody's trace, and its error; without secrets."""
    backend.server.expect_request("/no/results/3").respond_with_data(CANARY, 404)
    host, _, path = traced["RESULT_URL"].removeprefix("http://").partition("/")
    traced = {
        **traced,
        "RESULT_URL": f"http://user:{CANARY}@{host}/no/{path}?token={CANARY}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={CANARY}",
        "TRACEPARENT": PARENT,
    }

    job = run(traced)

    assert 65 == job.process.returncode
    (whole,) = collector.named("streamfit")
    assert ("ab" * 16, "cd" * 8) == (whole.trace, whole.parent)
    code, reason = whole.status
    assert (2, 65) == (code, ours(whole)["exit_code"])
    assert "http://***@" in reason
    assert {"ab" * 16} == {line["trace_id"] for line in job.lines}
    assert {CANARY} == {headers["api-key"] for headers in collector.headers}
    assert CANARY.encode() not in b"".join(collector.bodies)
    assert CANARY not in json.dumps(job.lines)


def test_could_not_begin(traced, collector):
    """A job whose variables are wrong is a trace, too: one span, and its error."""
    job = run({**traced, "BATCH": "0"})

    assert 78 == job.process.returncode
    (whole,) = collector.spans
    assert (78, (2, "BATCH: 'batch' must be > 0: 0")) == (
        ours(whole)["exit_code"],
        whole.status,
    )


def test_endless(kafka, sender, httpserver, traced, collector):
    """A stream without an end: spans come while it goes on, and the last at the end."""
    online = OnlineSender(kafka, unique("live"), sender.control)
    KafkaTopics(kafka).create(online.topic)
    backend = LiveBackend(httpserver, model_file("digits").read_bytes())
    endless = {
        **traced,
        "RESULT_URL": backend.url,
        "CASE": "2",
        "CONF_MAT_CONFIG": "false",
        "STREAM_TIMEOUT": "-1",
        "MONITORING_METRIC": "loss",
        "CHANGE": "down",
        "IMPROVEMENT": "0.001",
        "STREAMFIT_MINI_BATCH": "100",
        "STREAMFIT_MINI_BATCH_SECONDS": "2",
    }

    with running(endless) as job:
        job.wait_for("waiting for a control message")
        online.send(raw(*digits(100)))
        collector.wait_for("fit", 1)
        online.send(raw(*digits(100)))
        collector.wait_for("fit", 2)
        collector.wait_for("upload", 1)
        assert [] == collector.named("streamfit")
        job.process.send_signal(signal.SIGTERM)
        code = job.wait()

    assert 143 == code
    assert [1, 2] == [ours(fit)["mini_batch"] for fit in collector.named("fit")][:2]
    assert [0, 100] == [ours(r)["first_offset"] for r in collector.named("read")][:2]
    (whole,) = collector.named("streamfit")
    assert (2, 143) == (whole.status[0], ours(whole)["exit_code"])


def test_away(sender, traced, collector):
    """A collector that answers 500 is no failure of the job, and one warning."""
    collector.status = 500
    ranges = sender.send(raw(*digits(40)))
    sender.announce(message(ranges, 40, test_rate=0, input_config=RAW_DIGITS))

    job = run({**traced, "STREAMFIT_ENGINE": "fake"})

    assert 0 == job.process.returncode
    (warning,) = [line for line in job.lines if line["level"] != "info"]
    assert "traces are not sent" == warning["event"]
    assert collector.url in warning["address"]
