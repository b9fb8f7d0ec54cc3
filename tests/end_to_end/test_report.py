"""What a job shows of itself while it runs, and leaves once it has ended."""

from __future__ import annotations

import http.client
import json
import signal
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.report.document import Document
from tests.browser.chromium import file_url
from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import COMMAND, run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits

pytestmark = pytest.mark.kafka

CANARY = "c4n4ry-in-a-c0al-mine"


@pytest.fixture
def watched(variables, backend, tmp_path):
    """The variables of a job that is watched."""
    return {
        **variables,
        "RESULT_URL": backend.url,
        "STREAMFIT_REPORT_DIR": str(tmp_path / "reports"),
        "STREAMFIT_STATUS_PORT": "0",
        "STREAMFIT_TERMINATION_LOG": str(tmp_path / "termination"),
    }


def only_report(tmp_path):
    """Return the one report that is there, its page, and the texts of both."""
    (path,) = (tmp_path / "reports").glob("*.json")
    page = path.with_suffix(".html")
    assert sorted([path, page]) == sorted((tmp_path / "reports").iterdir())
    return Document.from_json(path.read_text(encoding="utf-8")), page


def ask(job, path):
    port = job.wait_for("status is shown")["port"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    told = answer.status, answer.read().decode()
    connection.close()
    return told


def until(job, path, wanted, timeout=60):
    """Ask until what is answered is as *wanted*, and return it."""
    deadline = time.monotonic() + timeout
    while True:
        told = ask(job, path)
        if wanted(told):
            return told
        assert time.monotonic() < deadline, told
        time.sleep(0.1)


def samples(text):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_numbers_are_those_of_the_result(backend, sender, watched, tmp_path):
    """Epochs, test and confusion matrix are what the back-end got; offsets are real."""
    arrays = digits()
    sender.send(raw(*arrays), partition=1)
    ranges = sender.send(raw(*arrays), partition=1)  # 150 to 300
    sender.send([(b"\x01", b"too short")], partition=0)
    sender.announce(message(f"{ranges}", 150, input_config=RAW_DIGITS))

    job = run(watched)

    assert 0 == job.process.returncode
    (result,) = backend.results
    report, _ = only_report(tmp_path)
    epochs = report.training.epochs
    for part, told in (("training", "train_metrics"), ("validation", "val_metrics")):
        assert result[told] == {
            name: [getattr(epoch, part)[name] for epoch in epochs]
            for name in getattr(epochs[0], part)
        }
    assert result["test_metrics"] == {
        name: [value] for name, value in report.training.test.items()
    }
    assert result["confusion_matrix"] == [
        list(row) for row in report.training.confusion_matrix.counts
    ]
    assert result["training_time"] == round(report.training.seconds, 4)
    (read,) = report.data.partitions
    assert (1, 150, 300, 150, 0) == (
        read.partition,
        read.first,
        read.next,
        read.records,
        read.missing,
    )
    assert 150 * (64 + 1) == report.data.bytes
    assert {"training": 120, "validation": 15, "test": 15} == report.data.parts
    assert ["InputLayer", "Flatten", "Dense", "Dense"] == [
        layer.kind for layer in report.model
    ]
    assert "delivering the result" in {stage.phase for stage in report.stages}
    assert ("delivered", 1) == (report.run.state, report.run.results)


def test_bad_records(sender, watched, tmp_path):
    """Records that were passed over are counted by their partition."""
    ranges = sender.send([*raw(*digits(40)), (b"\x01", b"short"), (b"", b"")])
    sender.announce(message(ranges, 40, test_rate=0, input_config=RAW_DIGITS))

    job = run({**watched, "STREAMFIT_BAD_RECORDS": "skip:2"})

    assert 0 == job.process.returncode
    report, page = only_report(tmp_path)
    assert (2, 40) == (report.data.counts.rejected, report.data.counts.examples)
    assert 2 == report.data.partitions[0].rejected
    assert ">2</" in page.read_text(encoding="utf-8")


def test_while_it_runs(sender, watched):
    """Page, probes and metrics, from the wait to the training."""
    ranges = sender.send(raw(*digits()))

    epochs = '{"epochs": 100000}'
    with running({**watched, "KWARGS_FIT": epochs}) as job:
        assert (200, "ok\n") == ask(job, "/livez")
        until(job, "/readyz", lambda told: told == (200, "ok\n"))
        until(job, "/", lambda told: "waiting for a control message" in told[1])
        found = samples(ask(job, "/metrics")[1])
        assert 1 == found["streamfit_phase", "waiting for a control message"]

        sender.announce(message(ranges, 150, input_config=RAW_DIGITS))
        _, text = until(
            job,
            "/metrics",
            lambda told: (
                samples(told[1])["streamfit_epochs_total",] > 1
                and ("streamfit_step_seconds",) in samples(told[1])
            ),
        )
        found = samples(text)
        assert (200, "ok\n") == ask(job, "/livez") == ask(job, "/readyz")
        _, page = ask(job, "/")
        job.process.send_signal(signal.SIGTERM)
        code = job.wait()

    assert 143 == code
    assert 150 == found["streamfit_records_read_total", "0", sender.topic]
    assert 150 * 65 == found["streamfit_bytes_read_total", "0", sender.topic]
    assert 0 == found["streamfit_lag_offsets",]
    assert 0 == found["streamfit_retries_total",]
    assert found["streamfit_metric", "loss", "training"] > 0
    assert found["streamfit_step_seconds",] > 0
    assert found["process_resident_memory_bytes",] > 1e8
    assert "<polyline" in page
    assert 'http-equiv="refresh"' in page


def test_stopped(watched, tmp_path):
    """A job that was told to stop leaves its report."""
    with running(watched) as job:
        job.wait_for("waiting for a control message")
        job.process.send_signal(signal.SIGTERM)
        job.wait()

    report, _ = only_report(tmp_path)
    assert ("stopped", 143) == (report.run.state, report.run.code)
    assert report.data is None


def test_failed(sender, watched, tmp_path):
    """A job that failed has its report, with the messages that it passed over."""
    sender.announce("no JSON")

    job = run({**watched, "STREAMFIT_CONTROL_DEADLINE": "3"})

    assert 75 == job.process.returncode
    report, page = only_report(tmp_path)
    assert ("failed", 75) == (report.run.state, report.run.code)
    (skipped,) = report.skipped
    assert f"{sender.control}[0]@0" == skipped.position
    assert "not JSON" in page.read_text(encoding="utf-8")
    word = json.loads((tmp_path / "termination").read_text())
    assert word["message"] == report.run.reason


def test_killed(watched, tmp_path):
    """A job that is killed leaves nothing that could be taken for a report."""
    with running(watched) as job:
        job.wait_for("waiting for a control message")
        job.process.kill()
        job.wait()

    reports = tmp_path / "reports"
    assert not reports.exists() or [] == list(reports.iterdir())


def test_unwritable(backend, sender, watched):
    """A report that cannot be written is no failure of the job."""
    ranges = sender.send(raw(*digits(40)))
    sender.announce(message(ranges, 40, input_config=RAW_DIGITS))

    job = run(
        {
            **watched,
            "STREAMFIT_REPORT_DIR": "/proc/nowhere/reports",
            "STREAMFIT_ENGINE": "fake",
        }
    )

    assert 0 == job.process.returncode
    assert 1 == len(backend.results)
    assert 1 == len(job.logged("report not written"))


def test_wrong_variables(watched, tmp_path):
    """What cannot be is refused by name, before anything is done."""
    (tmp_path / "file").touch()

    job = run(
        {
            **watched,
            "STREAMFIT_STATUS_PORT": "70000",
            "STREAMFIT_STATUS_PATIENCE": "0",
            "STREAMFIT_REPORT_DIR": str(tmp_path / "file"),
        }
    )

    assert 78 == job.process.returncode
    (line,) = job.logged("job failed")
    for name in ("STATUS_PORT", "STATUS_PATIENCE", "REPORT_DIR"):
        assert f"STREAMFIT_{name}: " in line["reason"]


def test_could_not_begin(watched, tmp_path):
    """A job whose variables are wrong leaves a report that says which."""
    job = run({**watched, "BATCH": "0", "KWARGS_FIT": "none"})

    assert 78 == job.process.returncode
    report, _ = only_report(tmp_path)
    assert ("failed", 78) == (report.run.state, report.run.code)
    for name in ("BATCH", "KWARGS_FIT"):
        assert f"{name}: " in report.run.reason
    assert "0" == report.settings["BATCH"]


@pytest.mark.parametrize("outcome", ["delivered", "failed"])
def test_canary(outcome, backend, sender, watched, tmp_path):
    """A secret is in no report, page, metric, log or termination message."""
    ranges = sender.send(raw(*digits(40)))
    host, _, path = backend.url.removeprefix("http://").partition("/")
    secret_file = tmp_path / "secret"
    secret_file.write_text(CANARY)
    environ = {
        **watched,
        "STREAMFIT_ENGINE": "fake",
        "RESULT_URL": f"http://user:{CANARY}@{host}/{path}?token={CANARY}",
        "SCHEMA_REGISTRY_URL": "http://localhost:9",
        "SCHEMA_REGISTRY_AUTH": f"user:{CANARY}",
        "LIBRDKAFKA_SSL_KEY_PASSWORD_FILE": str(secret_file),
        "LIBRDKAFKA_SASL_PASSWORD": CANARY,
        "LIBRDKAFKA_SASL_USERNAME": CANARY,
        "STREAMFIT_PLUGIN_TOKEN": CANARY,
        "STREAMFIT_PLUGIN_CREDENTIALS": CANARY,
        "HTTPS_PROXY": f"http://user:{CANARY}@localhost:9",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://user:{CANARY}@localhost:9",
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={CANARY}",
        "STREAMFIT_PUSHGATEWAY": f"http://user:{CANARY}@localhost:9",
    }
    if outcome == "failed":
        environ["RESULT_URL"] = environ["RESULT_URL"].replace("/results/", "/no/")
        refuse = backend.server.expect_oneshot_request
        echo = f"/no/3?token={CANARY}"  # of which back-ends' pages are full
        refuse("/no/3").respond_with_data(echo, 503)
        backend.server.expect_request("/no/3").respond_with_data(echo, 404)

    with running(environ) as job:
        if outcome == "delivered":
            job.wait_for("waiting for a control message")
            seen = [ask(job, "/")[1], ask(job, "/metrics")[1]]
            sender.announce(message(ranges, 40, input_config=RAW_DIGITS))
        else:
            seen = []
        code = job.wait()

    assert (0 if outcome == "delivered" else 65) == code
    retried = len(job.logged("stamina.retry_scheduled"))
    assert (0 if outcome == "delivered" else 1) == retried
    report, page = only_report(tmp_path)
    seen += [
        report.json(),
        page.read_text(encoding="utf-8"),
        (tmp_path / "termination").read_text(),
        json.dumps(job.lines),
        *job.foreign,
    ]
    assert len(seen) >= 4
    assert [] == [text for text in seen if CANARY in text]
    assert "http://***@" in report.settings["RESULT_URL"]


LEAKING = """
import logging, os, sys

def leaking(environ):
    return Leaking()

class Leaking:
    def inspect(self, model):
        secret = os.environ["STREAMFIT_PLUGIN_TOKEN"]
        print("token", secret)
        os.write(2, f"native code knows {secret}\\n".encode())
        logging.getLogger("library").warning("about %s", secret, extra={"x": [secret]})
        try:
            open(f"/no/{secret}")
        except OSError as error:
            raise RuntimeError(f"token {secret}: " + 3000 * "x") from error
"""


@pytest.mark.parametrize("style", ["json", "console"])
def test_canary_of_a_bug(style, watched, tmp_path):
    """Whatever code of others quotes, on whatever way: no secret is shown."""
    info = tmp_path / "leaking-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leaking\n")
    entry = "[streamfit.trainers]\nleaking = leaking:leaking\n"
    (info / "entry_points.txt").write_text(entry)
    (tmp_path / "leaking.py").write_text(LEAKING)

    with running(
        {
            **watched,
            "PYTHONPATH": str(tmp_path),
            "STREAMFIT_ENGINE": "leaking",
            "STREAMFIT_LOG": style,
            "STREAMFIT_PLUGIN_TOKEN": CANARY,
        }
    ) as job:
        code = job.wait()

    assert 70 == code
    log = json.dumps(job.lines) + "".join(job.foreign)
    for told in ("token ***", "native code knows ***", "about ***", "/no/***"):
        assert told in log
    assert "Traceback" in log
    report, page = only_report(tmp_path)
    assert report.run.reason.startswith("token ***: ")
    word = (tmp_path / "termination").read_text()
    seen = [log, report.json(), page.read_text(encoding="utf-8"), word]
    assert [] == [text for text in seen if CANARY in text]


@pytest.mark.browser
def test_looked_at(sender, watched, tmp_path, chrome):
    """The report of a real job, in a real browser; and the same in the terminal."""
    ranges = sender.send(raw(*digits()))
    sender.announce(message(ranges, 150, input_config=RAW_DIGITS))

    job = run(watched)
    assert 0 == job.process.returncode
    report, path = only_report(tmp_path)
    with chrome.page(file_url(path), 360, dark=True) as page:
        text = page.text()
        assert [] == page.errors == page.requests
        assert 360 == page.value("document.documentElement.scrollWidth")
        assert 4 == page.value("document.querySelectorAll('polyline').length")

    with running(
        {"STREAMFIT_REPORT_DIR": str(tmp_path / "reports")},
        (COMMAND, "show", report.run.identity[:6]),
    ) as shown:
        assert 0 == shown.wait()
    accuracy = f"{report.training.test['accuracy']:.4f}"
    assert accuracy in text
    assert "150" in text
