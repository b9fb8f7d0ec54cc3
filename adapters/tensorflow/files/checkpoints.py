"""The weights of SavedModels: TensorFlow's checkpoints, read and written by name."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from domain.errors import ModelInvalid

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The name of a checkpoint's own table of contents."""


def refuse_bombs(variables: Path, limit: int) -> None:
    """
    Refuse a checkpoint whose arrays would take more than *limit* bytes.

    Raises:
        ModelInvalid: They would, or there is no checkpoint.
    """
    import tensorflow as tf

    reader = _reader(variables)
    dtypes = reader.get_variable_to_dtype_map()
    total = 0
    for name, shape in reader.get_variable_to_shape_map().items():
        total += math.prod(map(int, shape)) * max(tf.as_dtype(dtypes[name]).size, 1)
        if total > limit:
            raise ModelInvalid(
                f"the arrays of the SavedModel take more than {limit} bytes "
                f"(STREAMFIT_MAX_MODEL_BYTES): {name}"
            )


def restore(model: Any, variables: Path) -> None:
    """
    Give *model* the weights in the checkpoint *variables*.

    Raises:
        ModelInvalid: They are those of another model.
    """
    status = model.load_weights(variables)
    status.assert_existing_objects_matched()
    status.expect_partial()
    reader = _reader(variables)
    for name, variable in zip(_names(reader), model.variables, strict=True):
        if not np.array_equal(reader.get_tensor(name), variable, equal_nan=True):
            raise ModelInvalid(f"the SavedModel has other weights: {name}")


def graft(model: Any, variables: Path) -> None:
    """Put the weights of *model* into the checkpoint *variables*, in their places."""
    import tensorflow as tf

    reader = _reader(variables)
    trained = dict(zip(_names(reader), model.variables, strict=True))
    names = sorted(reader.get_variable_to_shape_map())
    # TensorFlow writes the new file before it takes away the old one.
    tf.raw_ops.SaveV2(
        prefix=str(variables),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[
            trained[name] if name in trained else tf.constant(reader.get_tensor(name))
            for name in names
        ],
    )


def _reader(variables: Path) -> Any:
    import tensorflow as tf

    return tf.train.load_checkpoint(str(variables))


def _names(reader: Any) -> list[str]:
    """
    Return the names in the checkpoint of the model's variables, in their order.

    A name is a way from the model to the variable, and of several any one.  So the
    names are looked up in the table of contents, where the model lists its variables.
    """
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(reader.get_tensor(_OBJECTS))

    def children(node: int) -> dict[str, int]:
        return {c.local_name: c.node_id for c in graph.nodes[node].children}

    listed = children(children(0)["variables"])
    return [
        graph.nodes[listed[str(i)]].attributes[0].checkpoint_key
        for i in range(len(listed))
    ]
