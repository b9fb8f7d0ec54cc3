"""The job as a process, and a platform around it: from the message to the result."""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import confluent_kafka
from attrs import define, field
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from benchmarks.contenders.job import EPOCHS, VALIDATION_RATE, Job, report
from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Backend, message
from tests.end_to_end.process import Job as Process
from tests.end_to_end.process import running

DEADLINE = 300.0
SETTLED = 2.0
"""Seconds until the job, which says that it waits, has found its topic and rests."""

HOW: Mapping[str, tuple[str, float]] = {
    "job": (f'{{"epochs": {EPOCHS}}}', VALIDATION_RATE),
    # Its end is posted, and a single step makes an epoch.
    "first-step": ('{"epochs": 1, "steps_per_epoch": 1}', 0),
}


@define
class TimedBackend(Backend):
    """
    Knows when something came.

    Attributes:
        progressed: When the first epoch was posted.

        finished: When the result was accepted.
    """

    progressed: float | None = field(default=None, init=False)
    finished: float | None = field(default=None, init=False)

    def _metrics(self, request: Request) -> Response:
        self.progressed = self.progressed or time.perf_counter()
        return super()._metrics(request)

    def _result(self, request: Request) -> Response:
        response = super()._result(request)
        self.finished = time.perf_counter()
        return response


def main() -> None:
    """Announce the stream to a job that waits, and take its result."""
    job = Job()
    control = unique("control")
    KafkaTopics(job.servers).create(control)
    kwargs_fit, validation_rate = HOW[job.how]
    ((partition, start, end),) = job.ranges
    text = message(
        f"{job.topic}:{partition}:{start}:{end}",
        job.records,
        input_config=job.options,
        validation_rate=validation_rate,
        test_rate=0,
    )
    with HTTPServer(threaded=True) as server:
        backend = TimedBackend(server, Path(job.model).read_bytes())
        variables = {
            "BOOTSTRAP_SERVERS": job.servers,
            "RESULT_URL": backend.url,
            "RESULT_ID": "3",
            "CONTROL_TOPIC": control,
            "DEPLOYMENT_ID": "7",
            "BATCH": str(job.batch),
            "KWARGS_FIT": kwargs_fit,
            "KWARGS_VAL": "{}",
            "CASE": "1",
            "CONF_MAT_CONFIG": "false",
            "UNSUPERVISED": "False",
        }
        with running(variables) as process:
            process.wait_for("waiting for a control message")
            startup = time.time() - job.started
            time.sleep(SETTLED)
            waiting = resident(process.process.pid)
            announced = announce(job.servers, control, text)
            code = process.wait(DEADLINE)
    if code or not backend.results:
        raise SystemExit(f"exit code {code}: {process.lines}")
    done = backend.finished if job.how == "job" else backend.progressed
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    report(
        {
            "seconds": done - announced,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "startup_seconds": startup,
            "max_rss": used.ru_maxrss * 1024,
            "waiting_rss": waiting,
            "records": job.records if job.how == "job" else 1,
            "steps": steps(process),
        }
    )


def announce(servers: str, topic: str, text: str) -> float:
    """Send the control message; returns when."""
    producer = confluent_kafka.Producer({"bootstrap.servers": servers, "linger.ms": 0})
    producer.list_topics(topic, 30)  # connected
    announced = time.perf_counter()
    producer.produce(topic, text, b"\x07")
    producer.flush(30)
    return announced


def resident(pid: int) -> int:
    """Return how many bytes the process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS: this is no Linux")


def steps(process: Process) -> dict[str, float]:
    """Return the seconds between the lines of its log, by the line that ended them."""
    events = [
        (str(line["event"]), datetime.fromisoformat(str(line["timestamp"])))
        for line in process.lines
    ]
    received = [event for event, _ in events].index("control message received")
    found: dict[str, float] = {}
    for (_, before), (event, after) in itertools.pairwise(events[received:]):
        found[event] = found.get(event, 0) + (after - before).total_seconds()
    return found


if __name__ == "__main__":
    main()
