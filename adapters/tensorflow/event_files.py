"""What TensorBoard shows of a training, laid out as Keras's own callback does it."""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import Attribute, define, field, frozen

from domain.events import EpochEnded, Event, JobEnded, ResultMade, RunBegan
from domain.report import Metrics

log = logging.getLogger(__name__)

_VERSION = "brain.Event:2"
_PLUGIN = "scalars"

_counter = itertools.count()


def _is_folder(_: object, __: Attribute[Path | None], folder: Path | None) -> None:
    for place in (folder, *folder.parents) if folder else ():
        if place.exists():
            if not place.is_dir():
                raise ValueError(f"{str(place)!r} is no folder")
            return


@frozen
class TensorBoardSettings:
    """
    Where TensorBoard finds trainings.

    Attributes:
        streamfit_tensorboard_dir: The folder, made if it is not there, with a folder
            for each training; without one, nothing is written for TensorBoard.
    """

    streamfit_tensorboard_dir: Path | None = field(default=None, validator=_is_folder)


@define(eq=False)
class EventFiles:
    """
    A listener that writes metrics down, epoch by epoch.

    TensorFlow writes the files.  A job that trains has imported it long before the
    first epoch has ended, and others are not to import it for this.

    Attributes:
        folder: Where trainings have their folders.

        name: Says what the folder of a training is called, by its identity.
    """

    folder: Path
    name: Callable[[str], str]
    _run: str = field(default="", init=False)
    _epoch: int = field(default=0, init=False)
    _files: dict[str, EventFile] = field(factory=dict, init=False)
    _well: bool = field(default=True, init=False)

    def __call__(self, event: Event) -> None:
        """Write down the metrics of *event*, if it has any."""
        match event:
            case RunBegan():
                self._close()
                self._run = self.name(event.identity)
            case EpochEnded():
                self._epoch = event.number - 1  # as Keras counts
                self._write("train", "epoch_", event.metrics.training)
                self._write("validation", "epoch_", event.metrics.validation)
            case ResultMade():
                self._write("test", "evaluation_", event.report.test)
            case JobEnded():
                self._close()
            case _:
                pass

    def _write(self, part: str, prefix: str, metrics: Metrics) -> None:
        if not metrics or not self._well:
            return
        if "tensorflow" not in sys.modules:
            self._give_up("only the engine of STREAMFIT_ENGINE=tensorflow does that")
            return
        import tensorflow as tf

        try:
            if part not in self._files:
                self._files[part] = EventFile(self.folder / self._run / part)
            tagged = {f"{prefix}{name}": value for name, value in metrics.items()}
            self._files[part].write(self._epoch, tagged)
        except (OSError, tf.errors.OpError) as reason:
            self._give_up(str(reason))

    def _give_up(self, reason: str) -> None:
        self._well = False
        log.warning(
            "nothing is written for TensorBoard",
            extra={"path": str(self.folder / self._run), "reason": reason},
        )
        self._close()

    def _close(self) -> None:
        """Let go of all files; what is in them is complete since the last epoch."""
        self._files.clear()


@define(eq=False)
class EventFile:
    """
    A new file of events in a folder, beside those of processes before.

    Attributes:
        folder: Where; made if it is not there.
    """

    folder: Path
    _writer: Any = field(init=False)
    _latest: int | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        import tensorflow as tf

        self.folder.mkdir(parents=True, exist_ok=True)
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
            f".{os.getpid()}.{next(_counter)}.v2"
        )
        self._writer = tf.io.TFRecordWriter(str(self.folder / name))
        event = self._event(0)
        event.file_version = _VERSION
        self._writer.write(event.SerializeToString())

    def write(self, step: int, values: Metrics) -> None:
        """Write *values* of *step*, so that they outlast this process."""
        import tensorflow as tf

        if self._latest is None or step <= self._latest:
            # A training begins, goes on or starts over: what is there of its epochs
            # from here on, TensorBoard is to forget.
            event = self._event(step)
            event.session_log.status = tf.compat.v1.SessionLog.START
            self._writer.write(event.SerializeToString())
        event = self._event(step)
        for tag, number in values.items():
            value = event.summary.value.add()
            value.tag = tag
            value.metadata.plugin_data.plugin_name = _PLUGIN
            value.metadata.data_class = 1  # DATA_CLASS_SCALAR, which is not public
            value.tensor.CopyFrom(tf.make_tensor_proto(number, tf.float32))
        self._writer.write(event.SerializeToString())
        self._writer.flush()
        self._latest = step

    @staticmethod
    def _event(step: int) -> Any:
        import tensorflow as tf

        return tf.compat.v1.Event(wall_time=time.time(), step=step)
