"""
Three jobs that a fault hits at once, each in a state of its own.

One waits for its control message, one reads its stream, one is between two epochs.  All
have the same stream, so that one undisturbed job tells what each of them must hand in.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from attrs import define, evolve, field, frozen
from pytest_httpserver import HTTPServer

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Backend, Sender, message, raw
from tests.end_to_end.process import Job, running
from tests.faults import watched_engine
from tests.faults.proxy import Proxy
from tests.models import examples, model_file

COUNT = 100_000
ROWS = examples("digits", COUNT)
SIZE = ROWS.features.nbytes
"""Bytes that a job cannot do with fewer of."""

EPOCHS = 3
PACE = 500_000
"""Bytes per second and connection at which a stream takes a while."""

SLOW = 56_000
"""The same, of a link that is just good enough: here a stream takes a minute."""

PATIENCE = 90.0
"""Seconds that a job may take from the end of a fault to its own."""

DEPLOYMENTS = {"waiting": 7, "reading": 8, "training": 9}
UNDISTURBED = 10
NONE: Mapping[str, str] = {}


@frozen
class Stream:
    """
    What was sent, and can be announced again and again.

    Attributes:
        sender: Of the records.

        ranges: Where they are, as control messages write it.
    """

    sender: Sender
    ranges: str

    @classmethod
    def sent(cls, servers: str) -> Stream:
        """Send all rows, half of them to each of two partitions."""
        topics = KafkaTopics(servers)
        sender = Sender(servers, unique("data"), unique("control"))
        topics.create(sender.topic, partitions=2)
        topics.create(sender.control)
        records = raw(ROWS.features, ROWS.labels)
        halves = records[: COUNT // 2], records[COUNT // 2 :]
        ranges = [sender.send(half, number) for number, half in enumerate(halves)]
        return cls(sender, ",".join(ranges))

    def afresh(self) -> Stream:
        """Return the same records with a control topic on which there is nothing."""
        sender = evolve(self.sender, control=unique("control"))
        KafkaTopics(sender.servers).create(sender.control)
        return evolve(self, sender=sender)

    def announce(self, deployment: int) -> None:
        """Announce it to the job of *deployment*."""
        config = {
            "data_type": "uint8",
            "label_type": "uint8",
            "data_reshape": "8 8",
            "label_reshape": "1",
        }
        body = message(self.ranges, COUNT, validation_rate=0.2, input_config=config)
        self.sender.announce(body, bytes([deployment]))


@frozen
class Outcome:
    """What must not depend on what happens on the way."""

    result: dict[str, object]
    model: bytes
    counts: dict[str, object]


@frozen
class Worker:
    """A job, and the back-end that it has for itself."""

    job: Job
    backend: Backend

    def outcome(self) -> Outcome:
        """Wait until it has ended well, and return what became of it."""
        assert 0 == self.code(), self.job.lines
        assert [] == self.job.foreign
        assert [] == self.backend.refused
        assert [] == self.job.logged("control message skipped")
        (accepted,) = self.backend.results
        (read,) = self.job.logged("stream read")
        assert self.backend.trained is not None
        return Outcome(
            {name: accepted[name] for name in accepted if name != "training_time"},
            self.backend.trained,
            {name: read[name] for name in ("offsets", "examples", "rejected")},
        )

    def code(self) -> int | None:
        """Wait for its end and return the exit code; None if it does not end."""
        try:
            return self.job.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return None

    def epochs(self) -> int:
        """Return how many epochs it has trained."""
        return len(self.job.logged("epoch ended"))


@contextmanager
def worker(
    stream: Stream, servers: str, deployment: int, variables: Mapping[str, str]
) -> Iterator[Worker]:
    """Run a job of *deployment* on the brokers at *servers*."""
    with HTTPServer("127.0.0.1", 0) as server:
        backend = Backend(server, model_file("digits").read_bytes())
        environ = {
            "BOOTSTRAP_SERVERS": servers,
            "RESULT_URL": backend.url,
            "RESULT_ID": "3",
            "CONTROL_TOPIC": stream.sender.control,
            "DEPLOYMENT_ID": str(deployment),
            "BATCH": "512",
            "KWARGS_FIT": f'{{"epochs": {EPOCHS}}}',
            "KWARGS_VAL": "{}",
            "CASE": "1",
            **variables,
        }
        with running(environ) as job:
            yield Worker(job, backend)


@define
class ThreeJobs:
    """
    The three of them.

    Attributes:
        stream: What they are trained on.

        gate: Holds the training one after every epoch; see `watched_engine`.
    """

    stream: Stream
    waiting: Worker
    reading: Worker
    training: Worker
    gate: Path
    _passed: int = field(default=0, init=False)

    def begin(self, network: Proxy) -> None:
        """
        Bring each into its state; the reading one reads through *network*.

        That is slow from then on, so that a fault finds it reading.
        """
        for worker in (self.waiting, self.reading, self.training):
            worker.job.wait_for("waiting for a control message")
        self.stream.announce(DEPLOYMENTS["training"])
        self.training.job.wait_for("epoch ended")
        network.bytes_per_second = PACE
        self._passed = network.passed
        self.stream.announce(DEPLOYMENTS["reading"])
        self.reading.job.wait_for("examples are kept")
        network.bytes_per_second = SLOW

    def require_states(self, network: Proxy) -> None:
        """Make sure that each is still where the fault was to hit it."""
        assert not self.waiting.job.logged("control message received")
        assert network.passed - self._passed < SIZE
        assert 0 < self.training.epochs() < EPOCHS
        for worker in (self.waiting, self.reading, self.training):
            assert worker.job.process.poll() is None, worker.job.lines

    def train_epoch(self) -> None:
        """Have the training one train an epoch, and no more."""
        wanted, give_up_at = self.training.epochs() + 1, time.monotonic() + 60
        with self.gate.open("ab") as gate:
            gate.write(b"!")
        while self.training.epochs() < wanted:
            assert time.monotonic() < give_up_at, self.training.job.lines
            time.sleep(0.02)

    def finish(self) -> list[Outcome]:
        """Let each go on to its end, and return what became of them."""
        self.stream.announce(DEPLOYMENTS["waiting"])
        self.open_gate()
        return [w.outcome() for w in (self.waiting, self.reading, self.training)]

    def open_gate(self) -> None:
        """Let the training one train all that is left."""
        self.gate.write_bytes(b"!" * EPOCHS)


@contextmanager
def three_jobs(
    stream: Stream,
    folder: Path,
    *,
    through: Mapping[str, str],
    engine: str = "fake",
    variables: Mapping[str, str] = NONE,
) -> Iterator[ThreeJobs]:
    """
    Start the three jobs.

    Args:
        stream: What they are trained on.

        folder: Where they keep what they share.

        through: The addresses at which they find the broker, by what they are to do;
            the others find it where the sender does.

        engine: What trains.

        variables: What else is set, for each.
    """
    gate = folder / "gate"
    gate.touch()
    shared = {**watched(folder, engine), **variables}
    with ExitStack() as stack:

        def start(state: str, **more: str) -> Worker:
            servers = through.get(state, stream.sender.servers)
            job = worker(stream, servers, DEPLOYMENTS[state], {**shared, **more})
            return stack.enter_context(job)

        yield ThreeJobs(
            stream,
            start("waiting"),
            start("reading"),
            start("training", **{watched_engine.GATE: str(gate)}),
            gate,
        )


def undisturbed(stream: Stream, folder: Path, engine: str = "fake") -> Outcome:
    """Return what becomes of a job that nothing happens to."""
    variables = watched(folder, engine)
    with worker(stream, stream.sender.servers, UNDISTURBED, variables) as alone:
        alone.job.wait_for("waiting for a control message")
        stream.announce(UNDISTURBED)
        return alone.outcome()


def watched(folder: Path, engine: str) -> dict[str, str]:
    """Return the variables that have *engine* watched."""
    return watched_engine.installed(folder) | {watched_engine.ENGINE: engine}
