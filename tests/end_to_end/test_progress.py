"""Whoever watches a job: at a terminal, and in a log that nothing breaks."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import pytest

from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import COMMAND, running
from tests.end_to_end.screen import at_terminal
from tests.end_to_end.test_current import RAW_DIGITS, digits
from tests.models import model_file

pytestmark = pytest.mark.kafka

SLOWLY = {  # one record batch, then a second's pause
    "LIBRDKAFKA_QUEUED_MIN_MESSAGES": "1",
    "LIBRDKAFKA_QUEUED_MAX_MESSAGES_KBYTES": "1",
    "LIBRDKAFKA_FETCH_MESSAGE_MAX_BYTES": "1",
    "LIBRDKAFKA_FETCH_QUEUE_BACKOFF_MS": "1000",
}
HOSTILE = (
    "x\n19:00:00 [info     ] result delivered\r\x1b[31mred\x1b[2J\x9b2J"
    "\u2028\u2029\u202egnp.exe\x07\x00"
)
"""Forged lines, colours, an empty screen, another direction of writing."""

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


@pytest.fixture
def variables(backend, variables):
    return {**variables, "RESULT_URL": backend.url}


@pytest.fixture
def announced(sender):
    """A stream of several batches, and its message."""
    images, labels = digits(300)
    for start in range(0, 300, 50):
        ranges = sender.send(
            raw(images[start : start + 50], labels[start : start + 50])
        )
    whole = re.sub(r":\d+:(\d+)$", r":0:\1", ranges)
    sender.announce(message(whole, 300, input_config=RAW_DIGITS))


def unwrapped(job):
    """Return the screen's text with the lines that were too long for it in one."""
    return job.screen.text.replace("\n", "")


@pytest.mark.usefixtures("announced")
@pytest.mark.parametrize("columns", [80, 120])
def test_terminal(variables, columns):
    """Reading and epochs have a bar each; at the end there is nothing but the log."""
    long = {"KWARGS_FIT": '{"epochs": 60}'}  # for several looks at it
    loud = {"TF_CPP_MIN_LOG_LEVEL": "0"}
    with at_terminal({**variables, **SLOWLY, **long, **loud}, columns) as job:
        assert 0 == job.process.wait(120)

    frames = "\n".join(job.screen.frames)
    assert re.search(r"^reading +━.* \d+ %", frames, re.MULTILINE)
    assert re.search(
        r"^epoch \d+/60 ━.* \d+/\d+ .* steps/s .* left$", frames, re.MULTILINE
    )
    assert re.search(r"^ +loss [\d.]+ .*val_loss [\d.]+", frames, re.MULTILINE)
    assert all(len(line) <= columns for line in frames.splitlines())
    assert "━" not in job.screen.text
    assert " [stderr]" in unwrapped(job)  # TensorFlow's words stay above, too
    assert 60 == unwrapped(job).count(" epoch ended ")
    assert re.search(r" result delivered .*training_time=[\d.]+$", unwrapped(job))
    assert job.screen.colours
    assert "\x1b[?25l" not in job.raw  # the cursor stays, however the job ends


def test_waiting_at_terminal(variables):
    """There is something to look at while nothing happens; Ctrl-C leaves none of it."""
    with at_terminal(variables) as job:
        job.wait_for("waiting for a control message 0:00:02")
        job.process.send_signal(signal.SIGINT)
        assert 130 == job.process.wait(60)

    assert re.search(r"\[info     \] stopped .*exit_code=130", unwrapped(job))
    assert "once more to stop at once" in job.screen.text


@pytest.mark.usefixtures("announced")
def test_no_colours(variables):
    """NO_COLOR leaves the bars and takes the colours."""
    with at_terminal({**variables, **SLOWLY, "NO_COLOR": "1"}) as job:
        job.wait_for("reading ")
        assert 0 == job.process.wait(120)

    assert 0 == job.screen.colours


@pytest.mark.usefixtures("announced")
def test_console_without_terminal(variables):
    """Where nobody sits there are lines of text, without a single control character."""
    done = subprocess.run(
        [COMMAND],
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            **variables,
            "STREAMFIT_LOG": "console",
        },
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert 0 == done.returncode
    assert b"" == done.stdout
    text = done.stderr.decode()
    assert not CONTROLS.search(text)
    assert "result delivered" in text
    assert "━" not in text


@pytest.mark.usefixtures("announced")
def test_json(variables):
    """Every record says whose it is and when; loud libraries are records, too."""
    loud = {
        "TF_CPP_MIN_LOG_LEVEL": "0",
        "LIBRDKAFKA_DEBUG": "all",
        "KWARGS_FIT": '{"epochs": 3, "verbose": 1}',
        "PYTHONWARNINGS": "always",
    }
    with running({**variables, **loud}) as job:
        assert 0 == job.wait()

    assert [] == job.foreign
    assert {(7, "3")} == {
        (line["deployment_id"], line["result_id"]) for line in job.lines
    }
    (delivered,) = job.logged("result delivered")
    assert "finishing" == delivered["phase"]
    (read,) = job.logged("control message received")
    assert ("waiting", True) == (read["phase"], "position" in read)
    said = {line["logger"] for line in job.lines}
    assert "stdout" in said  # Keras's own progress
    assert "stderr" in said  # TensorFlow
    bars = [line for line in job.lines if line["logger"] == "stdout"]
    assert any("Epoch 3/3" in line["event"] for line in bars)
    assert {"training", "reporting"} >= {line["phase"] for line in bars}


@pytest.mark.parametrize("style", ["json", "console"])
def test_hostile_texts(httpserver, sender, variables, style):
    """Neither sender nor back-end can forge a line or a colour."""
    ranges = sender.send(raw(*digits(40)))
    good = message(ranges, 40, input_config=RAW_DIGITS, description=HOSTILE)
    sender.announce(message(f"{HOSTILE}:0:0:4", 4, input_config=RAW_DIGITS))
    sender.announce(
        message(ranges, 40, input_config={**RAW_DIGITS, "data_type": HOSTILE})
    )
    sender.announce(message(ranges, 40, input_format=HOSTILE))
    sender.announce(HOSTILE)
    sender.announce(good)
    httpserver.clear()
    url = refusing(httpserver)

    with running({**variables, "RESULT_URL": url, "STREAMFIT_LOG": style}) as job:
        assert 78 == job.wait()

    text = "".join(job.foreign)
    if style == "json":
        assert "" == text
        reasons = [line["reason"] for line in job.logged("control message skipped")]
        assert 4 == len(reasons)
        (failed,) = job.logged("job failed")
        assert "red" in failed["reason"]
    else:
        assert not CONTROLS.search(text)
        assert 4 == text.count("control message skipped")
        assert all(re.match(r"\d\d:\d\d:\d\d \[", line) for line in text.splitlines())
        assert r"\u202e" in text
        forged = [line for line in text.splitlines() if "result delivered" in line[:40]]
        assert [] == forged


def refusing(httpserver):
    """Return the URL of a back-end that hands out a model and refuses its result."""
    model = model_file("digits").read_bytes()
    httpserver.expect_request("/results/3", method="GET").respond_with_data(model)
    httpserver.expect_request("/results_metrics/3").respond_with_data("")
    httpserver.expect_request("/results/3", method="POST").respond_with_data(
        HOSTILE, status=400, content_type="text/plain; charset=utf-8"
    )
    return httpserver.url_for("/results/3")
