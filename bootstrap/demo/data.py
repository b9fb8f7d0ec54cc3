"""Data sets that scikit-learn ships, encoded as a data source would send them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
from attrs import field, frozen


@frozen
class DataSet:
    """
    A data set on its way to a topic.

    Attributes:
        title: What it is, in words.

        records: Key (label) and value (features) of each record.

        input_format: The record format's name.

        input_config: What a decoder must know.
    """

    title: str
    records: Sequence[tuple[bytes, bytes]] = field(repr=False)
    input_format: str
    input_config: Mapping[str, str]


def digits() -> DataSet:
    """Return 1,797 images of handwritten digits, 8 x 8 pixels, as RAW."""
    from sklearn.datasets import load_digits  # an extra: only the demo needs it

    images, labels = load_digits(return_X_y=True)
    # The data set is sorted by writer; mixed, every part knows every hand.
    order = np.random.default_rng(0).permutation(len(images))
    return DataSet(
        title="1,797 images of handwritten digits",
        records=[
            (label.tobytes(), image.tobytes())
            for image, label in zip(
                images[order].astype(np.uint8),
                labels[order].astype(np.uint8),
                strict=True,
            )
        ],
        input_format="RAW",
        input_config={
            "data_type": "uint8",
            "label_type": "uint8",
            "data_reshape": "8 8",
            "label_reshape": "1",
        },
    )


def breast_cancer() -> DataSet:
    """Return 569 rows of 30 measurements and a diagnosis, as AVRO."""
    from sklearn.datasets import load_breast_cancer  # an extra: only the demo needs it

    table = load_breast_cancer()
    names = [name.replace(" ", "_") for name in table.feature_names]
    return DataSet(
        title="569 breast cancer diagnoses of 30 measurements each",
        # Avro writes a float as four bytes and a boolean as one, with nothing between.
        records=[
            (bool(benign).to_bytes(), row.astype("<f4").tobytes())
            for row, benign in zip(table.data, table.target, strict=True)
        ],
        input_format="AVRO",
        input_config={
            "data_scheme": _record_schema("measurements", "float", names),
            "label_scheme": _record_schema("diagnosis", "boolean", ["benign"]),
        },
    )


def _record_schema(name: str, avro_type: str, fields: Sequence[str]) -> str:
    return json.dumps(
        {
            "type": "record",
            "name": name,
            "fields": [{"name": field, "type": avro_type} for field in fields],
        }
    )
