"""What TensorBoard makes of event files."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import (
    EventAccumulator,
)

ALL = {"tensors": 0}
"""As many values as there are, not only some of them."""


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return step and value of everything that is drawn of *folder*, by tag."""
    accumulator = EventAccumulator(str(folder), ALL).Reload()
    return {
        tag: [
            (event.step, float(tf.make_ndarray(event.tensor_proto)))
            for event in accumulator.Tensors(tag)
        ]
        for tag in accumulator.Tags()["tensors"]
        if accumulator.SummaryMetadata(tag).plugin_data.plugin_name == "scalars"
    }


def kind(folder: Path, tag: str) -> tuple[object, int, object]:
    """Return what is said of *tag*, and the type and shape of its values."""
    accumulator = EventAccumulator(str(folder), ALL).Reload()
    value = accumulator.Tensors(tag)[0].tensor_proto
    return accumulator.SummaryMetadata(tag), value.dtype, value.tensor_shape
