"""What goes into a model; the rest of its description is in the contract."""

from __future__ import annotations

import pytest

from adapters.tensorflow.files.ends import ends


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({"batch_input_shape": [None, 28, None, 1]}, (28, None, 1)),
        ({"batch_shape": [32, 4]}, (4,)),
        ({"batch_shape": [None]}, ()),
        ({"batch_shape": []}, None),
        ({"batch_shape": [None, "4"]}, None),
        ({"batch_shape": {"x": [None, 4]}}, None),
        ({"units": 3}, None),
    ],
)
def test_shape(config, shape):
    """The shape is that of the first layer, where it is told as Keras tells it."""
    layer = {"class_name": "Dense", "config": {"name": "first", **config}}

    assert shape == ends({"config": {"name": "m", "layers": [layer]}}).shape
