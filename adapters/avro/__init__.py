"""Avro records to arrays."""

from adapters.avro.decoder import AvroDecoder
from adapters.avro.writers import Registry

__all__ = ["AvroDecoder", "Registry"]
