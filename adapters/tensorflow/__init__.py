"""
The trainer that runs Keras 2 and 3 on TensorFlow.

Importing this package is cheap: TensorFlow itself is imported by
`TensorFlowTrainer.load`, when there is something to train on.  Until then a job waits
in a tenth of the memory.
"""

from __future__ import annotations

from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from adapters.tensorflow.settings import TensorFlowSettings
from adapters.tensorflow.trainer import TensorFlowTrainer

__all__ = [
    "ChainSettings",
    "ModelSettings",
    "TensorFlowSettings",
    "TensorFlowTrainer",
]
