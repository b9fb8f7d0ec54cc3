"""What ``streamfit demo`` lets people choose."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """The platform's training modes."""

    CLASSIC = "classic"
    INCREMENTAL = "incremental"
    DISTRIBUTED = "distributed"
    DISTRIBUTED_INCREMENTAL = "distributed-incremental"
    SEMI_SUPERVISED = "semi-supervised"
    SEMI_SUPERVISED_INCREMENTAL = "semi-supervised-incremental"


class Format(StrEnum):
    """The record formats that the platform's sinks write."""

    RAW = "raw"
    AVRO = "avro"
