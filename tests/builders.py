"""Test data with sensible defaults."""

from __future__ import annotations

import json
from collections.abc import Sequence

from domain.batches import BinaryColumn, RecordBatch

RAW_CONFIG = {
    "data_type": "float32",
    "label_type": "uint8",
    "data_reshape": "2",
    "label_reshape": "1",
}


def control_message(**fields: object) -> bytes:
    """Return the body of a control message as the current sinks write it."""
    return json.dumps(
        {
            "topic": "automl:0:0:4",
            "unsupervised_topic": None,
            "input_format": "RAW",
            "description": "demo",
            "dataset_restrictions": {},
            "input_config": RAW_CONFIG,
            "validation_rate": 0,
            "test_rate": 0,
            "total_msg": 4,
            "incremental": False,
            **fields,
        }
    ).encode()


def records(
    pairs: Sequence[tuple[bytes | None, bytes | None]],
    first_offset: int = 0,
    topic: str = "automl",
    partition: int = 0,
) -> RecordBatch:
    """Return a batch of (key, value) *pairs* at consecutive offsets."""
    return RecordBatch(
        topic,
        partition,
        range(first_offset, first_offset + len(pairs)),
        BinaryColumn.pack([key for key, _ in pairs]),
        BinaryColumn.pack([value for _, value in pairs]),
    )
