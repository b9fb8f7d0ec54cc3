"""Jobs on one small stream, whose back-end is the fault."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import evolve, frozen

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Sender, message, raw
from tests.end_to_end.process import Job, running
from tests.faults.scripted_backend import ScriptedBackend
from tests.models import examples

COUNT = 200
EPOCHS = 60
"""Of a training by TensorFlow; the fake has its own number."""

_CONFIG = {
    "data_type": "uint8",
    "label_type": "uint8",
    "data_reshape": "8 8",
    "label_reshape": "1",
}


@frozen
class Announced:
    """
    A stream for deployment 7.

    Attributes:
        sender: Who sent it.

        ranges: Where it is, as control messages write it.
    """

    sender: Sender
    ranges: str

    @classmethod
    def sent(cls, sender: Sender) -> Announced:
        """Send the records."""
        rows = examples("digits", COUNT)
        KafkaTopics(sender.servers).create(sender.control)
        return cls(sender, sender.send(raw(rows.features, rows.labels)))

    def announce(self) -> None:
        """Write the control message."""
        self.sender.announce(message(self.ranges, COUNT, input_config=_CONFIG))

    def afresh(self) -> Announced:
        """Return the same records, not announced yet."""
        sender = evolve(self.sender, control=unique("control"))
        KafkaTopics(sender.servers).create(sender.control)
        return evolve(self, sender=sender)

    def variables(self, url: str, engine: str = "fake", **more: str) -> dict[str, str]:
        """Return the platform's variables, and *more*."""
        return {
            "BOOTSTRAP_SERVERS": self.sender.servers,
            "RESULT_URL": url,
            "RESULT_ID": "3",
            "CONTROL_TOPIC": self.sender.control,
            "DEPLOYMENT_ID": "7",
            "BATCH": "16",
            "KWARGS_FIT": f'{{"epochs": {EPOCHS}}}',
            "KWARGS_VAL": "{}",
            "CASE": "1",
            "STREAMFIT_ENGINE": engine,
            **more,
        }


@frozen
class Absence:
    """
    Jobs whose back-ends leave before the delivery and come back later.

    Attributes:
        jobs: By their engines.

        back: Set once the back-ends are there again.
    """

    jobs: dict[str, tuple[Job, ScriptedBackend]]
    back: threading.Event


@contextmanager
def absence_of(announced: Announced, seconds: float) -> Iterator[Absence]:
    """Run a job of either engine whose back-end is away for *seconds*."""
    stream = announced.afresh()
    back, over = threading.Event(), threading.Event()
    with (
        job_and_backend(stream, "fake") as fake,
        job_and_backend(stream, "tensorflow") as tensorflow,
    ):
        jobs = {"fake": fake, "tensorflow": tensorflow}
        for job, backend in jobs.values():
            job.wait_for("waiting for a control message")
            backend.leave()
        stream.announce()

        def come_back() -> None:
            over.wait(seconds)
            for _, backend in jobs.values():
                backend.come_back()
            back.set()

        waiting = threading.Thread(target=come_back)
        waiting.start()
        try:
            yield Absence(jobs, back)
        finally:
            over.set()
            waiting.join()


@contextmanager
def job_and_backend(
    stream: Announced, engine: str, **more: str
) -> Iterator[tuple[Job, ScriptedBackend]]:
    """Run a job on *stream* with a back-end of its own."""
    with (
        ScriptedBackend() as backend,
        running(stream.variables(backend.url, engine, **more)) as job,
    ):
        yield job, backend
