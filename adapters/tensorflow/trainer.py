"""The trainer's front: what can be done without TensorFlow, and the door to it."""

from __future__ import annotations

import logging
from pathlib import Path

from attrs import field, frozen

from adapters.tensorflow import describing, inspection, machine, start
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from adapters.tensorflow.settings import TensorFlowSettings
from domain.errors import SettingsInvalid
from domain.events import Listener, ignore
from ports import ModelPart, ModelReader, TrainableModel, Trainer

log = logging.getLogger(__name__)


@frozen
class TensorFlowTrainer(Trainer, ModelReader):
    """
    Keras 2 and 3 on TensorFlow.

    Attributes:
        settings: How to train.

        workdir: Folder for trained models.

        repeat: Whether data repeat without end where a number of steps is given, as in
            the platform's 2020 dialect.

        model_settings: What models may bring, and how uncompiled ones are compiled.

        chain_settings: How chains are compiled; None if models are no chains.

        on_event: Is told what the model is made of.
    """

    settings: TensorFlowSettings
    workdir: Path
    repeat: bool
    model_settings: ModelSettings = field(factory=ModelSettings)
    chain_settings: ChainSettings | None = None
    on_event: Listener = ignore

    def inspect(self, model: Path) -> str:
        """
        Look into *model* without TensorFlow, and return its outline; see the port.

        Raises:
            ModelInvalid: The file holds no model that can be trained.

            SettingsInvalid: There is no GPU, though one is required, or there is
                something that a chain cannot have.
        """
        if self.chain_settings and self.settings.streamfit_class_weights:
            raise SettingsInvalid("STREAMFIT_CLASS_WEIGHTS: not for a chain of models")
        outline = inspection.inspect(
            model, self.model_settings, self.chain_settings, self.on_event
        )
        if self.settings.streamfit_require_gpu:
            machine.look_for_gpu()
        return outline

    def describe(self, model: Path) -> tuple[ModelPart, ...]:
        """Tell what is in *model*, without TensorFlow; see ModelReader."""
        return describing.describe(model, self.model_settings, self.chain_settings)

    def prepare(self) -> None:
        """Begin to import TensorFlow on a thread of its own."""
        start.begin()

    def load(self, model: Path) -> TrainableModel:
        """
        Load *model* afresh; the first call imports TensorFlow, which takes seconds.

        Raises:
            ModelInvalid: The file holds no model that can be trained.

            SettingsInvalid: Keras does not know what the variables ask for, or there is
                no GPU, though one is required.
        """
        devices = start.devices()
        from adapters.tensorflow.files import model_file
        from adapters.tensorflow.model import TensorFlowModel

        log.info("engine ready", extra={"devices": devices})
        if self.settings.streamfit_require_gpu:
            machine.require_gpu(devices)
        if self.settings.streamfit_seed is not None:
            machine.seed_everything(self.settings.streamfit_seed)
        file = model_file(model, self.model_settings, self.chain_settings)
        return TensorFlowModel(
            file.load(), file, self.settings, self.workdir, self.repeat
        )
