"""Fills topics, and runs contenders in processes of their own."""

from __future__ import annotations

import json
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attrs import define, field
from confluent_kafka import Producer

from benchmarks.claims import Measured
from benchmarks.streams import CHUNK, STREAMS, Stream
from benchmarks.works import Contender, Work
from tests.broker.topics import KafkaTopics

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".oracles" / "peers" / "bin" / "python"
PEER_MODULES = {"kafka_python", "models", "tensorflow_io", "tensorflow_io_fit"}
DEADLINE = 600.0
"""Seconds that a contender may take."""


class ContenderFailed(Exception):
    """It ended with an error, or did not read what was written."""


@define
class Runner:
    """
    Runs contenders, and fills the topics that they need.

    Attributes:
        servers: The broker's address; empty if nothing needs one.

        records: How many records there are in most streams.

        folder: Where untrained models are written.
    """

    servers: str
    records: int
    folder: Path
    _filled: set[str] = field(factory=set, init=False)

    def run(self, work: Work, contender: Contender) -> Measured:
        """
        Run *contender* once.

        Raises:
            ContenderFailed: There is nothing to compare.
        """
        stream = STREAMS[work.stream]
        records = contender.records or self.records
        told: dict[str, object] = {
            "how": contender.how,
            "records": records,
            "stream": stream.name,
            "format": stream.format,
            "options": stream.options,
        }
        if work.on_broker:
            topic = f"{stream.name}-{contender.partitions}-{records}"
            told |= {
                "servers": self.servers,
                "topic": topic,
                "ranges": self._ranges(topic, stream, records, contender.partitions),
            }
        if work.model:
            told |= {
                "model": str(self._model(work.model)),
                "batch": work.batch,
                "epochs": work.epochs,
            }
        _touch_memory(records * _size(stream) * 2)
        measured = _start(contender, told)
        expected = {"read": records, "checksum": stream.checksum(records)}
        wrong = {
            name: measured[name]
            for name, value in expected.items()
            if name in measured and measured[name] != value
        }
        if wrong:
            raise ContenderFailed(f"{contender.label}: {wrong}, wanted {expected}")
        return measured

    def _model(self, name: str) -> Path:
        """Return the file of a model; the first call writes those of all."""
        path = self.folder / f"{name}.h5"
        if not path.exists():
            _run("models", str(self.folder))
        return path

    def _ranges(
        self, topic: str, stream: Stream, records: int, partitions: int
    ) -> list[tuple[int, int, int]]:
        """Fill *topic* unless it is full; records are in the order of the ranges."""
        share = -(-records // partitions)
        shares = [range(i, min(i + share, records)) for i in range(0, records, share)]
        if topic not in self._filled:
            _require_disk(records, stream)
            KafkaTopics(self.servers).create(topic, partitions)
            for partition, positions in enumerate(shares):
                _fill(self.servers, topic, partition, stream, positions)
            self._filled.add(topic)
        return [(p, 0, len(positions)) for p, positions in enumerate(shares)]


def _start(contender: Contender, told: dict[str, object]) -> Measured:
    said = _run(contender.module, json.dumps({**told, "started": time.time()}))
    measured: Measured = json.loads(said.splitlines()[-1])
    return measured


def _run(module: str, argument: str) -> str:
    """Run a module of ours in a process of its own; returns what it printed."""
    python = str(PEERS) if module in PEER_MODULES else sys.executable
    process = subprocess.run(  # noqa: S603  # a module of ours
        [python, "-m", f"benchmarks.contenders.{module}", argument],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    if process.returncode:
        raise ContenderFailed(f"{module}: {process.stderr[-2000:]}")
    return process.stdout


def _size(stream: Stream) -> int:
    (key,), (value,) = (sample := stream.chunk(0, 1)).keys, sample.values
    return len(key) + len(value)


def _touch_memory(size: int) -> None:
    """
    Take memory from the system, and give it back.

    A virtual machine may have lent it to others: to get it back takes ten times as long
    as to fill it, which would be measured with whoever comes first.
    """
    anonymous = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    free = os.sysconf("SC_AVPHYS_PAGES") * mmap.PAGESIZE
    with mmap.mmap(-1, min(max(size, 1 << 28), free // 2), anonymous) as memory:
        memory.madvise(mmap.MADV_HUGEPAGE)  # as NumPy does
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


def _require_disk(records: int, stream: Stream) -> None:
    """Look for room for a topic, and for as much once more in a spool."""
    need = 2 * records * (_size(stream) + 100)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if need > free:
        raise RuntimeError(f"{need / 1e9:.0f} GB of disk needed, {free / 1e9:.0f} free")


def _fill(
    servers: str, topic: str, partition: int, stream: Stream, positions: range
) -> None:
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 1 << 20,
        }
    )
    for start in range(positions.start, positions.stop, CHUNK):
        chunk = stream.chunk(start, min(start + CHUNK, positions.stop))
        for key, value in zip(chunk.keys, chunk.values, strict=True):
            producer.produce(topic, value, key, partition)
        producer.flush()
