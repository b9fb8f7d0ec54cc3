"""What a contender is told, and what it reports."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.checksum import Checksum

EPOCHS = 3
VALIDATION_RATE = 0.1
"""Of the whole job: as the platform's users set it."""


class Job:
    """
    The work of one run.

    Attributes:
        servers: The broker's address.

        stream: The kind of records, by its name in `benchmarks.streams`.

        topic: The topic to read.

        ranges: Partition, first offset and the offset after the last one, each.

        format: ``RAW`` or ``AVRO``.

        options: The format's ``input_config``.

        how: The contender's own variant of it.

        records: How many records there are.

        started: When the process was started, in seconds of `time.time`.

        model: The file of the untrained model, if there is training.

        batch: Examples per training step, likewise.

        epochs: Epochs to train, likewise.
    """

    def __init__(self) -> None:
        told = json.loads(sys.argv[1])
        self.servers: str = told.get("servers", "")
        self.stream: str = told["stream"]
        self.topic: str = told.get("topic", "")
        self.ranges: list[tuple[int, int, int]] = told.get("ranges", [])
        self.format: str = told.get("format", "")
        self.options: dict[str, str] = told.get("options", {})
        self.how: str = told.get("how", "")
        self.records: int = told["records"]
        self.started: float = told["started"]
        self.model: str = told.get("model", "")
        self.batch: int = told.get("batch", 0)
        self.epochs: int = told.get("epochs", EPOCHS)


class Meter:
    """
    Measures a run from its first batch to its last.

    What comes before the first one is start-up: imports, connection, first fetch.
    """

    def __init__(self, job: Job) -> None:
        self._called = job.started
        self._startup = 0.0
        self._records = 0
        self._first = 0
        self._started = 0.0
        self._cpu = 0.0

    def add(self, records: int) -> None:
        """Note that a batch is there."""
        self._records += records
        if not self._first:
            self._first = records
            self._startup = time.time() - self._called
            self._started, self._cpu = time.perf_counter(), time.process_time()

    def stop(self) -> dict[str, float]:
        """Return what there is to report, but for the checksum."""
        return {
            "seconds": time.perf_counter() - self._started,
            "cpu_seconds": time.process_time() - self._cpu,
            "startup_seconds": self._startup,
            "max_rss": max_rss(),
            "records": self._records - self._first,
            "read": self._records,
        }


def report(measured: Mapping[str, object], checksum: Checksum | None = None) -> None:
    """Write it where the one who started the process finds it."""
    checked = {}
    if checksum is not None:
        checked = {"read": checksum.records, "checksum": checksum.total}
    sys.stdout.write(f"\n{json.dumps({**measured, **checked})}\n")


def max_rss() -> int:
    """
    Return the most bytes that this process ever had in memory.

    Not from getrusage, which starts with the memory of the process that started us.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmHWM: this is no Linux")
