"""Which librdkafka reads and writes."""

from __future__ import annotations

import confluent_kafka


def librdkafka_version() -> str:
    """Return the version of the library itself, not of its Python front."""
    version, _ = confluent_kafka.libversion()
    return str(version)
