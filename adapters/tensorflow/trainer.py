"""The trainer's front: what can be done without TensorFlow, and the door to it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from attrs import frozen

from adapters.tensorflow import hdf5
from adapters.tensorflow.native import remarks_logged
from adapters.tensorflow.settings import TensorFlowSettings
from ports import TrainableModel, Trainer

log = logging.getLogger(__name__)


@frozen
class TensorFlowTrainer(Trainer):
    """
    Keras 2 on TensorFlow.

    Attributes:
        settings: How to train.

        workdir: Folder for trained models.

        repeat: Whether data repeat without end where a number of steps is given, as in
            the platform's 2020 dialect.
    """

    settings: TensorFlowSettings
    workdir: Path
    repeat: bool

    def inspect(self, model: Path) -> None:
        """
        Look into *model* without TensorFlow.

        Raises:
            ModelInvalid: The file holds no model that can be trained.
        """
        hdf5.inspect(model)

    def load(self, model: Path) -> TrainableModel:
        """
        Load *model* afresh; the first call imports TensorFlow, which takes seconds.

        Raises:
            ModelInvalid: The file holds no model that can be trained.
        """
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
        with remarks_logged():
            import tensorflow as tf

            from adapters.tensorflow.model import TensorFlowModel

            devices = tf.config.list_logical_devices()
        log.info("engine ready", extra={"devices": [d.name for d in devices]})
        return TensorFlowModel.load(
            model, self.settings, self.workdir, repeat=self.repeat
        )
