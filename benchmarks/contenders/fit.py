"""A model trained on arrays, or by this package from its spool: epochs alone."""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

from attrs import define, field

from adapters.kafka import KafkaSettings, KafkaStreamSource
from adapters.raw import RawDecoder
from adapters.spool import DiskSpool, MemorySpool
from adapters.state import FolderJournal, StateSettings
from adapters.tensorflow import TensorFlowSettings, TensorFlowTrainer
from benchmarks.contenders.job import Job, max_rss, report
from benchmarks.streams import RAW
from domain.bad_records import BadRecordPolicy
from domain.intake import Intake, Part
from domain.keeping import Keeping
from domain.offsets import OffsetRange
from domain.progress import StreamProgress
from domain.report import EpochMetrics
from ports import Spool


@define
class Epochs:
    """Notes when epochs end."""

    ends: list[float] = field(factory=list, init=False)
    cpu: list[float] = field(factory=list, init=False)
    loss: float = field(default=0.0, init=False)

    def end(self, loss: float) -> None:
        """Note that one has ended."""
        self.ends.append(time.perf_counter())
        self.cpu.append(time.process_time())
        self.loss = loss


def main() -> None:
    """Train, and measure all epochs but the first, which builds the graph, too."""
    job = Job()
    epochs = Epochs()
    with tempfile.TemporaryDirectory() as folder:
        settings = TensorFlowSettings(job.batch, {"epochs": job.epochs})
        trainer = TensorFlowTrainer(settings, Path(folder), repeat=False)
        train = fit_arrays if job.how == "arrays" else fit_spool
        block = train(job, trainer, Path(folder), epochs)
    report(
        {
            "seconds": epochs.ends[-1] - epochs.ends[0],
            "cpu_seconds": epochs.cpu[-1] - epochs.cpu[0],
            "startup_seconds": time.time() - job.started,
            "max_rss": max_rss(),
            "records": (job.epochs - 1) * job.records,
            "loss": epochs.loss,
            "steps_per_execution": block,
        }
    )


def fit_arrays(job: Job, trainer: TensorFlowTrainer, _: Path, epochs: Epochs) -> int:
    """Keras alone, with the model compiled and run in blocks as for a stream."""
    chunk = RAW.chunk(0, job.records)
    features = chunk.features.reshape(-1, 28, 28)
    model = trainer.load(Path(job.model)).keras_model
    import tf_keras

    from adapters.tensorflow.blocks import Run, block_steps, fitting_block, set_block

    most = block_steps(None, model, job.batch, "CPU", of_keras_3=False)
    runs = [Run(math.ceil(job.records / job.batch))]
    set_block(model, block := fitting_block(most, runs, of_keras_3=False))
    model.fit(
        features,
        chunk.labels,
        batch_size=job.batch,
        epochs=job.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[
            tf_keras.callbacks.LambdaCallback(
                on_epoch_end=lambda _, logs: epochs.end(logs["loss"])
            )
        ],
    )
    return block


def fit_spool(
    job: Job, trainer: TensorFlowTrainer, folder: Path, epochs: Epochs
) -> int:
    """Do what the job does."""
    source = KafkaStreamSource(KafkaSettings(job.servers, "control"))
    ranges = [OffsetRange(job.topic, *range_) for range_ in job.ranges]
    spool: Spool = (
        MemorySpool(job.records)
        if job.how == "memory"
        else DiskSpool(job.records, folder)
    )
    keeping = None
    if job.how == "checkpoints":
        run = FolderJournal(folder / "state").run("one")
        every = StateSettings().streamfit_checkpoint_seconds
        keeping = Keeping(run, job.records, every, time.perf_counter)

    def listen(metrics: EpochMetrics) -> None:
        if keeping is not None:
            keeping.add(metrics)
        epochs.end(metrics.training["loss"])

    with Intake(
        read=lambda: source.read(ranges),
        progress=StreamProgress.none(ranges),
        decoder=RawDecoder.from_options(job.options),
        spool=spool,
        bad_records=BadRecordPolicy(),
    ) as stream:
        model: Any = trainer.load(Path(job.model))
        part = Part(stream, range(job.records), job.records)
        model.fit(part, None, listen, keeping)
        return int(model.keras_model.steps_per_execution)


if __name__ == "__main__":
    main()
